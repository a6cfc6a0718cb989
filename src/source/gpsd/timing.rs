//! Converts gpsd's lines to events: which second the receiver named, and when.
//!
//! `TOFF` names the second as soon as gpsd has read it. It is dated on arrival: gpsd's own date (`clock_sec`) is from a
//! system clock, which may be set at any time or belong to another machine. It counts once the `TPV` of the same second
//! reports a fix. While it arrives, nothing else counts: two sources have two delays, which would look like a jumping
//! delay. If it is missing (gpsd sends no time from ptys, nor while a receiver's time is behind an earlier one), the
//! receiver's own sentences, forwarded by gpsd, replace it; if those are missing too, `TPV`'s time does.
//!
//! gpsd may be wrong about UTC by a second while it does not know the leap seconds (`TPV` has no `leapseconds` then, but
//! never has it from an NMEA receiver): that looks like any receiver that does not know them, so the engine handles it.

use tracing::debug;

use super::protocol::{Toff, Tpv};
use crate::core::event::{Bytes, Event, Report, Says};
use crate::core::time::{Instant, NANOS, Raw, Span, UtcSecond};
use crate::source::feed::BITS_PER_BYTE;

/// A `TOFF` is missing after this time. gpsd sends it after the third fix at the latest.
const TOFF_WITHIN: Span = Span::from_millis(4_500);
/// Tolerance between named seconds and elapsed time.
const IN_STEP: Span = Span::from_millis(500);
/// A longer pause starts a new burst.
const SILENCE: Span = Span::from_millis(30);
/// How often the data rate of a burst without an end is measured.
const MEASURED_OVER: Span = Span::SECOND;

/// State of a device's time.
#[derive(Debug, Default)]
pub(super) struct Timing {
    pub(super) burst: Burst,
    /// A second that waits for the `TPV` with the fix, and when it was named.
    pending: Option<(UtcSecond, Instant<Raw>)>,
    /// When the last `TOFF` arrived; before the first one, the start.
    toff: Instant<Raw>,
    /// When the last sentence with a time arrived.
    sentence: Option<Instant<Raw>>,
    fix_since: Option<Instant<Raw>>,
    /// The second that was named last, and when.
    named: Option<(UtcSecond, Instant<Raw>)>,
    reported: Option<UtcSecond>,
}

impl Timing {
    /// Starts at `now`.
    pub(super) fn new(now: Instant<Raw>) -> Self {
        Self { toff: now, ..Self::default() }
    }

    /// The time of day.
    pub(super) fn toff(&mut self, toff: &Toff, at: Instant<Raw>) {
        if let Some(utc) = toff.utc() {
            self.toff = at;
            self.pending = self.is_in_step(utc, at).then_some((utc, at));
        }
    }

    /// The fix, and its second if it is a whole one.
    pub(super) fn tpv(&mut self, tpv: &Tpv, at: Instant<Raw>) -> Option<Event> {
        let report = |says| Event::Report(Report { read_at: at, says });
        if !tpv.has_fix() {
            (self.fix_since, self.pending) = (None, None);
            // The receiver's own sentences contain the fix.
            return (!self.sentences_count(at)).then(|| report(Says::NoFix));
        }
        self.fix_since.get_or_insert(at);
        let utc = tpv.utc()?;
        let named_at = match self.pending {
            Some((named, named_at)) if named == utc => named_at,
            _ => (self.toff_is_missing(at) && !self.sentences_count(at) && self.is_in_step(utc, at)).then_some(at)?,
        };
        let is_news = self.reported.replace(utc) != Some(utc);
        is_news.then(|| report(Says::Second { utc, named_at, began_at: self.burst.began(named_at) }))
    }

    /// A sentence of the receiver, without its end.
    pub(super) fn sentence(&mut self, line: &[u8], at: Instant<Raw>) -> Option<Event> {
        let data: Box<[u8]> = [line, b"\r\n"].concat().into();
        self.burst.sentence(data.len(), at);
        if matches!(line.get(3..6), Some(b"RMC" | b"GGA" | b"GNS" | b"GLL" | b"ZDA")) {
            self.sentence = Some(at);
        }
        self.sentences_count(at).then_some(Event::Bytes(Bytes { read_at: at, byte_time: Span::ZERO, data }))
    }

    /// Whether gpsd had time to send a `TOFF` and did not.
    fn toff_is_missing(&self, now: Instant<Raw>) -> bool {
        let is_long_ago = |at: Instant<Raw>| now - at > TOFF_WITHIN;
        is_long_ago(self.toff) && self.fix_since.is_none_or(is_long_ago)
    }

    fn sentences_count(&self, now: Instant<Raw>) -> bool {
        self.toff_is_missing(now) && self.sentence.is_some_and(|at| now - at <= TOFF_WITHIN)
    }

    /// A second that was named late, twice, or backwards is not used; one that advances with elapsed time is.
    fn is_in_step(&mut self, utc: UtcSecond, at: Instant<Raw>) -> bool {
        let Some((before, then)) = self.named.replace((utc, at)) else { return true };
        let off = at - then - Span::from_secs(utc.posix().saturating_sub(before.posix()));
        if off.abs() > IN_STEP {
            debug!("gpsd names second {utc}, {off} after it was due");
        }
        off.abs() <= IN_STEP
    }
}

/// Sentences that arrive without a pause. The line's data rate is measured, because the baud rate from gpsd has no
/// meaning on USB.
#[derive(Debug, Default)]
pub(super) struct Burst {
    began: Option<Instant<Raw>>,
    last: Option<Instant<Raw>>,
    /// When the first measured sentence ended, and how many bytes arrived after it.
    measured: Option<(Instant<Raw>, i64)>,
    /// Transmission time of a byte at the rate from gpsd.
    nominal: Option<Span>,
    /// The last measured transmission time of a byte.
    pace: Option<Span>,
}

impl Burst {
    /// The line's baud rate, if it has one.
    pub(super) fn bps(&mut self, bps: Option<i64>) {
        let byte_time = |bps| Span::from_nanos(BITS_PER_BYTE * NANOS / bps);
        self.nominal = bps.filter(|bps| *bps > 0).map(byte_time).or(self.nominal);
    }

    /// A sentence of this many bytes ended.
    pub(super) fn sentence(&mut self, bytes: usize, at: Instant<Raw>) {
        let bytes = bytes as i64;
        let byte_time = self.pace.into_iter().chain(self.nominal).min().unwrap_or_default();
        let began = at - byte_time.times(bytes);
        let goes_on = self.last.is_some_and(|last| began - last <= SILENCE);
        self.measured = Some(match self.measured {
            Some((first, sum)) if goes_on && at - first <= MEASURED_OVER => (first, sum + bytes),
            before => {
                if let (Some((first, sum @ 1..)), Some(last)) = (before, self.last) {
                    self.pace = Some((last - first).scaled(Span::from_nanos(1), Span::from_nanos(sum)));
                }
                (at, 0)
            }
        });
        if !goes_on {
            self.began = Some(began);
        }
        self.last = Some(at);
    }

    /// When the burst began that contains `named`.
    pub(super) fn began(&self, named: Instant<Raw>) -> Instant<Raw> {
        self.began.map_or(named, |began| began.min(named))
    }
}

#[cfg(test)]
mod tests;
