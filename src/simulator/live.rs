//! The simulated world in real time: sentences go into a pseudo terminal at the line's rate, edges and cross timestamps
//! into the channel that a PHC's would go into. The clocks are the machine's own; only the pulse is simulated.

use std::collections::{BTreeMap, VecDeque};
use std::io::Write;
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex};
use std::thread::{Builder, JoinHandle};
use std::time::Duration;

use serialport::{SerialPort, TTYPort};
use tokio::sync::mpsc::Sender;
use tracing::debug;

use super::scenario::Scenario;
use super::world::{Act, World};
use crate::core::event::{CrossTs, Edge, Event, Sample, SourceChange};
use crate::core::time::{Instant, Raw, Span, Sys, UtcSecond};
use crate::source::phc::schedule::{Schedule, Step};
use crate::sys::clock::{raw_now, raw_sys_pair};

/// Seconds of truth remembered: a sample is published some milliseconds after its pulse.
const TRUTH_KEPT: usize = 64;
/// Generated ahead: no second begins more than 10 ms before its pulse.
const AHEAD: Span = Span::from_secs(2);

/// A receiver and a NIC at work, until dropped.
#[derive(Debug)]
pub struct Live {
    /// Path of the pseudo terminal that the receiver writes to.
    pub device: String,
    truth: Arc<Mutex<Truth>>,
    stop: SyncSender<()>,
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
    pub fn start(scenario: Scenario, events: Sender<Event>) -> std::io::Result<Self> {
        let (line, slave) = TTYPort::pair()?;
        let device = slave.name().unwrap_or_default();
        let (raw, sys, _) = raw_sys_pair();
        let first = UtcSecond::from_posix(sys.parts().0 + 2);
        let world = World::new(scenario, first, raw + (Instant::from_parts(first.posix(), 0) - sys));
        let truth = Arc::<Mutex<Truth>>::default();
        let player = Player { world, line, _keeps_it_open: slave, events, truth: Arc::clone(&truth) };
        let (stop, stopped) = sync_channel(1);
        let wait = move |time| matches!(stopped.recv_timeout(time), Err(RecvTimeoutError::Timeout)).then_some(());
        let thread = Builder::new().name("simulator".into()).spawn(move || player.play(wait).unwrap_or_default())?;
        Ok(Self { device, truth, stop, thread: Some(thread) })
    }

    /// How many pulses there were.
    pub fn pulses(&self) -> u64 {
        self.truth.lock().map_or(0, |truth| truth.pulses)
    }

    /// The error of a sample; `None` if there was no such pulse: then its second is wrong.
    pub fn error(&self, sample: &Sample) -> Option<Span> {
        let truth = self.truth.lock().ok()?;
        truth.kept.iter().find(|(utc, _)| *utc == sample.label).map(|(_, at)| sample.at - *at)
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        // It may have ended; and a panic in there has been printed.
        let _ = self.stop.try_send(());
        let _ = self.thread.take().map(JoinHandle::join);
    }
}

struct Player {
    world: World,
    line: TTYPort,
    _keeps_it_open: TTYPort,
    events: Sender<Event>,
    truth: Arc<Mutex<Truth>>,
}

impl Player {
    /// Plays second after second, until `wait` says that it is to stop or no engine takes events: both are `None`.
    fn play(mut self, wait: impl Fn(Duration) -> Option<()>) -> Option<()> {
        let mut queue = BTreeMap::new();
        let (mut seconds, mut made) = (0, 0_u64);
        let mut schedule = Schedule::new(raw_now());
        let promise = self.world.scenario().edges.promise();
        self.send(Event::Source { raw: raw_now(), change: SourceChange::PulseOpen(promise) })?;
        loop {
            while self.world.pulse_number(seconds) - raw_now() < AHEAD {
                for (at, act) in self.world.acts(seconds) {
                    made += 1;
                    queue.insert((at, made), act);
                }
                seconds += 1;
            }
            let now = raw_now();
            let rest = match schedule.next(now) {
                Step::CrossTs(_) => {
                    let (raw, sys, window) = raw_sys_pair();
                    schedule.cross_taken(now);
                    self.send(Event::CrossTs(CrossTs { phc: self.world.phc(raw), sys, raw, window }))?;
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
                wait(Duration::from_nanos(ahead.nanos().unsigned_abs()))?;
                continue;
            }
            let ((at, _), act) = next.remove_entry();
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
                    self.send(Event::Edge(Edge { phc, read_at }))?;
                }
            }
        }
    }

    fn send(&self, event: Event) -> Option<()> {
        self.events.blocking_send(event).ok()
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
