//! Frames as an independent encoder makes them: `pip install pyubx2` (1.4.0), then for each
//! `UBXMessage(CLASS, NAME, GET, field=value, ...).serialize().hex()` with the fields that stand beside it.

use proptest::prelude::*;

use super::*;
use crate::core::nmea::{TimeOfDay, Validity};
use crate::core::time::Date;

/// `iTOW=475218000, tAcc=25, nano=-213, year=2026, month=11, day=20, hour=12, min=0, sec=0, validTOW=1, validWKN=1,
/// validUTC=1, utcStandard=3`
const TIME_UTC: &str = "b562012114005040531c190000002bffffffea070b140c000037c97d";
/// `iTOW=475218000, year=2026, month=11, day=20, hour=12, min=0, second=0, validDate=1, validTime=1, fullyResolved=1,
/// tAcc=25, nano=-213, fixType=3, gnssFixOk=1, numSV=12`
const PVT: &str = "b56201075c005040531cea070b140c000007190000002bffffff0301000c000000000000000000000000000000000000000000\
                   0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000000d78a";
/// `iTOW=475218000, srcOfCurrLs=2, currLs=18, srcOfLsChange=2, lsChange=0, timeToLsEvent=-312000000,
/// dateOfLsGpsWn=1929, dateOfLsGpsDn=7, validCurrLs=1, validTimeToLsEvent=1`
const TIME_LS: &str = "b562012618005040531c0000000002120200004267ed8907070000000003845d";
/// `towMS=475201000, towSubMS=0, qErr=-7654, week=2445, timeBase=1, utc=1, timeRefGnss=15, utcStandard=3`
const TIM_TP: &str = "b5620d011000e8fd521c000000001ae2ffff8d09033f43f9";

fn bytes(hex: &str) -> Vec<u8> {
    hex.as_bytes().chunks(2).map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn read(hex: &str) -> Message {
    let frame = bytes(hex);
    assert_eq!(begun(frame.iter().copied()), Begun::Frame(frame.len()), "{hex}");
    Message::read(&frame)
}

/// The frame with other bytes at this place of its payload, and the checksum that belongs to them: an encoder of its
/// own.
fn with(hex: &str, at: usize, other: &[u8]) -> Message {
    let mut frame = bytes(hex);
    frame[6 + at..6 + at + other.len()].copy_from_slice(other);
    let end = frame.len() - 2;
    let (mut a, mut b) = (0_u32, 0_u32);
    for &byte in &frame[2..end] {
        a += u32::from(byte);
        b += a;
    }
    frame[end..].copy_from_slice(&[a as u8, b as u8]);
    assert_eq!(begun(frame.iter().copied()), Begun::Frame(frame.len()));
    Message::read(&frame)
}

fn time_utc(message: Message) -> (Option<TimeOfDay>, Validity, bool) {
    let Message::TimeUtc(TimeUtc { time, validity, knows_utc, .. }) = message else { panic!("{message:?}") };
    (time, validity, knows_utc)
}

fn tim_tp(message: Message) -> TimTp {
    let Message::TimTp(pulse) = message else { panic!("{message:?}") };
    pulse
}

#[test]
fn nav_timeutc_names_a_second_and_says_whether_it_is_utc() {
    use Validity::{Invalid, Valid};
    let noon = Some(TimeOfDay::Whole(43_200));
    let Message::TimeUtc(time) = read(TIME_UTC) else { panic!() };
    assert_eq!(
        time,
        TimeUtc {
            time: noon,
            since_midnight: Some(Span::from_secs(43_200) - Span::from_nanos(213)),
            date: Date::new(2026, 11, 20),
            validity: Valid,
            knows_utc: true
        },
        "as encoded"
    );
    for (hex, want) in [
        // validUTC=0
        ("b562012114005040531c190000002bffffffea070b140c000033c579", (noon, Valid, false)),
        // month=12, day=31, hour=23, min=59, sec=60
        ("b562012114005040531c190000002bffffffea070c1f173b3c37570f", (Some(TimeOfDay::LeapSecond), Valid, true)),
        // nano=400000000
        ("b562012114005040531c190000000084d717ea070b140c0000371378", (Some(TimeOfDay::Fraction), Valid, true)),
        // tAcc=4294967295, validTOW=0, validWKN=0, validUTC=0
        ("b562012114005040531cffffffff2bffffffea070b140c000000757c", (noon, Invalid, false)),
    ] {
        assert_eq!(time_utc(read(hex)), want, "{hex}");
    }
    for (at, other, want) in [
        (19, &[0b101][..], (noon, Invalid, true)),
        (19, &[0b110], (noon, Invalid, true)),
        (4, &1_000_000_u32.to_le_bytes(), (noon, Valid, true)),
        (4, &1_000_001_u32.to_le_bytes(), (noon, Invalid, true)),
        (8, &(-1_000_000_i32).to_le_bytes(), (noon, Valid, true)),
        (8, &1_000_001_i32.to_le_bytes(), (Some(TimeOfDay::Fraction), Valid, true)),
        (8, &999_999_999_i32.to_le_bytes(), (Some(TimeOfDay::Fraction), Valid, true)),
        (14, &[13], (noon, Invalid, true)),
        (15, &[31], (noon, Invalid, true)),
        (16, &[24], (None, Invalid, true)),
        (17, &[60], (None, Invalid, true)),
        (18, &[60], (None, Invalid, true)),
    ] {
        assert_eq!(time_utc(with(TIME_UTC, at, other)), want, "{at} {other:?}");
    }
}

#[test]
fn nav_pvt_names_a_second_where_date_time_fix_and_accuracy_are_there() {
    use TimeOfDay::{Fraction, LeapSecond, Whole};
    use Validity::{Invalid, Unsaid, Valid};
    let pvt = |message| match message {
        Message::Pvt(TimeUtc { time, validity, knows_utc, .. }) => (time, validity, knows_utc),
        other => panic!("{other:?}"),
    };
    let noon = Some(Whole(43_200));
    assert_eq!(pvt(read(PVT)), (noon, Valid, true));
    let none = &u32::MAX.to_le_bytes();
    for (what, at, other, want) in [
        ("no date", 11, &[0b110][..], (noon, Invalid, true)),
        ("no time", 11, &[0b101], (noon, Invalid, true)),
        ("seconds ambiguous", 11, &[0b011], (noon, Unsaid, false)),
        ("seconds ambiguous, accuracy of seconds", 11, &[&[0b011][..], none].concat(), (noon, Unsaid, false)),
        ("no date, seconds ambiguous", 11, &[0b010], (noon, Invalid, false)),
        ("1 ms", 12, &1_000_000_u32.to_le_bytes(), (noon, Valid, true)),
        ("more than 1 ms", 12, &1_000_001_u32.to_le_bytes(), (noon, Invalid, true)),
        ("1 ms early", 16, &(-1_000_000_i32).to_le_bytes(), (noon, Valid, true)),
        ("more than 1 ms early", 16, &(-1_000_001_i32).to_le_bytes(), (Some(Fraction), Valid, true)),
        ("949 ms late", 16, &949_000_000_i32.to_le_bytes(), (Some(Fraction), Valid, true)),
        ("no fix", 20, &[0], (noon, Invalid, true)),
        ("dead reckoning alone", 20, &[1], (noon, Invalid, true)),
        ("with satellites", 20, &[4], (noon, Valid, true)),
        ("time only", 20, &[5], (noon, Valid, true)),
        ("another type of fix", 20, &[6], (noon, Invalid, true)),
        ("a fix outside its masks", 21, &[0xFE], (noon, Invalid, true)),
        ("month 13", 6, &[13], (noon, Invalid, true)),
        ("second 60 at noon", 10, &[60], (None, Invalid, true)),
        ("second 60", 8, &[23, 59, 60], (Some(LeapSecond), Valid, true)),
        ("second 61", 8, &[23, 59, 61], (None, Invalid, true)),
    ] {
        assert_eq!(pvt(with(PVT, at, other)), want, "{what}");
    }
    let Message::Pvt(late) = with(PVT, 16, &949_000_000_i32.to_le_bytes()) else { panic!() };
    assert_eq!(late.since_midnight, Some(Span::from_millis(43_200_949)));
}

#[test]
fn nav_pvt_of_u_blox_7_is_eight_bytes_shorter() {
    for length in 80..=100 {
        let mut frame = bytes(PVT);
        frame.truncate(6 + 84);
        frame.resize(6 + length + 2, 0);
        let is_pvt = matches!(Message::read(&frame), Message::Pvt(TimeUtc { validity: Validity::Valid, .. }));
        assert_eq!(is_pvt, matches!(length, 84 | 92), "{length}");
    }
}

#[test]
fn nav_timels_tells_leap_seconds_that_satellites_sent() {
    use LeapCount::{Default, Told, Unsourced};
    let ls = |message| match message {
        Message::TimeLs(TimeLs { count, next }) => (count, next),
        other => panic!("{other:?}"),
    };
    assert_eq!(ls(read(TIME_LS)), (Told(18), None));
    // srcOfCurrLs=0, validTimeToLsEvent=0
    assert_eq!(ls(read("b562012618005040531c0000000000120200004267ed8907070000000001803b")), (Default, None));
    // srcOfCurrLs=255, validCurrLs=0, validTimeToLsEvent=0
    assert_eq!(ls(read("b562012618005040531c00000000ff120200004267ed89070700000000007e2a")), (Default, None));
    let unsourced = with(TIME_LS, 8, &[255]);
    assert_eq!(ls(unsourced), (Unsourced(18), None), "a NEO-M8T, minutes after it named its source");
    // lsChange=1, timeToLsEvent=3585600, dateOfLsGpsWn=2451, dateOfLsGpsDn=5
    let announced = "b562012618005040531c000000000212020140b6360093090500000000032579";
    let day = Date::new(2026, 12, 31).unwrap();
    let leap = |leap| (Told(18), Some(Announced { day, leap }));
    assert_eq!(ls(read(announced)), leap(Leap::Insert));
    assert_eq!(ls(with(announced, 11, &[0xFF])), leap(Leap::Delete));
    for (at, other) in [(23, &[1][..]), (10, &[0]), (11, &[2]), (12, &[0; 4]), (12, &[0xFF; 4]), (18, &[4])] {
        assert_eq!(ls(with(announced, at, other)), (Told(18), None), "{at} {other:?}");
    }
    // Weeks 2444 to 2464 from Sunday, 2026-11-08 on, and days of them.
    for (week, day, last) in [
        (2_447_u16, 2_u8, Some((2026, 11, 30))),
        (2_447, 3, None),
        (2_456, 1, Some((2027, 1, 31))),
        (2_460, 1, Some((2027, 2, 28))),
        (2_460, 2, None),
        (2_464, 4, Some((2027, 3, 31))),
    ] {
        let message = with(announced, 16, &[&week.to_le_bytes()[..], &[day]].concat());
        let last = last.map(|(year, month, day)| Date::new(year, month, day).unwrap());
        assert_eq!(ls(message).1.map(|next| next.day), last, "{week} {day}");
    }
    assert_eq!(with(TIME_LS, 4, &[1]), Message::Other, "a layout that is not known");
}

#[test]
fn tim_tp_announces_the_next_pulse() {
    let ns = |ns| Some(Span::from_nanos(ns));
    let want = TimTp { base: TimeBase::Utc, second_of_week: Some(475_201), correction: ns(-8) };
    assert_eq!(tim_tp(read(TIM_TP)), want);
    // qErr=7499, timeBase=0, timeRefGnss=0, towMS=475219000
    let gps = tim_tp(read("b5620d0110003844531c000000004b1d00008d090230394f"));
    assert_eq!(gps, TimTp { base: TimeBase::Gps, second_of_week: Some(475_219), correction: ns(7) });
    // qErrInvalid=1
    let invalid = tim_tp(read("b5620d011000e8fd521c000000001ae2ffff8d09133f5319"));
    assert_eq!(invalid, TimTp { correction: None, ..want });
    for (picos, correction) in
        [(0_i32, ns(0)), (499, ns(0)), (500, ns(1)), (-500, ns(-1)), (50_499, ns(50)), (50_500, None), (i32::MIN, None)]
    {
        assert_eq!(tim_tp(with(TIM_TP, 8, &picos.to_le_bytes())), TimTp { correction, ..want }, "{picos}");
    }
    for (flags, reference, base) in [
        (0b01, 0, TimeBase::Other),
        (0b11, 0, TimeBase::Utc),
        (0b10, 3, TimeBase::Gps),
        (0b10, 1, TimeBase::Other),
        (0b10, 2, TimeBase::Other),
        (0b10, 15, TimeBase::Other),
    ] {
        assert_eq!(tim_tp(with(TIM_TP, 14, &[flags, reference])), TimTp { base, ..want }, "{flags} {reference}");
    }
    for (millis, part, second_of_week) in [
        (475_201_500_u32, 0_u32, None),
        (475_200_999, u32::MAX, Some(475_201)),
        (475_201_001, 0, None),
        (604_800_000, 0, Some(0)),
    ] {
        let time = [millis.to_le_bytes(), part.to_le_bytes()].concat();
        assert_eq!(tim_tp(with(TIM_TP, 0, &time)), TimTp { second_of_week, ..want }, "{millis} {part}");
    }
}

#[test]
fn frames_end_where_their_length_says_and_their_checksum_is_right() {
    let frame = bytes(TIM_TP);
    for end in 1..frame.len() {
        assert_eq!(begun(frame[..end].iter().copied()), Begun::Open, "{end} bytes");
    }
    let two = [frame.as_slice(), &frame].concat();
    assert_eq!(begun(two.iter().copied()), Begun::Frame(frame.len()));
    assert_eq!(begun(b"\xB5\x62\x01\x07\x00\x10\x00".iter().copied()), Begun::Open, "4096 bytes of payload");
    for none in [&b"$GPRMC"[..], b"\xB5$", b"\xB5\x62\x01\x07\x01\x10", b"\xB5\x62\x01\x07\x00\x00\x08\x1A"] {
        assert_eq!(begun(none.iter().copied()), Begun::Nothing, "{none:?}");
    }
}

proptest! {
    #[test]
    fn a_frame_with_one_damaged_byte_is_none(at in 0_usize..24, flip in 1_u8..) {
        let mut frame = bytes(TIM_TP);
        frame[at] ^= flip;
        // A longer length is waited for; what comes then has to have the right checksum, too.
        prop_assert!(!matches!(begun(frame.iter().copied()), Begun::Frame(_)));
    }

    #[test]
    fn no_payload_panics_the_reader(id in 0_usize..4, payload in proptest::collection::vec(any::<u8>(), 0..100)) {
        let [class, id] = [[0x01, 0x21], [0x01, 0x26], [0x0D, 0x01], [0x01, 0x07]][id];
        let frame = [&[0xB5, 0x62, class, id, payload.len() as u8, 0], payload.as_slice(), &[0, 0]].concat();
        Message::read(&frame);
    }
}
