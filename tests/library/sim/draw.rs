//! Random worlds inside the envelope: the only place where they are drawn.

use std::ops::Range;

use super::figures::Envelope;
use crate::library::simulated::random::Random;
use crate::library::simulated::scenario::{
    Fault, FaultKind, LeapShape, Pace, Polarity, PulseEnd, Scenario, SimEdges, SimSentence, SimThread, Spread,
};
use gnss2shm::core::event::{Announced, Leap};
use gnss2shm::core::time::{Date, Span, UtcSecond};

use super::harness::ms;
use super::inside::{Case, NOISE, PAUSE, SYS_DRIFT, check, held_back, receiver};

/// Kinds of faults. Crosstalk is not drawn: where it begins while samples come, one may be wrong.
const KINDS: u64 = 30;
/// Maximum number of faults of a world, except for those that occur together.
const FAULTS: i64 = 6;
/// A day at the end of which a leap second may come.
const LAST_OF_DECEMBER: Date = match Date::new(2026, 12, 31) {
    Some(date) => date,
    None => Date::from_days(0),
};
/// A day without a leap second.
const QUIET: Date = match Date::new(2026, 11, 20) {
    Some(date) => date,
    None => Date::from_days(0),
};

fn whole_ms(span: Span) -> i64 {
    span.nanos() / 1_000_000
}

/// One random fault within the envelope, of random size.
pub fn any_fault(random: &mut Random, scenario: &Scenario, when: Range<i64>) -> Vec<Fault> {
    // A jump of the delay stays within the envelope.
    let [least, most] = Envelope::DELAY.map(|end| end - scenario.delay);
    let jump = random.between(whole_ms(least.max(-Envelope::DELAY_JUMP)), whole_ms(most.min(Envelope::DELAY_JUMP)));
    let length = (when.end - when.start).max(1);
    let stall = ms(random.between(50, 2_000));
    let mut until = when.end;
    let kinds = match random.below(KINDS) {
        0 => vec![FaultKind::EdgeLoss(random.between(1, 300) as u32)],
        1 => vec![FaultKind::Glitches(random.between(1, 200) as u32)],
        2 => vec![FaultKind::NoPulse],
        3 => vec![FaultKind::PulseShift(ms(random.between(1, 999))), FaultKind::NoFix],
        4 => vec![FaultKind::LateEdges(ms(random.between(1, whole_ms(Envelope::EDGES_LATE))))],
        5 => vec![FaultKind::StaleEdges(random.between(1, 300) as u32)],
        6 => vec![FaultKind::NoSentences],
        7 => vec![FaultKind::SentenceLoss(random.between(1, 500) as u32)],
        8 => vec![FaultKind::Corruption(random.between(1, 20) as u32)],
        9 => vec![FaultKind::NoFix],
        10 => vec![FaultKind::DelayJump(ms(jump))],
        11 => vec![FaultKind::DelayRamp(Span::from_nanos(jump * 1_000_000 / length))],
        12 => vec![FaultKind::PhcStep(Span::from_nanos(random.between(-37_000_000_000, 37_000_000_000)))],
        13 => vec![FaultKind::PhcRate(random.between(-100, 100))],
        14 => vec![FaultKind::SysStep(Span::from_nanos(random.between(-2_000_000_000, 2_000_000_000)))],
        15 => vec![FaultKind::SysStep(Span::from_nanos(random.between(-200_000, 200_000)))],
        16 => vec![FaultKind::SysRate(random.between(-Envelope::SLEW_PPM, Envelope::SLEW_PPM))],
        17 => vec![FaultKind::DoubleEdges(random.between(1, 1_000) as u32)],
        18 => vec![FaultKind::PhcWalk(random.between(1, 2_000))],
        19 => {
            until = when.start + 4;
            vec![FaultKind::NicReset]
        }
        20 => vec![FaultKind::Stall(SimThread::Phc, stall)],
        21 => {
            // More than two late sentences in a row look like a receiver that is a second late.
            until = when.start + 2;
            vec![FaultKind::Stall(SimThread::Reader, stall)]
        }
        22 => vec![FaultKind::Stall(SimThread::PulseEvents, stall)],
        23 => vec![FaultKind::Stall(SimThread::SentenceEvents, stall)],
        24 => {
            let ends = [PulseEnd::Rising, PulseEnd::Falling, PulseEnd::Both];
            let end = random.one_of(&ends, PulseEnd::Both);
            vec![FaultKind::Ringing(end, Span::from_nanos(random.between(200, 45_000)))]
        }
        25 => {
            let ends = [PulseEnd::Rising, PulseEnd::Falling];
            let permille = random.one_of(&[300, 700, 950, 1_000], 1_000);
            vec![FaultKind::PolarityLoss(random.one_of(&ends, PulseEnd::Rising), permille)]
        }
        26 => vec![FaultKind::PhcServo(random.between(1, Envelope::SERVO_PPM), ms(random.between(0, 999)))],
        27 => vec![FaultKind::PhcNudge(Span::from_micros(random.between(1, 200)), ms(random.between(0, 999)))],
        // Without a fix, a receiver names the time of its own clock.
        28 => vec![FaultKind::WrongSecond(random.between(-100_000, 100_000)), FaultKind::NoFix],
        _ => {
            let ppm = random.one_of(&[500, 83_000, Envelope::SLEW_PPM], 500);
            let after = if random.happens(500) {
                Span::from_micros(random.between(-12_000, 12_000))
            } else {
                ms(random.between(0, 999))
            };
            vec![FaultKind::SysServo(random.between(1, ppm), after)]
        }
    };
    kinds.into_iter().map(|kind| Fault { from: when.start, until, kind }).collect()
}

/// A receiver, a NIC, and a machine inside the envelope, without faults.
pub fn any_scenario(random: &mut Random, seed: u64) -> Scenario {
    let baud = random.one_of(&[4_800, 9_600, 38_400, 115_200, 921_600], 9_600);
    // A servo that went astray leaves the PHC at its limit.
    let phc_most = if random.happens(100) { Envelope::PHC_PPM - 100 } else { 900 };
    let sys_max_error = random.happens(300).then(|| ms(random.between(25, 150)));
    let sys_ahead = match sys_max_error {
        Some(max_error) => random.within(max_error - SYS_DRIFT),
        None => Span::from_secs(random.between(-1_000_000_000, 1_000_000_000)),
    };
    let edges = random.one_of(&[SimEdges::Both, SimEdges::Both, SimEdges::One], SimEdges::Both);
    let polarity = match edges {
        SimEdges::Both => random.one_of(&[Polarity::ActiveHigh, Polarity::ActiveLow], Polarity::ActiveHigh),
        SimEdges::One => Polarity::ActiveHigh,
    };
    let mut scenario = Scenario {
        delay: ms(random.between(whole_ms(Envelope::DELAY[0]), whole_ms(Envelope::DELAY[1]))),
        jitter: ms(random.between(0, whole_ms(Envelope::JITTER))),
        spread: random.one_of(&[Spread::Even, Spread::Normal, Spread::Wander], Spread::Even),
        baud,
        pace: random.one_of(&[Pace::Line, Pace::Line, Pace::AtOnce, Pace::WholeLines], Pace::Line),
        width: Span::from_micros(
            random.one_of(&[1, 10, 49, 55, 100, 1_000, 20_000, 100_000, 200_000, 449_000], 100_000),
        ),
        polarity,
        edges,
        phc_ppm: random.between(-phc_most, phc_most),
        system_ppm: random.between(-Envelope::OSCILLATOR_PPM, Envelope::OSCILLATOR_PPM),
        sys_ahead,
        sys_max_error,
        noise: Span::from_nanos(random.between(0, NOISE.nanos())),
        sentences: any_sentences(random, baud),
        seed,
        ..Scenario::default()
    };
    scenario.delay = scenario.delay.min(Envelope::DELAY[1] - held_back(&scenario));
    let paused = Scenario { pause: ms(random.between(0, whole_ms(PAUSE))), ..scenario.clone() };
    let is_inside = receiver(&paused).is_ok() && random.happens(200);
    if is_inside { paused } else { scenario }
}

/// A set of sentences that the line can carry, in one of the orders that receivers send them in.
fn any_sentences(random: &mut Random, baud: u32) -> Vec<SimSentence> {
    use SimSentence::{Gga, GgaInvalid, GllAhead, GnsPlain, Gsa, Rmc, Zda, ZdaAhead};
    let sets = [
        &[Rmc, Zda, Gga, Gsa][..],
        &[Gga, Gsa, Rmc, Zda],
        &[Gga, Gsa, Zda],
        &[Zda, Rmc],
        &[Gsa, Rmc],
        &[Rmc, Gga, ZdaAhead],
        &[ZdaAhead, Rmc],
        &[Rmc, GnsPlain, GllAhead],
        &[Rmc, GgaInvalid],
    ];
    let set = random.one_of(&sets, &[Rmc]);
    if baud < 9_600 { vec![Rmc] } else { set.to_vec() }
}

/// One world in ten includes the end of December, with or without a leap second.
fn any_beginning(random: &mut Random, scenario: &mut Scenario, seconds: i64) -> UtcSecond {
    if !random.happens(100) {
        return UtcSecond::from_civil(QUIET, 86_390);
    }
    let (day, before) = (LAST_OF_DECEMBER, random.between(20, seconds * 4 / 5));
    let shapes = [
        (None, Leap::None),
        (Some((before - 1, LeapShape::Sixty)), Leap::Insert),
        (Some((before - 1, LeapShape::Doubled59)), Leap::Insert),
        (Some((before - 1, LeapShape::Doubled00)), Leap::Insert),
        (Some((before - 2, LeapShape::Deleted)), Leap::Delete),
    ];
    let (shape, leap) = random.one_of(&shapes, (None, Leap::None));
    scenario.leap = shape;
    // The simulated system clock ignores leap seconds: it would be wrong after one.
    scenario.sys_max_error = scenario.sys_max_error.filter(|_| shape.is_none());
    scenario.announced = (random.happens(500) && leap != Leap::None).then_some(Announced { day, leap });
    UtcSecond::from_civil(day, 0).plus(86_400 - before)
}

/// The world of a seed, with faults that begin within this many seconds.
pub fn world(seed: u64, seconds: i64) -> Case {
    let mut random = Random::new(seed);
    let scenario = any_scenario(&mut random, seed);
    let mut case = Case { first: UtcSecond::from_posix(0), scenario };
    case.first = any_beginning(&mut random, &mut case.scenario, seconds);
    for _ in 0..random.between(1, FAULTS) {
        // Starting is hardest with a fault from the start.
        let from = if random.happens(300) { 0 } else { random.between(0, seconds * 9 / 10) };
        let when = from..from + random.between(1, seconds / 10);
        let faults = any_fault(&mut random, &case.scenario, when);
        // Faults whose meaning would change in combination with others are omitted.
        let with = with(&case, faults);
        case = if check(&with).is_ok() { with } else { case };
    }
    case
}

fn with(case: &Case, faults: Vec<Fault>) -> Case {
    let mut case = case.clone();
    case.scenario.faults.extend(faults);
    case
}

/// Its name in a table.
pub fn name(kind: FaultKind) -> &'static str {
    match kind {
        FaultKind::EdgeLoss(_) => "edge loss",
        FaultKind::Glitches(_) => "glitches",
        FaultKind::PolarityLoss(..) => "polarity loss",
        FaultKind::Crosstalk(_) => "crosstalk",
        FaultKind::PulseDrift(_) => "pulse drift",
        FaultKind::PhcServo(..) => "PHC servo",
        FaultKind::PhcNudge(..) => "PHC nudges",
        FaultKind::NoPulse => "no pulse",
        FaultKind::PulseShift(_) => "pulse shift",
        FaultKind::LateEdges(_) => "late edges",
        FaultKind::StaleEdges(_) => "stale edges",
        FaultKind::NoSentences => "no sentences",
        FaultKind::SentenceLoss(_) => "sentence loss",
        FaultKind::Corruption(_) => "corruption",
        FaultKind::NoFix => "no fix",
        FaultKind::DelayJump(_) => "delay jump",
        FaultKind::DelayRamp(_) => "delay ramp",
        FaultKind::WrongSecond(_) => "wrong second",
        FaultKind::PhcStep(_) => "PHC step",
        FaultKind::DoubleEdges(_) => "double edges",
        FaultKind::Ringing(..) => "ringing",
        FaultKind::PhcRate(_) => "PHC rate",
        FaultKind::PhcWalk(_) => "PHC random walk",
        FaultKind::NicReset => "NIC reset",
        FaultKind::SysStep(_) => "system clock step",
        FaultKind::SysRate(_) => "system clock rate",
        FaultKind::SysServo(..) => "system clock slewed by turns",
        FaultKind::Stall(SimThread::Phc, _) => "PHC thread stalls",
        FaultKind::Stall(SimThread::Reader, _) => "reader stalls",
        FaultKind::Stall(SimThread::PulseEvents, _) => "pulse events late",
        FaultKind::Stall(SimThread::SentenceEvents, _) => "sentence events late",
    }
}
