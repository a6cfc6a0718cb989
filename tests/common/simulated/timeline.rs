//! The simulated world as a stream of events in virtual time, for tests: an hour takes milliseconds.

use std::collections::BTreeMap;

use super::random::Random;
use gnss2shm::core::engine::audit::Audit;
use gnss2shm::core::event::{Bytes, CrossTs, Edge, Event, Sample, SourceChange, Witness};
use gnss2shm::core::time::{EdgeClock, Instant, Raw, Span};
use gnss2shm::source::phc::schedule::{Schedule, Step};

use super::scenario::{FaultKind, Pace, SimThread};
use super::world::{Act, World};

/// Bracket of a cross timestamp; its readings err by up to half of it.
const WINDOW: Span = Span::from_nanos(400);
/// From a wake-up of the PHC's thread to the cross timestamp that it takes.
const WAKE_TO_CROSS: Span = Span::from_micros(15);
/// Seconds that are generated ahead: a burst may reach into the seconds after its own.
const AHEAD: i64 = 4;
/// The kernel is asked about the system clock this often, in seconds.
const WITNESS_EVERY: i64 = 8;
/// TAI - UTC, as the kernel and the leap second table have it.
const TAI_OFFSET: Option<i64> = Some(37);

/// Events in the order in which they reach the engine: that of the times at which they were captured, unless threads
/// stall.
#[derive(Debug)]
pub struct Timeline {
    world: World,
    random: Random,
    /// The PHC's thread: what it does next, the time by which it has got there, and the edges in its queue.
    schedule: Schedule,
    phc_at: Instant<Raw>,
    edges: BTreeMap<(Instant<Raw>, u64), Instant<EdgeClock>>,
    /// By when they are delivered, when they were due to be captured, and when they were made.
    queue: BTreeMap<(Instant<Raw>, Instant<Raw>, u64), Event>,
    made: u64,
    seconds: i64,
}

impl Timeline {
    /// The events of this world, from one second before its first pulse on.
    pub fn new(world: World) -> Self {
        let random = Random::new(world.scenario().seed ^ 0x7151);
        let start = world.pulse_number(-1);
        let mut timeline = Self {
            world,
            random,
            schedule: Schedule::new(start),
            phc_at: start,
            edges: BTreeMap::new(),
            queue: BTreeMap::new(),
            made: 0,
            seconds: 0,
        };
        let promise = timeline.world.scenario().edges.promise();
        let max_error = timeline.world.scenario().sys_max_error;
        timeline.add(start, start, Event::Witness(Witness { raw: start, max_error, tai_offset: TAI_OFFSET }));
        timeline.add(
            start,
            start,
            Event::LeapTable { raw: start, next: timeline.world.scenario().announced, tai_offset: TAI_OFFSET },
        );
        for change in [SourceChange::SentencesOpen, SourceChange::PulseOpen(promise)] {
            timeline.add(start, start, Event::Source { raw: start, change });
        }
        timeline
    }

    /// The simulated truth.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The error of a sample against the system time at which its second truly began; `None` if no such second begins.
    pub fn error(&self, sample: &Sample) -> Option<Span> {
        self.world.pulse(sample.label).map(|pulse| sample.at - self.world.sys(pulse))
    }

    /// The error of the PHC's comparison with GNSS; `None` if its second never begins.
    pub fn audit_error(&self, audit: &Audit) -> Option<Span> {
        let error =
            |ahead: Span, second: i64, begins| ahead - (Instant::from_parts(second, 0) - self.world.phc(begins));
        if let Some(utc) = audit.utc {
            return self.world.pulse(audit.second).map(|begins| error(utc, audit.second.posix(), begins));
        }
        // TAI has no leap seconds.
        let (number, offset) = (audit.second.since(self.world.first_second()), TAI_OFFSET?);
        Some(error(audit.tai?, audit.second.posix() + offset, self.world.pulse_number(number)))
    }

    /// The number of the second that is generated next: a little ahead of the events.
    pub fn generated(&self) -> i64 {
        self.seconds
    }

    /// The next event.
    pub fn next_event(&mut self) -> Event {
        loop {
            let complete_until = self.world.pulse_number(self.seconds - AHEAD);
            if let Some(entry) = self.queue.first_entry()
                && self.seconds > AHEAD
                && entry.key().0 < complete_until
            {
                let event = entry.remove();
                return self.read_together(event);
            }
            let second = self.seconds;
            self.seconds += 1;
            self.generate(second);
            // No edge of a second comes before the pulse of the one before it.
            self.run_phc(self.world.pulse_number(second));
        }
    }

    fn generate(&mut self, second: i64) {
        for (at, act) in self.world.acts(second) {
            match act {
                Act::Pulse(number) => {
                    self.add(at, at, Event::Tick { raw: at });
                    if number % WITNESS_EVERY == 0 {
                        let max_error = self.world.scenario().sys_max_error;
                        self.add(at, at, Event::Witness(Witness { raw: at, max_error, tai_offset: TAI_OFFSET }));
                    }
                }
                Act::Edge(phc) => {
                    self.made += 1;
                    self.edges.insert((at, self.made), phc);
                }
                Act::Bytes(data) => {
                    let byte_time = match self.world.scenario().pace {
                        Pace::Line | Pace::AtOnce => self.world.byte_time(),
                        Pace::WholeLines => Span::ZERO,
                    };
                    let read_at = self.runs(SimThread::Reader, at);
                    let delivered = self.runs(SimThread::SentenceEvents, read_at);
                    self.add(delivered, at, Event::Bytes(Bytes { read_at, byte_time, data }));
                }
            }
        }
    }

    /// Runs the PHC's thread until then, by the schedule of the real one.
    fn run_phc(&mut self, until: Instant<Raw>) {
        loop {
            match self.schedule.next(self.phc_at) {
                Step::CrossTs(_) => {
                    self.cross(self.phc_at + WAKE_TO_CROSS);
                    self.schedule.cross_taken(self.phc_at);
                }
                Step::Rearm => self.schedule.rearmed(self.phc_at), // what it cures is a fault of the world
                Step::Wait(span) => {
                    let queued = self.edges.first_key_value().map(|(&(at, _), _)| at);
                    let due = queued.map_or(self.phc_at + span, |at| at.max(self.phc_at).min(self.phc_at + span));
                    let wakes = self.runs(SimThread::Phc, due);
                    if wakes >= until {
                        return;
                    }
                    self.phc_at = wakes;
                    self.read_edges();
                }
            }
        }
    }

    fn read_edges(&mut self) {
        let read_at = self.phc_at;
        while let Some(entry) = self.edges.first_entry()
            && entry.key().0 <= read_at
        {
            let (at, _) = *entry.key();
            let phc = entry.remove();
            self.schedule.edges_read(read_at);
            self.add(self.runs(SimThread::PulseEvents, read_at), at, Event::Edge(Edge { phc, read_at }));
        }
    }

    fn cross(&mut self, raw: Instant<Raw>) {
        let err = self.random.within(Span::from_nanos(WINDOW.nanos() / 2));
        let cross = CrossTs { phc: self.world.phc(raw + err), sys: self.world.sys(raw), raw, window: WINDOW };
        self.add(self.runs(SimThread::PulseEvents, raw), raw, Event::CrossTs(cross));
    }

    /// Bytes that one read returns are one event: those that had arrived when a stalled thread got to them.
    fn read_together(&mut self, event: Event) -> Event {
        let Event::Bytes(mut bytes) = event else { return event };
        let mut data = Vec::from(std::mem::take(&mut bytes.data));
        while let Some(entry) = self.queue.first_entry()
            && let Event::Bytes(more) = entry.get()
            && more.read_at == bytes.read_at
        {
            data.extend_from_slice(&more.data);
            entry.remove();
        }
        bytes.data = data.into();
        Event::Bytes(bytes)
    }

    /// When a thread that may stall gets to what it would have done at `at`. The order is kept.
    pub fn runs(&self, thread: SimThread, at: Instant<Raw>) -> Instant<Raw> {
        let wakes = self.world.scenario().faults.iter().filter_map(|fault| match fault.kind {
            FaultKind::Stall(stalled, every) if stalled == thread && every > Span::ZERO => {
                let (from, until) = (self.world.pulse_number(fault.from), self.world.pulse_number(fault.until));
                let (slept, rest) = (at - from).div_rem(every);
                let slots = if rest > Span::ZERO { slept + 1 } else { slept };
                (from < at && at < until).then(|| (from + every.times(slots)).min(until))
            }
            _ => None,
        });
        wakes.fold(at, Instant::max)
    }

    /// `due` keeps events in order that are delivered together.
    fn add(&mut self, delivered: Instant<Raw>, due: Instant<Raw>, event: Event) {
        self.made += 1;
        self.queue.insert((delivered, due, self.made), event);
    }
}
