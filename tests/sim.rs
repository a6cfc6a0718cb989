//! The engine against simulated worlds in virtual time: every sample is held against the truth.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use gnss2shm::engine::{Config, Engine};
use gnss2shm::event::{Reason, Sample, State, Verdict};
use gnss2shm::source::simulator::timeline::Timeline;
use gnss2shm::source::simulator::world::{Scenario, SimEdges, SimSentence, World};
use gnss2shm::time::{Date, Instant, Span, UtcSecond};

struct Outcome {
    samples: Vec<(Sample, Span)>,
    state: State,
    rejected: Vec<Reason>,
}

fn run(config: Config, scenario: &Scenario, seconds: i64) -> Outcome {
    let first = UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 86_390);
    let mut timeline = Timeline::new(World::new(scenario.clone(), first, Instant::from_parts(1_000, 0)));
    let mut engine = Engine::new(config);
    let end = timeline.world().pulse(first.plus(seconds));
    let (mut samples, mut rejected) = (Vec::new(), Vec::new());
    loop {
        let event = timeline.next_event();
        for verdict in engine.handle(&event) {
            match verdict {
                Verdict::Sample(sample) => samples.push((sample, timeline.error(&sample))),
                Verdict::Rejected(reason) => rejected.push(reason),
                Verdict::Relabelled { .. } | Verdict::StateChanged { .. } => {}
            }
        }
        if matches!(event, gnss2shm::event::Event::Tick { raw } if raw >= end) {
            return Outcome { samples, state: engine.state(), rejected };
        }
    }
}

impl Outcome {
    /// Every sample within its own bound and within `limit`, labels strictly rising.
    fn assert_right(&self, limit: Span, context: &str) {
        for (sample, error) in &self.samples {
            assert!(error.abs() <= limit.min(sample.error), "{context}: {error} off, bound {}", sample.error);
        }
        assert!(self.samples.windows(2).all(|pair| pair[0].0.label < pair[1].0.label), "{context}: labels rise");
    }
}

fn ms(n: i64) -> Span {
    Span::from_millis(n)
}

fn steady(delay: i64, width: Span, edges: SimEdges, baud: u32) -> Scenario {
    let sentences =
        if baud < 9_600 { vec![SimSentence::Rmc] } else { vec![SimSentence::Rmc, SimSentence::Zda, SimSentence::Gga] };
    Scenario { delay: ms(delay), jitter: ms(2), width, edges, baud, sentences, ..Scenario::default() }
}

#[test]
fn every_delay_width_and_baud_rate_of_the_envelope_locks_and_is_right() {
    let mut cells = 0;
    for delay in [5, 10, 20, 60, 100, 150, 250, 300, 400, 500, 600, 700, 800, 900, 950] {
        for width in [1, 100, 1_000, 10_000, 20_000, 100_000, 200_000, 300_000, 400_000, 449_000] {
            for edges in [SimEdges::Both, SimEdges::One] {
                for baud in [4_800, 9_600, 38_400, 115_200] {
                    let scenario = steady(delay, Span::from_micros(width), edges, baud);
                    let outcome = run(Config::default(), &scenario, 20);
                    let context = format!("delay {delay} ms, width {width} us, {edges:?}, {baud} baud");
                    outcome.assert_right(Span::from_micros(1), &context);
                    assert!(outcome.samples.len() >= 12, "{context}: {} {:?}", outcome.samples.len(), outcome.state);
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 15 * 10 * 2 * 4);
}

#[test]
fn the_first_sample_comes_within_four_pulses_of_the_first_valid_sentence() {
    for delay in [10, 300, 900] {
        for edges in [SimEdges::Both, SimEdges::One] {
            let scenario = steady(delay, ms(100), edges, 9_600);
            let outcome = run(Config::default(), &scenario, 10);
            let first = outcome.samples[0].0.label.posix()
                - UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 86_390).posix();
            // The first valid sentence names pulse 0; the fourth pulse after its own is number 4.
            assert!(first <= 4, "delay {delay} ms, {edges:?}: first sample is pulse {first}");
        }
    }
}

#[test]
fn lost_edges_glitches_and_lost_sentences_cost_samples_but_never_a_wrong_one() {
    for seed in 0..200 {
        let scenario = Scenario {
            edge_loss: 200,
            glitches: 100,
            sentence_loss: 100,
            jitter: ms(50),
            delay: ms(60 + seed as i64 * 4),
            edges: if seed % 2 == 0 { SimEdges::Both } else { SimEdges::One },
            width: [Span::from_micros(1), ms(1), ms(100), ms(400)][seed as usize % 4],
            seed,
            ..Scenario::default()
        };
        let outcome = run(Config::default(), &scenario, 120);
        outcome.assert_right(Span::from_micros(10), &format!("seed {seed}"));
    }
}

#[test]
fn widths_of_about_half_a_second_are_refused() {
    for width in [451, 480, 500, 520, 549] {
        let outcome = run(Config::default(), &steady(300, ms(width), SimEdges::Both, 9_600), 20);
        assert!(outcome.samples.is_empty(), "{width} ms");
        assert_eq!(outcome.state, State::Refusing(Reason::AmbiguousWidth), "{width} ms");
        assert!(outcome.rejected.contains(&Reason::AmbiguousWidth));
    }
}
