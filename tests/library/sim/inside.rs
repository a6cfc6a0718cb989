//! Which simulated worlds lie inside the envelope. Anything outside is named: either the promise does not cover it, or
//! it cannot be detected (docs/envelope.md).

use super::figures::Envelope;
use crate::library::simulated::scenario::{
    Fault, FaultKind, LeapShape, Pace, Polarity, Scenario, Shown, SimEdges, SimSentence, SimThread,
};
use gnss2shm::core::event::{Announced, Leap};
use gnss2shm::core::time::{NANOS, Span, UtcSecond};

/// Maximum error of an edge's timestamp, in addition to the pulse's own jitter.
pub const NOISE: Span = Span::from_nanos(50);
/// What the system clock drifts by, at its greatest rate, in 200 s: longer than a world of the adversary.
pub const SYS_DRIFT: Span = Span::from_millis(20);
/// The reason for a receiver that does not know that.
const CLAIM: &str = "a system clock that claims what is not true";
/// A longer burst leaves hardly any gap on the line.
const BURST: Span = Span::from_millis(900);
/// A longer pause starts another burst.
pub const PAUSE: Span = Span::from_millis(400);
/// A pause hides the line's data rate: a burst with one is recognized from this delay on.
const PACE_FROM: Span = Span::from_millis(165);
/// Reach of crosstalk and ringing: a shorter pulse may be either.
const CLUSTER: Span = Span::from_micros(60);
/// Receivers realign their pulse up to this many seconds after the fix.
const REALIGNED_AFTER: i64 = 10;
/// Seconds after which evidence of the fault before is gone.
const FORGOTTEN_AFTER: i64 = 30;
/// More late sentences in a row look like a receiver that is a second late.
const READER_STALLS: i64 = 2;

/// A world and its first second.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Case {
    /// The UTC second of the first pulse.
    pub first: UtcSecond,
    /// The scenario.
    pub scenario: Scenario,
}

/// Whether the promise covers this world, or what is outside.
pub fn check(case: &Case) -> Result<(), &'static str> {
    let scenario = &case.scenario;
    receiver(scenario)?;
    machine(scenario)?;
    leap(case)?;
    scenario.faults.iter().try_for_each(|fault| alone(fault, scenario))?;
    together(scenario)
}

/// Whether such a receiver, in a world without faults, is understood within twenty seconds. Where a burst may name its
/// second about when the next pulse comes, there is no wrong sample, and maybe none (docs/envelope.md).
pub fn is_prompt(scenario: &Scenario) -> bool {
    let shown = Shown { utc: UtcSecond::from_posix(0), is_sixty: false, has_fix: true };
    let bytes = scenario.sentences.iter().map(|sentence| sentence.text(shown).len()).sum();
    let named = scenario.delay + scenario.jitter + on_the_line(bytes, scenario) + scenario.pause;
    let is_one_line = scenario.sentences.len() < 2 || scenario.pause > Span::ZERO;
    let says_enough = scenario.pace != Pace::WholeLines || !is_one_line;
    let shows_pace = scenario.pause == Span::ZERO || scenario.delay - scenario.jitter >= PACE_FROM;
    says_enough
        && shows_pace
        && scenario.delay - scenario.jitter >= Envelope::DELAY[0]
        && named <= Span::SECOND - Envelope::DELAY[0]
}

/// `None` if it holds, else what is outside.
fn holds(is_inside: bool, otherwise: &'static str) -> Result<(), &'static str> {
    if is_inside { Ok(()) } else { Err(otherwise) }
}

fn is_within<T: PartialOrd + Copy>(value: T, [least, most]: [T; 2]) -> bool {
    least <= value && value <= most
}

/// Transmission time of this many bytes.
fn on_the_line(bytes: usize, scenario: &Scenario) -> Span {
    Span::from_nanos(10 * NANOS / i64::from(scenario.baud.max(1))).times(bytes as i64)
}

/// How much later than it begins a burst's first byte is read: a relay hands over a line when it is complete.
pub fn held_back(scenario: &Scenario) -> Span {
    let shown = Shown { utc: UtcSecond::from_posix(0), is_sixty: false, has_fix: true };
    let first = scenario.sentences.first().map_or(0, |sentence| sentence.text(shown).len());
    if scenario.pace == Pace::WholeLines { on_the_line(first, scenario) } else { Span::ZERO }
}

pub fn receiver(scenario: &Scenario) -> Result<(), &'static str> {
    use SimSentence::{Gga, GgaInvalid, GllAhead, GnsPlain, Rmc, Zda, ZdaAhead};
    let has = |kind: SimSentence| scenario.sentences.contains(&kind);
    let names_one_second = ![ZdaAhead, GllAhead, GnsPlain, GgaInvalid].into_iter().any(has);
    let shown = Shown { utc: UtcSecond::from_posix(0), is_sixty: false, has_fix: true };
    let bytes: usize = scenario.sentences.iter().map(|sentence| sentence.text(shown).len()).sum();
    holds(is_within(scenario.delay, Envelope::DELAY), "sentence delay")?;
    holds(scenario.delay + held_back(scenario) <= Envelope::DELAY[1], "lines that a relay hands over too late")?;
    holds(is_within(scenario.jitter, [Span::ZERO, Envelope::JITTER]), "jitter")?;
    holds(is_within(scenario.baud, Envelope::BAUD), "baud rate")?;
    holds(on_the_line(bytes, scenario) + scenario.pause <= BURST, "more sentences than the line carries")?;
    holds(is_within(scenario.pause, [Span::ZERO, PAUSE]), "a pause that divides a burst")?;
    let says_the_second = matches!(scenario.sentences.first(), Some(Rmc | Zda | Gga));
    holds(scenario.pause == Span::ZERO || says_the_second, "a pause after what does not say the second")?;
    holds(has(Rmc) || has(Zda) && has(Gga) && names_one_second, "sentences that do not say which second is valid")
}

fn machine(scenario: &Scenario) -> Result<(), &'static str> {
    match (scenario.edges, scenario.polarity) {
        (SimEdges::Both, Polarity::ActiveHigh | Polarity::ActiveLow) => {
            holds(is_within(scenario.width, Envelope::WIDTH), "pulse width")?;
        }
        (SimEdges::One, Polarity::ActiveHigh) => {}
        (SimEdges::Both, Polarity::EndsOnTime) => return Err("a pulse that ends on time"),
        (SimEdges::One, _) => return Err("a lone edge that is not on time"),
    }
    holds(scenario.phc_ppm.abs() <= Envelope::PHC_PPM, "rate of the PHC")?;
    holds(scenario.system_ppm.abs() <= Envelope::OSCILLATOR_PPM, "rate of the oscillator")?;
    holds(is_within(scenario.noise, [Span::ZERO, NOISE]), "noise of the timestamps")?;
    holds(claims_the_truth(scenario, Span::ZERO), CLAIM)
}

/// Whether the system clock, stepped by that, stays within its reported error.
fn claims_the_truth(scenario: &Scenario, step: Span) -> bool {
    scenario.sys_max_error.is_none_or(|most| scenario.sys_ahead.abs() + step.abs() + SYS_DRIFT <= most)
}

/// A leap second is at the end of a month, and its announcement is right.
fn leap(Case { first, scenario }: &Case) -> Result<(), &'static str> {
    let shown = match scenario.leap {
        None => None,
        Some((after, shape)) => {
            let (last, kind) = match shape {
                LeapShape::Deleted => (first.plus(after + 2), Leap::Delete),
                LeapShape::Sixty | LeapShape::Doubled59 | LeapShape::Doubled00 => (first.plus(after + 1), Leap::Insert),
            };
            let is_witness = scenario.sys_max_error.is_some();
            holds(!is_witness, "a synchronized system clock that misses the leap second")?;
            holds(last.second_of_day() == 0 && last.date().ymd().2 == 1, "a leap second within a month")?;
            Some(Announced { day: last.plus(-1).date(), leap: kind })
        }
    };
    holds(scenario.announced.is_none() || scenario.announced == shown, "a leap second announced in error")
}

/// A single fault.
fn alone(fault: &Fault, scenario: &Scenario) -> Result<(), &'static str> {
    let length = fault.until - fault.from;
    let most = |span: Span, most: Span| span.abs() <= most;
    let delay = |later: Span| {
        holds(most(later, Envelope::DELAY_JUMP), "a jump of the delay")?;
        holds(is_within(scenario.delay + later, Envelope::DELAY), "a delay that moves out of the envelope")
    };
    match fault.kind {
        FaultKind::EdgeLoss(_)
        | FaultKind::PolarityLoss(..)
        | FaultKind::NoPulse
        | FaultKind::StaleEdges(_)
        | FaultKind::DoubleEdges(_)
        | FaultKind::Ringing(..)
        | FaultKind::NoSentences
        | FaultKind::SentenceLoss(_)
        | FaultKind::NoFix
        | FaultKind::PhcStep(_)
        | FaultKind::NicReset
        | FaultKind::Stall(SimThread::Phc | SimThread::PulseEvents | SimThread::SentenceEvents, _) => Ok(()),
        FaultKind::Crosstalk(before) => {
            holds(before > Envelope::PULSE_WANDER.times(2), "crosstalk as near as the pulse wanders")?;
            holds(scenario.width > CLUSTER, "crosstalk on a pulse as short as that")
        }
        FaultKind::Glitches(permille) => holds(permille <= 200, "more stray edges than pulses can bear"),
        FaultKind::Corruption(permille) => holds(permille <= 20, "so much damage that checksums fit by chance"),
        FaultKind::LateEdges(late) => holds(is_within(late, [Span::ZERO, Envelope::EDGES_LATE]), "late edges"),
        FaultKind::DelayJump(later) => delay(later),
        FaultKind::DelayRamp(later) => delay(later.times((length - 1).max(0))),
        FaultKind::PhcRate(ppm) => {
            holds((scenario.phc_ppm + ppm).abs() <= Envelope::PHC_PPM && ppm.abs() <= 100, "a change of the PHC's rate")
        }
        FaultKind::PhcWalk(ppb) => holds(ppb <= 2_000, "a PHC that walks faster than any oscillator"),
        FaultKind::PhcServo(ppm, _) => holds(ppm.abs() <= Envelope::SERVO_PPM, "a servo's step of the rate"),
        FaultKind::PhcNudge(step, _) => holds(most(step, Span::from_micros(200)), "a PHC that is stepped every second"),
        FaultKind::SysStep(step) => holds(claims_the_truth(scenario, step), CLAIM),
        FaultKind::SysRate(_) | FaultKind::SysServo(..) if scenario.sys_max_error.is_some() => Err(CLAIM),
        FaultKind::SysRate(ppm) | FaultKind::SysServo(ppm, _) => {
            holds(ppm.abs() <= Envelope::SLEW_PPM, "slew of the system clock")
        }
        FaultKind::PulseDrift(_) => Err("a pulse that runs free with a fix"),
        FaultKind::PulseShift(_) => {
            holds(covered(fault, scenario, REALIGNED_AFTER), "a pulse that moves while there is a fix")
        }
        FaultKind::WrongSecond(_) => holds(covered(fault, scenario, 0), "a wrong second named as valid"),
        FaultKind::Stall(SimThread::Reader, every) => {
            holds(length <= READER_STALLS && every <= Span::from_secs(2), "sentences late by a second")
        }
    }
}

/// Whether the receiver reports no fix during this time, except for this many seconds at its end.
fn covered(fault: &Fault, scenario: &Scenario, but: i64) -> bool {
    // Sentences that do not arrive do not count.
    let hides = |mute: &Fault, other: &Fault| {
        mute.kind == FaultKind::NoSentences && mute.from <= other.from && other.until <= mute.until
    };
    let covers = |other: &Fault| {
        other.kind == FaultKind::NoFix
            && other.from <= fault.from
            && (other.from + 1..=other.until + but).contains(&fault.until)
            && !scenario.faults.iter().any(|mute| hides(mute, other))
    };
    scenario.faults.iter().any(covers)
}

/// Faults whose meaning changes when they overlap.
fn together(scenario: &Scenario) -> Result<(), &'static str> {
    let moves = |fault: &Fault| matches!(fault.kind, FaultKind::DelayJump(_) | FaultKind::DelayRamp(_));
    let echoes = |fault: &Fault| {
        matches!(fault.kind, FaultKind::Ringing(..) | FaultKind::Crosstalk(_) | FaultKind::DoubleEdges(_))
    };
    let loses = |fault: &Fault| {
        // Edges that cannot be dated are lost, too.
        matches!(
            fault.kind,
            FaultKind::PolarityLoss(..)
                | FaultKind::EdgeLoss(_)
                | FaultKind::NicReset
                | FaultKind::PhcStep(_)
                | FaultKind::PhcNudge(..)
                | FaultKind::Stall(SimThread::Phc, _)
        )
    };
    let stalls = |fault: &Fault| matches!(fault.kind, FaultKind::Stall(SimThread::Reader, _));
    let meet = |a: &Fault, b: &Fault, within: i64| a.from <= b.until + within && b.from <= a.until + within;
    let pairs = || {
        let numbered = scenario.faults.iter().enumerate();
        numbered.flat_map(|(n, a)| scenario.faults.iter().skip(n + 1).map(move |b| (a, b)))
    };
    let slews = |fault: &Fault| matches!(fault.kind, FaultKind::SysServo(..));
    let both = |one: &dyn Fn(&Fault) -> bool, other: &dyn Fn(&Fault) -> bool, within: i64| {
        pairs().any(|(a, b)| (one(a) && other(b) || one(b) && other(a)) && meet(a, b, within))
    };
    // Overlapping rates add up.
    let total = |of: &dyn Fn(&Fault) -> i64| {
        let at =
            |second: i64| scenario.faults.iter().filter(move |fault| (fault.from - 1..=fault.until).contains(&second));
        scenario.faults.iter().map(|fault| at(fault.from).map(|fault| of(fault).abs()).sum::<i64>()).max().unwrap_or(0)
    };
    let slew = |fault: &Fault| match fault.kind {
        FaultKind::SysRate(ppm) | FaultKind::SysServo(ppm, _) => ppm,
        _ => 0,
    };
    let steered = |fault: &Fault| match fault.kind {
        FaultKind::PhcRate(ppm) | FaultKind::PhcServo(ppm, _) => ppm,
        _ => 0,
    };
    holds(!both(&slews, &slews, 1), "two who slew the system clock by turns")?;
    let unread = |fault: &Fault| matches!(fault.kind, FaultKind::Stall(SimThread::Phc, _));
    let nudges = |fault: &Fault| matches!(fault.kind, FaultKind::PhcNudge(..));
    holds(!both(&slews, &unread, 3), "a system clock slewed to and fro between two readings of it")?;
    holds(!both(&nudges, &unread, 3), "a PHC stepped to and fro between two readings of it")?;
    holds(total(&slew) <= Envelope::SLEW_PPM, "slew of the system clock")?;
    holds(total(&steered) <= Envelope::SERVO_PPM, "servos that add up")?;
    holds(!both(&moves, &moves, 0), "jumps of the delay that add up")?;
    holds(
        !both(&echoes, &loses, FORGOTTEN_AFTER),
        "echoes of edges that are lost themselves, or beside ones that are",
    )?;
    holds(!both(&stalls, &stalls, FORGOTTEN_AFTER), "sentences late by a second")
}
