//! An adversary that searches the envelope: it bends worlds towards large errors, long silences and states not seen yet.
//! Its finds are shrunk, printed as Rust, and kept as recordings.
//!
//! `GNSS2SHM_ADVERSARY_SECONDS=600 GNSS2SHM_SIM_FIRST=1 cargo test --release --lib adversary -- --nocapture` searches
//! for this long, in CPU seconds, from that seed; run two processes with two seeds on two CPUs.
//! `GNSS2SHM_ADVERSARY_RECORDINGS=DIR` is the directory for recordings of finds, to be kept in tests/replay.
//! `GNSS2SHM_ADVERSARY_PLAIN=1` draws random worlds instead, for comparison.

use std::collections::BTreeSet;
use std::fs;

use crate::library::simulated::random::Random;

use judge::{Judgement, judge};
use worlds::Genome;

#[path = "adversary/judge.rs"]
mod judge;
#[path = "adversary/literal.rs"]
mod literal;
#[path = "adversary/shrink.rs"]
mod shrink;
#[path = "adversary/worlds.rs"]
mod worlds;

/// Worlds that are judged if no time is given.
const SMOKE: u64 = 150;
/// Worlds that are bred.
const POPULATION: usize = 80;
/// Random worlds per thousand: breeding alone makes worlds alike.
const NEWCOMERS: u32 = 500;
/// Score of a world that leads the engine to a new state.
const NEW_GROUND: i64 = 400;

/// The search.
struct Hunt {
    random: Random,
    population: Vec<(i64, Genome)>,
    /// Changes of state and reasons seen.
    ground: BTreeSet<String>,
    /// Finds so far: the kind of failure and its cause.
    finds: BTreeSet<String>,
    judged: u64,
    began: u64,
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|n| n.parse().ok())
}

/// CPU time of this thread, ns.
fn on_processor() -> u64 {
    let stat = fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    stat.split(' ').next().and_then(|n| n.parse().ok()).unwrap_or(0)
}

impl Hunt {
    /// CPU seconds that the search has taken.
    fn seconds(&self) -> u64 {
        (on_processor() - self.began) / 1_000_000_000
    }

    fn next(&mut self) -> Genome {
        let is_plain = number("GNSS2SHM_ADVERSARY_PLAIN").is_some() || self.random.happens(NEWCOMERS);
        if is_plain || self.population.len() < POPULATION {
            return Genome::draw(self.random.bits());
        }
        let mut pick = || {
            let [a, b] = [0; 2].map(|_| self.random.below(self.population.len() as u64) as usize);
            &self.population[if self.population[a].0 > self.population[b].0 { a } else { b }].1
        };
        let (parent, other) = (pick().clone(), pick().clone());
        parent.bent(&mut self.random, &other)
    }

    fn step(&mut self) {
        let genome = self.next();
        let judgement = judge(&genome);
        self.judged += 1;
        let known = self.ground.len();
        self.ground.extend(judgement.ground.iter().cloned());
        let fresh = (self.ground.len() - known) as i64;
        if let Some(failure) = &judgement.failure {
            self.report(&genome, failure.kind);
            // A find is not searched for again.
            return;
        }
        let score = judgement.score + fresh * NEW_GROUND;
        if self.population.len() < POPULATION {
            self.population.push((score, genome));
        } else if let Some(worst) = self.population.iter_mut().min_by_key(|(score, _)| *score)
            && score >= worst.0
        {
            *worst = (score, genome);
        }
        // A world that scored for a new state scores less each time.
        if self.judged.is_multiple_of(200) {
            for (score, _) in &mut self.population {
                *score -= *score / 8;
            }
        }
    }

    fn report(&mut self, genome: &Genome, kind: &'static str) {
        let small = shrink::shrunk(genome, kind);
        let Judgement { failure: Some(failure), .. } = judge(&small) else { return };
        let faults: BTreeSet<&str> =
            small.case.scenario.faults.iter().map(|fault| crate::library::sim::draw::name(fault.kind)).collect();
        let what = format!("{kind}: {}", Vec::from_iter(faults).join(", "));
        if !self.finds.insert(what.clone()) {
            return;
        }
        println!(
            "\nFIND {} after {} worlds, {} s: {what}\n{}\n{}",
            self.finds.len(),
            self.judged,
            self.seconds(),
            failure.says,
            literal::of(&small)
        );
        if let Some(folder) = std::env::var_os("GNSS2SHM_ADVERSARY_RECORDINGS") {
            let name = what.replace(|c: char| !c.is_ascii_alphanumeric(), "-").to_lowercase();
            literal::record(&small, &failure, &std::path::Path::new(&folder).join(format!("found-{name}.rec")));
        }
    }
}

#[test]
fn the_adversary_finds_nothing() {
    let first = number("GNSS2SHM_SIM_FIRST").unwrap_or(1);
    let mut hunt = Hunt {
        random: Random::new(first),
        population: Vec::new(),
        ground: BTreeSet::new(),
        finds: BTreeSet::new(),
        judged: 0,
        began: on_processor(),
    };
    let seconds = number("GNSS2SHM_ADVERSARY_SECONDS");
    while seconds.map_or(hunt.judged < SMOKE, |seconds| hunt.seconds() < seconds) {
        hunt.step();
    }
    let best = hunt.population.iter().map(|(score, _)| *score).max();
    println!("{} worlds, {} ways of states, best score {best:?}", hunt.judged, hunt.ground.len());
    assert!(hunt.finds.is_empty(), "{:#?}", hunt.finds);
}
