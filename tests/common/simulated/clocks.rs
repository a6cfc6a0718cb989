//! The simulated clocks: each runs at a constant rate over the raw clock, except for steps and changes of rate at known
//! times.

use std::ops::Range;

use super::random::Random;
use gnss2shm::core::time::{Clock, EdgeClock, Instant, NANOS, Raw, Span, Sys, UtcSecond};

use super::scenario::{Fault, FaultKind, Scenario};

/// A part per million, in parts per billion.
const PPM: i64 = 1_000;
/// PHC time at the first pulse. A PHC that was never set counts from its driver's start, not from 1970.
const PHC_START: Instant<EdgeClock> = Instant::from_nanos(4_242 * NANOS + 123_456_789);
/// The moment at which the system clock's slew changes varies by this much.
const SLEWED_WITHIN: Span = Span::from_millis(1);
/// After this long without an edge the source arms the PHC again.
const REARMED_AFTER: Span = Span::from_secs(3);

/// All clocks of a world.
#[derive(Clone, Debug)]
pub struct Clocks {
    first_pulse: Instant<Raw>,
    system_ppm: i64,
    pub phc: PiecewiseClock<EdgeClock>,
    pub sys: PiecewiseClock<Sys>,
    /// When the NIC timestamps no edges.
    pub disarmed: Vec<Range<Instant<Raw>>>,
}

/// A change of a clock: a step, and a change of rate in parts per billion.
#[derive(Clone, Copy, Debug)]
enum Change {
    Phc(Span, i64),
    Sys(Span, i64),
    PhcToSystem,
}

impl Clocks {
    /// Clocks of a world in which `first_second` begins at `first_pulse`.
    pub fn new(scenario: &Scenario, first_second: UtcSecond, first_pulse: Instant<Raw>) -> Self {
        let sys_start = Instant::from_parts(first_second.posix(), 0) + scenario.sys_ahead;
        let mut clocks = Self {
            first_pulse,
            system_ppm: scenario.system_ppm,
            phc: PiecewiseClock::new(first_pulse, PHC_START, scenario.phc_ppm * PPM),
            sys: PiecewiseClock::new(first_pulse, sys_start, 0),
            disarmed: Vec::new(),
        };
        let mut random = Random::new(scenario.seed ^ 0xC10C);
        let mut changes: Vec<_> = scenario.faults.iter().flat_map(|fault| clocks.changes(fault, &mut random)).collect();
        changes.sort_by_key(|(at, _)| *at);
        for (at, change) in changes {
            match change {
                Change::Phc(step, ppb) => clocks.phc.set(at, clocks.phc.at(at) + step, ppb),
                Change::Sys(step, ppb) => clocks.sys.set(at, clocks.sys.at(at) + step, ppb),
                Change::PhcToSystem => clocks.phc.set(at, Instant::from_nanos(clocks.sys.at(at).nanos()), 0),
            }
        }
        clocks
    }

    /// When second number `n` begins.
    pub fn pulse_number(&self, n: i64) -> Instant<Raw> {
        self.first_pulse + Span::from_secs(n) + Span::from_nanos(n * self.system_ppm * PPM)
    }

    fn changes(&mut self, fault: &Fault, random: &mut Random) -> Vec<(Instant<Raw>, Change)> {
        let Fault { from, until, kind } = *fault;
        let begins = |n: i64| self.pulse_number(n);
        // Not at the pulse: somewhere in the second.
        let within = |n: i64| begins(n) + Span::from_nanos(n * 7_919_777 % NANOS);
        let rate = |ppb: i64| [(within(from), ppb), (within(until), -ppb)];
        // A servo's rate, to either side by turns and zero at the end: the change in each second.
        let by_turns = |ppm: i64| {
            let rate = move |n: i64| match n {
                n if !(from..until).contains(&n) => 0,
                n if n % 2 == 0 => ppm * PPM,
                _ => -ppm * PPM,
            };
            (from..=until).map(move |n| (begins(n), rate(n) - rate(n - 1)))
        };
        let phc = |ppb: i64| Change::Phc(Span::ZERO, ppb);
        let sys = |ppb: i64| Change::Sys(Span::ZERO, ppb);
        match kind {
            FaultKind::PhcStep(step) => vec![(within(from), Change::Phc(step, 0))],
            FaultKind::SysStep(step) => vec![(within(from), Change::Sys(step, 0))],
            FaultKind::PhcRate(ppm) => rate(ppm * PPM).map(|(at, ppb)| (at, phc(ppb))).into(),
            FaultKind::SysRate(ppm) => rate(ppm * PPM).map(|(at, ppb)| (at, sys(ppb))).into(),
            FaultKind::PhcWalk(ppb) => (from..until).map(|n| (within(n), phc(random.between(-ppb, ppb)))).collect(),
            FaultKind::PhcServo(ppm, after) => by_turns(ppm).map(|(at, ppb)| (at + after, phc(ppb))).collect(),
            FaultKind::SysServo(ppm, after) => {
                by_turns(ppm).map(|(at, ppb)| (at + after + random.within(SLEWED_WITHIN), sys(ppb))).collect()
            }
            FaultKind::PhcNudge(step, after) => {
                let nudge = |n: i64| Change::Phc(if n % 2 == 0 { step } else { -step }, 0);
                (from..until).map(|n| (begins(n) + after, nudge(n))).collect()
            }
            FaultKind::NicReset => {
                let silence = within(from)..begins(from) + REARMED_AFTER;
                let reset = vec![(silence.start, Change::PhcToSystem)];
                self.disarmed.push(silence);
                reset
            }
            _ => Vec::new(),
        }
    }
}

/// A clock that runs straight over the raw clock between steps and changes of rate.
#[derive(Clone, Debug)]
pub struct PiecewiseClock<C: Clock> {
    pieces: Vec<Piece<C>>,
}

#[derive(Clone, Copy, Debug)]
struct Piece<C: Clock> {
    from: Instant<Raw>,
    shows: Instant<C>,
    ppb: i64,
}

impl<C: Clock> PiecewiseClock<C> {
    /// A clock that shows `shows` at `from` and runs `ppb` parts per billion faster than the raw clock, before and after.
    pub fn new(from: Instant<Raw>, shows: Instant<C>, ppb: i64) -> Self {
        Self { pieces: vec![Piece { from, shows, ppb }] }
    }

    /// Counts on from `shows` at `from`, and gains `ppb` more. Changes must be made in order of time.
    pub fn set(&mut self, from: Instant<Raw>, shows: Instant<C>, ppb: i64) {
        let ppb = ppb + self.pieces.last().map_or(0, |piece| piece.ppb);
        self.pieces.push(Piece { from, shows, ppb });
    }

    /// The reading at `raw`.
    pub fn at(&self, raw: Instant<Raw>) -> Instant<C> {
        let later = self.pieces.partition_point(|piece| piece.from <= raw);
        self.pieces.get(later.saturating_sub(1)).map_or(Instant::from_nanos(0), |piece| {
            let elapsed = raw - piece.from;
            piece.shows + elapsed + elapsed.scaled(Span::from_nanos(piece.ppb), Span::SECOND)
        })
    }
}
