//! The simulated truth: when each UTC second begins on `CLOCK_MONOTONIC_RAW`, and what a receiver and a NIC make of it.
//! Pure and seeded: the same scenario gives the same world. It is the only fake in the project.

use std::ops::Range;

use crate::core::time::{Instant, NANOS, Phc, Raw, Span, Sys, UtcSecond};
use crate::simulator::clock::PiecewiseClock;
use crate::simulator::random::Random;
use crate::simulator::scenario::{Fault, FaultKind, LeapShape, PulseEnd, Scenario, Shown, SimEdges};

/// A part per million, in parts per billion.
const PPM: i64 = 1_000;
/// The moment at which the system clock's slew changes varies by this much.
const SLEWED_WITHIN: Span = Span::from_millis(1);
/// After this long without an edge the source arms the PHC again.
const REARMED_AFTER: Span = Span::from_secs(3);
/// A front is stamped a second time after at least and at most this many nanoseconds.
const DOUBLED_AFTER: [i64; 2] = [1_000, 40_000];
/// Sentences that would begin so much later than they should, because of those before them, are left out.
const BACKLOG: Span = Span::from_secs(3);

/// The simulated truth.
#[derive(Clone, Debug)]
pub struct World {
    scenario: Scenario,
    random: Random,
    first_second: UtcSecond,
    first_pulse: Instant<Raw>,
    phc: PiecewiseClock<Phc>,
    sys: PiecewiseClock<Sys>,
    /// How far the delay is off its mean just now.
    deviation: Span,
    /// When the NIC stamps no edges.
    disarmed: Vec<Range<Instant<Raw>>>,
    /// When the line has carried what was sent so far.
    line_free: Instant<Raw>,
}

/// What happens to a clock.
#[derive(Clone, Copy, Debug)]
enum Change {
    PhcStep(Span),
    PhcRate(i64),
    PhcToSystem,
    SysStep(Span),
    SysRate(i64),
}

/// One second of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// Its number, counted from the first.
    pub number: i64,
    /// When it begins.
    pub pulse: Instant<Raw>,
    /// The edges that the NIC stamps.
    pub edges: Vec<StampedEdge>,
    /// When the receiver's sentences begin on the line, and the sentences; `None` where they are lost.
    pub burst: Option<(Instant<Raw>, Vec<u8>)>,
}

/// An edge as the NIC stamps it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct StampedEdge {
    /// When it comes.
    pub at: Instant<Raw>,
    /// Its stamp.
    pub phc: Instant<Phc>,
    /// How long after it comes it is delivered.
    pub late: Span,
}

impl World {
    /// A world in which `first_second` begins at `first_pulse`.
    pub fn new(scenario: Scenario, first_second: UtcSecond, first_pulse: Instant<Raw>) -> Self {
        // A PHC that nobody set counts from its driver's start: any epoch but the right one.
        let phc_epoch = Instant::from_nanos(4_242 * NANOS + 123_456_789);
        let sys_start = Instant::from_parts(first_second.posix(), 0) + scenario.sys_ahead;
        let mut world = Self {
            random: Random::new(scenario.seed),
            phc: PiecewiseClock::new(first_pulse, phc_epoch, scenario.phc_ppm * PPM),
            sys: PiecewiseClock::new(first_pulse, sys_start, 0),
            first_second,
            first_pulse,
            deviation: Span::ZERO,
            disarmed: Vec::new(),
            line_free: Instant::from_nanos(i64::MIN),
            scenario,
        };
        world.bend_clocks();
        world
    }

    /// Puts the faults of the clocks into them, in the order of time.
    fn bend_clocks(&mut self) {
        let mut random = Random::new(self.scenario.seed ^ 0xC10C);
        let mut changes = Vec::new();
        for fault in &self.scenario.faults {
            // Not at a pulse: somewhere in the second.
            let when = |second: i64| self.pulse_number(second) + Span::from_nanos(second * 7_919_777 % NANOS);
            let (from, until) = (when(fault.from), when(fault.until));
            match fault.kind {
                FaultKind::PhcStep(step) => changes.push((from, Change::PhcStep(step))),
                FaultKind::SysStep(step) => changes.push((from, Change::SysStep(step))),
                FaultKind::PhcRate(ppm) => {
                    changes.extend([(from, Change::PhcRate(ppm * PPM)), (until, Change::PhcRate(-ppm * PPM))]);
                }
                FaultKind::SysRate(ppm) => {
                    changes.extend([(from, Change::SysRate(ppm * PPM)), (until, Change::SysRate(-ppm * PPM))]);
                }
                FaultKind::PhcWalk(ppb) => {
                    let steps = fault.from..fault.until;
                    changes.extend(steps.map(|n| (when(n), Change::PhcRate(random.between(-ppb, ppb)))));
                }
                FaultKind::PhcServo(ppm, after) => {
                    changes.extend(self.by_turns(fault, ppm, |_| after).map(|(at, ppb)| (at, Change::PhcRate(ppb))));
                }
                FaultKind::SysServo(ppm, after) => {
                    let when = |_| after + random.within(SLEWED_WITHIN);
                    changes.extend(self.by_turns(fault, ppm, when).map(|(at, ppb)| (at, Change::SysRate(ppb))));
                }
                FaultKind::PhcNudge(step, after) => {
                    let steps = (fault.from..fault.until).map(|n| {
                        let step = if n % 2 == 0 { step } else { Span::ZERO - step };
                        (self.pulse_number(n) + after, Change::PhcStep(step))
                    });
                    changes.extend(steps);
                }
                FaultKind::NicReset => {
                    changes.push((from, Change::PhcToSystem));
                    self.disarmed.push(from..self.pulse_number(fault.from) + REARMED_AFTER);
                }
                _ => {}
            }
        }
        changes.sort_by_key(|(at, _)| *at);
        for (at, change) in changes {
            match change {
                Change::PhcStep(step) => self.phc.change(at, step, 0),
                Change::PhcRate(ppb) => self.phc.change(at, Span::ZERO, ppb),
                Change::PhcToSystem => self.phc.set(at, Instant::from_nanos(self.sys.at(at).nanos()), 0),
                Change::SysStep(step) => self.sys.change(at, step, 0),
                Change::SysRate(ppb) => self.sys.change(at, Span::ZERO, ppb),
            }
        }
    }

    /// A rate to either side by turns, and none at the end: when it changes, and by how much.
    fn by_turns(
        &self,
        fault: &Fault,
        ppm: i64,
        mut after: impl FnMut(i64) -> Span,
    ) -> impl Iterator<Item = (Instant<Raw>, i64)> {
        let (from, until) = (fault.from, fault.until);
        let rate = move |n: i64| match n {
            n if !(from..until).contains(&n) => 0,
            n if n % 2 == 0 => ppm * PPM,
            _ => -ppm * PPM,
        };
        (from..=until).map(move |n| (self.pulse_number(n) + after(n), rate(n) - rate(n - 1)))
    }

    /// What is simulated.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The first second.
    pub fn first_second(&self) -> UtcSecond {
        self.first_second
    }

    /// When second number `n` begins.
    pub fn pulse_number(&self, n: i64) -> Instant<Raw> {
        self.first_pulse + Span::from_secs(n) + Span::from_nanos(n * self.scenario.system_ppm * 1_000)
    }

    /// When a UTC second begins. An inserted second has no number of its own, and a deleted one never begins.
    pub fn pulse(&self, utc: UtcSecond) -> Option<Instant<Raw>> {
        let seconds = utc.posix() - self.first_second.posix();
        let number = match self.scenario.leap {
            Some((after, LeapShape::Deleted)) if seconds == after + 1 => return None,
            Some((after, LeapShape::Deleted)) if seconds > after + 1 => seconds - 1,
            Some((_, LeapShape::Deleted)) | None => seconds,
            Some((after, _)) if seconds > after => seconds + 1,
            Some(_) => seconds,
        };
        Some(self.pulse_number(number))
    }

    /// What the PHC shows.
    pub fn phc(&self, raw: Instant<Raw>) -> Instant<Phc> {
        self.phc.at(raw)
    }

    /// What the simulated system clock shows.
    pub fn sys(&self, raw: Instant<Raw>) -> Instant<Sys> {
        self.sys.at(raw)
    }

    /// How long a byte is on the line.
    pub fn byte_time(&self) -> Span {
        Span::from_nanos(10 * NANOS / i64::from(self.scenario.baud.max(1)))
    }

    /// Second number `n`. To be asked for in order.
    pub fn second(&mut self, n: i64) -> Second {
        let faults: Vec<Fault> =
            self.scenario.faults.iter().filter(|f| (f.from..f.until).contains(&n)).copied().collect();
        let pulse = self.pulse_number(n);
        let edges = self.edges(n, pulse, &faults);
        let burst = self.burst(n, pulse, &faults);
        Second { number: n, pulse, edges, burst }
    }

    fn edges(&mut self, n: i64, pulse: Instant<Raw>, faults: &[Fault]) -> Vec<StampedEdge> {
        let (mut loss, mut glitches) = (self.scenario.edge_loss, self.scenario.glitches);
        let (mut stale, mut double, mut late, mut shift) = (0, 0, Span::ZERO, Span::ZERO);
        let (mut rise_rings, mut fall_rings, mut crosstalk) = (None, None, None);
        let (mut rise_loss, mut fall_loss) = (0, 0);
        for fault in faults {
            match fault.kind {
                FaultKind::EdgeLoss(permille) => loss = loss.max(permille),
                FaultKind::Glitches(permille) => glitches = glitches.max(permille),
                FaultKind::StaleEdges(permille) => stale = permille,
                FaultKind::DoubleEdges(permille) => double = permille,
                FaultKind::Ringing(PulseEnd::Rising, span) => rise_rings = Some(span),
                FaultKind::Ringing(PulseEnd::Falling, span) => fall_rings = Some(span),
                FaultKind::Ringing(PulseEnd::Both, span) => (rise_rings, fall_rings) = (Some(span), Some(span)),
                FaultKind::PolarityLoss(PulseEnd::Rising, permille) => rise_loss = permille,
                FaultKind::PolarityLoss(PulseEnd::Falling, permille) => fall_loss = permille,
                FaultKind::PolarityLoss(PulseEnd::Both, permille) => (rise_loss, fall_loss) = (permille, permille),
                FaultKind::Crosstalk(span) => crosstalk = Some(span),
                FaultKind::PulseDrift(span) => shift = shift + span.times(n - fault.from),
                FaultKind::LateEdges(span) => late = span,
                FaultKind::PulseShift(span) => shift = span,
                FaultKind::NoPulse => loss = 1_000,
                _ => {}
            }
        }
        let [rises, falls] = self.scenario.polarity.edges(self.scenario.width);
        let ends = match self.scenario.edges {
            SimEdges::Both => vec![(rises, rise_rings, rise_loss), (falls, fall_rings, fall_loss)],
            SimEdges::One => vec![(rises, rise_rings, rise_loss)],
        };
        let mut fronts: Vec<Instant<Raw>> =
            crosstalk.map(|before| pulse + shift + rises - before).into_iter().collect();
        for (end, rings, lost) in ends {
            if lost > 0 && self.random.happens(lost) {
                continue;
            }
            let at = pulse + shift + end;
            fronts.push(at);
            fronts.extend(rings.map(|after| at + after));
            if double > 0 && self.random.happens(double) {
                let [least, most] = DOUBLED_AFTER;
                fronts.push(at + Span::from_nanos(self.random.between(least, most)));
            }
        }
        let mut edges = Vec::new();
        for at in fronts {
            if !self.random.happens(loss) {
                let phc = self.phc(at) + self.random.within(self.scenario.noise);
                edges.push(StampedEdge { at, phc, late });
                if self.random.happens(stale) {
                    edges.push(StampedEdge { at, phc, late: late + Span::from_millis(self.random.between(1, 900)) });
                }
            }
        }
        // The pulse of second n may be absent, but noise on the line is not.
        if self.random.happens(glitches) && n > 0 {
            let at = pulse + Span::from_nanos(self.random.below(NANOS as u64) as i64);
            edges.push(StampedEdge { at, phc: self.phc(at), late });
        }
        edges.retain(|edge| !self.disarmed.iter().any(|silence| silence.contains(&edge.at)));
        edges.sort_unstable();
        edges
    }

    fn burst(&mut self, n: i64, pulse: Instant<Raw>, faults: &[Fault]) -> Option<(Instant<Raw>, Vec<u8>)> {
        let (mut loss, mut corruption, mut has_fix) = (self.scenario.sentence_loss, 0, true);
        let (mut later, mut off) = (Span::ZERO, 0);
        for fault in faults {
            match fault.kind {
                FaultKind::NoSentences => loss = 1_000,
                FaultKind::SentenceLoss(permille) => loss = loss.max(permille),
                FaultKind::Corruption(permille) => corruption = permille,
                FaultKind::NoFix => has_fix = false,
                FaultKind::DelayJump(span) => later = later + span,
                FaultKind::DelayRamp(span) => later = later + span.times(n - fault.from),
                FaultKind::WrongSecond(seconds) => off += seconds,
                _ => {}
            }
        }
        self.deviation = self.scenario.spread.next(&mut self.random, self.scenario.jitter, self.deviation);
        let delay = self.scenario.delay + later + self.deviation;
        if self.random.happens(loss) {
            return None;
        }
        let (utc, is_sixty) = self.shown(n);
        let shown = Shown { utc: utc.plus(off), is_sixty, has_fix };
        let text: String = self.scenario.sentences.iter().map(|sentence| sentence.text(shown)).collect();
        let mut bytes = text.into_bytes();
        for byte in &mut bytes {
            if self.random.happens(corruption) {
                *byte ^= 1 << self.random.below(8);
            }
        }
        let start = if self.scenario.delay < Span::ZERO { pulse + delay } else { pulse + delay.max(Span::ZERO) };
        // A line carries one sentence after the other.
        if self.line_free - start > BACKLOG {
            return None;
        }
        let start = start.max(self.line_free);
        self.line_free = start + self.scenario.pause + self.byte_time().times(bytes.len() as i64);
        Some((start, bytes))
    }

    /// What the receiver calls second number `n`, and whether it shows it as `:60`.
    fn shown(&self, n: i64) -> (UtcSecond, bool) {
        let plain = self.first_second.plus(n);
        match self.scenario.leap {
            Some((after, LeapShape::Deleted)) if n > after => (plain.plus(1), false),
            Some((after, LeapShape::Sixty)) if n == after + 1 => (plain.plus(-1), true),
            Some((after, LeapShape::Doubled00)) if n == after + 1 => (plain, false),
            Some((after, LeapShape::Sixty | LeapShape::Doubled59 | LeapShape::Doubled00)) if n > after => {
                (plain.plus(-1), false)
            }
            Some(_) | None => (plain, false),
        }
    }
}
