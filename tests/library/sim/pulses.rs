//! Named receivers and pulses of every polarity: right samples, or none.

use crate::library::simulated::scenario::{Polarity, Scenario, Shown, SimEdges, SimSentence, Spread};
use gnss2shm::core::engine::Config;
use gnss2shm::core::engine::Conventions;
use gnss2shm::core::event::Reason;
use gnss2shm::core::time::{NANOS, Span, UtcSecond};

use super::harness::{ms, run, witnessed};

/// A kind of receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Model {
    /// Its name.
    name: &'static str,
    /// Pulse to the end of the first sentence, on average; negative if that is before its pulse.
    end: Span,
    /// Maximum deviation from it.
    jitter: Span,
    /// Distribution of the deviations.
    spread: Spread,
    /// Baud rate of the line.
    baud: u32,
    /// Which sentences it sends, in this order.
    sentences: &'static [SimSentence],
}

/// The kinds of receivers whose delays are known from reports.
const MODELS: [Model; 10] = {
    use SimSentence::{Gga, Gsa, Rmc, Zda};
    use Spread::{Even, Normal, Wander};
    const fn model(
        name: &'static str,
        end: [i64; 2],
        spread: Spread,
        baud: u32,
        sentences: &'static [SimSentence],
    ) -> Model {
        let [end, jitter] = end;
        Model { name, end: Span::from_millis(end), jitter: Span::from_millis(jitter), spread, baud, sentences }
    }
    [
        model("u-blox", [115, 85], Wander, 38_400, &[Rmc, Gga, Gsa, Zda]),
        model("SiRF", [417, 85], Even, 4_800, &[Gga, Gsa, Rmc]),
        model("MTK3339", [500, 10], Normal, 9_600, &[Gga, Gsa, Rmc]),
        model("any that sends NMEA", [222, 10], Normal, 9_600, &[Rmc, Gga]),
        model("Brandywine", [750, 5], Normal, 9_600, &[Rmc]),
        model("Zodiac", [1_239, 10], Normal, 9_600, &[Gga, Gsa, Rmc]),
        model("old Garmin", [1_200, 20], Normal, 4_800, &[Rmc]),
        model("Z3801", [-965, 5], Normal, 19_200, &[Rmc]),
        model("RFTG", [-663, 5], Normal, 9_600, &[Rmc]),
        model("TAIP", [-175, 5], Normal, 4_800, &[Rmc]),
    ]
};

impl Model {
    /// Pulse to first byte, on average.
    fn delay(&self) -> Span {
        let shown = Shown { utc: UtcSecond::from_posix(0), is_sixty: false, has_fix: true };
        let bytes = self.sentences.first().map_or(0, |sentence| sentence.text(shown).len() as i64);
        self.end - Span::from_nanos(10 * NANOS / i64::from(self.baud)).times(bytes)
    }

    /// A running receiver of this kind.
    fn scenario(&self) -> Scenario {
        let Self { jitter, spread, baud, sentences, .. } = *self;
        Scenario { delay: self.delay(), jitter, spread, baud, sentences: sentences.to_vec(), ..Scenario::default() }
    }
}

fn confirming() -> Config {
    Config { conventions: Conventions::Confirm, ..Config::default() }
}

fn needs_no_setting(model: &Model) -> bool {
    (ms(0)..ms(950)).contains(&model.delay())
}

#[test]
fn receivers_whose_sentences_follow_their_pulse_need_no_setting() {
    let models: Vec<&Model> = MODELS.iter().filter(|model| needs_no_setting(model)).collect();
    assert_eq!(models.len(), 5);
    for model in models {
        for seed in 0..10 {
            let scenario = Scenario { seed, ..model.scenario() };
            run(Config::default(), &scenario, 100).assert_works(80, &format!("{}, seed {seed}", model.name));
        }
    }
}

#[test]
fn receivers_whose_sentences_name_another_pulse_are_right_where_configured_and_else_held_back() {
    let models: Vec<&Model> = MODELS.iter().filter(|model| !needs_no_setting(model)).collect();
    assert_eq!(models.len(), 5);
    for model in models {
        for seed in 0..5 {
            let (scenario, context) = (Scenario { seed, ..model.scenario() }, format!("{}, seed {seed}", model.name));
            let configured = Config { delay: Some(model.delay()), ..Config::default() };
            run(configured, &scenario, 60).assert_works(40, &context);
            run(confirming(), &scenario, 60).assert_never_publishes(&context);
            run(Config::default(), &witnessed(scenario), 60).assert_right(&context);
        }
    }
}

#[test]
fn delays_of_every_spread_are_right() {
    for spread in [Spread::Even, Spread::Normal, Spread::Wander] {
        for delay in [60, 300, 890] {
            for seed in 0..5 {
                let scenario = Scenario { delay: ms(delay), jitter: ms(50), spread, seed, ..Scenario::default() };
                run(Config::default(), &scenario, 60).assert_works(35, &format!("{spread:?}, {delay} ms, seed {seed}"));
            }
        }
    }
}

#[test]
fn an_inverted_pulse_is_one_like_any_other_where_both_edges_are_stamped() {
    for width in [1, 1_000, 100_000, 449_000] {
        let width = Span::from_micros(width);
        let scenario = Scenario { polarity: Polarity::ActiveLow, width, ..Scenario::default() };
        run(Config::default(), &scenario, 40).assert_works(30, &format!("{width}"));
    }
}

#[test]
fn a_pulse_that_ends_on_time_is_right_where_the_rest_of_the_second_is_configured_and_else_held_back() {
    for width in [60, 100, 200, 300, 440] {
        let scenario = Scenario { polarity: Polarity::EndsOnTime, width: ms(width), ..Scenario::default() };
        let context = format!("{width} ms");
        let configured = Config { width: Some(ms(1_000 - width)), ..Config::default() };
        run(configured, &scenario, 40).assert_works(30, &context);
        run(Config::default(), &witnessed(scenario.clone()), 40).assert_silent(Reason::WitnessDisagrees, &context);
        run(confirming(), &scenario, 40).assert_silent(Reason::Unconfirmed, &context);
    }
}

#[test]
fn a_short_pulse_of_another_width_than_the_configured_one_is_refused() {
    for width in [1, 20, 49] {
        let width = Span::from_micros(width);
        let ends = Scenario { polarity: Polarity::EndsOnTime, width, ..Scenario::default() };
        let configured = Config { width: Some(Span::SECOND - width), ..Config::default() };
        run(configured, &ends, 40).assert_silent(Reason::WidthMismatch, &format!("ends on time, {width}"));
        let scenario = Scenario { width, ..Scenario::default() };
        let configured = Config { width: Some(ms(100)), ..Config::default() };
        run(configured, &scenario, 40).assert_silent(Reason::WidthMismatch, &format!("100 ms configured, {width}"));
        let configured = Config { width: Some(width), ..Config::default() };
        run(configured, &scenario, 40).assert_works(30, &format!("{width} configured"));
    }
}

#[test]
fn a_single_edge_that_is_not_the_one_on_time_is_held_back_by_witness_or_convention() {
    for polarity in [Polarity::ActiveLow, Polarity::EndsOnTime] {
        let scenario = Scenario { polarity, edges: SimEdges::One, ..Scenario::default() };
        let context = format!("{polarity:?}");
        run(Config::default(), &witnessed(scenario.clone()), 40).assert_silent(Reason::WitnessDisagrees, &context);
        run(confirming(), &scenario, 40).assert_silent(Reason::Unconfirmed, &context);
    }
}

#[test]
fn a_duty_of_one_half_is_refused_until_the_witness_settles_it_whichever_way_it_goes() {
    for polarity in [Polarity::ActiveHigh, Polarity::ActiveLow, Polarity::EndsOnTime] {
        let scenario = Scenario { polarity, width: ms(500), ..Scenario::default() };
        let context = format!("{polarity:?}");
        run(Config::default(), &scenario, 40).assert_silent(Reason::AmbiguousWidth, &context);
        run(Config::default(), &witnessed(scenario), 40).assert_works(30, &context);
    }
}
