//! Simplifies a failing world as far as possible while it still fails in the same way.

use crate::library::simulated::scenario::Scenario;

use super::judge::judge;
use super::worlds::Genome;
use crate::library::sim::harness::evening;

/// Resets one field to its default.
const PLAIN: [fn(&mut Genome); 18] = [
    |g| g.width_is_set = false,
    |g| g.delay_is_set = false,
    |g| g.case.first = evening(),
    |g| (g.case.scenario.leap, g.case.scenario.announced) = (None, None),
    |g| g.case.scenario.announced = None,
    |g| (g.case.scenario.sys_ahead, g.case.scenario.sys_max_error) = (Scenario::default().sys_ahead, None),
    |g| g.case.scenario.sys_ahead = Scenario::default().sys_ahead,
    |g| g.case.scenario.delay = Scenario::default().delay,
    |g| g.case.scenario.jitter = Scenario::default().jitter,
    |g| g.case.scenario.spread = Scenario::default().spread,
    |g| g.case.scenario.baud = Scenario::default().baud,
    |g| g.case.scenario.pace = Scenario::default().pace,
    |g| g.case.scenario.width = Scenario::default().width,
    |g| (g.case.scenario.edges, g.case.scenario.polarity) = (Scenario::default().edges, Scenario::default().polarity),
    |g| g.case.scenario.phc_ppm = Scenario::default().phc_ppm,
    |g| g.case.scenario.system_ppm = Scenario::default().system_ppm,
    |g| g.case.scenario.noise = Scenario::default().noise,
    |g| g.case.scenario.sentences = Scenario::default().sentences,
];

fn fails(genome: &Genome, kind: &str) -> bool {
    crate::library::sim::inside::check(&genome.case).is_ok()
        && judge(genome).failure.is_some_and(|failure| failure.kind == kind)
}

/// The simplest world that fails in this way, as far as single steps reach.
pub fn shrunk(genome: &Genome, kind: &str) -> Genome {
    let mut best = genome.clone();
    loop {
        let mut smaller: Vec<Genome> = Vec::new();
        let with = |change: &dyn Fn(&mut Genome)| {
            let mut other = best.clone();
            change(&mut other);
            other
        };
        for at in (0..best.case.scenario.faults.len()).rev() {
            let without = |g: &mut Genome| {
                g.case.scenario.faults.remove(at);
            };
            smaller.push(with(&without));
            let length = best.case.scenario.faults[at].until - best.case.scenario.faults[at].from;
            if length > 1 {
                smaller.push(with(&|g| g.case.scenario.faults[at].until -= length / 2));
                smaller.push(with(&|g| g.case.scenario.faults[at].until -= 1));
            }
        }
        smaller.extend(PLAIN.iter().map(|change| with(change)));
        match smaller.into_iter().find(|smaller| *smaller != best && fails(smaller, kind)) {
            Some(smaller) => best = smaller,
            None => return best,
        }
    }
}
