//! Which second the receiver named, and when: gpsd's lines to events.
//!
//! `TOFF` names the second and the moment. It counts when the `TPV` of the same second says that there is a fix, and
//! while it arrives nothing else counts: two ways to tell a second are two delays, which would look like one that
//! jumps. Where it is missing (gpsd ships no time from ptys, nor while a receiver's time is behind what it was), the
//! receiver's own sentences, which gpsd passes on, take its place; where those are missing too, `TPV`'s time does.
//!
//! gpsd may be wrong about UTC by a second while it does not know the leap seconds (`TPV` has no `leapseconds` then, but
//! never has it from an NMEA receiver): that looks like any receiver that does not know them, and is left to the engine.

use super::clock::{Arrival, Burst, GpsdClock};
use super::protocol::{Toff, Tpv};
use crate::core::event::{Bytes, Event, Report, Says};
use crate::core::time::{Instant, Raw, Span, UtcSecond};

/// After this time without a `TOFF` it is missing. gpsd sends it after the third fix at the latest.
const TOFF_WITHIN: Span = Span::from_millis(4_500);
/// Seconds are named in step with the seconds that pass, but for this much.
const IN_STEP: Span = Span::from_millis(500);

/// What is known of a device's time.
#[derive(Debug)]
pub(super) struct Timing {
    pub(super) clock: GpsdClock,
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
    /// Begins with this read. `near`: gpsd can be on this machine.
    pub(super) fn new(near: bool, arrival: Arrival) -> Self {
        Self {
            clock: GpsdClock::new(near, arrival),
            burst: Burst::default(),
            pending: None,
            toff: arrival.raw,
            sentence: None,
            fix_since: None,
            named: None,
            reported: None,
        }
    }

    /// The time of day.
    pub(super) fn toff(&mut self, toff: &Toff, at: Instant<Raw>) -> Result<Option<Event>, OutOfStep> {
        if let (Some(utc), Some(moment)) = (toff.utc(), toff.clock()) {
            (self.toff, self.pending) = (at, None);
            if let Some(named_at) = self.clock.date(moment) {
                self.step(utc, named_at)?;
                self.pending = Some((utc, named_at));
            }
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

#[cfg(test)]
mod tests;
