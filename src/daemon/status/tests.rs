use super::*;
use crate::core::engine::Config;
use crate::core::event::{Bytes, Contradiction, Edge, Edges, Leap, Lost, Sample};

#[test]
fn a_board_shows_what_came_and_what_came_of_it() {
    let engine = Engine::new(Config::default());
    let closed_at_once = GateConfig { opens_after: Span::ZERO, closes_after: Span::ZERO };
    let mut board = Board::new(&engine, "/dev/ttyS0".into(), "eth0".into(), closed_at_once);
    let raw = raw_now();
    let open = |change| Event::Source { raw, change };
    assert!(!board.update(&engine, &open(SourceChange::PulseOpen(Edges::Unknown)), &[]));
    board.update(&engine, &open(SourceChange::PulseRearmed), &[]);
    board.update(&engine, &Event::Edge(Edge { phc: Instant::default(), read_at: raw }), &[]);
    board.update(&engine, &Event::Bytes(Bytes { read_at: raw, byte_time: Span::ZERO, data: (*b"$").into() }), &[]);
    let before = board.snapshot();
    assert_eq!((before.sync.as_str(), before.gate.open, before.sample), ("FREERUN", false, None));
    assert_eq!((before.pulse.opened, before.pulse.rearmed, before.pulse.edges), (1, 1, 1));
    assert!(before.pulse.open && !before.receiver.open && before.receiver.last_byte_ms.is_some());

    let sample = Sample {
        label: UtcSecond::from_posix(1_790_000_000),
        at: Instant::from_parts(1_790_000_000, 250),
        error: Span::from_nanos(90),
        leap: Leap::Insert,
    };
    let locked = Verdict::StateChanged { from: State::Pairing, to: State::Locked };
    assert!(board.update(&engine, &Event::Tick { raw }, &[Verdict::Sample(sample), locked]));
    let now = board.snapshot();
    assert_eq!((now.state.as_str(), now.sync.as_str(), now.gate.open, now.samples), ("Locked", "LOCKED", true, 1));
    let shown = now.sample.clone().unwrap();
    assert_eq!((shown.offset_ns, shown.error_ns, shown.leap.as_str()), (-250, 90, "insert"));
    assert!(now.to_string().contains("offset -250 ns, error below 90 ns, leap insert"), "{now}");

    assert!(board.update(&engine, &Event::Tick { raw }, &[Verdict::Sample(sample)]), "news at each pulse");
    assert!(!board.update(&engine, &Event::Tick { raw }, &[Verdict::Rejected(Reason::Noise)]), "and only then");

    let refusing = State::Refusing(Reason::LabelDissent);
    let said = [
        Verdict::Rejected(Reason::LabelDissent),
        Verdict::StateChanged { from: State::Locked, to: refusing },
        Verdict::Contradiction(Contradiction::Label {
            counted: UtcSecond::from_posix(10),
            named: UtcSecond::from_posix(9),
        }),
    ];
    assert!(board.update(&engine, &Event::Tick { raw }, &said));
    let now = board.snapshot();
    assert_eq!((now.reason.as_deref(), now.sync.as_str()), (Some("label-dissent"), "FREERUN"));
    assert!(now.contradiction.is_some() && now.sentence.is_some());
    assert_eq!(now.rejected.get("label-dissent"), Some(&1));
    let line = serde_json::to_string(&now).unwrap();
    assert_eq!(serde_json::from_str::<Snapshot>(&line).unwrap(), now);
}

#[test]
fn every_state_has_its_word() {
    for (state, word) in [
        (State::Searching(Reason::Starting), "FREERUN"),
        (State::Measuring, "FREERUN"),
        (State::Pairing, "FREERUN"),
        (State::Locked, "LOCKED"),
        (State::Coasting, "HOLDOVER"),
        (State::Refusing(Reason::Noise), "FREERUN"),
    ] {
        assert_eq!(sync(state), word);
        assert_eq!(state.publishes(), word != "FREERUN");
    }
}

#[test]
fn two_things_that_are_missing_are_both_named() {
    let raw = raw_now();
    for (pulse, receiver, seconds, reason, besides) in [
        (SourceChange::PulseLost, SourceChange::SentencesLost(Lost::Device), 0, "phc-lost", &["serial-lost"][..]),
        (SourceChange::PulseOpen(Edges::Unknown), SourceChange::SentencesOpen, 9, "nothing-arrives", &[]),
        (
            SourceChange::PulseOpen(Edges::Unknown),
            SourceChange::SentencesLost(Lost::Device),
            9,
            "nothing-arrives",
            &["serial-lost"],
        ),
        (
            SourceChange::PpsOpen(Edges::Unknown),
            SourceChange::SentencesLost(Lost::Server),
            9,
            "server-lost",
            &["no-pps-edge"],
        ),
        (SourceChange::PpsLost, SourceChange::SentencesOpen, 9, "no-bytes", &["pps-lost"]),
    ] {
        let mut engine = Engine::new(Config::default());
        let mut board = Board::new(&engine, String::new(), String::new(), GateConfig::default());
        let changes = [pulse, receiver].map(|change| Event::Source { raw, change });
        let later = Event::Tick { raw: raw + Span::from_secs(seconds) };
        for event in changes.into_iter().chain([later]) {
            let verdicts = engine.handle(&event);
            board.update(&engine, &event, &verdicts);
        }
        let now = board.snapshot();
        assert_eq!(now.reason.as_deref(), Some(reason));
        assert_eq!(now.besides.iter().map(|view| view.reason.as_str()).collect::<Vec<_>>(), besides, "{reason}");
        let shown = now.to_string();
        for view in &now.besides {
            assert!(shown.contains(&format!("\nbesides    {}\n", view.sentence)), "{shown}");
        }
    }
}

fn at(ms: i64) -> Instant<Raw> {
    Instant::from_nanos(ms * 1_000_000)
}

/// When it opened and closed, given the seconds with a sample and the times at which the state publishes.
fn turns(config: GateConfig, has_sample: impl Fn(i64) -> bool, publishes: impl Fn(i64) -> bool) -> Vec<i64> {
    let (mut gate, mut turned) = (Gate::new(config, at(0)), vec![]);
    for ms in (0..60_000).step_by(100) {
        let was = gate.is_open;
        if ms % 1_000 == 0 && has_sample(ms / 1_000) {
            gate.sample(at(ms));
        }
        gate.pass(at(ms), publishes(ms / 1_000));
        if gate.is_open != was {
            assert_eq!(gate.since, at(ms));
            turned.push(ms);
        }
    }
    turned
}

#[test]
fn it_turns_only_after_its_time_and_a_short_loss_turns_nothing() {
    let config = GateConfig { opens_after: Span::from_secs(5), closes_after: Span::from_secs(8) };
    let turns = |has_sample: fn(i64) -> bool| turns(config, has_sample, |_| true);
    assert_eq!(turns(|_| false), [0_i64; 0], "a state that promises samples is none");
    assert_eq!(turns(|s| s >= 2), [7_000]);
    assert_eq!(turns(|s| s >= 2 && s != 4 && s != 20), [7_000], "one lost");
    assert_eq!(turns(|s| s >= 2 && !(4..6).contains(&s)), [11_000], "a pause: it begins anew");
    assert_eq!(turns(|s| s >= 2 && !(20..27).contains(&s)), [7_000], "back within its time");
    assert_eq!(turns(|s| s >= 2 && !(20..40).contains(&s)), [7_000, 27_000, 45_000]);
}

#[test]
fn it_follows_a_state_that_says_that_no_more_come() {
    let config = GateConfig { opens_after: Span::ZERO, closes_after: Span::ZERO };
    assert_eq!(turns(config, |s| s != 10, |s| s != 10), [0, 10_000, 11_000]);
    let config = GateConfig { closes_after: Span::from_millis(1_500), ..config };
    assert_eq!(turns(config, |s| s < 10, |s| s < 10), [0, 10_500]);
}
