//! What is heard of the receiver: bytes, sentences, times, fixes; and, when it is not enough, what is missing.

use crate::core::engine::epochs::Said;
use crate::core::event::{Lost, Reason};
use crate::core::foreign::Foreign;
use crate::core::nmea::{Burst, LineCounts};
use crate::core::time::{Instant, Raw, Span};

/// What was not heard for this long has stopped: three seconds in a row are missing.
pub(super) const HEARD_WITHIN: Span = Span::from_millis(3_500);

/// What is heard of the receiver, and when last.
#[derive(Clone, Copy, Debug, Default)]
pub struct Hearing {
    started: Option<Instant<Raw>>,
    /// That there is nothing through which it could be heard, and why.
    pub(super) lost: Option<Lost>,
    counts: LineCounts,
    bytes: Stream,
    /// When the line began to be busy without a pause.
    busy_since: Option<Instant<Raw>>,
    sentences: Stream,
    /// What comes in place of sentences, where it is known, and when last.
    foreign: Option<(Instant<Raw>, Foreign)>,
    /// Of the last bytes; zero where no line paces them.
    byte_time: Span,
    fraction: Option<Instant<Raw>>,
    /// When a second was named that cannot be, and why it cannot.
    pub(super) impossible: Option<(Instant<Raw>, Reason)>,
    invalid: Option<Instant<Raw>>,
    invalid_since: Option<Instant<Raw>>,
    /// When a second was named last, be it by a sentence whose burst is not over.
    pub(super) mention: Option<Instant<Raw>>,
    /// Epochs, since the last that was not valid.
    valid: Stream,
    /// When the receiver said last that it does not know UTC.
    pub(super) utc_unknown: Option<Instant<Raw>>,
}

/// Something that comes again and again.
#[derive(Clone, Copy, Debug, Default)]
struct Stream {
    /// When it began to come without a longer pause, and when it came last.
    came: Option<(Instant<Raw>, Instant<Raw>)>,
}

impl Stream {
    fn comes(&mut self, now: Instant<Raw>) {
        let since = self.came.filter(|(_, last)| now - *last <= HEARD_WITHIN).map_or(now, |(since, _)| since);
        self.came = Some((since, now));
    }

    /// Whether it began to come soon after the start, and not long ago.
    fn began_at_start(self, started: Option<Instant<Raw>>, now: Instant<Raw>) -> bool {
        let began = |(since, _)| started.is_some_and(|started| since - started <= HEARD_WITHIN);
        self.came.is_some_and(|came| began(came) && now - came.0 <= HEARD_WITHIN)
    }

    /// Whether it comes, and has for long enough that what it should have brought would be there.
    fn is_steady(self, now: Instant<Raw>) -> bool {
        self.came.is_some_and(|(since, last)| now - last <= HEARD_WITHIN && now - since > HEARD_WITHIN)
    }
}

/// How well the receiver is heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Receiver {
    /// It names seconds.
    Valid,
    /// It says, since then, that it has no fix.
    Invalid(Instant<Raw>),
    /// It does not say which second it is.
    Silent(Reason),
}

impl Hearing {
    /// What it is heard through was opened, or lost.
    pub fn device(&mut self, now: Instant<Raw>, lost: Option<Lost>) {
        self.lost = lost;
        self.started = Some(now);
        self.foreign = None;
    }

    /// Bytes came, in that burst; `counts` is what came of all bytes so far.
    pub fn bytes(&mut self, now: Instant<Raw>, burst: Burst, counts: LineCounts) {
        self.bytes.comes(now);
        self.byte_time = burst.byte_time;
        self.busy_since = Some(burst.began);
        if counts.sentences > self.counts.sentences {
            self.sentences.comes(now);
            self.foreign = None;
        } else if let Some(foreign) = Foreign::between(&self.counts, &counts) {
            // Of several that come by turns one is named, and not by turns.
            self.foreign = match self.foreign {
                Some((at, other)) if other < foreign && now - at <= HEARD_WITHIN => Some((at, other)),
                Some(_) | None => Some((now, foreign)),
            };
        }
        self.counts = counts;
    }

    /// Another program has read something from the receiver.
    pub fn report(&mut self, now: Instant<Raw>) {
        self.bytes.comes(now);
        self.sentences.comes(now);
    }

    /// A burst is over, and this is what it said.
    pub fn said(&mut self, now: Instant<Raw>, said: Said) {
        match said {
            Said::Epoch(_) => {
                self.mention = Some(now);
                self.valid.comes(now);
                self.invalid_since = None;
            }
            Said::NotValid => {
                self.valid = Stream::default();
                self.invalid = Some(now);
                self.invalid_since.get_or_insert(now);
            }
            Said::Fraction => self.fraction = Some(now),
            Said::Contradiction => self.impossible = Some((now, Reason::SentencesDisagree)),
            Said::LeapSecond(_) | Said::Overruled => {}
        }
    }

    /// A second was named while the receiver does not know UTC: it has a fix.
    pub fn doubtful(&mut self, now: Instant<Raw>) {
        self.invalid_since = None;
        self.utc_unknown = Some(now);
    }

    /// Since when it names valid seconds without a longer pause.
    pub fn valid_since(&self, now: Instant<Raw>) -> Option<Instant<Raw>> {
        self.valid.came.filter(|(_, last)| now - *last <= HEARD_WITHIN).map(|(since, _)| since)
    }

    /// How well the receiver is heard at `now`.
    pub fn view(&self, now: Instant<Raw>) -> Receiver {
        let lately = |at: Option<Instant<Raw>>| at.is_some_and(|at| now - at <= HEARD_WITHIN);
        let is_starting = self.started.is_none_or(|started| now - started <= HEARD_WITHIN);
        match self.invalid_since {
            _ if let Some(lost) = self.lost => Receiver::Silent(lost.reason()),
            Some(since) if lately(self.invalid) => Receiver::Invalid(since),
            _ if lately(self.utc_unknown) && self.utc_unknown >= self.mention => Receiver::Silent(Reason::UtcUnknown),
            _ if lately(self.mention) => Receiver::Valid,
            _ if let Some((_, reason)) = self.impossible.filter(|(at, _)| lately(Some(*at))) => {
                Receiver::Silent(reason)
            }
            // Bytes that began to come meanwhile may still bring what is missing.
            _ if is_starting || self.bytes.began_at_start(self.started, now) => Receiver::Silent(Reason::Starting),
            _ if !self.bytes.is_steady(now) => Receiver::Silent(match self.foreign {
                // It says who it is and then waits to be asked.
                Some((_, Foreign::Gpsd)) => Reason::GpsdProtocol,
                Some(_) | None => Reason::NoBytes,
            }),
            _ if lately(self.fraction) => Receiver::Silent(Reason::NoWholeSecond),
            _ if !self.sentences.is_steady(now) => Receiver::Silent(match self.foreign {
                Some((at, foreign)) if lately(Some(at)) => foreign.reason(),
                // What no line paces has no rate that could be wrong.
                Some(_) | None if self.byte_time == Span::ZERO => Reason::NotNmea,
                Some(_) | None => Reason::NoSentence,
            }),
            // Times come, but seldom: there is too much between them.
            _ if self.mention.is_some() && self.busy_since.is_some_and(|since| now - since > HEARD_WITHIN) => {
                Receiver::Silent(Reason::LineSaturated)
            }
            _ => Receiver::Silent(Reason::NoTime),
        }
    }
}
