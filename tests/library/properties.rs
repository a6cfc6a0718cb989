//! For any events, the engine neither panics nor breaks its guarantees to its sinks.

use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{
    Announced, Bytes, CrossTs, Edge, Edges, Event, Leap, Lost, SourceChange, Verdict, Witness,
};
use gnss2shm::core::time::{Date, Instant, Span};
use proptest::prelude::*;

fn instant<C: gnss2shm::core::time::Clock>() -> impl Strategy<Value = Instant<C>> {
    // Anything at all, and times that are near each other.
    prop_oneof![any::<i64>(), 0..20_000_000_000_i64].prop_map(Instant::from_nanos)
}

fn span() -> impl Strategy<Value = Span> {
    prop_oneof![any::<i64>(), 0..2_000_000_000_i64].prop_map(Span::from_nanos)
}

fn sentence() -> impl Strategy<Value = Vec<u8>> {
    let rmc = (0..86_400_u32, 1..32_u32, 1..13_u32, 0..100_u32, "[AV]").prop_map(|(sod, day, month, year, status)| {
        let (h, m, s) = (sod / 3600, sod / 60 % 60, sod % 60);
        let body = format!("GPRMC,{h:02}{m:02}{s:02},{status},1,N,2,E,0,0,{day:02}{month:02}{year:02},,,A");
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n").into_bytes()
    });
    prop_oneof![rmc, proptest::collection::vec(any::<u8>(), 0..200)]
}

fn event() -> impl Strategy<Value = Event> {
    let change = prop_oneof![
        Just(SourceChange::SentencesOpen),
        Just(SourceChange::SentencesLost(Lost::Device)),
        Just(SourceChange::PulseOpen(Edges::RisingOnly)),
        Just(SourceChange::PulseOpen(Edges::Unknown)),
        Just(SourceChange::PulseLost),
        Just(SourceChange::PpsOpen(Edges::Both)),
        Just(SourceChange::PpsLost),
    ];
    let announced = (any::<i32>(), any::<bool>()).prop_map(|(days, insert)| Announced {
        day: Date::from_days(i64::from(days)),
        leap: if insert { Leap::Insert } else { Leap::Delete },
    });
    prop_oneof![
        (instant(), span(), sentence()).prop_map(|(read_at, byte_time, data)| Event::Bytes(Bytes {
            read_at,
            byte_time,
            data: data.into()
        })),
        (instant(), instant()).prop_map(|(phc, read_at)| Event::Edge(Edge { phc, read_at })),
        (instant(), instant(), instant(), span()).prop_map(|(phc, sys, raw, window)| Event::CrossTs(CrossTs {
            phc,
            sys,
            raw,
            window
        })),
        (instant(), change).prop_map(|(raw, change)| Event::Source { raw, change }),
        (instant(), proptest::option::of(span()), any::<Option<i64>>())
            .prop_map(|(raw, max_error, tai_offset)| Event::Witness(Witness { raw, max_error, tai_offset })),
        (instant(), proptest::option::of(announced), any::<Option<i64>>())
            .prop_map(|(raw, next, tai_offset)| Event::LeapTable { raw, next, tai_offset }),
        instant().prop_map(|raw| Event::Tick { raw }),
    ]
}

/// A clock that works, so that random edges get far into the engine.
fn plausible() -> impl Strategy<Value = Vec<Event>> {
    let second =
        (any::<bool>(), 0..1_000_000_000_i64, proptest::collection::vec(0..1_000_000_000_i64, 0..4), sentence());
    proptest::collection::vec(second, 1..40).prop_map(|seconds| {
        let mut events = Vec::new();
        for (n, (regular, delay, edges, text)) in (0..).zip(seconds) {
            let start = 1_000_000_000_000 + n * 1_000_000_000;
            let mut at: Vec<i64> =
                edges.into_iter().chain(regular.then_some(0)).chain(regular.then_some(100_000_000)).collect();
            at.sort_unstable();
            for edge in at.into_iter().map(|phase| start + phase) {
                let raw = Instant::from_nanos(edge + 90_000);
                events.push(Event::Edge(Edge {
                    phc: Instant::from_nanos(edge),
                    read_at: Instant::from_nanos(edge + 50_000),
                }));
                let (phc, sys) = (Instant::from_nanos(edge + 90_000), Instant::from_nanos(edge + 777));
                events.push(Event::CrossTs(CrossTs { phc, sys, raw, window: Span::from_nanos(300) }));
            }
            let read_at = Instant::from_nanos(start + delay);
            events.push(Event::Bytes(Bytes { read_at, byte_time: Span::from_micros(100), data: text.into() }));
        }
        events
    })
}

fn play(config: Config, events: &[Event]) -> Vec<Verdict> {
    let mut engine = Engine::new(config);
    events.iter().flat_map(|event| engine.handle(event)).collect()
}

proptest! {
    #[test]
    fn no_event_sequence_panics_the_engine(
        events in proptest::collection::vec(event(), 0..200),
        width in proptest::option::of(span()),
        delay in proptest::option::of(span()),
        holdover in span(),
    ) {
        play(Config { width, delay, holdover, ..Config::default() }, &events);
    }

    #[test]
    fn the_same_events_give_the_same_verdicts(events in plausible()) {
        prop_assert_eq!(play(Config::default(), &events), play(Config::default(), &events));
    }

    #[test]
    fn states_follow_each_other_without_a_gap(events in plausible()) {
        let verdicts = play(Config::default(), &events);
        let changes: Vec<_> = verdicts.iter().filter_map(|verdict| match verdict {
            Verdict::StateChanged { from, to } => Some((*from, *to)),
            _ => None,
        }).collect();
        prop_assert!(changes.windows(2).all(|pair| pair[0].1 == pair[1].0));
        prop_assert!(changes.iter().all(|(from, to)| from != to));
    }
}
