//! Compares the PHC with GNSS at each pulse, no matter which program steers it. It uses nothing but the PHC's timestamp of
//! the pulse, so the result is as exact as that, and no cross timestamp or servo can distort it.

use std::collections::VecDeque;

use crate::core::engine::Engine;
use crate::core::engine::clock_map::{Dated, RATE_PPM};
use crate::core::engine::state::Timestamper;
use crate::core::event::text::words;
use crate::core::event::{Announced, Reason};
use crate::core::time::{EdgeClock, Instant, Raw, Span, UtcSecond};

/// The rate is the mean of this many seconds, and of no fewer than the minimum.
const SECONDS: i64 = 16;
const SECONDS_MIN: i64 = 4;
/// A PHC that gains this much more or less in a second than in the one before was stepped.
const STEP: Span = Span::from_micros(100);
/// A pulse that may be farther than this from its expected position may not be the edge that it seems to be.
pub(super) const UNEVEN: Span = Span::from_micros(10);
/// A PHC closer than this to a time scale shows it.
const NEAR: Span = Span::from_millis(500);
/// TAI minus GPS time, in seconds.
const TAI_AHEAD_OF_GPS: i64 = 19;

/// The PHC compared with GNSS at a pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Audit {
    /// When the pulse arrived.
    pub raw: Instant<Raw>,
    /// The second that it begins.
    pub second: UtcSecond,
    /// How far UTC is ahead of the PHC; `None` while a leap second may have occurred.
    pub utc: Option<Span>,
    /// How far TAI is ahead of the PHC, if TAI - UTC is known.
    pub tai: Option<Span>,
    /// Bound of the error of both.
    pub error: Span,
    /// How much faster than GNSS the PHC runs, in parts per billion.
    pub rate_ppb: Option<i64>,
}

/// The time scale that a PHC shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timescale {
    /// TAI, as in PTP.
    Tai,
    /// UTC.
    Utc,
    /// Arbitrary.
    Arbitrary,
}

words! { Timescale:
    (Self::Tai) = "TAI",
    (Self::Utc) = "UTC",
    (Self::Arbitrary) = "ARB",
}

impl Audit {
    /// The time scale that the PHC shows.
    pub(crate) fn timescale(&self) -> Timescale {
        let is_near = |offset: Span| offset.abs() < NEAR;
        match (self.tai, self.utc) {
            (Some(tai), _) if is_near(tai) => Timescale::Tai,
            (_, Some(utc)) if is_near(utc) => Timescale::Utc,
            _ => Timescale::Arbitrary,
        }
    }
}

impl Engine {
    /// The PHC compared with GNSS, at the last pulse whose second was known.
    pub(crate) fn phc_audit(&self) -> Option<Audit> {
        self.auditor.last
    }

    /// TAI - UTC, if the receiver reports it.
    pub(crate) fn tai_offset_of_receiver(&self) -> Option<i64> {
        self.ublox.leap_seconds(self.now).map(|seconds| seconds + TAI_AHEAD_OF_GPS)
    }

    /// Compares the PHC with the pulse that begins this second. A kernel PPS device has none.
    pub(super) fn audit(&mut self, index: i64, utc: UtcSecond, dated: Dated, miss: Span) {
        if self.timestamper == Timestamper::PHC {
            let tai_offset = self.tai_offset(utc);
            self.auditor.add(self.pulse(index, utc, dated, miss), tai_offset);
        }
    }

    /// The same around the end of a month, as long as nothing else is in doubt than whether UTC has had a leap second: TAI has
    /// none, so its seconds can be counted.
    pub(super) fn audit_over_leap(&mut self, index: i64, dated: Dated, miss: Span) {
        let is_doubtful = self.doubted.is_some() || self.receiver.lacks(self.now).is_some();
        if let Some(label) = self.labeller.label
            && self.timestamper == Timestamper::PHC
            && self.labelling() == Err((Reason::LeapWindow, None))
            && !is_doubtful
            && dated.raw_error + miss <= UNEVEN
        {
            self.auditor.count(self.pulse(index, label.base.plus(index), dated, miss));
        }
    }

    fn pulse(&self, index: i64, utc: UtcSecond, dated: Dated, miss: Span) -> Pulse {
        let offset = self.config.offset;
        let phc = dated.phc - offset + self.sawtooth(utc, dated);
        let error = self.timestamper.error + offset.abs().ppm(RATE_PPM);
        Pulse { index, utc, phc, raw: dated.raw, error, miss }
    }

    /// TAI - UTC in this second, if any source has it.
    fn tai_offset(&self, utc: UtcSecond) -> Option<i64> {
        self.tai_offsets.at(utc, self.tai_offset_of_receiver(), self.guard.announced)
    }
}

/// The last seconds' pulses on the PHC.
#[derive(Clone, Debug, Default)]
pub(super) struct Auditor {
    /// The count and the PHC's timestamp of each, since the PHC was last stepped; the oldest first.
    pulses: VecDeque<(i64, Instant<EdgeClock>)>,
    /// What the PHC gained per second between the last two.
    gain: Option<Span>,
    /// TAI - UTC at the last pulse whose second was known.
    tai_offset: Option<i64>,
    pub(super) last: Option<Audit>,
}

impl Auditor {
    /// Takes a pulse; `tai_offset` is TAI - UTC in its second.
    pub(super) fn add(&mut self, pulse: Pulse, tai_offset: Option<i64>) {
        self.tai_offset = tai_offset;
        self.last = Some(self.compare(pulse));
    }

    /// Takes a pulse whose second is counted from the last one that was known, whatever UTC did.
    pub(super) fn count(&mut self, pulse: Pulse) {
        let audit = Audit { utc: None, ..self.compare(pulse) };
        self.last = Some(audit).filter(|audit| audit.timescale() == Timescale::Tai).or(self.last);
    }

    fn compare(&mut self, pulse: Pulse) -> Audit {
        let Pulse { index, utc, phc, raw, error, miss } = pulse;
        let gain_since = |&(earlier, at): &(i64, Instant<EdgeClock>)| {
            let seconds = index.saturating_sub(earlier);
            (seconds > 0).then(|| (phc - at - Span::SECOND.times(seconds)).per(seconds))
        };
        let gain = self.pulses.back().and_then(gain_since).filter(|gain| gain.abs() <= Span::SECOND.ppm(RATE_PPM));
        let bend = gain.zip(self.gain).map(|(gain, before)| (gain - before).abs());
        let seconds = self.pulses.back().map_or(1, |(earlier, _)| index.saturating_sub(*earlier));
        if gain.is_none() || bend.is_some_and(|bend| bend > STEP) {
            *self = Self { tai_offset: self.tai_offset, ..Self::default() };
        } else {
            self.gain = gain;
        }
        // On one of the two clocks, the pulse is this far from where the last ones predict it.
        let error = error + bend.map_or(miss, |bend| bend.times(seconds).min(miss));
        self.pulses.push_back((index, phc));
        self.pulses.retain(|(earlier, _)| index.saturating_sub(*earlier) <= SECONDS);
        let oldest = self.pulses.front().filter(|(earlier, _)| index.saturating_sub(*earlier) >= SECONDS_MIN);
        let rate_ppb = oldest.and_then(gain_since).map(Span::nanos);
        let ahead = |offset: i64| Instant::from_parts(utc.plus(offset).posix(), 0) - phc;
        Audit { raw, second: utc, utc: Some(ahead(0)), tai: self.tai_offset.map(ahead), error, rate_ppb }
    }
}

/// A pulse, for [`Auditor::add`].
#[derive(Clone, Copy, Debug)]
pub(super) struct Pulse {
    pub(super) index: i64,
    pub(super) utc: UtcSecond,
    pub(super) phc: Instant<EdgeClock>,
    pub(super) raw: Instant<Raw>,
    pub(super) error: Span,
    /// How far it is from its expected position on the raw clock.
    pub(super) miss: Span,
}

/// TAI - UTC in seconds, according to each source.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct TaiOffsets {
    pub(super) kernel: Option<i64>,
    /// As the leap second table had it when it was read.
    pub(super) table: Option<i64>,
}

impl TaiOffsets {
    /// TAI - UTC in this second: what two sources agree on, otherwise by the first that has it of receiver, table, and
    /// kernel. The kernel's may be some seconds old.
    pub(super) fn at(self, utc: UtcSecond, receiver: Option<i64>, announced: Option<Announced>) -> Option<i64> {
        let passed = announced.filter(|announced| utc.date() > announced.day).and_then(|passed| passed.leap.change());
        let table = self.table.map(|offset| offset - passed.unwrap_or(0));
        let all = [receiver, table, self.kernel];
        let is_shared = |offset: &&i64| all.iter().flatten().filter(|other| other == offset).count() > 1;
        all.iter().flatten().find(is_shared).or(all.iter().flatten().next()).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Leap;
    use crate::core::time::Date;

    /// The audits of pulses, one per second, on a PHC that is `ahead` of UTC.
    fn audits(ahead: impl Fn(i64) -> i64, seconds: i64) -> Vec<Audit> {
        let mut auditor = Auditor::default();
        let audit = |index: i64| {
            let utc = UtcSecond::from_posix(1_800_000_000 + index);
            let phc = Instant::from_parts(utc.posix(), 0) + Span::from_nanos(ahead(index));
            let (raw, error) = (Instant::from_parts(index, 0), Span::from_nanos(50));
            auditor.add(Pulse { index, utc, phc, raw, error, miss: Span::from_micros(1) }, Some(37));
            auditor.last.unwrap()
        };
        (0..seconds).map(audit).collect()
    }

    #[test]
    fn offset_rate_and_time_scale_are_those_of_the_clock() {
        for (ahead, scale) in
            [(37_000_000_000, Timescale::Tai), (0, Timescale::Utc), (-5_000_000_000, Timescale::Arbitrary)]
        {
            let audits = audits(|n| ahead + 120 + 5 * n, 30);
            let last = audits.last().unwrap();
            assert_eq!((last.timescale(), last.utc), (scale, Some(Span::from_nanos(-ahead - 265))));
            assert_eq!(last.tai, Some(Span::from_nanos(37_000_000_000 - ahead - 265)));
            assert_eq!((audits[3].rate_ppb, audits[4].rate_ppb, last.rate_ppb), (None, Some(5), Some(5)));
        }
    }

    #[test]
    fn a_step_shows_at_the_next_pulse_and_is_no_rate() {
        for step in [37_000_000_000, -1_000_000_000_000_000_000, 200_000] {
            let audits = audits(|n| if n < 10 { 0 } else { step }, 20);
            assert_eq!(audits[9].utc, Some(Span::ZERO));
            assert_eq!(audits[10].utc, Some(Span::from_nanos(-step)));
            assert_eq!(audits[10].rate_ppb, None);
            assert!(audits[14..].iter().all(|audit| audit.rate_ppb == Some(0)), "{step}");
        }
    }

    #[test]
    fn the_offset_is_what_two_sources_agree_on_and_follows_an_announced_leap_second() {
        let day = Date::new(2026, 12, 31).unwrap();
        let [before, after] = [day, Date::new(2027, 1, 1).unwrap()].map(|date| UtcSecond::from_civil(date, 0));
        let announced = Some(Announced { day, leap: Leap::Insert });
        let both = TaiOffsets { kernel: Some(37), table: Some(37) };
        assert_eq!((both.at(before, None, announced), both.at(after, None, announced)), (Some(37), Some(38)));
        let old = TaiOffsets { kernel: Some(37), table: Some(36) };
        assert_eq!((old.at(before, None, None), old.at(before, Some(37), None)), (Some(36), Some(37)));
        assert_eq!(TaiOffsets { kernel: Some(37), table: None }.at(before, None, None), Some(37));
        assert_eq!(TaiOffsets::default().at(before, None, None), None);
    }
}
