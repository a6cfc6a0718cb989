//! The simulated truth: when each UTC second begins on `CLOCK_MONOTONIC_RAW`, and what a receiver and a NIC make of it.
//! Pure and seeded: the same scenario gives the same world. It is the only fake in the project.

use crate::source::simulator::clock::PiecewiseClock;
use crate::source::simulator::random::Random;
use crate::source::simulator::scenario::{Fault, FaultKind, LeapShape, Scenario, Shown, SimEdges};
use crate::time::{Instant, NANOS, Phc, Raw, Span, Sys, UtcSecond};

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
    /// When the line has carried what was sent so far.
    line_free: Instant<Raw>,
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
            phc: PiecewiseClock::new(first_pulse, phc_epoch, scenario.phc_ppm),
            sys: PiecewiseClock::new(first_pulse, sys_start, 0),
            first_second,
            first_pulse,
            line_free: Instant::from_nanos(i64::MIN),
            scenario,
        };
        world.bend_clocks();
        world
    }

    /// Puts the faults of the clocks into them, in the order of time.
    fn bend_clocks(&mut self) {
        let mut changes = Vec::new();
        for fault in &self.scenario.faults {
            // Not at a pulse: somewhere in the second.
            let when = |second: i64| self.pulse_number(second) + Span::from_nanos(second * 7_919_777 % NANOS);
            let (from, until) = (when(fault.from), when(fault.until));
            match fault.kind {
                FaultKind::PhcStep(step) => changes.push((from, Some(step), 0, true)),
                FaultKind::SysStep(step) => changes.push((from, Some(step), 0, false)),
                FaultKind::PhcRate(ppm) => changes.extend([(from, None, ppm, true), (until, None, -ppm, true)]),
                FaultKind::SysRate(ppm) => changes.extend([(from, None, ppm, false), (until, None, -ppm, false)]),
                _ => {}
            }
        }
        changes.sort_unstable();
        for (at, step, ppm, is_phc) in changes {
            let step = step.unwrap_or_default();
            if is_phc {
                self.phc.change(at, step, ppm);
            } else {
                self.sys.change(at, step, ppm);
            }
        }
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
        let (mut stale, mut late, mut shift) = (0, Span::ZERO, Span::ZERO);
        for fault in faults {
            match fault.kind {
                FaultKind::EdgeLoss(permille) => loss = loss.max(permille),
                FaultKind::Glitches(permille) => glitches = glitches.max(permille),
                FaultKind::StaleEdges(permille) => stale = permille,
                FaultKind::LateEdges(span) => late = span,
                FaultKind::PulseShift(span) => shift = span,
                FaultKind::NoPulse => loss = 1_000,
                _ => {}
            }
        }
        let ends = match self.scenario.edges {
            SimEdges::Both => Some(pulse + shift + self.scenario.width),
            SimEdges::One => None,
        };
        let mut edges = Vec::new();
        for at in [Some(pulse + shift), ends].into_iter().flatten() {
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
        let delay = self.scenario.delay + later + self.random.within(self.scenario.jitter);
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
        self.line_free = start + self.byte_time().times(bytes.len() as i64);
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
