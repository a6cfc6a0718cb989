use super::*;
use crate::source::gpsd::protocol::{Message, parse};

type Heard = Result<Option<Event>, OutOfStep>;

const NOON: i64 = 1_795_176_000;

/// A device whose seconds are named 300 ms late, on a machine whose clock is right.
struct Device(Timing);

impl Device {
    fn new() -> Self {
        Self(Timing::new(true, Arrival { raw: Instant::default(), sys: Instant::from_parts(NOON, 0) }))
    }

    fn arrives(&mut self, ms: i64) -> Instant<Raw> {
        let raw = Instant::default() + Span::from_millis(ms);
        self.0.clock.read(Arrival { raw, sys: Instant::from_parts(NOON, 0) + Span::from_millis(ms) });
        raw
    }

    fn toff(&mut self, ms: i64, utc: i64) -> Heard {
        self.toff_by(NOON + ms / 1_000, ms, utc)
    }

    /// By a clock that shows `sec`.
    fn toff_by(&mut self, sec: i64, ms: i64, utc: i64) -> Heard {
        let at = self.arrives(ms);
        let ns = ms % 1_000 * 1_000_000;
        let line = format!(
            r#"{{"class":"TOFF","device":"/d","real_sec":{utc},"real_nsec":0,"clock_sec":{sec},"clock_nsec":{ns}}}"#
        );
        let Ok(Message::Toff(toff)) = parse(line.as_bytes()) else { panic!("{line}") };
        self.0.toff(&toff, at)
    }

    fn tpv(&mut self, ms: i64, mode: u8, utc: i64) -> Heard {
        let at = self.arrives(ms);
        let (h, m, s) = ((utc - NOON) / 3600 + 12, (utc - NOON) / 60 % 60, (utc - NOON) % 60);
        let line = format!(r#"{{"class":"TPV","mode":{mode},"time":"2026-11-20T{h:02}:{m:02}:{s:02}.000Z"}}"#);
        let Ok(Message::Tpv(tpv)) = parse(line.as_bytes()) else { panic!("{line}") };
        self.0.tpv(&tpv, at)
    }

    fn rmc(&mut self, ms: i64) -> bool {
        let at = self.arrives(ms);
        self.0.sentence(b"$GPRMC,120000.00,A,,,,,,,201126,,,A*00", at).is_some()
    }
}

/// The second that was reported, and when it was named.
fn second(said: Heard) -> Option<(i64, i64)> {
    match said.ok()?? {
        Event::Report(Report { says: Says::Second { utc, named_at, .. }, .. }) => {
            Some((utc.posix() - NOON, (named_at - Instant::default()).nanos() / 1_000_000))
        }
        _ => None,
    }
}

fn no_fix(said: &Heard) -> bool {
    matches!(said, Ok(Some(Event::Report(Report { says: Says::NoFix, .. }))))
}

#[test]
fn a_second_is_reported_once_as_toff_dates_it_when_tpv_confirms_it() {
    let mut device = Device::new();
    for second_of in 1..10 {
        let (ms, utc) = (second_of * 1_000 + 300, NOON + second_of);
        assert_eq!(device.toff(ms, utc), Ok(None));
        assert!(!device.rmc(ms + 1), "the sentence itself does not count");
        assert_eq!(second(device.tpv(ms + 2, 3, utc - 1)), None, "another second's");
        assert_eq!(second(device.tpv(ms + 200, 3, utc)), Some((second_of, ms)));
        assert_eq!(second(device.tpv(ms + 210, 3, utc)), None, "again");
    }
}

#[test]
fn a_second_without_a_fix_is_not_reported() {
    let mut device = Device::new();
    assert_eq!(device.toff(1_300, NOON + 1), Ok(None));
    assert!(no_fix(&device.tpv(1_500, 1, NOON + 1)));
    assert_eq!(second(device.tpv(1_501, 3, NOON + 1)), None, "what was withdrawn stays withdrawn");
}

#[test]
fn what_is_named_backwards_twice_or_late_is_passed_over() {
    let mut device = Device::new();
    assert_eq!(device.toff(1_300, NOON + 1), Ok(None));
    assert!(second(device.tpv(1_400, 3, NOON + 1)).is_some());
    assert_eq!(
        device.toff(2_300, NOON - 100),
        Err(OutOfStep { named: UtcSecond::from_posix(NOON - 100), due: UtcSecond::from_posix(NOON + 2) })
    );
    assert_eq!(second(device.tpv(2_400, 3, NOON - 100)), None);
    assert_ne!(device.toff(3_300, NOON + 3), Ok(None), "back where it was: a step again");
    assert_eq!(device.toff(4_300, NOON + 4), Ok(None));
    assert_ne!(device.toff(5_300, NOON + 4), Ok(None), "twice");
}

#[test]
fn sentences_stand_in_where_toff_stays_away_and_no_sooner() {
    let mut device = Device::new();
    for second_of in 1..=12 {
        let ms = second_of * 1_000 + 300;
        // The fix is new in second 5: gpsd has to have its time to send a TOFF.
        assert_eq!(device.rmc(ms), second_of == 5 || second_of > 9, "{second_of}");
        let said = device.tpv(ms + 100, if second_of < 5 { 1 } else { 3 }, NOON + second_of);
        assert_eq!(second(said.clone()), None, "{second_of}");
        assert_eq!(no_fix(&said), second_of < 5, "{second_of}");
    }
    assert_eq!(device.toff(13_300, NOON + 13), Ok(None));
    assert!(!device.rmc(13_301), "TOFF came: nothing else counts");
    assert_eq!(second(device.tpv(13_400, 3, NOON + 13)), Some((13, 13_300)));
}

#[test]
fn a_toff_by_a_clock_that_cannot_be_counts_as_none() {
    let mut device = Device::new();
    for second_of in 1..=12 {
        let ms = second_of * 1_000 + 300;
        assert_eq!(device.toff_by(-1, ms, NOON + second_of), Ok(None));
        assert_eq!(device.rmc(ms + 1), second_of > 5, "{second_of}: the sentences stand in");
        assert_eq!(second(device.tpv(ms + 100, 3, NOON + second_of)), None, "{second_of}");
    }
}

#[test]
fn tpv_stands_in_where_there_is_neither_toff_nor_sentence() {
    let mut device = Device::new();
    for second_of in 1..=8 {
        let ms = second_of * 1_000 + 300;
        let want = (second_of > 5).then_some((second_of, ms));
        assert_eq!(second(device.tpv(ms, 3, NOON + second_of)), want, "{second_of}");
    }
}
