//! Random faults, alone and together: never a wrong sample, and a quick recovery.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::library::simulated::random::Random;
use crate::library::simulated::scenario::Scenario;
use gnss2shm::core::engine::Config;

use super::draw::{any_fault, any_scenario};
use super::harness::{ms, run, run_from};
use super::inside::Case;

/// Length of a run.
const SECONDS: i64 = 1_000;
/// Simulated seconds in all, unless `GNSS2SHM_SIM_SECONDS` says otherwise.
const IN_ALL: i64 = 200_000;

/// The requested seed, or this many.
fn seeds(many: u64) -> Range<u64> {
    let asked = |name: &str| std::env::var(name).ok().and_then(|n| n.parse::<u64>().ok());
    let first = asked("GNSS2SHM_SIM_FIRST").unwrap_or(0);
    asked("GNSS2SHM_SIM_SEED").map_or(first..first + many, |seed| seed..seed + 1)
}

/// Seeds of worlds of this duration, for this total of seconds or the requested total.
pub fn seeds_within(in_all: i64, world: i64) -> Range<u64> {
    let in_all = std::env::var("GNSS2SHM_SIM_SECONDS").ok().and_then(|n| n.parse().ok()).unwrap_or(in_all);
    seeds((in_all / world) as u64)
}

#[test]
fn random_faults_never_give_a_wrong_sample() {
    let mut shares: BTreeMap<&str, (u64, u64)> = BTreeMap::new();
    let mut wrong = Vec::new();
    for seed in seeds_within(IN_ALL, SECONDS) {
        let Case { first, scenario } = super::draw::world(seed, SECONDS);
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
            count(super::draw::name(fault.kind), fault.from..fault.until);
        }
    }
    for (name, (seconds, samples)) in &shares {
        println!(
            "{name:<20} {seconds:>9} s, {:>5.1} % of the pulses gave a sample",
            100.0 * *samples as f64 / *seconds as f64
        );
    }
    for (seed, judged) in wrong.iter().take(5) {
        println!("GNSS2SHM_SIM_SEED={seed}: {judged:?}\n{:#?}", super::draw::world(*seed, SECONDS));
    }
    assert_eq!(wrong.len(), 0, "wrong samples");
}

#[test]
fn each_fault_alone_is_recovered_from_within_twenty_seconds_of_its_end() {
    for seed in seeds(600) {
        let mut random = Random::new(seed);
        let scenario = Scenario {
            // Away from the pulse, so that a label takes three sentences instead of sixteen.
            delay: ms(random.between(260, 700)),
            ..any_scenario(&mut random, seed)
        };
        if !super::inside::is_prompt(&scenario) {
            continue;
        }
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
