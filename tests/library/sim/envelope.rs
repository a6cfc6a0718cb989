//! The promise of the envelope, cell by cell, and cases outside it.

use crate::library::simulated::scenario::{Fault, FaultKind, LeapShape, Scenario, SimEdges};
use gnss2shm::core::engine::Config;
use gnss2shm::core::engine::{Conventions, Rollover, WitnessMode};
use gnss2shm::core::event::{Announced, Leap, Reason, State};
use gnss2shm::core::time::{Date, Span, UtcSecond};

use super::harness::{evening, ms, run, run_from, steady, witnessed};

const DELAYS: [i64; 15] = [5, 10, 20, 60, 100, 150, 250, 300, 400, 500, 600, 700, 800, 900, 950];

fn confirming() -> Config {
    Config { conventions: Conventions::Confirm, ..Config::default() }
}

#[test]
fn every_delay_width_and_baud_rate_of_the_envelope_locks_and_is_right() {
    let mut cells = 0;
    for delay in DELAYS {
        for width in [1, 100, 1_000, 10_000, 20_000, 100_000, 200_000, 300_000, 400_000, 449_000] {
            for edges in [SimEdges::Both, SimEdges::One] {
                for baud in [4_800, 9_600, 38_400, 115_200] {
                    let scenario = steady(delay, Span::from_micros(width), edges, baud);
                    let context = format!("delay {delay} ms, width {width} us, {edges:?}, {baud} baud");
                    run(Config::default(), &scenario, 20).assert_works(12, &context);
                    cells += 1;
                }
            }
        }
    }
    assert_eq!(cells, 15 * 10 * 2 * 4);
}

#[test]
fn the_first_sample_comes_within_four_pulses_of_the_first_valid_sentence() {
    for delay in DELAYS {
        for edges in [SimEdges::Both, SimEdges::One] {
            let outcome = run(Config::default(), &steady(delay, ms(100), edges, 9_600), 10);
            let first = outcome.samples[0].sample.label.posix() - evening().posix();
            // The first valid sentence names pulse 0; the fourth pulse after it is number 4.
            assert!(first <= 4, "delay {delay} ms, {edges:?}: first sample is pulse {first}");
        }
    }
}

#[test]
fn widths_of_about_half_a_second_are_refused_or_settled_by_setting_or_witness() {
    for width in [451, 470, 499, 500, 501, 530, 549] {
        let scenario = steady(300, ms(width), SimEdges::Both, 9_600);
        let context = format!("{width} ms");
        run(Config::default(), &scenario, 20).assert_silent(Reason::AmbiguousWidth, &context);
        run(Config::default(), &witnessed(scenario.clone()), 20).assert_works(12, &format!("{context}, witness"));
        let configured = Config { width: Some(ms(width)), ..Config::default() };
        let outcome = run(configured, &scenario, 20);
        match width {
            500 => outcome.assert_silent(Reason::AmbiguousWidth, "both parts are of the configured width"),
            _ => outcome.assert_works(12, &format!("{context}, configured")),
        }
    }
}

#[test]
fn pulses_that_are_the_longer_part_of_the_second_are_right_where_configured_and_else_held_back() {
    for width in [551, 600, 650, 700, 800, 900, 949] {
        let scenario = steady(300, ms(width), SimEdges::Both, 9_600);
        let context = format!("{width} ms");
        let configured = Config { width: Some(ms(width)), ..Config::default() };
        run(configured, &scenario, 20).assert_works(12, &context);
        run(Config::default(), &witnessed(scenario.clone()), 20).assert_silent(Reason::WitnessDisagrees, &context);
        run(confirming(), &scenario, 20).assert_silent(Reason::Unconfirmed, &context);
        run(confirming(), &witnessed(scenario), 20).assert_silent(Reason::WitnessDisagrees, &context);
    }
}

#[test]
fn delays_outside_the_second_are_right_where_configured_and_else_held_back() {
    for delay in [-965, -663, -175, 1_050, 1_239, 1_700, 3_500] {
        let scenario = steady(delay, ms(100), SimEdges::Both, 9_600);
        let context = format!("{delay} ms");
        let configured = Config { delay: Some(ms(delay)), ..Config::default() };
        run(configured, &scenario, 20).assert_works(8, &context);
        run(Config::default(), &witnessed(scenario.clone()), 20).assert_silent(Reason::WitnessDisagrees, &context);
        run(confirming(), &scenario, 20).assert_silent(Reason::Unconfirmed, &context);
    }
}

#[test]
fn confirmed_conventions_publish() {
    let scenario = steady(300, ms(100), SimEdges::Both, 9_600);
    run(confirming(), &witnessed(scenario.clone()), 20).assert_works(12, "by the witness");
    let both = Config { width: Some(ms(100)), delay: Some(ms(300)), ..confirming() };
    run(both, &scenario, 20).assert_works(12, "by settings");
    let one = Config { width: Some(ms(100)), ..confirming() };
    run(one, &scenario, 20).assert_silent(Reason::Unconfirmed, "one of two is not enough");
    // A lone edge proves nothing: it may be the end of the pulse.
    let (delay, lone) =
        (Config { delay: Some(ms(300)), ..confirming() }, Scenario { edges: SimEdges::One, ..scenario });
    run(delay, &lone, 30).assert_silent(Reason::Unconfirmed, "delay alone, one edge");
}

#[test]
fn a_configured_offset_is_taken_off_the_edge_before_anything_is_said_of_the_system_clock() {
    for (edge_is_late, width, sys_max_error) in [
        (Span::from_nanos(700), ms(100), None),
        (Span::from_micros(40), ms(100), None),
        (Span::from_micros(-40), ms(100), None),
        // More than the allowed error of the witness: it would disagree, and could not tell the edges apart.
        (ms(80), ms(100), Some(ms(2))),
        (ms(-80), ms(500), Some(ms(2))),
    ] {
        let cable = Fault { from: -10, until: 100, kind: FaultKind::PulseShift(edge_is_late) };
        let plain = steady(300, width, SimEdges::Both, 9_600);
        let scenario = Scenario { faults: vec![cable], sys_max_error, ..plain };
        let context = format!("{edge_is_late}, {width} wide");
        let right = Config { offset: edge_is_late, ..Config::default() };
        run(right, &scenario, 20).assert_works(12, &context);
        let outcome = run(Config::default(), &scenario, 20);
        match sys_max_error {
            Some(_) => assert!(outcome.samples.is_empty(), "{context}, not configured"),
            None => assert!(
                outcome
                    .samples
                    .iter()
                    .all(|judged| (judged.error.unwrap() - edge_is_late).abs() < Span::from_nanos(700)),
                "{context}, not configured: {:?}",
                outcome.samples.first()
            ),
        }
    }
}

#[test]
fn delays_that_straddle_the_pulse_are_refused_or_settled_by_setting_or_witness() {
    for seed in 0..20 {
        let scenario = Scenario { jitter: ms(40), seed, ..steady(990, ms(100), SimEdges::Both, 9_600) };
        let outcome = run(Config::default(), &scenario, 60);
        assert!(!outcome.state.publishes(), "seed {seed}: {:?}", outcome.state);
        let configured = Config { delay: Some(ms(990)), ..Config::default() };
        run(configured, &scenario, 60).assert_works(40, &format!("configured, seed {seed}"));
        run(Config::default(), &witnessed(scenario), 60).assert_right(&format!("witness, seed {seed}"));
    }
}

#[test]
fn wrong_settings_are_refused_by_name() {
    let scenario = steady(800, ms(100), SimEdges::Both, 9_600);
    let width = Config { width: Some(ms(200)), ..Config::default() };
    run(width, &scenario, 20).assert_silent(Reason::WidthMismatch, "width");
    let delay = Config { delay: Some(ms(300)), ..Config::default() };
    run(delay, &scenario, 20).assert_silent(Reason::DelayMismatch, "delay");
}

#[test]
fn the_witness_blocks_warns_or_is_off() {
    let late = Scenario { sys_ahead: ms(1_000), sys_max_error: Some(ms(100)), ..Scenario::default() };
    run(Config::default(), &late, 20).assert_silent(Reason::WitnessDisagrees, "block");
    for witness in [WitnessMode::Warn, WitnessMode::Off] {
        run(Config { witness, ..Config::default() }, &late, 20).assert_works(12, &format!("{witness:?}"));
    }
    let vague = Scenario { sys_max_error: Some(ms(300)), ..late };
    run(Config::default(), &vague, 20).assert_works(12, "a clock that may be off by 300 ms is not a witness");
}

#[test]
fn a_stale_leap_second_count_at_cold_start_is_held_back_until_it_is_corrected() {
    let stale = Fault { from: 0, until: 40, kind: FaultKind::WrongSecond(2) };
    let scenario = Scenario { faults: vec![stale], ..witnessed(Scenario::default()) };
    let outcome = run(Config::default(), &scenario, 80);
    outcome.assert_works(25, "after the correction");
    assert!(outcome.samples[0].second >= 40 && outcome.samples[0].second <= 50, "{:?}", outcome.samples[0]);
    // Without a witness nothing on the wire shows it; but the step back stops the samples before it is followed.
    let scenario = Scenario { faults: vec![stale], ..Scenario::default() };
    let outcome = run(Config::default(), &scenario, 80);
    assert_eq!(outcome.relabeled, [-2]);
    for judged in outcome.samples.iter().filter(|judged| judged.second >= 42) {
        assert!(judged.is_right(), "{judged:?}");
    }
}

#[test]
fn impossible_dates_are_refused_and_a_rollover_is_corrected_where_allowed() {
    const WEEK: i64 = 7 * 86_400;
    for (weeks, reason) in
        [(-1_024, Reason::DateTooEarly), (-2_048, Reason::DateTooEarly), (1_024, Reason::DateTooLate)]
    {
        let fault = Fault { from: 0, until: 100, kind: FaultKind::WrongSecond(weeks * WEEK) };
        let scenario = Scenario { faults: vec![fault], ..Scenario::default() };
        let outcome = run(Config::default(), &scenario, 20);
        assert_eq!((outcome.samples.len(), outcome.state), (0, State::Searching(reason)), "{weeks} weeks");
        if weeks < 0 {
            let config = Config { rollover: Rollover::Correct, ..Config::default() };
            run(config, &scenario, 20).assert_works(12, &format!("{weeks} weeks, corrected"));
        }
    }
}

#[test]
fn leap_seconds_of_every_shape_give_no_sample_in_their_window_and_right_ones_after_it() {
    for (year, month, day) in [(2026, 12, 31), (2027, 6, 30)] {
        let first = UtcSecond::from_civil(Date::new(year, month, day).unwrap(), 86_400 - 60);
        for leap in [
            None,
            Some((59, LeapShape::Sixty)),
            Some((59, LeapShape::Doubled59)),
            Some((59, LeapShape::Doubled00)),
            Some((58, LeapShape::Deleted)),
        ] {
            for delay in [10, 300, 900] {
                let scenario = Scenario { delay: ms(delay), jitter: ms(2), leap, ..Scenario::default() };
                let outcome = run_from(first, Config::default(), &scenario, 100);
                let context = format!("{leap:?}, {delay} ms");
                outcome.assert_works(75, &context);
                let quiet = |second: i64| (55..=64).contains(&second);
                assert!(!outcome.samples.iter().any(|judged| quiet(judged.second)), "{context}");
                assert!(
                    outcome.samples.iter().any(|judged| (66..=70).contains(&judged.second)),
                    "{context}: back soon"
                );
            }
        }
    }
}

#[test]
fn a_leap_second_that_nobody_saw_gives_no_wrong_sample_after_it() {
    use FaultKind::{NoFix, NoPulse, NoSentences};
    let first = UtcSecond::from_civil(Date::new(2026, 12, 31).unwrap(), 86_400 - 60);
    for leap in [None, Some((59, LeapShape::Sixty)), Some((59, LeapShape::Doubled59)), Some((58, LeapShape::Deleted))] {
        for kinds in [&[NoFix][..], &[NoSentences], &[NoPulse], &[NoPulse, NoFix], &[NoPulse, NoSentences]] {
            let faults = kinds.iter().map(|&kind| Fault { from: 45, until: 75, kind }).collect();
            let outcome = run_from(first, Config::default(), &Scenario { leap, faults, ..Scenario::default() }, 300);
            outcome.assert_works(140, &format!("{leap:?}, {kinds:?}"));
        }
    }
}

#[test]
fn an_announced_leap_second_is_passed_on_and_must_show() {
    let day = Date::new(2026, 12, 31).unwrap();
    let first = UtcSecond::from_civil(day, 86_400 - 60);
    for (announced, shape, change) in [
        (Leap::Insert, LeapShape::Sixty, -1),
        (Leap::Insert, LeapShape::Doubled00, -1),
        (Leap::Delete, LeapShape::Deleted, 1),
    ] {
        let after = if announced == Leap::Delete { 58 } else { 59 };
        let scenario = Scenario {
            announced: Some(Announced { day, leap: announced }),
            leap: Some((after, shape)),
            ..Scenario::default()
        };
        let outcome = run_from(first, Config::default(), &scenario, 100);
        outcome.assert_works(75, &format!("{shape:?}"));
        assert_eq!(outcome.relabeled, [change]);
        for judged in &outcome.samples {
            let expected = if judged.second < 60 { announced } else { Leap::None };
            assert_eq!(judged.sample.leap, expected, "second {}", judged.second);
        }
        let outcome = run_from(first, Config::default(), &Scenario { leap: None, ..scenario }, 100);
        outcome.assert_right("announced and not shown");
        assert_eq!(outcome.state, State::Refusing(Reason::LeapContradiction));
        assert!(outcome.samples.iter().all(|judged| judged.second < 60));
    }
}

#[test]
fn a_line_that_cannot_carry_its_sentences_is_named_for_that() {
    for baud in [300, 600, 1_200] {
        for delay in [10, 300, 900] {
            for configured in [None, Some(ms(delay))] {
                let scenario = Scenario { baud, delay: ms(delay), ..Scenario::default() };
                let config = Config { delay: configured, ..Config::default() };
                let outcome = run(config, &scenario, 100);
                let context = format!("{baud} baud, delay {delay} ms, {configured:?}");
                outcome.assert_right(&context);
                let reason = outcome.state.reason();
                assert_eq!(reason, Some(Reason::LineSaturated), "{context}: {:?}", outcome.samples.len());
            }
        }
    }
}

#[test]
fn a_line_so_busy_that_sentences_slide_past_the_second_never_misleads() {
    for seed in 0..40 {
        let slide = Fault { from: 20 + seed, until: 400, kind: FaultKind::DelayRamp(ms(8 + seed)) };
        let scenario = Scenario { faults: vec![slide], jitter: ms(50), seed: seed as u64, ..Scenario::default() };
        let outcome = run(Config::default(), &scenario, 350);
        outcome.assert_right(&format!("seed {seed}"));
        let State::Refusing(Reason::DelayMoved | Reason::StraddlingDelay) = outcome.state else {
            panic!("seed {seed}: {:?}", outcome.state);
        };
    }
}
