//! The engine's result for a world: what is wrong, how close to wrong it is, and which states it reached.

use std::collections::BTreeSet;

use crate::library::simulated::scenario::Scenario;
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::engine::Engine;
use gnss2shm::core::engine::guard::in_leap_window;
use gnss2shm::core::event::{Event, Sample, Verdict};
use gnss2shm::core::time::{Instant, Span, UtcSecond};

use super::worlds::{Genome, SECONDS};
use crate::library::sim::harness::{Audits, Judged, WRONG, ms};

/// Seconds within which a world without faults yields samples again, and a twin agrees.
const BACK: i64 = 20;
/// Maximum difference between the twin's samples and the first engine's.
const TWINS_AGREE: Span = Span::from_micros(20);

/// The result of a world.
pub struct Judgement {
    /// Score of a world that does not fail: higher if closer to a failure.
    pub score: i64,
    pub failure: Option<Failure>,
    /// Changes of state and reasons of rejection.
    pub ground: BTreeSet<String>,
}

/// What is wrong.
pub struct Failure {
    pub kind: &'static str,
    /// The second in which it appears.
    pub second: i64,
    pub says: String,
}

/// A run of the engine, and of one that starts in the middle.
#[derive(Default)]
struct Course {
    samples: Vec<Judged>,
    /// The engine's and its twin's samples of one edge, if they differ.
    differ: Option<(Judged, Sample)>,
    ground: BTreeSet<String>,
    silent_in: String,
    /// The first wrong comparison of the PHC with GNSS.
    wrong_audit: Option<Failure>,
}

fn run(genome: &Genome) -> Course {
    let mut timeline =
        Timeline::new(World::new(genome.case.scenario.clone(), genome.case.first, Instant::from_parts(1_000, 0)));
    let (mut engine, mut twin) = (Engine::new(genome.config()), Engine::new(genome.config()));
    let twin_from = 30 + (genome.case.scenario.seed % 90) as i64;
    let (mut course, mut audits) = (Course::default(), Audits::default());
    let (begins, ends) = (timeline.world().pulse_number(0), timeline.world().pulse_number(SECONDS));
    loop {
        let event = timeline.next_event();
        let at = event.head().0;
        if matches!(event, Event::Tick { .. }) && at >= ends {
            course.silent_in = format!("{:?}", engine.state());
            return course;
        }
        let second = (at - begins).nearest(Span::SECOND).0;
        let mut judged = Vec::new();
        for verdict in engine.handle(&event) {
            match verdict {
                Verdict::Sample(sample) => judged.push(Judged { sample, second, error: timeline.error(&sample) }),
                Verdict::StateChanged { from, to } => {
                    course.ground.insert(format!("{from:?} to {to:?}"));
                }
                Verdict::Rejected(reason) => {
                    course.ground.insert(format!("{:?}: {reason:?}", engine.state()));
                }
                _ => {}
            }
        }
        if let Some((audit, error, false)) = audits.next(&engine, &timeline) {
            let failure = || Failure { kind: "a wrong audit", second, says: format!("{audit:?}, {error:?}") };
            course.wrong_audit.get_or_insert_with(failure);
        }
        // Events that the daemon sends once are also sent to the twin.
        let once = matches!(event, Event::Source { .. } | Event::LeapTable { .. } | Event::Witness(_));
        if once || at >= begins + Span::from_secs(twin_from) + ms(370) {
            let said = twin.handle(&event);
            if second > twin_from + BACK && course.differ.is_none() {
                course.differ = said.iter().find_map(|verdict| differs(verdict, &judged));
            }
        }
        course.samples.extend(judged);
    }
}

/// The twin's sample of an edge, if it contradicts the engine's.
fn differs(verdict: &Verdict, judged: &[Judged]) -> Option<(Judged, Sample)> {
    let Verdict::Sample(twin) = verdict else { return None };
    let contradicts = |judged: &&Judged| {
        let is_same_moment = (twin.at - judged.sample.at).abs() <= TWINS_AGREE;
        is_same_moment != (twin.label == judged.sample.label)
    };
    judged.iter().find(contradicts).map(|judged| (*judged, *twin))
}

pub fn judge(genome: &Genome) -> Judgement {
    let mut course = run(genome);
    let silence = silence(genome, &course);
    let wrong = wrong(&course, genome.case.scenario.noise).or(course.wrong_audit.take());
    let failure = wrong.or_else(|| twins_differ(&course)).or_else(|| {
        silence.filter(|(_, lasts)| *lasts > 0).map(|(second, lasts)| Failure {
            kind: "silence",
            second,
            says: format!("no sample for {} s up to second {second}, at last {}", lasts + BACK, course.silent_in),
        })
    });
    let near = course.samples.iter().filter_map(|judged| {
        let error = judged.error?.abs().nanos();
        let bound = judged.sample.error.nanos().max(1);
        Some(error * 1_000 / bound + error * 1_000 / WRONG.nanos())
    });
    let quiet = silence.map_or(0, |(_, lasts)| (lasts + BACK) * 25);
    let score = near.max().unwrap_or(0) + quiet + 4 * course.ground.len() as i64;
    Judgement { score, failure, ground: course.ground }
}

/// A bound cannot include the NIC's own timestamp error, `noise`.
fn wrong(course: &Course, noise: Span) -> Option<Failure> {
    let failure = |judged: &Judged, kind| Failure { kind, second: judged.second, says: format!("{judged:?}") };
    for pair in course.samples.windows(2) {
        if pair[0].sample.label >= pair[1].sample.label {
            return Some(failure(&pair[1], "labels that do not rise"));
        }
    }
    let is_right =
        |judged: &Judged| judged.error.is_some_and(|error| error.abs() <= (judged.sample.error + noise).min(WRONG));
    let wrong = course.samples.iter().find(|judged| !is_right(judged))?;
    let kind = match wrong.error {
        None => "a second that never was",
        Some(error) if error.abs() >= ms(999) => "wrong second",
        Some(error) if error.abs() >= Span::from_micros(100) => "wrong edge",
        Some(error) if error.abs() > WRONG => "wrong by more than 10 us",
        Some(_) => "wrong by more than its bound",
    };
    Some(failure(wrong, kind))
}

fn twins_differ(course: &Course) -> Option<Failure> {
    let (judged, twin) = course.differ?;
    Some(Failure { kind: "a twin that differs", second: judged.second, says: format!("{judged:?}, twin {twin:?}") })
}

/// The longest silence that nothing excuses, where it ends, and by how much it is longer than it may be; nothing where no
/// silence can be blamed.
fn silence(genome: &Genome, course: &Course) -> Option<(i64, i64)> {
    let scenario = &genome.case.scenario;
    if !crate::library::sim::inside::is_prompt(scenario) || hides_leap(scenario) {
        return None;
    }
    let mut last = -1;
    let mut worst: Option<(i64, i64)> = None;
    let sampled: BTreeSet<i64> = course.samples.iter().map(|judged| judged.second).collect();
    for second in 0..SECONDS {
        let faulty = scenario.faults.iter().any(|fault| (fault.from - 1..=fault.until + 1).contains(&second));
        let utc: UtcSecond = genome.case.first.plus(second);
        if faulty || sampled.contains(&second) || in_leap_window(utc) || in_leap_window(utc.plus(-3)) {
            last = second;
        } else if worst.is_none_or(|(_, lasts)| second - last - BACK > lasts) {
            worst = Some((second, second - last - BACK));
        }
    }
    worst
}

/// A hidden leap second takes two minutes of agreement.
fn hides_leap(scenario: &Scenario) -> bool {
    let hides =
        |after: i64| scenario.faults.iter().any(|fault| fault.from <= after + BACK && fault.until >= after - BACK);
    scenario.leap.is_some_and(|(after, _)| hides(after))
}
