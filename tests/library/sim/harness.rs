//! Runs the engine through a simulated world and compares every sample with the truth.

use crate::library::simulated::scenario::{Scenario, SimEdges, SimSentence};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::engine::audit::Audit;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Event, Reason, Sample, State, Verdict};
use gnss2shm::core::time::{Date, Instant, Raw, Span, UtcSecond};

/// A sample with a larger error is wrong, regardless of its bound.
pub const WRONG: Span = Span::from_micros(10);

/// The result of a run.
pub struct Outcome {
    /// The samples, each with the number of its second and its error.
    pub samples: Vec<Judged>,
    pub state: State,
    pub rejected: Vec<Reason>,
    pub relabeled: Vec<i64>,
    /// The PHC's comparisons with GNSS that are not right.
    pub wrong_audits: Vec<(Audit, Option<Span>)>,
    pub audits: usize,
}

#[derive(Clone, Copy, Debug)]
pub struct Judged {
    pub sample: Sample,
    /// Number of the pulse to which it should belong, by its arrival.
    pub second: i64,
    /// `None` if there is no such second.
    pub error: Option<Span>,
}

impl Judged {
    pub fn is_right(&self) -> bool {
        self.error.is_some_and(|error| error.abs() <= self.sample.error.min(WRONG))
    }
}

/// Ten seconds before midnight, on a day without a leap second.
pub fn evening() -> UtcSecond {
    UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 86_390)
}

pub fn run(config: Config, scenario: &Scenario, seconds: i64) -> Outcome {
    run_from(evening(), config, scenario, seconds)
}

pub fn run_from(first: UtcSecond, config: Config, scenario: &Scenario, seconds: i64) -> Outcome {
    run_with(first, config, scenario, seconds, |_| true)
}

/// The same, but the engine only receives some events.
pub fn run_with(
    first: UtcSecond,
    config: Config,
    scenario: &Scenario,
    seconds: i64,
    is_told: impl Fn(&Event) -> bool,
) -> Outcome {
    let mut timeline = Timeline::new(World::new(scenario.clone(), first, Instant::from_parts(1_000, 0)));
    let mut engine = Engine::new(config);
    let end = timeline.world().pulse_number(seconds);
    let mut outcome = Outcome {
        samples: Vec::new(),
        state: engine.state(),
        rejected: Vec::new(),
        relabeled: Vec::new(),
        wrong_audits: Vec::new(),
        audits: 0,
    };
    let (mut second, mut audits) = (0, Audits::default());
    loop {
        let event = timeline.next_event();
        if let Event::Tick { raw } = event {
            second = (raw - timeline.world().pulse_number(0)).nearest(Span::SECOND).0;
            if raw >= end {
                outcome.state = engine.state();
                return outcome;
            }
        }
        let verdicts = if is_told(&event) { engine.handle(&event) } else { Vec::new() };
        if let Some((audit, error, is_right)) = audits.next(&engine, &timeline) {
            outcome.audits += 1;
            if !is_right {
                outcome.wrong_audits.push((audit, error));
            }
        }
        for (verdict, next) in verdicts.iter().zip(verdicts.iter().skip(1).map(Some).chain([None])) {
            match *verdict {
                // Locked is not reported before there is a sample.
                Verdict::StateChanged { from, to } if to.publishes() && !from.publishes() => {
                    assert!(
                        matches!(next, Some(Verdict::Sample(_))),
                        "second {second}: {from:?} to {to:?}, {verdicts:?}"
                    );
                }
                Verdict::Sample(sample) => {
                    let error = timeline.error(&sample);
                    outcome.samples.push(Judged { sample, second, error });
                }
                Verdict::Rejected(reason) => outcome.rejected.push(reason),
                Verdict::Relabeled { seconds } => outcome.relabeled.push(seconds),
                _ => {}
            }
        }
    }
}

/// Compares each new comparison of the PHC with the truth.
#[derive(Default)]
pub struct Audits(Option<Instant<Raw>>);

impl Audits {
    /// The engine's, if it is new, its error, and whether its bound covers that and the NIC's noise.
    pub fn next(&mut self, engine: &Engine, timeline: &Timeline) -> Option<(Audit, Option<Span>, bool)> {
        let audit = engine.phc_audit().filter(|audit| self.0.replace(audit.raw) != Some(audit.raw))?;
        let error = timeline.audit_error(&audit);
        let noise = timeline.world().scenario().noise;
        Some((audit, error, error.is_some_and(|error| error.abs() <= audit.error + noise)))
    }
}

impl Outcome {
    /// Every sample is within its own bound and 10 us, and labels strictly increase.
    pub fn assert_right(&self, context: &str) {
        for judged in &self.samples {
            assert!(judged.is_right(), "{context}: second {}: {judged:?}", judged.second);
        }
        assert!(self.wrong_audits.is_empty(), "{context}: {:?}", self.wrong_audits.first());
        let rising = |pair: &[Judged]| pair[0].sample.label < pair[1].sample.label;
        assert!(self.samples.windows(2).all(rising), "{context}: labels rise");
    }

    /// There were enough right samples.
    pub fn assert_works(&self, at_least: usize, context: &str) {
        self.assert_right(context);
        let got = self.samples.len();
        assert!(self.audits >= got, "{context}: {} audits for {got} samples", self.audits);
        assert!(got >= at_least, "{context}: {got} samples, {:?}, {:?}", self.state, self.rejected.last());
    }

    pub fn assert_never_publishes(&self, context: &str) {
        assert!(self.samples.is_empty() && !self.state.publishes(), "{context}: {:?}", self.samples.first());
    }

    pub fn assert_silent(&self, why: Reason, context: &str) {
        assert!(self.samples.is_empty(), "{context}: {:?}", self.samples.first());
        assert_eq!(self.state, State::Refusing(why), "{context}");
    }
}

pub fn ms(n: i64) -> Span {
    Span::from_millis(n)
}

/// An ideal receiver, with sentences that fit the line.
pub fn steady(delay: i64, width: Span, edges: SimEdges, baud: u32) -> Scenario {
    let sentences =
        if baud < 9_600 { vec![SimSentence::Rmc] } else { vec![SimSentence::Rmc, SimSentence::Zda, SimSentence::Gga] };
    Scenario { delay: ms(delay), jitter: ms(2), width, edges, baud, sentences, ..Scenario::default() }
}

/// The same with a system clock that is synchronized to another source.
pub fn witnessed(scenario: Scenario) -> Scenario {
    Scenario { sys_max_error: Some(ms(50)), sys_ahead: ms(-7), ..scenario }
}
