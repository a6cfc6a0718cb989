//! Random faults, alone and together: never a wrong sample, and back soon after.

use std::collections::BTreeMap;
use std::ops::Range;

use gnss2shm::engine::Config;
use gnss2shm::event::{Announced, Leap};
use gnss2shm::source::simulator::random::Random;
use gnss2shm::source::simulator::scenario::{
    Fault, FaultKind, LeapShape, Pace, Polarity, PulseEnd, Scenario, SimEdges, SimSentence, SimThread, Spread,
};
use gnss2shm::time::{Date, Span, UtcSecond};

use super::harness::{evening, ms, run, run_from};

/// Length of a run.
const SECONDS: i64 = 1_000;
/// Simulated seconds in all, unless `GNSS2SHM_SIM_SECONDS` says otherwise.
const IN_ALL: i64 = 200_000;

/// Kinds of faults.
const KINDS: u64 = 29;

/// One of everything that can go wrong within the envelope, of random size.
fn any_fault(random: &mut Random, scenario: &Scenario, when: Range<i64>) -> Vec<Fault> {
    let delay = scenario.delay.nanos() / 1_000_000;
    // A jump of the delay stays within the envelope.
    let room = (5 - delay).max(-200)..=(950 - delay).min(200);
    let jump = random.between(*room.start(), *room.end());
    let length = (when.end - when.start).max(1);
    let stall = ms(random.between(50, 2_000));
    let mut until = when.end;
    let kinds = match random.below(KINDS) {
        0 => vec![FaultKind::EdgeLoss(random.between(1, 300) as u32)],
        1 => vec![FaultKind::Glitches(random.between(1, 200) as u32)],
        2 => vec![FaultKind::NoPulse],
        3 => vec![FaultKind::PulseShift(ms(random.between(1, 999))), FaultKind::NoFix],
        4 => vec![FaultKind::LateEdges(ms(random.between(1, 250)))],
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
        16 => vec![FaultKind::SysRate(random.between(-100_000, 100_000))],
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
        26 => vec![FaultKind::PhcServo(random.between(1, 100), ms(random.between(0, 999)))],
        27 => vec![FaultKind::PhcNudge(Span::from_micros(random.between(1, 200)), ms(random.between(0, 999)))],
        // Without a fix a receiver names what its own clock says.
        _ => vec![FaultKind::WrongSecond(random.between(-100_000, 100_000)), FaultKind::NoFix],
    };
    kinds.into_iter().map(|kind| Fault { from: when.start, until, kind }).collect()
}

/// A receiver, a NIC and a machine somewhere in the envelope; nothing goes wrong yet.
fn any_scenario(random: &mut Random, seed: u64) -> Scenario {
    let baud = random.one_of(&[4_800, 9_600, 38_400, 115_200, 921_600], 9_600);
    let sys_max_error = random.happens(300).then(|| ms(random.between(10, 150)));
    let sys_ahead = match sys_max_error {
        // The system clock drifts until there is a first sample, and what is claimed of it stays true.
        Some(max_error) => random.within(max_error - ms(5)),
        None => Span::from_secs(random.between(-1_000_000_000, 1_000_000_000)),
    };
    let edges = random.one_of(&[SimEdges::Both, SimEdges::Both, SimEdges::One], SimEdges::Both);
    let polarity = match edges {
        SimEdges::Both => random.one_of(&[Polarity::ActiveHigh, Polarity::ActiveLow], Polarity::ActiveHigh),
        SimEdges::One => Polarity::ActiveHigh,
    };
    Scenario {
        delay: ms(random.between(5, 950)),
        jitter: ms(random.between(0, 50)),
        spread: random.one_of(&[Spread::Even, Spread::Normal, Spread::Wander], Spread::Even),
        baud,
        pace: random.one_of(&[Pace::Line, Pace::Line, Pace::AtOnce], Pace::Line),
        width: Span::from_micros(
            random.one_of(&[1, 10, 49, 55, 100, 1_000, 20_000, 100_000, 200_000, 449_000], 100_000),
        ),
        polarity,
        edges,
        phc_ppm: random.between(-900, 900),
        system_ppm: random.between(-100, 100),
        sys_ahead,
        sys_max_error,
        noise: Span::from_nanos(random.between(0, 50)),
        sentences: any_sentences(random, baud),
        seed,
        ..Scenario::default()
    }
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

/// One world in ten comes to the end of December, with or without a leap second.
fn any_beginning(random: &mut Random, scenario: &mut Scenario) -> UtcSecond {
    if !random.happens(100) {
        return evening();
    }
    let (day, before) = (Date::new(2026, 12, 31).unwrap(), random.between(20, 800));
    let shapes = [
        (None, Leap::None),
        (Some((before - 1, LeapShape::Sixty)), Leap::Insert),
        (Some((before - 1, LeapShape::Doubled59)), Leap::Insert),
        (Some((before - 1, LeapShape::Doubled00)), Leap::Insert),
        (Some((before - 2, LeapShape::Deleted)), Leap::Delete),
    ];
    let (shape, leap) = random.one_of(&shapes, (None, Leap::None));
    scenario.leap = shape;
    scenario.announced = (random.happens(500) && leap != Leap::None).then_some(Announced { day, leap });
    UtcSecond::from_civil(day, (86_400 - before) as u32)
}

/// The world of a seed, and its first second.
pub fn any_world(seed: u64) -> (UtcSecond, Scenario) {
    let mut random = Random::new(seed);
    let mut scenario = any_scenario(&mut random, seed);
    let first = any_beginning(&mut random, &mut scenario);
    for _ in 0..random.between(1, 6) {
        // Starting is hardest where something is wrong from the start.
        let from = if random.happens(300) { 0 } else { random.between(0, SECONDS - 100) };
        let when = from..from + random.between(1, 100);
        let faults = any_fault(&mut random, &scenario, when);
        scenario.faults.extend(faults);
    }
    // Ringing of one edge where the other is lost looks like a short pulse (README, Limits).
    let rings = scenario.faults.iter().any(|fault| matches!(fault.kind, FaultKind::Ringing(..)));
    let loses = |fault: &Fault| matches!(fault.kind, FaultKind::PolarityLoss(..) | FaultKind::EdgeLoss(_));
    scenario.faults.retain(|fault| !rings || !loses(fault));
    // Jumps and ramps of the delay add up where they meet: only one of them at a time stays in the envelope.
    let moves = |fault: &Fault| matches!(fault.kind, FaultKind::DelayJump(_) | FaultKind::DelayRamp(_));
    let moving = scenario.faults.iter().position(moves);
    let mut number = 0;
    scenario.faults.retain(|fault| {
        number += 1;
        !moves(fault) || Some(number - 1) == moving
    });
    (first, scenario)
}

/// So many seeds, or the one that is asked for.
fn seeds(many: u64) -> Range<u64> {
    let only = std::env::var("GNSS2SHM_SIM_SEED").ok().and_then(|n| n.parse::<u64>().ok());
    only.map_or(0..many, |seed| seed..seed + 1)
}

#[test]
fn random_faults_never_give_a_wrong_sample() {
    let in_all = std::env::var("GNSS2SHM_SIM_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(IN_ALL);
    let mut shares: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for seed in seeds((in_all / SECONDS) as u64) {
        let (first, scenario) = any_world(seed);
        let outcome = run_from(first, Config::default(), &scenario, SECONDS);
        wrong.extend(outcome.samples.iter().filter(|judged| !judged.is_right()).map(|judged| (seed, *judged)));
        let mut sampled = vec![false; SECONDS as usize + 8];
        for judged in &outcome.samples {
            sampled[judged.second.max(0) as usize] = true;
        }
        let mut count = |name, seconds: Range<i64>| {
            let share = shares.entry(name).or_default();
            share.0 += (seconds.end - seconds.start) as u64;
            share.1 += seconds.filter(|&second| sampled[second as usize]).count() as u64;
        };
        count("all together", 0..SECONDS);
        for fault in &scenario.faults {
            count(fault.kind.name(), fault.from..fault.until);
        }
    }
    for (name, (seconds, samples)) in &shares {
        println!(
            "{name:<20} {seconds:>9} s, {:>5.1} % of the pulses gave a sample",
            100.0 * *samples as f64 / *seconds as f64
        );
    }
    for (seed, judged) in wrong.iter().take(5) {
        println!("GNSS2SHM_SIM_SEED={seed}: {judged:?}\n{:#?}", any_world(*seed));
    }
    assert_eq!(wrong.len(), 0, "wrong samples");
}

#[test]
fn each_fault_alone_is_recovered_from_within_twenty_seconds_of_its_end() {
    for seed in seeds(600) {
        let mut random = Random::new(seed);
        let scenario = Scenario {
            // Clear of the pulse, so that a label takes three sentences and not sixteen.
            delay: ms(random.between(260, 700)),
            ..any_scenario(&mut random, seed)
        };
        let faults = any_fault(&mut random, &scenario, 60..90);
        let end = faults.iter().map(|fault| fault.until).max().unwrap();
        let scenario = Scenario { faults: faults.clone(), ..scenario };
        let outcome = run(Config::default(), &scenario, end + 40);
        let context = format!("GNSS2SHM_SIM_SEED={seed}: {faults:?}");
        outcome.assert_right(&context);
        let back = outcome.samples.iter().find(|judged| judged.second >= end);
        assert!(
            back.is_some_and(|judged| judged.second <= end + 20),
            "{context}: {back:?}, {:?}\n{scenario:#?}",
            outcome.state
        );
    }
}
