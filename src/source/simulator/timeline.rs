//! The simulated world as a stream of events in virtual time, for tests: hours in milliseconds.

use std::collections::BTreeMap;

use crate::event::{Bytes, CrossTs, Edge, Event, Sample, SourceChange, Witness};
use crate::source::simulator::agenda::{Act, agenda};
use crate::source::simulator::random::Random;
use crate::source::simulator::world::{Second, World};
use crate::time::{Instant, Raw, Span};

/// Bracket of a cross time stamp; its readings err by up to half of it.
const WINDOW: Span = Span::from_nanos(400);
/// Seconds that are generated ahead: a burst may reach into the seconds after its own.
const AHEAD: i64 = 4;

/// The kernel is asked about the system clock this often, in seconds.
const WITNESS_EVERY: i64 = 8;

/// Events in the order of the times at which they were captured.
#[derive(Debug)]
pub struct Timeline {
    world: World,
    random: Random,
    queue: BTreeMap<(Instant<Raw>, u64), Event>,
    made: u64,
    seconds: i64,
}

impl Timeline {
    /// The events of this world, from one second before its first pulse on.
    pub fn new(world: World) -> Self {
        let random = Random::new(world.scenario().seed ^ 0x7151);
        let mut timeline = Self { world, random, queue: BTreeMap::new(), made: 0, seconds: 0 };
        let start = timeline.world.pulse_number(-1);
        let promise = timeline.world.scenario().edges.promise();
        let max_error = timeline.world.scenario().sys_max_error;
        timeline.add(start, Event::Witness(Witness { raw: start, max_error }));
        timeline.add(start, Event::LeapTable { raw: start, next: timeline.world.scenario().announced });
        for change in [SourceChange::SentencesOpen, SourceChange::PulseOpen(promise)] {
            timeline.add(start, Event::Source { raw: start, change });
        }
        for ms in [1, 100, 200, 700] {
            timeline.cross(start + Span::from_millis(ms));
        }
        timeline
    }

    /// The simulated truth.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// How wrong a sample is: against the system time at which its second truly began; `None` where no such second
    /// begins.
    pub fn error(&self, sample: &Sample) -> Option<Span> {
        self.world.pulse(sample.label).map(|pulse| sample.at - self.world.sys(pulse))
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
                return entry.remove();
            }
            let second = self.world.second(self.seconds);
            self.seconds += 1;
            self.generate(&second);
        }
    }

    fn generate(&mut self, second: &Second) {
        for (at, act) in agenda(&self.world, second) {
            match act {
                Act::Pulse(number) => {
                    self.add(at, Event::Tick { raw: at });
                    if number % WITNESS_EVERY == 0 {
                        let max_error = self.world.scenario().sys_max_error;
                        self.add(at, Event::Witness(Witness { raw: at, max_error }));
                    }
                }
                Act::Edge(phc) => self.add(at, Event::Edge(Edge { phc, read_at: at })),
                Act::Cross => self.cross(at),
                Act::Bytes(data) => {
                    let byte_time = self.world.byte_time();
                    self.add(at, Event::Bytes(Bytes { read_at: at, byte_time, data }));
                }
            }
        }
    }

    fn cross(&mut self, raw: Instant<Raw>) {
        let err = self.random.within(Span::from_nanos(WINDOW.nanos() / 2));
        let cross = CrossTs { phc: self.world.phc(raw + err), sys: self.world.sys(raw), raw, window: WINDOW };
        self.add(raw, Event::CrossTs(cross));
    }

    fn add(&mut self, at: Instant<Raw>, event: Event) {
        self.made += 1;
        self.queue.insert((at, self.made), event);
    }
}
