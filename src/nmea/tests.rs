use proptest::prelude::*;

use super::content::two_digit_year;
use super::*;

fn with_checksum(body: &str) -> String {
    format!("${body}*{:02X}\r\n", body.bytes().fold(0, |sum, byte| sum ^ byte))
}

fn bytes(data: &[u8], read_at: i64) -> Bytes {
    Bytes { read_at: Instant::from_nanos(read_at), byte_time: Span::from_millis(1), data: data.into() }
}

fn sentences(text: &str) -> Vec<Sentence> {
    let mut found = Vec::new();
    Framer::default().push(&bytes(text.as_bytes(), 0), |s| found.push(s));
    found
}

fn only(body: &str) -> Option<(Option<TimeOfDay>, Option<Date>, Validity)> {
    match sentences(&with_checksum(body)).as_slice() {
        [s] => Some((s.time, s.date, s.validity)),
        _ => None,
    }
}

#[test]
fn time_date_and_validity_of_every_kind() {
    let noon = Some(TimeOfDay::Whole(43_200));
    let day = Date::new(2026, 11, 20);
    for (body, want) in [
        ("GPRMC,120000,A,1,N,2,E,0,0,201126,,", (noon, day, Validity::Valid)),
        ("GNRMC,120000.00,A,1,N,2,E,0,0,201126,,,D", (noon, day, Validity::Valid)),
        ("BDRMC,120000.000,A,1,N,2,E,0,0,201126,,,R,V", (noon, day, Validity::Valid)),
        ("GPRMC,120000,V,1,N,2,E,0,0,201126,,,A", (noon, day, Validity::Invalid)),
        ("GPRMC,120000,A,1,N,2,E,0,0,201126,,,E", (noon, day, Validity::Invalid)),
        ("GPRMC,120000,A,1,N,2,E,0,0,201126,,,S", (noon, day, Validity::Invalid)),
        ("GPRMC,120000,A,1,N,2,E,0,0,201126,,,N", (noon, day, Validity::Invalid)),
        ("GPRMC,,V,,,,,,,,,,N", (None, None, Validity::Invalid)),
        (
            "GPRMC,235960,A,1,N,2,E,0,0,311226,,,A",
            (Some(TimeOfDay::LeapSecond), Date::new(2026, 12, 31), Validity::Valid),
        ),
        ("GPRMC,120000.5,A,1,N,2,E,0,0,201126,,,A", (Some(TimeOfDay::Fraction), day, Validity::Valid)),
        ("GPGGA,120000.00,1,N,2,E,1,8,1,1,M,1,M,,", (noon, None, Validity::Valid)),
        ("GPGGA,120000.00,1,N,2,E,0,0,,,M,,M,,", (noon, None, Validity::Invalid)),
        ("GPGGA,120000.00,1,N,2,E,6,0,,,M,,M,,", (noon, None, Validity::Invalid)),
        ("GPGGA,120000.00,1,N,2,E,8,0,,,M,,M,,", (noon, None, Validity::Invalid)),
        ("GNGNS,120000.00,1,N,2,E,NNAD,8,1,1,1,,", (noon, None, Validity::Valid)),
        ("GNGNS,120000.00,1,N,2,E,NN,0,,,,,", (noon, None, Validity::Invalid)),
        ("GPGLL,1,N,2,E,120000.00,A,A", (noon, None, Validity::Valid)),
        ("GPGLL,1,N,2,E,120000.00,V,N", (noon, None, Validity::Invalid)),
        ("GPZDA,120000.00,20,11,2026,00,00", (noon, day, Validity::Unsaid)),
        ("PUBX,04,120000.00,201126,1,1,18,1,1,1", (noon, day, Validity::Unsaid)),
        ("PUBX,00,120000.00,1,N,2,E,1,G3,1,1,0,0,0,,1,1,1,8,0,0", (None, None, Validity::Unsaid)),
        ("GPGSV,1,1,00", (None, None, Validity::Unsaid)),
    ] {
        assert_eq!(only(body), Some(want), "{body}");
    }
}

#[test]
fn times_and_dates_that_do_not_exist_are_malformed() {
    for (time, date) in [
        ("240000", "201126"),
        ("126000", "201126"),
        ("120061", "201126"),
        ("120060", "201126"),
        ("235961", "201126"),
        ("nan", "201126"),
        ("+8+3+5", "201126"),
        ("e-1", "201126"),
        ("12000", "201126"),
        ("1200000", "201126"),
        ("120000.", "201126"),
        ("120000.x", "201126"),
        ("120000.0000000000", "201126"),
        ("12 000", "201126"),
        ("120000", "000126"),
        ("120000", "290225"),
        ("120000", "011326"),
        ("120000", "20112026"),
        ("120000", "+1+1+1"),
    ] {
        assert_eq!(only(&format!("GPRMC,{time},A,1,N,2,E,0,0,{date},,,A")), None, "{time} {date}");
    }
    for zda in ["20,11,26", "20,13,2026", "1,11,2026", "31,11,2026", ",11,2026"] {
        assert_eq!(only(&format!("GPZDA,120000,{zda},00,00")), None, "{zda}");
    }
}

#[test]
fn every_line_that_is_not_used_says_why() {
    let long = format!("$GPRMC,{}\r\n", "1".repeat(200));
    for (line, want) in [
        ("$GPZDA,120000,20,11,2026,,*00\r\n", Refusal::WrongChecksum { said: 0, computed: 0x4F }),
        ("$GPZDA,120000,20,11,2026,,\r\n", Refusal::NoChecksum),
        ("$GPZDA*4\r\n", Refusal::NoChecksum),
        ("$GPZDA*+4\r\n", Refusal::NoChecksum),
        ("$GPRMC,12\u{1}", Refusal::Unprintable(1)),
        ("$GPRMC,12$", Refusal::CutOff),
        (&long, Refusal::TooLong),
        (&with_checksum("GPZDA,126000,20,11,2026,,"), Refusal::Time),
        (&with_checksum("GPZDA,120000,31,11,2026,,"), Refusal::Date),
    ] {
        let mut refused = Vec::new();
        Framer::default()
            .push_lines(&bytes(line.as_bytes(), 0), |line| refused.push((line.text.to_owned(), line.read)));
        let [(text, Err(refusal))] = refused.as_slice() else { panic!("{line}: {refused:?}") };
        assert_eq!(*refusal, want, "{line}");
        assert!(line.starts_with(text.as_str()) && text.starts_with("$GP"), "{line}: {text}");
    }
}

#[test]
fn pubx_04_tells_the_leap_seconds_and_whose_they_are() {
    use LeapSeconds::{Default, Received};
    // The first is the interface description's example.
    for (leap_seconds, want) in [
        ("15D", Some(Default(15))),
        ("18", Some(Received(18))),
        ("", None),
        ("D", None),
        ("+18", None),
        ("18DD", None),
        ("1800", None),
    ] {
        let body = format!("PUBX,04,073731.00,091202,113851.00,1196,{leap_seconds},1930035,-2660.664,43,");
        let found = sentences(&with_checksum(&body));
        assert_eq!(found.iter().map(|s| s.kind).collect::<Vec<_>>(), [Kind::Clock(want)], "{leap_seconds}");
    }
    assert_eq!(sentences(&with_checksum("PUBX,04"))[0].kind, Kind::Other, "a poll of it");
    assert_eq!(sentences(&with_checksum("PUBX,04,,,,,18D,0,0,21,"))[0].kind, Kind::Clock(Some(Default(18))));
}

#[test]
fn two_digit_years_pivot_at_the_birth_of_gps() {
    assert_eq!(two_digit_year("060180"), Ok(Date::new(1980, 1, 6)));
    assert_eq!(two_digit_year("311279"), Ok(Date::new(2079, 12, 31)));
}

#[test]
fn a_wrong_or_missing_checksum_is_counted_and_gives_nothing() {
    let mut framer = Framer::default();
    for line in
        ["$GPZDA,120000,20,11,2026,,*00\r\n", "$GPZDA,120000,20,11,2026,,\r\n", "$GPZDA,1*4\r\n", "$*+0\r\n", "$\r\n"]
    {
        framer.push(&bytes(line.as_bytes(), 0), |s| panic!("{line}: {s:?}"));
    }
    assert_eq!((framer.counts().bad_checksum, framer.counts().sentences), (5, 0));
}

#[test]
fn overlong_lines_binary_and_a_dollar_within_are_broken_off() {
    let mut framer = Framer::default();
    framer.push(&bytes(format!("${}", "x".repeat(5_000)).as_bytes(), 0), |_| panic!());
    framer.push(&bytes(b"$GPRMC,\xB5\x62\x01", 0), |_| panic!());
    let mut found = 0;
    framer
        .push(&bytes(format!("$GPRMC,12{}", with_checksum("GPZDA,120000,20,11,2026,,")).as_bytes(), 0), |_| found += 1);
    let counts = framer.counts();
    assert_eq!((found, counts.broken, counts.frames), (1, 3, 0), "a header alone is no frame");
}

#[test]
fn the_first_byte_is_dated_back_by_the_byte_time_and_a_burst_begins_after_silence() {
    let ms = |n: i64| n * 1_000_000;
    let line = with_checksum("GPGSV,1,1,00");
    let n = line.len() as i64;
    let mut found = Vec::new();
    let mut framer = Framer::default();
    framer.push(&bytes(line.as_bytes(), ms(500)), |s| found.push(s));
    framer.push(&bytes(line.as_bytes(), ms(500 + n)), |s| found.push(s));
    framer.push(&bytes(line.as_bytes(), ms(900)), |s| found.push(s));
    let times: Vec<_> = found.iter().map(|s| (s.first_byte.nanos(), s.burst_start.nanos())).collect();
    assert_eq!(times, [(ms(500 - n), ms(500 - n)), (ms(500), ms(500 - n)), (ms(900 - n), ms(900 - n))]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(8))]

    #[test]
    fn what_is_held_back_is_bounded(data in proptest::collection::vec(
        prop_oneof![Just(0xB5_u8), Just(0x62), Just(b'$'), Just(0), any::<u8>()], 9_000)) {
        let mut framer = Framer::default();
        // A length of 4 KiB, so that there is something to hold back.
        let data = [b"\xB5\x62\0\0\0\x10".as_slice(), &data].concat();
        let mut most = 0;
        for part in data.chunks(7) {
            framer.push(&bytes(part, 0), |_| {});
            most = most.max(framer.held.len());
        }
        prop_assert!((4_096..4_096 + 8).contains(&most), "{}", most);
    }
}

proptest! {
    #[test]
    fn no_byte_sequence_panics_the_framer(reads in proptest::collection::vec(
        (proptest::collection::vec(any::<u8>(), 0..300), any::<i64>(), any::<i64>()), 0..20)) {
        let mut framer = Framer::default();
        for (data, read_at, byte_time) in reads {
            let bytes = Bytes { read_at: Instant::from_nanos(read_at), byte_time: Span::from_nanos(byte_time), data: data.into() };
            framer.push(&bytes, |_| {});
        }
    }

    #[test]
    fn no_field_content_panics_the_reader(kind in "RMC|GGA|GNS|GLL|ZDA", fields in "[0-9.,ANVx+-]{0,80}") {
        let _ = only(&format!("GP{kind},{fields}"));
    }

    #[test]
    fn chunking_changes_neither_what_is_found_nor_when(cuts in proptest::collection::vec(1_usize..40, 1..30)) {
        let text = with_checksum("GPRMC,120000,A,1,N,2,E,0,0,201126,,,A") + &with_checksum("GPZDA,120000,20,11,2026,,");
        let whole = sentences(&text);
        let (mut framer, mut found, mut at) = (Framer::default(), Vec::new(), 0);
        for cut in cuts.into_iter().chain([text.len()]) {
            let end = (at + cut).min(text.len());
            let read_at = -1_000_000 * (text.len() - end) as i64;
            framer.push(&bytes(&text.as_bytes()[at..end], read_at), |s| found.push(s));
            at = end;
        }
        prop_assert_eq!(found, whole);
    }
}

#[test]
fn every_refusal_has_a_key_of_its_own_and_a_sentence() {
    let all = [
        Refusal::NoChecksum,
        Refusal::WrongChecksum { said: 0x0A, computed: 0xB0 },
        Refusal::TooLong,
        Refusal::Unprintable(0xB5),
        Refusal::CutOff,
        Refusal::Time,
        Refusal::Date,
    ];
    let keys: std::collections::HashSet<_> = all.iter().map(|refusal| refusal.key()).collect();
    assert_eq!(keys.len(), all.len());
    assert!(all.iter().all(|refusal| !refusal.to_string().ends_with('.')));
    assert_eq!(all[1].to_string(), "its checksum says 0A, its bytes give B0");
}
