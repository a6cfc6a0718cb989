use proptest::prelude::*;

use super::*;

fn line(text: &str) -> Result<Event, String> {
    parse(text.as_bytes()).map_err(|flaw| flaw.to_string())
}

#[test]
fn every_event_reads_as_documented() {
    let (raw, ns) = (Instant::from_nanos(12), Span::from_nanos);
    let day = Date::new(2028, 12, 31).unwrap();
    let data = b"$GP\"\\ \r\n\x00\xb5\x7f".as_slice().into();
    for (event, text) in [
        (
            Event::Bytes(Bytes { read_at: raw, byte_time: ns(1_041_666), data }),
            r#"12 bytes 1041666 "$GP\"\\ \r\n\x00\xb5\x7f""#,
        ),
        (Event::Bytes(Bytes { read_at: raw, byte_time: ns(0), data: Box::default() }), r#"12 bytes 0 """#),
        (
            Event::Report(Report {
                read_at: raw,
                says: Says::Second {
                    utc: UtcSecond::from_posix(1_795_219_200),
                    named_at: Instant::from_nanos(11),
                    began_at: Instant::from_nanos(10),
                },
            }),
            "12 report 1795219200 11 10",
        ),
        (Event::Report(Report { read_at: raw, says: Says::NoFix }), "12 report no-fix"),
        (Event::Edge(Edge { phc: Instant::from_nanos(-5), read_at: raw }), "12 edge -5"),
        (
            Event::CrossTs(CrossTs { phc: Instant::from_nanos(1), sys: Instant::from_nanos(2), raw, window: ns(3) }),
            "12 cross 1 2 3",
        ),
        (Event::Source { raw, change: SourceChange::PulseLost }, "12 source pulse-lost"),
        (Event::Source { raw, change: SourceChange::PpsLost }, "12 source pps-lost"),
        (Event::Source { raw, change: SourceChange::PpsOpen(Edges::RisingOnly) }, "12 source pps-open-one-edge"),
        (Event::Source { raw, change: SourceChange::PpsOpen(Edges::Both) }, "12 source pps-open-both"),
        (Event::Source { raw, change: SourceChange::PulseOpen(Edges::Both) }, "12 source pulse-open-both"),
        // What 0.1.0 wrote for both edges, too: nothing is certain.
        (
            Event::Source { raw, change: SourceChange::PulseOpen(Edges::Unknown) },
            "12 source pulse-open-both-or-unknown",
        ),
        // Recordings of 0.1.0 do not have TAI - UTC.
        (Event::Witness(Witness { raw, max_error: Some(ns(5)), tai_offset: None }), "12 witness 5"),
        (Event::Witness(Witness { raw, max_error: None, tai_offset: Some(37) }), "12 witness unsynchronised 37"),
        (
            Event::LeapTable { raw, next: Some(Announced { day, leap: Leap::Insert }), tai_offset: Some(37) },
            "12 leap-table 2028-12-31 insert 37",
        ),
        (Event::LeapTable { raw, next: None, tai_offset: None }, "12 leap-table none"),
        (Event::Tick { raw }, "12 tick"),
    ] {
        assert_eq!(event.to_string(), text);
        assert_eq!(line(text), Ok(event), "{text}");
    }
}

#[test]
fn what_is_wrong_with_a_line_is_named() {
    for (text, flaw) in [
        ("", "`` is not a time"),
        ("12", "the keyword is missing"),
        ("x tick", "`x` is not a time"),
        ("+12 tick", "`+12` is not a time"),
        ("- tick", "`-` is not a time"),
        ("9223372036854775808 tick", "`9223372036854775808` is not a time"),
        ("12  tick", "`` is not a keyword"),
        ("12 tock", "`tock` is not a keyword"),
        ("12 tick ", "`` follows the last field"),
        ("12 tick\r", "`tick\\r` is not a keyword"),
        ("12 report", "the second is missing"),
        ("12 report x", "`x` is not a second"),
        ("12 report no-fix 1", "`1` follows"),
        ("12 report 1 2", "the beginning of the burst is missing"),
        ("12 edge", "the PHC time is missing"),
        ("12 edge 1 2", "`2` follows the last field"),
        ("12 cross 1 2", "the window is missing"),
        ("12 source lost", "`lost` is not a change of a source"),
        ("12 witness", "error of the system clock is missing"),
        ("12 witness unsynchronised 37 1", "`1` follows"),
        ("12 witness nobody", "`nobody` is not an error"),
        ("12 leap-table", "the day is missing"),
        ("12 leap-table 2028-12-32 insert", "`2028-12-32` is not a day"),
        ("12 leap-table 2028-12 insert", "`2028-12` is not a day"),
        ("12 leap-table 2028-12-31", "the kind of leap second is missing"),
        ("12 bytes 1", "the data is missing"),
        ("12 bytes 1 $GP", "not in quotation marks"),
        ("12 bytes 1 \"", "not in quotation marks"),
        ("12 bytes 1 \"a\" ", "not in quotation marks"),
        ("12 bytes 1 \"a\"b\"", "escape sequence that is not valid in a recording"),
        ("12 bytes 1 \"\\q\"", "escape sequence that is not valid in a recording"),
        ("12 bytes 1 \"\\x0\"", "escape sequence that is not valid in a recording"),
        ("12 bytes 1 \"\\\"", "escape sequence that is not valid in a recording"),
        ("12 bytes 1 \"\x01\"", "escape sequence that is not valid in a recording"),
    ] {
        let said = line(text).expect_err(text);
        assert!(said.contains(flaw), "{text:?}: {said}");
    }
    let long = format!("12 bytes 1 \"{}\"", "a".repeat(DATA_MAX + 1));
    assert_eq!(line(&long), Err(format!("more than {DATA_MAX} bytes of data")));
    let shown = line(&"x".repeat(5_000)).unwrap_err();
    assert!(shown.len() < 80, "{shown}");
}

#[test]
fn the_longest_data_fit_into_the_longest_line() {
    let event = Event::Bytes(Bytes {
        read_at: Instant::from_nanos(i64::MIN),
        byte_time: Span::from_nanos(i64::MIN),
        data: vec![0; DATA_MAX].into(),
    });
    let text = event.to_string();
    assert!(text.len() <= LINE_MAX, "{}", text.len());
    assert_eq!(line(&text), Ok(event));
}

fn announced() -> impl Strategy<Value = Announced> {
    let day = (-700_000..2_900_000_i64).prop_map(Date::from_days);
    (day, proptest::sample::select(Leap::ALL)).prop_map(|(day, leap)| Announced { day, leap })
}

fn change() -> impl Strategy<Value = SourceChange> {
    proptest::sample::select(SourceChange::ALL)
}

fn event() -> impl Strategy<Value = Event> {
    let raw = || any::<i64>().prop_map(Instant::<Raw>::from_nanos);
    let data = proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        (raw(), any::<i64>(), data).prop_map(|(read_at, time, data)| {
            Event::Bytes(Bytes { read_at, byte_time: Span::from_nanos(time), data: data.into() })
        }),
        (raw(), proptest::option::of(any::<[i64; 3]>())).prop_map(|(read_at, second)| {
            let says = second.map_or(Says::NoFix, |[utc, named_at, began_at]| Says::Second {
                utc: UtcSecond::from_posix(utc),
                named_at: Instant::from_nanos(named_at),
                began_at: Instant::from_nanos(began_at),
            });
            Event::Report(Report { read_at, says })
        }),
        (raw(), any::<i64>()).prop_map(|(read_at, phc)| Event::Edge(Edge { phc: Instant::from_nanos(phc), read_at })),
        (raw(), any::<[i64; 3]>()).prop_map(|(raw, [phc, sys, window])| {
            let (phc, sys) = (Instant::from_nanos(phc), Instant::from_nanos(sys));
            Event::CrossTs(CrossTs { phc, sys, raw, window: Span::from_nanos(window) })
        }),
        (raw(), change()).prop_map(|(raw, change)| Event::Source { raw, change }),
        (raw(), any::<[Option<i64>; 2]>()).prop_map(|(raw, [error, tai_offset])| {
            Event::Witness(Witness { raw, max_error: error.map(Span::from_nanos), tai_offset })
        }),
        (raw(), proptest::option::of(announced()), any::<Option<i64>>())
            .prop_map(|(raw, next, tai_offset)| Event::LeapTable { raw, next, tai_offset }),
        raw().prop_map(|raw| Event::Tick { raw }),
    ]
}

proptest! {
    #[test]
    fn every_event_comes_back_as_it_was(event in event()) {
        let text = event.to_string();
        prop_assert!(text.bytes().all(|byte| matches!(byte, b' '..=b'~')), "{}", text);
        prop_assert_eq!(line(&text), Ok(event));
    }

    #[test]
    fn no_line_panics_the_reader(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes);
    }

    #[test]
    fn no_damage_to_a_good_line_panics_the_reader(event in event(), at in any::<usize>(), byte in any::<u8>()) {
        let mut text = event.to_string().into_bytes();
        let at = at % text.len();
        text[at] = byte;
        let _ = parse(&text);
        let _ = parse(&text[..at]);
    }
}
