//! Which second the receiver named, and when: gpsd's lines to events.
//!
//! `TOFF` names the second and the moment. It counts when the `TPV` of the same second says that there is a fix, and as
//! long as it comes nothing else does: two ways to tell a second are two delays, which would look like one that jumps.
//! Where it stays away (gpsd ships no time from ptys, nor while a receiver's time lies behind what it was) the
//! receiver's own sentences, which gpsd passes on, stand in; and where those stay away, too, `TPV`'s time.
//!
//! gpsd may be wrong about UTC by a second while it does not know the leap seconds (`TPV` has no `leapseconds` then,
//! but never has it from an NMEA receiver): that looks like any receiver that does not know them, and is left to the
//! engine.

use crate::core::event::{Bytes, Event, Report, Says};
use crate::core::time::{Instant, Raw, Span, UtcSecond};

use super::burst::Burst;
use super::clock::{Arrival, GpsdClock};
use super::protocol::{self, Toff};

/// `TOFF` that was not heard for this long stays away. gpsd sends it after the third fix at the latest.
const TOFF_WITHIN: Span = Span::from_millis(4_500);
/// Seconds are named in step with the seconds that pass, but for this much.
const IN_STEP: Span = Span::from_millis(500);

/// What is heard of a device's time.
#[derive(Debug)]
pub(super) struct Timing {
    clock: GpsdClock,
    burst: Burst,
    since: Instant<Raw>,
    /// A second that waits for the `TPV` which says whether there is a fix, and when it was named.
    pending: Option<(UtcSecond, Instant<Raw>)>,
    toff: Option<Instant<Raw>>,
    sentence: Option<Instant<Raw>>,
    /// Since when there is a fix.
    fix_since: Option<Instant<Raw>>,
    /// The second that was named last, and when.
    named: Option<(UtcSecond, Instant<Raw>)>,
    reported: Option<UtcSecond>,
}

/// Whether a second that was named can be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Naming {
    /// It can, or it is no news.
    Taken,
    /// It is not in step with the one before: this second, where that one was due.
    OutOfStep(UtcSecond, UtcSecond),
}

impl Timing {
    /// Begins at `now`. `near`: gpsd can be on this machine.
    pub(super) fn new(near: bool, now: Instant<Raw>) -> Self {
        Self {
            clock: GpsdClock::new(near),
            burst: Burst::default(),
            since: now,
            pending: None,
            toff: None,
            sentence: None,
            fix_since: None,
            named: None,
            reported: None,
        }
    }

    /// Bytes were read.
    pub(super) fn read(&mut self, arrival: Arrival) {
        self.clock.read(arrival);
    }

    /// gpsd says how fast the device's line is.
    pub(super) fn bps(&mut self, bps: i64) {
        self.burst.bps(bps);
    }

    /// The time of day.
    pub(super) fn toff(&mut self, toff: &Toff, at: Instant<Raw>) -> Naming {
        let (Some(utc), Some(moment)) = (toff.utc(), toff.clock()) else { return Naming::Taken };
        self.toff = Some(at);
        self.pending = None;
        let Some(named_at) = self.clock.date(moment) else { return Naming::Taken };
        let naming = self.step(utc, named_at);
        if naming == Naming::Taken {
            self.pending = Some((utc, named_at));
        }
        naming
    }

    /// Whether there is a fix, and its second if it is a whole one.
    pub(super) fn tpv(&mut self, tpv: &gpsd_proto::Tpv, at: Instant<Raw>) -> (Option<Event>, Naming) {
        let report = |says| Some(Event::Report(Report { read_at: at, says }));
        if !protocol::has_fix(tpv) {
            self.fix_since = None;
            self.pending = None;
            // The receiver's own sentences say so themselves.
            return (report(Says::NoFix).filter(|_| !self.sentences_stand_in(at)), Naming::Taken);
        }
        self.fix_since.get_or_insert(at);
        let Some(utc) = tpv.time.as_deref().and_then(protocol::time) else { return (None, Naming::Taken) };
        let named_at = match self.pending {
            Some((named, named_at)) if named == utc => named_at,
            Some(_) | None if !self.toff_stays_away(at) || self.sentences_stand_in(at) => return (None, Naming::Taken),
            Some(_) | None => match self.step(utc, at) {
                Naming::Taken => at,
                out_of_step @ Naming::OutOfStep(..) => return (None, out_of_step),
            },
        };
        self.pending = None;
        if self.reported.replace(utc) == Some(utc) {
            return (None, Naming::Taken);
        }
        (report(Says::Second { utc, named_at, began_at: self.burst.began(named_at) }), Naming::Taken)
    }

    /// A sentence of the receiver, without its end.
    pub(super) fn sentence(&mut self, line: &[u8], at: Instant<Raw>) -> Option<Event> {
        const END: &[u8] = b"\r\n";
        self.burst.sentence(line.len() + END.len(), at);
        if matches!(line.get(3..6), Some(b"RMC" | b"GGA" | b"GNS" | b"GLL" | b"ZDA")) {
            self.sentence = Some(at);
        }
        let data = [line, END].concat().into();
        self.sentences_stand_in(at).then_some(Event::Bytes(Bytes { read_at: at, byte_time: Span::ZERO, data }))
    }

    /// Whether gpsd had time to send a `TOFF` and did not.
    fn toff_stays_away(&self, now: Instant<Raw>) -> bool {
        let ago = |at: Instant<Raw>| now - at > TOFF_WITHIN;
        ago(self.toff.unwrap_or(self.since)) && self.fix_since.is_none_or(ago)
    }

    fn sentences_stand_in(&self, now: Instant<Raw>) -> bool {
        self.toff_stays_away(now) && self.sentence.is_some_and(|at| now - at <= TOFF_WITHIN)
    }

    /// What was named late, twice or backwards is passed over; but what goes on from there in step is not.
    fn step(&mut self, utc: UtcSecond, at: Instant<Raw>) -> Naming {
        let Some((before, then)) = self.named.replace((utc, at)) else { return Naming::Taken };
        let (seconds, _) = (at - then).nearest(Span::SECOND);
        let off = (at - then) - Span::from_secs(utc.posix().saturating_sub(before.posix()));
        if off.abs() <= IN_STEP { Naming::Taken } else { Naming::OutOfStep(utc, before.plus(seconds)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::gpsd::protocol::{Message, parse};

    const NOON: i64 = 1_795_176_000;

    /// A device whose seconds are named 300 ms late, on a machine whose clock is right.
    struct Device(Timing);

    impl Device {
        fn new() -> Self {
            Self(Timing::new(true, Instant::default()))
        }

        fn arrives(&mut self, ms: i64) -> Instant<Raw> {
            let raw = Instant::default() + Span::from_millis(ms);
            self.0.read(Arrival { raw, sys: Instant::from_parts(NOON, 0) + Span::from_millis(ms) });
            raw
        }

        fn toff(&mut self, ms: i64, utc: i64) -> Naming {
            self.toff_by(NOON + ms / 1_000, ms, utc)
        }

        /// By a clock that shows `sec`.
        fn toff_by(&mut self, sec: i64, ms: i64, utc: i64) -> Naming {
            let at = self.arrives(ms);
            let ns = ms % 1_000 * 1_000_000;
            let line = format!(
                r#"{{"class":"TOFF","device":"/d","real_sec":{utc},"real_nsec":0,"clock_sec":{sec},"clock_nsec":{ns}}}"#
            );
            let Ok(Message::Toff(toff)) = parse(line.as_bytes()) else { panic!("{line}") };
            self.0.toff(&toff, at)
        }

        fn tpv(&mut self, ms: i64, mode: u8, utc: i64) -> (Option<Event>, Naming) {
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
    fn second(said: (Option<Event>, Naming)) -> Option<(i64, i64)> {
        match said.0? {
            Event::Report(Report { says: Says::Second { utc, named_at, .. }, .. }) => {
                Some((utc.posix() - NOON, (named_at - Instant::default()).nanos() / 1_000_000))
            }
            _ => None,
        }
    }

    fn no_fix(said: &(Option<Event>, Naming)) -> bool {
        matches!(said.0, Some(Event::Report(Report { says: Says::NoFix, .. })))
    }

    #[test]
    fn a_second_is_reported_once_as_toff_dates_it_when_tpv_confirms_it() {
        let mut device = Device::new();
        for second_of in 1..10 {
            let (ms, utc) = (second_of * 1_000 + 300, NOON + second_of);
            assert_eq!(device.toff(ms, utc), Naming::Taken);
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
        device.toff(1_300, NOON + 1);
        assert!(second(device.tpv(1_400, 3, NOON + 1)).is_some());
        assert_eq!(
            device.toff(2_300, NOON - 100),
            Naming::OutOfStep(UtcSecond::from_posix(NOON - 100), UtcSecond::from_posix(NOON + 2))
        );
        assert_eq!(second(device.tpv(2_400, 3, NOON - 100)), None);
        assert_ne!(device.toff(3_300, NOON + 3), Naming::Taken, "back where it was: a step again");
        assert_eq!(device.toff(4_300, NOON + 4), Naming::Taken);
        assert_ne!(device.toff(5_300, NOON + 4), Naming::Taken, "twice");
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
        device.toff(13_300, NOON + 13);
        assert!(!device.rmc(13_301), "TOFF came: nothing else counts");
        assert_eq!(second(device.tpv(13_400, 3, NOON + 13)), Some((13, 13_300)));
    }

    #[test]
    fn a_toff_by_a_clock_that_cannot_be_counts_as_none() {
        let mut device = Device::new();
        for second_of in 1..=12 {
            let ms = second_of * 1_000 + 300;
            device.toff_by(-1, ms, NOON + second_of);
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
}
