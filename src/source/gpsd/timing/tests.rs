use super::*;
use crate::source::gpsd::protocol::Message;

type Heard = Option<Event>;

const NOON: i64 = 1_795_176_000;

fn at(ms: i64) -> Instant<Raw> {
    Instant::default() + Span::from_millis(ms)
}

/// A device whose seconds are named 300 ms late.
struct Device(Timing);

impl Device {
    fn new() -> Self {
        Self(Timing::new(Instant::default()))
    }

    fn toff(&mut self, ms: i64, utc: i64) {
        let line =
            format!(r#"{{"class":"TOFF","device":"/d","real_sec":{utc},"real_nsec":0,"clock_sec":1,"clock_nsec":0}}"#);
        let Ok(Message::Toff(toff)) = serde_json::from_str(&line) else { panic!("{line}") };
        self.0.toff(&toff, at(ms));
    }

    fn tpv(&mut self, ms: i64, mode: u8, utc: i64) -> Heard {
        let (h, m, s) = ((utc - NOON) / 3600 + 12, (utc - NOON) / 60 % 60, (utc - NOON) % 60);
        let line = format!(r#"{{"class":"TPV","mode":{mode},"time":"2026-11-20T{h:02}:{m:02}:{s:02}.000Z"}}"#);
        let Ok(Message::Tpv(tpv)) = serde_json::from_str(&line) else { panic!("{line}") };
        self.0.tpv(&tpv, at(ms))
    }

    fn rmc(&mut self, ms: i64) -> bool {
        self.0.sentence(b"$GPRMC,120000.00,A,,,,,,,201126,,,A*00", at(ms)).is_some()
    }
}

/// The second that was reported, and when it was named.
fn second(said: Heard) -> Option<(i64, i64)> {
    match said? {
        Event::Report(Report { says: Says::Second { utc, named_at, .. }, .. }) => {
            Some((utc.posix() - NOON, (named_at - Instant::default()).nanos() / 1_000_000))
        }
        _ => None,
    }
}

fn no_fix(said: &Heard) -> bool {
    matches!(said, Some(Event::Report(Report { says: Says::NoFix, .. })))
}

#[test]
fn a_second_is_reported_once_as_toff_dates_it_when_tpv_confirms_it() {
    let mut device = Device::new();
    for second_of in 1..10 {
        let (ms, utc) = (second_of * 1_000 + 300, NOON + second_of);
        device.toff(ms, utc);
        assert!(!device.rmc(ms + 1), "the sentence itself does not count");
        assert_eq!(second(device.tpv(ms + 2, 3, utc - 1)), None, "another second's");
        assert_eq!(second(device.tpv(ms + 200, 3, utc)), Some((second_of, ms)));
        assert_eq!(second(device.tpv(ms + 210, 3, utc)), None, "again");
    }
}

#[test]
fn a_second_without_a_fix_is_not_reported() {
    let mut device = Device::new();
    device.toff(1_300, NOON + 1);
    assert!(no_fix(&device.tpv(1_500, 1, NOON + 1)));
    assert_eq!(second(device.tpv(1_501, 3, NOON + 1)), None, "what was withdrawn stays withdrawn");
}

#[test]
fn what_is_named_backwards_twice_or_late_is_passed_over() {
    let mut device = Device::new();
    for (ms, named, counts) in [
        (1_300, 1, true),
        (2_300, -100, false),
        (3_300, 3, false), // back to the earlier time: another step
        (4_300, 4, true),
        (5_300, 4, false), // twice
        (6_300, 5, true),
    ] {
        device.toff(ms, NOON + named);
        let waits = device.0.pending.is_some();
        assert_eq!((waits, second(device.tpv(ms + 100, 3, NOON + named)).is_some()), (counts, counts), "{ms}");
    }
}

#[test]
fn sentences_stand_in_where_toff_stays_away_and_no_sooner() {
    let mut device = Device::new();
    for second_of in 1..=12 {
        let ms = second_of * 1_000 + 300;
        // The fix is new in second 5: gpsd must have time to send a TOFF.
        assert_eq!(device.rmc(ms), second_of == 5 || second_of > 9, "{second_of}");
        let said = device.tpv(ms + 100, if second_of < 5 { 1 } else { 3 }, NOON + second_of);
        assert_eq!(second(said.clone()), None, "{second_of}");
        assert_eq!(no_fix(&said), second_of < 5, "{second_of}");
    }
    device.toff(13_300, NOON + 13);
    assert!(!device.rmc(13_301), "TOFF came: nothing else counts");
    assert_eq!(second(device.tpv(13_400, 3, NOON + 13)), Some((13, 13_300)));
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

fn at_us(us: i64) -> Instant<Raw> {
    Instant::default() + Span::from_micros(us)
}

/// Sends a burst each second; its sentences end at the line's data rate. Returns the reported start of the last one.
fn began_after(first_us: i64, byte_us: i64, sentences: &[usize], seconds: i64) -> i64 {
    let mut burst = Burst::default();
    burst.bps(Some(9_600));
    for second in 0..seconds {
        let mut end = second * 1_000_000 + first_us;
        for &bytes in sentences {
            end += bytes as i64 * byte_us;
            burst.sentence(bytes, at_us(end + second % 3 * 300));
        }
    }
    (burst.began(at_us(i64::MAX / 1_000)) - at_us((seconds - 1) * 1_000_000)).nanos() / 1_000
}

#[test]
fn on_a_line_a_burst_began_as_long_before_as_its_bytes_take() {
    let began = began_after(300_000, 1_042, &[70, 38, 70, 60], 5);
    assert!((298_000..=302_000).contains(&began), "{began}");
    let busy = began_after(20_000, 1_042, &[70, 38, 70, 60, 80, 80, 80, 80, 80, 80, 80, 60], 5);
    assert!((10_000..=30_000).contains(&busy), "{busy}");
}

#[test]
fn on_usb_a_burst_began_when_it_came() {
    let began = began_after(5_000, 1, &[70, 38, 70, 60], 5);
    assert!((4_000..=6_000).contains(&began), "{began}");
}

#[test]
fn a_line_that_overflows_has_bursts_that_never_end() {
    let mut burst = Burst::default();
    burst.bps(Some(9_600));
    for n in 1..200 {
        burst.sentence(80, at_us(n * 83_400));
    }
    assert!(burst.began(at_us(199 * 83_400)) <= at_us(83_400));
}
