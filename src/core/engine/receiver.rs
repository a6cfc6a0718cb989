//! Receiver health: whether bytes, sentences, times, and a fix arrive; otherwise, what is missing.

use crate::core::event::{Lost, Reason};
use crate::core::foreign::Foreign;
use crate::core::nmea::{Burst, LineCounts};
use crate::core::time::{Instant, Raw, Span, UtcSecond};

/// Input that has not arrived for this long has stopped: three consecutive seconds are missing.
pub(super) const HEARD_WITHIN: Span = Span::from_millis(3_500);

/// What arrives from the receiver, and when it last did.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Receiver {
    /// When its device was opened or lost.
    started: Option<Instant<Raw>>,
    /// Why nothing can arrive from it.
    pub(super) lost: Option<Lost>,
    bytes: Run,
    sentences: Run,
    burst: Option<Burst>,
    /// The protocol that arrives instead of sentences, if known, and when it last did.
    foreign: Option<(Instant<Raw>, Foreign)>,
    /// When it last named a fraction of a second.
    pub(super) fraction: Option<Instant<Raw>>,
    /// When a second was refused, why, and which one if it is the date that is impossible.
    pub(super) impossible: Option<(Instant<Raw>, Reason, Option<UtcSecond>)>,
    /// When it last reported no fix; `None` after it named a second.
    pub(super) no_fix: Option<Instant<Raw>>,
    /// When it last named a second, even in a burst that is not over.
    pub(super) epoch: Option<Instant<Raw>>,
    /// Epochs since the last one that was not valid.
    pub(super) valid: Run,
    /// When it last reported that it does not know UTC.
    pub(super) utc_unknown: Option<Instant<Raw>>,
}

/// Something that arrives repeatedly: when it began, without a longer pause since, and when it last arrived.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Run(Option<[Instant<Raw>; 2]>);

impl Run {
    fn add(&mut self, now: Instant<Raw>) {
        self.0 = Some([self.since(now).unwrap_or(now), now]);
    }

    /// Since when it has been arriving; `None` if it has stopped.
    pub(super) fn since(self, now: Instant<Raw>) -> Option<Instant<Raw>> {
        self.0.filter(|[_, last]| now - *last <= HEARD_WITHIN).map(|[since, _]| since)
    }

    /// Whether it has been arriving long enough to contain what it should contain.
    fn is_steady(self, now: Instant<Raw>) -> bool {
        self.since(now).is_some_and(|since| now - since > HEARD_WITHIN)
    }
}

impl Receiver {
    /// Its device was opened or lost.
    pub(crate) fn device(&mut self, now: Instant<Raw>, lost: Option<Lost>) {
        (self.lost, self.started, self.foreign) = (lost, Some(now), None);
    }

    /// Bytes of this burst arrived; counts of all bytes before them and with them.
    pub(crate) fn bytes(&mut self, now: Instant<Raw>, burst: Burst, before: &LineCounts, counts: &LineCounts) {
        self.bytes.add(now);
        self.burst = Some(burst);
        if counts.sentences > before.sentences {
            self.sentences.add(now);
            self.foreign = None;
        } else if let Some(foreign) = Foreign::between(before, counts) {
            // If several alternate, always name the same one.
            let other = self.foreign.filter(|(at, other)| *other < foreign && now - *at <= HEARD_WITHIN);
            self.foreign = other.or(Some((now, foreign)));
        }
    }

    /// Another program has read something from it.
    pub(crate) fn report(&mut self, now: Instant<Raw>) {
        self.bytes.add(now);
        self.sentences.add(now);
    }

    /// It named a second.
    pub(crate) fn epoch(&mut self, now: Instant<Raw>) {
        self.valid.add(now);
        (self.epoch, self.no_fix) = (Some(now), None);
    }

    /// It reported no fix.
    pub(crate) fn no_fix(&mut self, now: Instant<Raw>) {
        (self.valid, self.no_fix) = (Run::default(), Some(now));
    }

    /// Why it does not name the second at `now`; `None` if it does.
    pub(crate) fn lacks(&self, now: Instant<Raw>) -> Option<Reason> {
        let lately = |at: Option<Instant<Raw>>| at.is_some_and(|at| now - at <= HEARD_WITHIN);
        let at_start = |at: Instant<Raw>| self.started.is_some_and(|started| at - started <= HEARD_WITHIN);
        Some(match self.foreign {
            _ if let Some(lost) = self.lost => lost.reason(),
            _ if lately(self.no_fix) => Reason::NoFix,
            _ if lately(self.utc_unknown) && self.utc_unknown >= self.epoch => Reason::UtcUnknown,
            _ if lately(self.epoch) => return None,
            _ if let Some((_, reason, _)) = self.impossible.filter(|(at, ..)| lately(Some(*at))) => reason,
            _ if self.started.is_none() || at_start(now) => Reason::Starting,
            // Bytes that began to arrive meanwhile may still contain what is missing.
            _ if self.bytes.since(now).is_some_and(|since| at_start(since) && lately(Some(since))) => Reason::Starting,
            // gpsd sends its greeting and then waits for a command.
            Some((_, Foreign::Gpsd)) if !self.bytes.is_steady(now) => Reason::GpsdProtocol,
            _ if !self.bytes.is_steady(now) => Reason::NoBytes,
            _ if lately(self.fraction) => Reason::NoWholeSecond,
            Some((at, foreign)) if !self.sentences.is_steady(now) && lately(Some(at)) => foreign.reason(),
            // A source that is not paced by a line has no baud rate that could be wrong.
            _ if !self.sentences.is_steady(now) && self.burst.is_none_or(|burst| burst.byte_time == Span::ZERO) => {
                Reason::NotNmea
            }
            _ if !self.sentences.is_steady(now) => Reason::NoSentence,
            // Times arrive, but rarely: there is too much data between them.
            _ if self.epoch.is_some() && self.burst.is_some_and(|burst| now - burst.began > HEARD_WITHIN) => {
                Reason::LineSaturated
            }
            _ => Reason::NoTime,
        })
    }
}
