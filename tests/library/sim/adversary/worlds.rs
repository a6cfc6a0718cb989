//! The adversary's worlds: a genome, and its mutations inside the envelope.

use crate::library::simulated::random::Random;
use crate::library::simulated::scenario::{Fault, Scenario};
use gnss2shm::core::engine::Config;
use gnss2shm::core::time::Span;

use crate::library::sim::draw::{self, any_fault};
use crate::library::sim::inside::{self, Case};

/// How long a world lasts, in seconds.
pub const SECONDS: i64 = 160;
/// Maximum number of faults of a world.
const FAULTS: usize = 8;
/// How often another mutation is tried if one leaves the envelope.
const TRIES: usize = 20;

/// A world, and the operator's settings for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genome {
    pub case: Case,
    pub width_is_set: bool,
    pub delay_is_set: bool,
}

impl Genome {
    /// The world of a seed.
    pub fn draw(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0xAD_5E);
        let case = draw::world(seed, SECONDS);
        Self { case, width_is_set: random.happens(100), delay_is_set: random.happens(100) }
    }

    pub fn config(&self) -> Config {
        let Scenario { width, delay, .. } = self.case.scenario;
        Config {
            width: self.width_is_set.then_some(width),
            delay: self.delay_is_set.then_some(delay),
            ..Config::default()
        }
    }

    /// A child of this one, with parts of another.
    pub fn bent(&self, random: &mut Random, other: &Self) -> Self {
        for _ in 0..TRIES {
            let mut child = self.clone();
            for _ in 0..random.between(1, 3) {
                child.bend(random, other);
            }
            if inside::check(&child.case).is_ok() && child != *self {
                return child;
            }
        }
        Self::draw(random.bits())
    }

    fn bend(&mut self, random: &mut Random, other: &Self) {
        let scenario = &mut self.case.scenario;
        match random.below(13) {
            0 => {
                let drawn = Self::draw(random.bits());
                bend_machine(scenario, &drawn.case.scenario, random);
            }
            1 => bend_machine(scenario, &other.case.scenario, random),
            2 => scenario.delay = near(scenario.delay, Span::from_millis(60), random),
            3 => scenario.width = near(scenario.width, Span::from_nanos(scenario.width.nanos() / 8), random),
            4 => scenario.seed = random.bits(),
            5 => (self.width_is_set, self.delay_is_set) = (random.happens(200), random.happens(200)),
            6 | 7 if scenario.faults.len() < FAULTS => {
                let from = moment(scenario, random);
                let until = from + random.between(1, 40);
                let faults = any_fault(random, scenario, from..until);
                scenario.faults.extend(faults);
            }
            8 if !scenario.faults.is_empty() => {
                scenario.faults.remove(random.below(scenario.faults.len() as u64) as usize);
            }
            9 | 10 => bend_fault(scenario, random),
            11 => scenario.pause = near(scenario.pause, Span::from_millis(150), random).max(Span::ZERO),
            _ => {
                // The beginning of this one, and the end of the other.
                let at = random.between(0, SECONDS);
                scenario.faults.retain(|fault| fault.from < at);
                let ends = other.case.scenario.faults.iter().filter(|fault| fault.from >= at);
                scenario.faults.extend(ends.take(FAULTS));
            }
        }
    }
}

fn near(value: Span, by: Span, random: &mut Random) -> Span {
    value + random.within(by)
}

/// Start times: faults have the most effect where others begin or end.
fn moment(scenario: &Scenario, random: &mut Random) -> i64 {
    let of_others: Vec<i64> = scenario.faults.iter().flat_map(|fault| [fault.from, fault.until]).collect();
    if random.happens(600) {
        let at = random.one_of(&of_others, 0) + random.between(-4, 4);
        at.clamp(0, SECONDS - 30)
    } else {
        random.between(0, SECONDS - 30)
    }
}

fn bend_machine(scenario: &mut Scenario, other: &Scenario, random: &mut Random) {
    match random.below(12) {
        0 => scenario.delay = other.delay,
        1 => scenario.jitter = other.jitter,
        2 => scenario.spread = other.spread,
        3 => (scenario.baud, scenario.sentences) = (other.baud, other.sentences.clone()),
        4 => scenario.pace = other.pace,
        5 => scenario.width = other.width,
        6 => (scenario.edges, scenario.polarity) = (other.edges, other.polarity),
        7 => scenario.phc_ppm = other.phc_ppm,
        8 => scenario.system_ppm = other.system_ppm,
        9 => (scenario.sys_ahead, scenario.sys_max_error) = (other.sys_ahead, other.sys_max_error),
        10 => scenario.noise = other.noise,
        _ => scenario.sentences.clone_from(&other.sentences),
    }
}

/// Moves a fault, makes it longer or shorter, or another of its kind.
fn bend_fault(scenario: &mut Scenario, random: &mut Random) {
    if scenario.faults.is_empty() {
        return;
    }
    let at = random.below(scenario.faults.len() as u64) as usize;
    let fault = scenario.faults[at];
    let (by, longer) = (random.between(-6, 6), random.between(-6, 6));
    match random.below(3) {
        0 => scenario.faults[at] = Fault { from: (fault.from + by).max(0), until: (fault.until + by).max(1), ..fault },
        1 => scenario.faults[at].until = (fault.until + longer).max(fault.from + 1),
        _ => {
            let drawn = (0..60).flat_map(|_| any_fault(random, scenario, fault.from..fault.until)).collect::<Vec<_>>();
            let same = drawn.into_iter().find(|other| draw::name(other.kind) == draw::name(fault.kind));
            if let Some(same) = same {
                scenario.faults[at].kind = same.kind;
            }
        }
    }
}
