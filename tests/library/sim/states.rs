//! Which state follows from which input, and its sentence.

use crate::library::simulated::scenario::{Fault, FaultKind, LeapShape, Scenario};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Announced, Contradiction, CrossTs, Event, Leap, Reason, State, Verdict};
use gnss2shm::core::time::{Date, Instant, Span, UtcSecond};

use super::harness::{evening, ms, run_from};

/// The states of this world, each once as it is entered.
fn states(config: Config, faults: Vec<Fault>, seconds: i64) -> Vec<State> {
    let first = UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 0);
    let scenario = Scenario { faults, ..Scenario::default() };
    let mut timeline = Timeline::new(World::new(scenario, first, Instant::from_parts(1_000, 0)));
    let (mut engine, mut states) = (Engine::new(config), Vec::new());
    let end = timeline.world().pulse_number(seconds);
    loop {
        let event = timeline.next_event();
        if matches!(event, Event::Tick { raw } if raw >= end) {
            return states;
        }
        for verdict in engine.handle(&event) {
            if let Verdict::StateChanged { to, .. } = verdict {
                states.push(to);
            }
        }
    }
}

#[test]
fn each_fault_leads_to_its_state_and_back() {
    use FaultKind::{DelayJump, NoFix, NoPulse, NoSentences, WrongSecond};
    use State::{Coasting, Locked, Measuring, Pairing, Refusing, Searching};
    let start = [Measuring, Locked];
    for (kind, seconds, then) in [
        (NoSentences, 30, vec![Coasting, Locked]),
        (NoSentences, 90, vec![Coasting, Searching(Reason::NoBytes), Pairing, Locked]),
        (NoFix, 30, vec![Refusing(Reason::NoFix), Refusing(Reason::Settling), Locked]),
        (NoPulse, 30, vec![Searching(Reason::NoPulse), Measuring, Locked]),
        (DelayJump(Span::from_millis(200)), 30, vec![]),
        (WrongSecond(1), 1, vec![Refusing(Reason::LabelDissent), Locked]),
        (WrongSecond(1), 3, vec![Refusing(Reason::LabelDissent), Refusing(Reason::SentencesDisagree), Locked]),
    ] {
        let seen = states(Config::default(), vec![Fault { from: 20, until: 20 + seconds, kind }], 40 + seconds);
        assert_eq!(seen, [&start[..], &then].concat(), "{kind:?} for {seconds} s");
    }
}

/// The contradiction's figures when the state is first entered.
fn figures(config: Config, first: UtcSecond, scenario: Scenario, reason: Reason) -> Option<Contradiction> {
    let mut timeline = Timeline::new(World::new(scenario, first, Instant::from_parts(1_000, 0)));
    let mut engine = Engine::new(config);
    let end = timeline.world().pulse_number(100);
    loop {
        let event = timeline.next_event();
        assert!(event.head().0 < end, "{reason:?} never came: {:?}", engine.state());
        let said = engine.handle(&event);
        let changed = said
            .iter()
            .position(|verdict| matches!(verdict, Verdict::StateChanged { to, .. } if to.reason() == Some(reason)));
        if let Some(at) = changed {
            return said.get(at + 1).map(|verdict| match verdict {
                Verdict::Contradiction(figures) => *figures,
                other => panic!("{reason:?}: {other:?}"),
            });
        }
    }
}

#[test]
fn a_contradiction_names_both_values() {
    let (evening, default) = (evening(), Config::default());
    let fault = |from, until, kind| Scenario { faults: vec![Fault { from, until, kind }], ..Scenario::default() };
    let day = Date::new(2026, 12, 31).unwrap();
    let before_leap = UtcSecond::from_civil(day, 86_400 - 30);
    let announced = |leap| Scenario { announced: Some(Announced { day, leap }), ..Scenario::default() };
    let of = |config, first, scenario: &Scenario, reason| {
        let figures = figures(config, first, scenario.clone(), reason);
        figures.unwrap_or_else(|| panic!("{reason:?}: nothing in figures")).to_string()
    };
    for (config, first, scenario, reason, says) in [
        (
            Config { width: Some(ms(200)), ..default },
            evening,
            Scenario::default(),
            Reason::WidthMismatch,
            &["configured width 200.0 ms, measured ", "100.0 ms", "900.0 ms"][..],
        ),
        (
            default,
            evening,
            Scenario { width: ms(499), ..Scenario::default() },
            Reason::AmbiguousWidth,
            &["the edges are ", "499.0 ms", "501.0 ms"],
        ),
        (
            Config { delay: Some(ms(300)), ..default },
            evening,
            Scenario { delay: ms(700), jitter: ms(0), ..Scenario::default() },
            Reason::DelayMismatch,
            &["configured delay 300.0 ms, measured 716.7 ms"],
        ),
        (
            default,
            evening,
            Scenario { delay: ms(800), jitter: ms(0), ..fault(40, 90, FaultKind::DelayJump(ms(300))) },
            Reason::DelayMoved,
            &["the sentences arrived 816.7 ms after the pulse that they name, now 116.7 ms after a pulse"],
        ),
        (
            default,
            evening,
            fault(20, 90, FaultKind::WrongSecond(-3)),
            Reason::LabelDissent,
            &["counted 2026-11-21T00:00:10Z, the sentences name 2026-11-21T00:00:07Z"],
        ),
        (
            default,
            evening,
            fault(0, 90, FaultKind::WrongSecond(-1_024 * 7 * 86_400)),
            Reason::DateTooEarly,
            &["the receiver names 2007-", "but only 2026-11-01T00:00:00Z to 2046-06-16T23:59:59Z is possible"],
        ),
        (
            default,
            before_leap,
            announced(Leap::Insert),
            Reason::LeapContradiction,
            &["the table announced an inserted second, the sentences showed no leap second"],
        ),
        (
            default,
            before_leap,
            Scenario { leap: Some((29, LeapShape::Sixty)), ..announced(Leap::Delete) },
            Reason::LeapContradiction,
            &["the table announced a deleted second, the sentences showed an inserted second"],
        ),
        (
            default,
            evening,
            Scenario { sys_max_error: Some(ms(50)), sys_ahead: ms(2_000), ..Scenario::default() },
            Reason::WitnessDisagrees,
            &["the pulse labeled 2026-11-20T23:59:5", "differs by -2.0 s", "whose maximum error is 50.0 ms"],
        ),
    ] {
        let said = of(config, first, &scenario, reason);
        assert!(says.iter().all(|part| said.contains(part)), "{reason:?}: {said}");
    }
}

/// Two receivers on one line, or one that contradicts itself.
#[test]
fn sentences_that_name_two_seconds_at_once_are_refused_with_both() {
    let first = evening();
    let timeline = |seconds| {
        let faults = vec![Fault { from: 0, until: 100, kind: FaultKind::WrongSecond(seconds) }];
        let scenario = Scenario { faults, jitter: ms(0), delay: ms(200 + 150 * seconds), ..Scenario::default() };
        Timeline::new(World::new(scenario, first, Instant::from_parts(1_000, 0)))
    };
    let (mut one, mut other, mut engine) = (timeline(0), timeline(2), Engine::new(Config::default()));
    let end = one.world().pulse_number(30);
    let mut events: Vec<Event> =
        std::iter::from_fn(|| Some(one.next_event())).take_while(|event| event.head().0 < end).collect();
    let others = std::iter::from_fn(|| Some(other.next_event())).take_while(|event| event.head().0 < end);
    events.extend(others.filter(|event| matches!(event, Event::Bytes(_))));
    // Complete bursts: those of one do not interrupt those of the other.
    events.sort_by_key(|event| event.head().0);
    let said: Vec<Verdict> = events.iter().flat_map(|event| engine.handle(event)).collect();
    assert!(!said.iter().any(|verdict| matches!(verdict, Verdict::Sample(_))));
    assert_eq!(engine.state(), State::Refusing(Reason::SentencesDisagree));
    let figures = said.iter().rev().find_map(|verdict| match verdict {
        Verdict::Contradiction(Contradiction::Sentences { one, other }) => Some(one.posix() - other.posix()),
        _ => None,
    });
    assert_eq!(figures.map(i64::abs), Some(2));
}

/// Locked means that samples are published: if the clocks can only be read poorly, it lasts for ten more seconds.
#[test]
fn pulses_that_are_passed_over_one_after_the_other_are_a_state_with_a_reason() {
    let mut timeline = Timeline::new(World::new(Scenario::default(), evening(), Instant::from_parts(1_000, 0)));
    let [from, until, end] = [20, 50, 60].map(|second| timeline.world().pulse_number(second));
    let (mut engine, mut states) = (Engine::new(Config::default()), Vec::new());
    loop {
        let event = match timeline.next_event() {
            Event::CrossTs(cross) if (from..until).contains(&cross.raw) => {
                let is_near = (cross.raw - from).nearest(Span::SECOND).1.abs() < ms(50);
                Event::CrossTs(CrossTs { window: if is_near { ms(1) } else { cross.window }, ..cross })
            }
            event => event,
        };
        let at = event.head().0;
        if at > end {
            break;
        }
        for verdict in engine.handle(&event) {
            match verdict {
                Verdict::StateChanged { to, .. } => states.push((to, (at - from).nearest(Span::SECOND).0)),
                Verdict::Sample(_) => assert!(at < from + ms(300) || at > until - ms(300), "a sample at {at:?}"),
                _ => {}
            }
        }
    }
    let bad = State::Refusing(Reason::ErrorTooLarge);
    assert_eq!(states.get(2..), Some(&[(bad, 10), (State::Locked, 30)][..]), "{states:?}");
}

/// A PHC that begins at 4242.123456789 s is set to TAI in the first seconds.
#[test]
fn the_phc_is_compared_with_every_pulse_over_the_end_of_a_month_if_it_shows_tai() {
    let first = UtcSecond::from_civil(Date::new(2026, 11, 30).unwrap(), 86_370);
    let to_tai = Span::from_secs(first.posix() + 37 - 4_242) - Span::from_nanos(123_456_789);
    let set = Fault { from: 5, until: 6, kind: FaultKind::PhcStep(to_tai) };
    for (leap, faults, at_least) in [
        (None, vec![set], 80),
        (Some((29, LeapShape::Sixty)), vec![set], 80),
        (None, vec![], 65), // another clock: there is no use in TAI alone
    ] {
        let outcome =
            run_from(first, Config::default(), &Scenario { phc_ppm: 0, leap, faults, ..Scenario::default() }, 90);
        outcome.assert_works(60, "end of November");
        let samples = outcome.samples.len();
        assert!(samples <= 77, "{samples} samples: nothing is published around midnight");
        assert!(outcome.audits >= at_least, "{} of 90 pulses, {leap:?}", outcome.audits);
        assert!(at_least > 70 || outcome.audits < 78, "{} of 90 pulses", outcome.audits);
    }
}

#[test]
fn a_pulse_that_is_out_of_place_after_a_gap_widens_the_bound_of_the_comparison() {
    for lost in 0..6 {
        let faults = vec![
            Fault { from: 30, until: 30 + lost, kind: FaultKind::NoPulse },
            Fault { from: 30 + lost, until: 31 + lost, kind: FaultKind::PulseShift(Span::from_micros(4)) },
        ];
        run_from(evening(), Config::default(), &Scenario { faults, ..Scenario::default() }, 60)
            .assert_works(20, &format!("{lost} lost"));
    }
}
