//! The simulated world in real time: sentences go into a pseudo terminal at the line's rate, edges and cross timestamps
//! into the channel used for a real PHC. The clocks are those of this machine; only the pulse is simulated.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::Builder;
use std::time::Duration;

use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, openpt, ptsname, unlockpt};
use rustix::termios::{OptionalActions, tcgetattr, tcsetattr};
use tokio::sync::mpsc::Sender;
use tracing::debug;

use super::{Random, Scenario, SimEdges};
use crate::core::event::{CrossTs, Edge, Event, Sample, SourceChange};
use crate::core::time::{EdgeClock, Instant, NANOS, Raw, Span, Sys, UtcSecond};
use crate::sys::clock::{Reading, raw_now};

/// PHC time at the first pulse. A PHC that was never set counts from its driver's start, not from 1970.
const PHC_START: Instant<EdgeClock> = Instant::from_nanos(4_242 * NANOS + 123_456_789);
/// From the edge to the read that returns it.
const LATENCY: Span = Span::from_micros(60);
/// Cross timestamps before and after each pulse; another one follows each edge.
const CROSS_MS: [i64; 5] = [-100, 100, 300, 500, 700];
/// Bytes that a UART delivers at once.
const FIFO: usize = 16;
/// Sentences that would begin this much late, because the line still carries earlier ones, are left out.
const BACKLOG: Span = Span::from_secs(3);
/// Seconds of truth remembered: a sample is published some milliseconds after its pulse.
const TRUTH_KEPT: usize = 64;
/// How far ahead seconds are generated.
const AHEAD: Span = Span::from_secs(2);

/// A running receiver and NIC, until dropped.
pub(crate) struct Live {
    /// Path of the pseudo terminal that the receiver writes to.
    pub device: String,
    first: UtcSecond,
    truth: Truth,
    /// Dropping it ends the thread.
    _running: mpsc::Sender<()>,
}

/// System clock times of the last simulated pulses.
type Truth = Arc<Mutex<BTreeMap<UtcSecond, Instant<Sys>>>>;

impl Live {
    /// Starts the world: its first pulse is one or two seconds later, at a full second of the system clock.
    pub(crate) fn start(scenario: Scenario, events: Sender<Event>) -> io::Result<Self> {
        let (line, device, port) = pseudo_terminal()?;
        let Reading { raw, sys, .. } = Reading::now();
        let first = UtcSecond::from_posix(sys.parts().0 + 2);
        let first_pulse = raw + (Instant::from_parts(first.posix(), 0) - sys);
        let (truth, random, (running, stopped)) = (Truth::default(), Random(scenario.seed), mpsc::channel());
        let started = Self { device, first, truth: Arc::clone(&truth), _running: running };
        let world = World { scenario, random, first, first_pulse, line_free: raw, line, _port: port, events, truth };
        Builder::new().name("simulator".into()).spawn(move || world.play(&stopped))?;
        Ok(started)
    }

    /// How many pulses there were.
    pub(crate) fn pulses(&self) -> u64 {
        let truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        truth.last_key_value().map_or(0, |(last, _)| (last.posix() - self.first.posix()).unsigned_abs() + 1)
    }

    /// The error of a sample; `None` if there was no such pulse, so its second is wrong.
    pub(crate) fn error(&self, sample: &Sample) -> Option<Span> {
        let truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        truth.get(&sample.label).map(|at| sample.at - *at)
    }
}

/// A raw pseudo terminal, pty(7): the receiver's end, and the machine's with its path. Bytes that do not fit into its
/// buffer, because they are not read, are an error.
fn pseudo_terminal() -> io::Result<(File, String, OwnedFd)> {
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC;
    let receiver = openpt(flags)?;
    unlockpt(&receiver)?;
    rustix::io::ioctl_fionbio(&receiver, true)?;
    let device = ptsname(&receiver, Vec::new())?.to_string_lossy().into_owned();
    let machine = ioctl_tiocgptpeer(&receiver, flags)?;
    let mut termios = tcgetattr(&machine)?;
    termios.make_raw();
    tcsetattr(&machine, OptionalActions::Now, &termios)?;
    Ok((receiver.into(), device, machine))
}

/// The simulated truth and its outputs.
struct World {
    scenario: Scenario,
    random: Random,
    first: UtcSecond,
    first_pulse: Instant<Raw>,
    line: File,
    /// Keeps the line open.
    _port: OwnedFd,
    /// When the line has transmitted everything sent so far.
    line_free: Instant<Raw>,
    events: Sender<Event>,
    truth: Truth,
}

/// An event in a simulated second.
enum Act {
    /// The second with this number begins.
    Pulse(i64),
    /// An edge is in the PHC's queue.
    Edge(Instant<EdgeClock>),
    /// The PHC and the system clock are read together.
    CrossTs,
    /// The last of these bytes has arrived.
    Bytes(Vec<u8>),
}

impl World {
    /// Runs second by second until it is stopped or the engine is gone: both are `None`.
    fn play(mut self, stopped: &mpsc::Receiver<()>) -> Option<()> {
        let (mut queue, mut seconds) = (VecDeque::new(), 0);
        let change = SourceChange::PulseOpen(self.scenario.edges.promise());
        self.events.blocking_send(Event::Source { raw: raw_now(), change }).ok()?;
        loop {
            while self.pulse(seconds) - raw_now() < AHEAD {
                queue.extend(self.acts(seconds));
                queue.make_contiguous().sort_by_key(|(at, _)| *at);
                seconds += 1;
            }
            // Never empty: there are cross timestamps in every second.
            let (at, act) = queue.pop_front()?;
            let ahead = (at - raw_now()).max(Span::ZERO);
            let waited = stopped.recv_timeout(Duration::from_nanos(ahead.nanos().unsigned_abs()));
            waited.is_err_and(|error| error == RecvTimeoutError::Timeout).then_some(())?;
            let event = match act {
                Act::Pulse(number) => {
                    self.remember(self.first.plus(number), at);
                    continue;
                }
                Act::Bytes(bytes) => {
                    if let Err(error) = self.line.write_all(&bytes) {
                        debug!("simulated line: {error}");
                    }
                    continue;
                }
                Act::Edge(phc) => Event::Edge(Edge { phc, read_at: raw_now() }),
                Act::CrossTs => {
                    let Reading { raw, sys, window } = Reading::now();
                    Event::CrossTs(CrossTs { phc: self.phc(raw), sys, raw, window })
                }
            };
            self.events.blocking_send(event).ok()?;
        }
    }

    /// The system clock at the pulse, from a reading just after it.
    fn remember(&self, utc: UtcSecond, pulse: Instant<Raw>) {
        let Reading { raw, sys, .. } = Reading::now();
        let mut truth = self.truth.lock().unwrap_or_else(PoisonError::into_inner);
        truth.insert(utc, sys - (raw - pulse));
        if truth.len() > TRUTH_KEPT {
            truth.pop_first();
        }
    }

    /// When second number `n` begins.
    fn pulse(&self, n: i64) -> Instant<Raw> {
        self.first_pulse + Span::from_secs(n) + Span::from_nanos(n * self.scenario.system_ppm * 1_000)
    }

    /// The PHC's reading.
    fn phc(&self, raw: Instant<Raw>) -> Instant<EdgeClock> {
        let elapsed = raw - self.first_pulse;
        PHC_START + elapsed + elapsed.ppm(self.scenario.phc_ppm)
    }

    /// All events of second number `n` with their times, unordered.
    fn acts(&mut self, n: i64) -> Vec<(Instant<Raw>, Act)> {
        let Scenario { delay, jitter, baud, width, edges, edge_loss, sentence_loss, glitches, noise, .. } =
            self.scenario;
        let pulse = self.pulse(n);
        let mut signal = vec![pulse];
        signal.extend((edges == SimEdges::Both).then(|| pulse + width));
        signal.retain(|_| !self.random.happens(edge_loss));
        if self.random.happens(glitches) {
            signal.push(pulse + Span::from_nanos(self.random.between(0, NANOS)));
        }
        let mut acts: Vec<_> = CROSS_MS.map(|ms| (pulse + Span::from_millis(ms), Act::CrossTs)).into();
        acts.push((pulse, Act::Pulse(n)));
        for at in signal {
            acts.push((at + LATENCY, Act::Edge(self.phc(at) + self.random.within(noise))));
            acts.push((at + LATENCY, Act::CrossTs));
        }
        let start = pulse + (delay + self.random.within(jitter)).max(Span::ZERO);
        if self.random.happens(sentence_loss) || self.line_free - start > BACKLOG {
            return acts;
        }
        let byte_time = Span::from_nanos(10 * NANOS / i64::from(baud.max(1)));
        self.line_free = self.line_free.max(start);
        for chunk in sentences(self.first.plus(n)).as_bytes().chunks(FIFO) {
            self.line_free = self.line_free + byte_time.times(chunk.len() as i64);
            acts.push((self.line_free, Act::Bytes(chunk.into())));
        }
        acts
    }
}

/// The receiver's sentences for a second: RMC, ZDA, GGA, and GSA.
fn sentences(utc: UtcSecond) -> String {
    let (sod, (year, month, day)) = (utc.second_of_day(), utc.date().ymd());
    let time = format!("{:02}{:02}{:02}.00", sod / 3_600, sod / 60 % 60, sod % 60);
    let place = "4807.03810,N,01131.00000,E";
    let bodies = [
        format!("GNRMC,{time},A,{place},0.01,0.0,{day:02}{month:02}{:02},,,A", year.rem_euclid(100)),
        format!("GNZDA,{time},{day:02},{month:02},{year:04},00,00"),
        format!("GNGGA,{time},{place},1,12,0.70,545.4,M,46.9,M,,"),
        "GNGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.20,0.70,0.98".to_owned(),
    ];
    let with_checksum = |body: String| format!("${body}*{:02X}\r\n", body.bytes().fold(0, |sum, byte| sum ^ byte));
    bodies.map(with_checksum).concat()
}
