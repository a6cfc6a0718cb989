use proptest::prelude::*;

use super::content::two_digit_year;
use super::*;
use crate::core::event::Bytes;
use crate::core::time::Span;

pub(super) fn with_checksum(body: &str) -> String {
    format!("${body}*{:02X}\r\n", body.bytes().fold(0, |sum, byte| sum ^ byte))
}

pub(super) fn bytes(data: &[u8], read_at: i64) -> Bytes {
    Bytes { read_at: Instant::from_nanos(read_at), byte_time: Span::from_millis(1), data: data.into() }
}

pub(super) fn sentences(text: &str) -> Vec<Sentence> {
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
        ("GPGGA,120000.00,1,N,2,E,9,8,1,1,M,1,M,,", (noon, None, Validity::Valid)),
        ("GPGGA,120000.00,1,N,2,E,1,00,,,M,,M,,", (noon, None, Validity::Valid)),
        ("GPGGA,120000.00,1,N,2,E,2,00,,,M,,M,,", (noon, None, Validity::Valid)),
        ("GPGGA,120000.00,1,N,2,E,,8,1,1,M,1,M,,", (noon, None, Validity::Invalid)),
        ("GPGNS,120000.00,,,,,,8,1,,,1,", (noon, None, Validity::Unsaid)),
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
        Framer::default().push_all(&bytes(line.as_bytes(), 0), |found| match found {
            Found::Line(line) => refused.push((line.text.to_owned(), line.read)),
            Found::Frame(..) => panic!("{line}"),
        });
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
        let read: Vec<_> = found.iter().map(|s| (s.kind, s.leap_seconds)).collect();
        assert_eq!(read, [(Kind::Clock, want)], "{leap_seconds}");
    }
    assert_eq!(sentences(&with_checksum("PUBX,04"))[0].kind, Kind::Other, "a poll of it");
    assert_eq!(sentences(&with_checksum("PUBX,04,,,,,18D,0,0,21,"))[0].leap_seconds, Some(Default(18)));
}

#[test]
fn two_digit_years_pivot_at_the_birth_of_gps() {
    assert_eq!(two_digit_year("060180"), Ok(Date::new(1980, 1, 6)));
    assert_eq!(two_digit_year("311279"), Ok(Date::new(2079, 12, 31)));
}

proptest! {
    #[test]
    fn no_field_content_panics_the_reader(kind in "RMC|GGA|GNS|GLL|ZDA", fields in "[0-9.,ANVx+-]{0,80}") {
        let _ = only(&format!("GP{kind},{fields}"));
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
    assert_eq!(all[1].to_string(), "its checksum is 0A, but its bytes give B0");
}
