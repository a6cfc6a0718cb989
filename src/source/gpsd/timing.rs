//! Which second the receiver named, and when: gpsd's lines to events.
//!
//! `TOFF` names the second, as soon as gpsd has read it. It is dated when it arrives: gpsd's own date (`clock_sec`) is
//! that of a system clock, which may be set at any time, and may be another machine's. It counts when the `TPV` of the same second says that there is a fix, and
//! while it arrives nothing else counts: two ways to tell a second are two delays, which would look like one that
//! jumps. Where it is missing (gpsd ships no time from ptys, nor while a receiver's time is behind what it was), the
//! receiver's own sentences, which gpsd passes on, take its place; where those are missing too, `TPV`'s time does.
//!
//! gpsd may be wrong about UTC by a second while it does not know the leap seconds (`TPV` has no `leapseconds` then, but
//! never has it from an NMEA receiver): that looks like any receiver that does not know them, and is left to the engine.

use super::protocol::{Toff, Tpv};
use crate::core::event::{Bytes, Event, Report, Says};
use crate::core::time::{Instant, NANOS, Raw, Span, UtcSecond};
use crate::source::feed::BITS_PER_BYTE;

/// After this time without a `TOFF` it is missing. gpsd sends it after the third fix at the latest.
const TOFF_WITHIN: Span = Span::from_millis(4_500);
/// Seconds are named in step with the seconds that pass, but for this much.
const IN_STEP: Span = Span::from_millis(500);
/// A longer pause begins a new burst.
const SILENCE: Span = Span::from_millis(30);
/// The pace of a burst that does not end is measured this often.
const MEASURED_OVER: Span = Span::SECOND;

/// What is known of a device's time.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) burst: Burst,
    /// A second that waits for the `TPV` that says whether there is a fix, and when it was named.
    pending: Option<(UtcSecond, Instant<Raw>)>,
    /// When the last `TOFF` arrived; until there is one, the beginning.
    toff: Instant<Raw>,
    /// When the last sentence with a time arrived.
    sentence: Option<Instant<Raw>>,
    fix_since: Option<Instant<Raw>>,
    /// The second that was named last, and when.
    named: Option<(UtcSecond, Instant<Raw>)>,
    reported: Option<UtcSecond>,
}

/// A second that is not in step with the one before, and is not used.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("second {named} where {due} was due")]
pub(super) struct OutOfStep {
    named: UtcSecond,
    due: UtcSecond,
}

impl Timing {
    /// Begins at `now`.
    pub(super) fn new(now: Instant<Raw>) -> Self {
        Self {
            burst: Burst::default(),
            pending: None,
            toff: now,
            sentence: None,
            fix_since: None,
            named: None,
            reported: None,
        }
    }

    /// The time of day.
    pub(super) fn toff(&mut self, toff: &Toff, at: Instant<Raw>) -> Result<Option<Event>, OutOfStep> {
        if let Some(utc) = toff.utc() {
            (self.toff, self.pending) = (at, None);
            self.step(utc, at)?;
            self.pending = Some((utc, at));
        }
        Ok(None)
    }

    /// The fix, and its second if it is a whole one.
    pub(super) fn tpv(&mut self, tpv: &Tpv, at: Instant<Raw>) -> Result<Option<Event>, OutOfStep> {
        let report = |says| Event::Report(Report { read_at: at, says });
        if !tpv.has_fix() {
            (self.fix_since, self.pending) = (None, None);
            // The receiver's own sentences say so themselves.
            return Ok((!self.sentences_count(at)).then(|| report(Says::NoFix)));
        }
        self.fix_since.get_or_insert(at);
        let Some(utc) = tpv.utc() else { return Ok(None) };
        let named_at = match self.pending {
            Some((named, named_at)) if named == utc => named_at,
            _ if !self.toff_is_missing(at) || self.sentences_count(at) => return Ok(None),
            _ => {
                self.step(utc, at)?;
                at
            }
        };
        self.pending = None;
        let is_news = self.reported.replace(utc) != Some(utc);
        Ok(is_news.then(|| report(Says::Second { utc, named_at, began_at: self.burst.began(named_at) })))
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

    /// A second that was named late, twice or backwards is not used; one that is in step with it is.
    fn step(&mut self, utc: UtcSecond, at: Instant<Raw>) -> Result<(), OutOfStep> {
        let Some((before, then)) = self.named.replace((utc, at)) else { return Ok(()) };
        let passed = at - then;
        let off = passed - Span::from_secs(utc.posix().saturating_sub(before.posix()));
        let due = before.plus(passed.nearest(Span::SECOND).0);
        if off.abs() <= IN_STEP { Ok(()) } else { Err(OutOfStep { named: utc, due }) }
    }
}

/// The sentences that arrive without a pause. The pace of the line is measured: the bit rate that gpsd names means
/// nothing on USB.
#[derive(Debug, Default)]
pub(super) struct Burst {
    began: Option<Instant<Raw>>,
    last: Option<Instant<Raw>>,
    /// When the first measured sentence ended, and how many bytes arrived after it.
    measured: Option<(Instant<Raw>, i64)>,
    /// How long a byte takes, by the rate that gpsd names.
    nominal: Option<Span>,
    /// How long a byte took when that was measured last.
    pace: Option<Span>,
}

impl Burst {
    /// The rate of the line, in bits a second.
    pub(super) fn bps(&mut self, bps: i64) {
        self.nominal = Some(Span::from_nanos(BITS_PER_BYTE * NANOS / bps.max(1)));
    }

    /// A sentence of so many bytes ended.
    pub(super) fn sentence(&mut self, bytes: usize, at: Instant<Raw>) {
        let bytes = bytes as i64;
        let byte_time = match (self.pace, self.nominal) {
            (Some(pace), Some(nominal)) => pace.min(nominal),
            (pace, nominal) => pace.or(nominal).unwrap_or_default(),
        };
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

    /// When the burst began in which something was named at `named`.
    pub(super) fn began(&self, named: Instant<Raw>) -> Instant<Raw> {
        self.began.map_or(named, |began| began.min(named))
    }
}

#[cfg(test)]
mod tests;
