//! Which state follows from which input, and what is said of it.

use gnss2shm::engine::{Config, Engine};
use gnss2shm::event::{Event, Reason, State, Verdict};
use gnss2shm::source::simulator::scenario::{Fault, FaultKind, Scenario};
use gnss2shm::source::simulator::timeline::Timeline;
use gnss2shm::source::simulator::world::World;
use gnss2shm::time::{Date, Instant, Span, UtcSecond};

/// The states that this world leads through, each once as it is entered.
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
    let start = [Measuring, Pairing, Locked];
    for (kind, seconds, then) in [
        (NoSentences, 30, vec![Coasting, Locked]),
        (NoSentences, 90, vec![Coasting, Searching(Reason::NoBytes), Pairing, Locked]),
        (NoFix, 30, vec![Coasting, Refusing(Reason::NoFix), Locked]),
        (NoPulse, 30, vec![Searching(Reason::NoPulse), Locked]),
        (DelayJump(Span::from_millis(200)), 30, vec![]),
        (WrongSecond(1), 1, vec![]),
        (WrongSecond(1), 3, vec![Refusing(Reason::LabelDissent), Locked]),
    ] {
        let seen = states(Config::default(), vec![Fault { from: 20, until: 20 + seconds, kind }], 30 + seconds);
        assert_eq!(seen, [&start[..], &then].concat(), "{kind:?} for {seconds} s");
    }
}

#[test]
fn a_contradiction_names_both_values() {
    let config = Config { width: Some(Span::from_millis(200)), ..Config::default() };
    let first = UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 0);
    let mut timeline = Timeline::new(World::new(Scenario::default(), first, Instant::from_parts(1_000, 0)));
    let mut engine = Engine::new(config);
    let figures =
        std::iter::repeat_with(|| engine.handle(&timeline.next_event())).take(2_000).flatten().find_map(|v| match v {
            Verdict::Contradiction(figures) => Some(figures.to_string()),
            _ => None,
        });
    let said = figures.unwrap();
    assert!(said.starts_with("configured width 200.0 ms, measured ") && said.contains("100.0 ms"), "{said}");
}
