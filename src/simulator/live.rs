//! The simulated world in real time: sentences go into a pseudo terminal at the pace of the line, edges and cross time
//! stamps into the channel that a PHC's would go into. The clocks are the machine's own; only the pulse is invented.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::sync::mpsc::Sender;
use tracing::debug;

use crate::core::event::{CrossTs, Edge, Event, Sample, SourceChange};
use crate::core::time::{Instant, Raw, Span, Sys, UtcSecond};
use crate::simulator::agenda::{Act, agenda};
use crate::simulator::scenario::Scenario;
use crate::simulator::world::World;
use crate::source::phc::schedule::{Schedule, Step};
use crate::sys::clock::{raw_now, raw_sys_pair};

/// Seconds of truth remembered: a sample is published some milliseconds after its pulse.
const TRUTH_KEPT: usize = 64;

/// A receiver and a NIC at work. Dropped, they stop.
#[derive(Debug)]
pub struct Live {
    /// Path of the pseudo terminal that the receiver writes to.
    pub device: String,
    truth: Arc<Mutex<Truth>>,
    stop: Option<SyncSender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// When the pulses really came, on the system clock.
#[derive(Debug, Default)]
struct Truth {
    pulses: u64,
    kept: VecDeque<(UtcSecond, Instant<Sys>)>,
}

impl Live {
    /// Starts the world: its first pulse comes in a second or two, at the next full second of the system clock.
    pub fn start(scenario: Scenario, events: Sender<Event>) -> io::Result<Self> {
        let (master, device, slave) = pseudo_terminal()?;
        let (raw, sys, _) = raw_sys_pair();
        let first = UtcSecond::from_posix(sys.parts().0 + 2);
        let first_pulse = raw + (Instant::from_parts(first.posix(), 0) - sys);
        let truth = Arc::new(Mutex::new(Truth::default()));
        let (stop, stopped) = sync_channel(0);
        let player = Player {
            world: World::new(scenario, first, first_pulse),
            line: master,
            _keeps_it_open: slave,
            events,
            truth: Arc::clone(&truth),
        };
        let wait = move |time| matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout));
        let thread = Builder::new().name("simulator".into()).spawn(move || player.play(wait))?;
        Ok(Self { device, truth, stop: Some(stop), thread: Some(thread) })
    }

    /// How many pulses there were.
    pub fn pulses(&self) -> u64 {
        self.truth.lock().map_or(0, |truth| truth.pulses)
    }

    /// How wrong a sample is; `None` where there was no such pulse: then its second is wrong.
    pub fn error(&self, sample: &Sample) -> Option<Span> {
        let truth = self.truth.lock().ok()?;
        truth.kept.iter().find(|(utc, _)| *utc == sample.label).map(|(_, at)| sample.at - *at)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            // A panic in there has been printed; nothing is left to do about it.
            let _ = thread.join();
        }
    }
}

/// A raw pseudo terminal, pty(7): the receiver's end, and the machine's with its path. Bytes that do not fit into its
/// buffer, because they are not read, are an error.
fn pseudo_terminal() -> io::Result<(File, String, File)> {
    let receiver = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC)?;
    grantpt(&receiver)?;
    unlockpt(&receiver)?;
    rustix::io::ioctl_fionbio(&receiver, true)?;
    let device = ptsname(&receiver, Vec::new())?.to_string_lossy().into_owned();
    let mut options = File::options();
    let machine = options.read(true).write(true).custom_flags(libc::O_NOCTTY).open(&device)?;
    let mut termios = tcgetattr(&machine)?;
    termios.make_raw();
    tcsetattr(&machine, OptionalActions::Now, &termios)?;
    Ok((receiver.into(), device, machine))
}

struct Player {
    world: World,
    line: File,
    _keeps_it_open: File,
    events: Sender<Event>,
    truth: Arc<Mutex<Truth>>,
}

/// The engine is gone: the world may end.
struct Over;

impl Player {
    /// Plays second after second; `wait` waits that long, and says whether to go on.
    fn play(mut self, wait: impl Fn(Duration) -> bool) {
        let mut queue = BTreeMap::new();
        let (mut seconds, mut made) = (0, 0_u64);
        let mut schedule = Schedule::new(raw_now());
        let promise = self.world.scenario().edges.promise();
        let opened = Event::Source { raw: raw_now(), change: SourceChange::PulseOpen(promise) };
        if self.events.blocking_send(opened).is_err() {
            return;
        }
        loop {
            // Two seconds ahead is enough: nothing begins more than 10 ms before its second.
            while self.world.pulse_number(seconds) - raw_now() < Span::from_secs(2) {
                let second = self.world.second(seconds);
                seconds += 1;
                for (at, act) in agenda(&self.world, &second) {
                    made += 1;
                    queue.insert((at, made), act);
                }
            }
            let now = raw_now();
            let rest = match schedule.next(now) {
                Step::CrossTs(_) => {
                    let (raw, sys, window) = raw_sys_pair();
                    let cross = CrossTs { phc: self.world.phc(raw), sys, raw, window };
                    schedule.cross_taken(now);
                    if self.events.blocking_send(Event::CrossTs(cross)).is_err() {
                        return;
                    }
                    continue;
                }
                Step::Rearm => {
                    schedule.rearmed(now);
                    continue;
                }
                Step::Wait(span) => span,
            };
            let Some(next) = queue.first_entry() else { continue };
            let ahead = (next.key().0 - now).min(rest);
            if ahead > Span::ZERO {
                if !wait(Duration::from_nanos(ahead.nanos().unsigned_abs())) {
                    return;
                }
                continue;
            }
            let ((at, _), act) = next.remove_entry();
            if self.perform(act, at, &mut schedule).is_err() {
                return;
            }
        }
    }

    fn perform(&mut self, act: Act, at: Instant<Raw>, schedule: &mut Schedule) -> Result<(), Over> {
        match act {
            Act::Pulse(number) => self.remember(self.world.first_second().plus(number), at),
            Act::Bytes(bytes) => {
                if let Err(error) = self.line.write_all(&bytes) {
                    debug!("simulated line: {error}");
                }
            }
            Act::Edge(phc) => {
                let read_at = raw_now();
                schedule.edges_read(read_at);
                self.events.blocking_send(Event::Edge(Edge { phc, read_at })).map_err(|_| Over)?;
            }
        }
        Ok(())
    }

    /// The system clock at the pulse, from a reading just after it.
    fn remember(&self, utc: UtcSecond, pulse: Instant<Raw>) {
        let (raw, sys, _) = raw_sys_pair();
        if let Ok(mut truth) = self.truth.lock() {
            truth.pulses += 1;
            truth.kept.push_back((utc, sys - (raw - pulse)));
            if truth.kept.len() > TRUTH_KEPT {
                truth.kept.pop_front();
            }
        }
    }
}
