use proptest::prelude::*;

use super::*;
use crate::core::nmea::tests::{bytes, sentences, with_checksum};

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
    let times: Vec<_> = found.iter().map(|s| (s.first_byte.nanos(), s.read_at.nanos())).collect();
    assert_eq!(times, [(ms(500 - n), ms(500)), (ms(500), ms(500 + n)), (ms(900 - n), ms(900))]);
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
        // Which read brought it depends on the reads.
        let plain = |s: Sentence| Sentence { read_at: Instant::default(), read: 0, ..s };
        let plainly = |found: Vec<Sentence>| found.into_iter().map(plain).collect::<Vec<_>>();
        prop_assert_eq!(plainly(found), plainly(whole));
    }
}
