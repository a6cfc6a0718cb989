use super::*;
use crate::engine::front::{Front, Tail};
use crate::time::Instant;

const UTC: i64 = 1_800_000_000;

fn raw(ms: i64) -> Instant<crate::time::Raw> {
    Instant::from_nanos(ms * 1_000_000)
}

/// A track whose count n comes at n seconds.
fn track(id: u64) -> Track {
    let front =
        |s: i64| Front { raw: raw(s * 1_000), sys: Ok(Instant::default()), error: Span::ZERO, tail: Tail::None };
    Track::found(TrackId(id), [&front(0), &front(1), &front(2)]).unwrap()
}

/// The sentence of second `second`, `delay` ms after its pulse, in a burst of its own.
fn mention(second: i64, delay: i64) -> Mention {
    let at = raw(second * 1_000 + delay);
    Mention { utc: UtcSecond::from_posix(UTC + second), first_byte: at, burst_start: at }
}

fn labelled(delay: Option<i64>, delays: &[i64]) -> (Labelling, Vec<Effect>) {
    let mut labeller = Labeller::new(delay.map(Span::from_millis));
    let track = track(1);
    let effects =
        (0..).zip(delays).map(|(second, &delay)| labeller.add(mention(second, delay), Some(&track))).collect();
    (labeller.view(), effects)
}

/// By how many seconds the label is wrong; `None` without one.
fn wrong_by(labelling: Labelling) -> Option<i64> {
    if let Labelling::Agreed(label) = labelling { Some(label.base.posix() - UTC) } else { None }
}

#[test]
fn three_mentions_that_agree_make_a_label_at_any_delay_within_the_second() {
    for delay in [5, 10, 60, 300, 500, 900, 950] {
        assert_eq!(wrong_by(labelled(None, &[delay; 2]).0), None, "{delay}");
        assert_eq!(wrong_by(labelled(None, &[delay; 3]).0), Some(0), "{delay}");
    }
}

#[test]
fn mentions_heard_before_the_edge_was_known_count() {
    let mut labeller = Labeller::new(None);
    for second in 0..3 {
        labeller.add(mention(second, 300), None);
    }
    assert_eq!(labeller.view(), Labelling::Open);
    labeller.follow(&track(1));
    assert_eq!(wrong_by(labeller.view()), Some(0));
}

#[test]
fn jitter_and_jumps_within_the_second_do_not_touch_the_label() {
    for delays in [[300, 250, 350, 500, 700, 500], [60, 70, 110, 300, 500, 700], [930, 900, 920, 950, 750, 550]] {
        let (labelling, effects) = labelled(None, &delays);
        assert_eq!((wrong_by(labelling), effects), (Some(0), vec![Effect::None; 6]), "{delays:?}");
    }
}

#[test]
fn delays_on_both_sides_of_the_pulse_are_refused() {
    for delays in [[980, 1_020, 990, 1_010], [-30, 20, -10, 30], [1_010, 990, 980, 970]] {
        assert_eq!(labelled(None, &delays).0, Labelling::Refused(Reason::StraddlingDelay), "{delays:?}");
    }
}

#[test]
fn scattered_delays_near_the_next_pulse_need_more_agreement() {
    let delays = [990, 955, 975, 988, 950, 975, 992, 967, 959, 971, 983, 991, 962, 978, 951, 989];
    assert_eq!(labelled(None, &delays[..8]).0, Labelling::Open);
    assert_eq!(labelled(None, &delays[..15]).0, Labelling::Refused(Reason::StraddlingDelay), "and says why");
    assert_eq!(wrong_by(labelled(None, &delays).0), Some(0));
}

#[test]
fn scattered_delays_just_after_the_pulse_do_not() {
    assert_eq!(wrong_by(labelled(None, &[40, 5, 22]).0), Some(0));
}

#[test]
fn one_crossing_of_the_pulse_is_enough_against_a_young_label() {
    assert_eq!(wrong_by(labelled(None, &[30, 10, 20, 40]).0), Some(0));
    assert_eq!(labelled(None, &[30, 10, 20, 40, -15]).0, Labelling::Refused(Reason::StraddlingDelay));
}

#[test]
fn a_configured_delay_settles_late_early_and_straddling_sentences() {
    for (configured, delays) in [
        (1_000, [980, 1_020, 990, 1_010]),
        (0, [-30, 20, -10, 30]),
        (1_300, [1_300, 1_310, 1_290, 1_300]),
        (-965, [-965, -960, -970, -965]),
    ] {
        assert_eq!(wrong_by(labelled(Some(configured), &delays).0), Some(0), "{configured}");
    }
}

#[test]
fn the_witness_settles_how_late_straddling_sentences_are() {
    let (mut labeller, track) = (Labeller::new(None), track(1));
    let add = |labeller: &mut Labeller, second, delay| labeller.add(mention(second, delay), Some(&track));
    for (second, delay) in (0..).zip([980, 1_020, 990, 1_010]) {
        add(&mut labeller, second, delay);
    }
    assert_eq!(labeller.view(), Labelling::Refused(Reason::StraddlingDelay));
    labeller.witness(UtcSecond::from_posix(UTC), &track);
    assert_eq!(wrong_by(labeller.view()), Some(0));
    for (second, delay) in (4..).zip([1_005, 985, 1_040, 960]) {
        add(&mut labeller, second, delay);
        assert_eq!(wrong_by(labeller.view()), Some(0), "second {second}");
    }
}

#[test]
fn delays_that_leave_a_configured_one_on_both_sides_are_refused() {
    assert_eq!(labelled(Some(300), &[600, 600, 1_000]).0, Labelling::Refused(Reason::DelayMoved));
}

#[test]
fn a_pulse_within_the_burst_before_the_time_makes_its_second_a_guess() {
    let mut labeller = Labeller::new(None);
    let track = track(1);
    for second in 0..4 {
        let burst_start = raw(second * 1_000 + 900);
        labeller.add(Mention { burst_start, ..mention(second, 1_100) }, Some(&track));
    }
    assert_eq!(labeller.view(), Labelling::Refused(Reason::StraddlingDelay));
}

#[test]
fn a_saturated_line_gives_no_label_even_where_it_pauses_and_a_delay_is_configured() {
    for configured in [None, Some(Span::from_millis(300))] {
        let (mut labeller, track) = (Labeller::new(configured), track(1));
        // Three seconds late; the line pauses before most sentences, so that they look as if they came in time.
        for second in 0..15 {
            let late = mention(second, 3_300);
            let burst_start = if second % 15 == 0 { raw(0) } else { late.burst_start };
            labeller.add(Mention { burst_start, ..late }, Some(&track));
            labeller.follow(&track);
            assert_eq!(labeller.view(), Labelling::Refused(Reason::LineSaturated), "second {second}");
        }
    }
}

#[test]
fn a_label_outlives_a_moment_in_which_the_line_does_not_pause() {
    let (mut labeller, track) = (Labeller::new(None), track(1));
    for second in 0..20 {
        let mention = mention(second, 300);
        let burst_start = if matches!(second, 10 | 11) { raw(9_300) } else { mention.burst_start };
        labeller.add(Mention { burst_start, ..mention }, Some(&track));
        assert_eq!(wrong_by(labeller.view()).is_some(), second >= 2, "second {second}");
    }
}

#[test]
fn one_dissent_is_noise_and_two_in_a_row_stop() {
    let (labelling, effects) = labelled(None, &[300, 300, 300, 300, 1_300, 300, 300]);
    assert_eq!((wrong_by(labelling), effects[4]), (Some(0), Effect::Dissent));
    let (labelling, _) = labelled(None, &[300, 300, 300, 300, 1_300, 1_300]);
    assert_eq!(labelling, Labelling::Refused(Reason::LabelDissent));
    let (labelling, _) = labelled(None, &[300, 300, 300, 300, 1_300, 1_300, 300, 300]);
    assert_eq!(labelling, Labelling::Refused(Reason::LabelDissent), "not yet back");
    let (labelling, _) = labelled(None, &[300, 300, 300, 300, 1_300, 1_300, 300, 300, 300]);
    assert_eq!(wrong_by(labelling), Some(0));
}

#[test]
fn five_mentions_of_another_second_at_the_same_delay_relabel() {
    let mut labeller = Labeller::new(None);
    let track = track(1);
    let mut effects = Vec::new();
    for second in 0..12 {
        let mut mention = mention(second, 300);
        if second >= 5 {
            mention.utc = mention.utc.plus(-2); // the leap second page has come
        }
        effects.push(labeller.add(mention, Some(&track)));
    }
    assert_eq!(
        effects[5..10],
        [Effect::Dissent, Effect::Dissent, Effect::Dissent, Effect::Dissent, Effect::Relabelled(-2)]
    );
    assert_eq!(wrong_by(labeller.view()), Some(-2));
}

#[test]
fn a_delay_that_slides_past_the_second_never_relabels() {
    let slide: Vec<i64> = (0..60).map(|n| 300 + n * 25).collect();
    let mut labeller = Labeller::new(None);
    let track = track(1);
    for (second, delay) in (0..).zip(slide) {
        let effect = labeller.add(mention(second, delay), Some(&track));
        assert!(!matches!(effect, Effect::Relabelled(_)), "delay {delay} ms");
        if let Some(wrong) = wrong_by(labeller.view()) {
            assert_eq!(wrong, 0, "delay {delay} ms");
        }
    }
    assert_eq!(labeller.view(), Labelling::Refused(Reason::DelayMoved));
}

/// Slow enough that the crossings of the pulse are forgotten before the delay has passed a whole second: it then looks
/// as it did under the label, and is a second late.
#[test]
fn a_slow_slide_through_whole_seconds_never_relabels_either() {
    for slide in 4..30 {
        let (mut labeller, track) = (Labeller::new(None), track(1));
        for second in 0..600 {
            let jitter = second * 37 % 121 - 60;
            let effect = labeller.add(mention(second, 500 + second * slide + jitter), Some(&track));
            assert!(!matches!(effect, Effect::Relabelled(_)), "{slide} ms a second, second {second}");
            assert!(matches!(wrong_by(labeller.view()), None | Some(0)), "{slide} ms a second, second {second}");
        }
    }
}

#[test]
fn a_jump_past_the_second_is_refused_and_its_return_accepted() {
    let delays: Vec<i64> = [900; 20].into_iter().chain([1_100; 8]).collect();
    assert_eq!(labelled(None, &delays).0, Labelling::Refused(Reason::DelayMoved));
    let back: Vec<i64> = delays.into_iter().chain([900; 3]).collect();
    assert_eq!(wrong_by(labelled(None, &back).0), Some(0));
}

#[test]
fn another_track_needs_a_label_of_its_own() {
    let mut labeller = Labeller::new(None);
    for second in 0..3 {
        labeller.add(mention(second, 300), Some(&track(1)));
    }
    let front = |ms: i64| Front { raw: raw(ms), sys: Ok(Instant::default()), error: Span::ZERO, tail: Tail::None };
    let other = Track::found(TrackId(2), [&front(9_600), &front(10_600), &front(11_600)]).unwrap();
    labeller.follow(&other);
    assert_eq!(labeller.view(), Labelling::Open, "mentions from before the new track say nothing of it");
}
