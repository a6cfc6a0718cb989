//! What a u-blox receiver reports besides seconds: whether it knows UTC, the next leap second, and the error of its next
//! pulse.
//!
//! After a cold start a receiver has a fix long before a satellite has sent it the leap seconds. Until then, its
//! seconds are based on its firmware's default, and look as valid as any. Four messages show this: PUBX,04 (a number of
//! leap seconds that ends in D), NAV-TIMEUTC (validUTC), NAV-PVT (fullyResolved) and NAV-TIMELS (validCurrLs,
//! srcOfCurrLs). While the last message of any of these kinds reports that UTC is not known, no second that this
//! receiver names is used, in any sentence.

use crate::core::event::Announced;
use crate::core::nmea::{LeapSeconds, Sentence, Validity};
use crate::core::time::{DAY, Instant, Raw, Span, UtcSecond, WEEK};
use crate::core::ubx::{Frame, LeapCount, Message, TimTp, TimeBase, TimeLs};

/// How long a message remains valid after it stops arriving: with a fix, every GPS satellite sends the leap seconds
/// once in 12.5 minutes.
const UNKNOWN_FOR: Span = Span::from_secs(13 * 60);
/// A pulse is announced within the second before it, plus the time that a slow line takes.
const ANNOUNCED_WITHIN: Span = Span::from_millis(1_500);
/// 1970-01-01 was a Thursday; weeks begin on Sunday.
const EPOCH_IN_WEEK: i64 = 4 * DAY;

/// What a u-blox receiver reports besides seconds. It stays empty with any other receiver.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Ublox {
    /// When each kind of message last reported that UTC is not known; `None` if it reports the opposite, or nothing.
    clock: Option<Instant<Raw>>,
    time_utc: Option<Instant<Raw>>,
    pvt: Option<Instant<Raw>>,
    time_ls: Option<Instant<Raw>>,
    /// GPS time minus UTC in seconds.
    leap_seconds: Option<i64>,
    /// The last two pulses announced, the newer first, and when each was announced.
    pulses: [Option<(TimTp, Instant<Raw>)>; 2],
}

/// Reports that other parts of the engine use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum News {
    /// The receiver does not know UTC.
    UtcUnknown,
    /// The next leap second, or that there is none.
    LeapSecond(Option<Announced>),
}

impl Ublox {
    /// Takes a sentence.
    pub(crate) fn sentence(&mut self, now: Instant<Raw>, sentence: &Sentence) -> Option<News> {
        match sentence.leap_seconds? {
            LeapSeconds::Default(_) => knows_utc(&mut self.clock, now, false),
            LeapSeconds::Received(seconds) => {
                self.leap_seconds = Some(seconds);
                knows_utc(&mut self.clock, now, true)
            }
        }
    }

    /// Takes a frame.
    pub(crate) fn frame(&mut self, now: Instant<Raw>, frame: &Frame) -> Option<News> {
        match frame.message {
            Message::TimeUtc(time) => knows_utc(&mut self.time_utc, now, time.knows_utc),
            // Without a fix it says nothing about UTC: a receiver that lost its satellites has not lost its leap seconds.
            Message::Pvt(time) if !time.knows_utc && time.validity == Validity::Invalid => None,
            Message::Pvt(time) => knows_utc(&mut self.pvt, now, time.knows_utc),
            Message::TimeLs(TimeLs { count: LeapCount::Default, .. }) => knows_utc(&mut self.time_ls, now, false),
            Message::TimeLs(TimeLs {
                count: count @ (LeapCount::Told(seconds) | LeapCount::Unsourced(seconds)),
                next,
            }) => {
                self.time_ls = self.time_ls.filter(|_| count != LeapCount::Told(seconds));
                self.leap_seconds = Some(seconds);
                Some(News::LeapSecond(next))
            }
            Message::TimTp(pulse) => {
                self.pulses = [Some((pulse, frame.first_byte)), self.pulses[0]];
                None
            }
            Message::Other => None,
        }
    }

    /// Whether the receiver reports that its seconds are not UTC.
    pub(crate) fn utc_is_unknown(&self, now: Instant<Raw>) -> bool {
        [self.clock, self.time_utc, self.pvt, self.time_ls].iter().flatten().any(|&said| now - said <= UNKNOWN_FOR)
    }

    /// GPS time minus UTC in seconds, if the receiver knows it.
    pub(crate) fn leap_seconds(&self, now: Instant<Raw>) -> Option<i64> {
        self.leap_seconds.filter(|_| !self.utc_is_unknown(now))
    }

    /// What to add to the time of the pulse that begins this second and arrived at `pulse`; zero unless it was
    /// announced for this second and before it. A pulse announced in GPS time needs the leap seconds of PUBX,04 or
    /// NAV-TIMELS.
    pub(crate) fn correction(&self, utc: UtcSecond, pulse: Instant<Raw>) -> Span {
        let announced = self.pulses.iter().flatten().find(|(announced, at)| {
            let ahead = match announced.base {
                TimeBase::Utc => Some(0),
                TimeBase::Gps => self.leap_seconds,
                TimeBase::Other => None,
            };
            let week_second = |ahead: i64| utc.plus(EPOCH_IN_WEEK).plus(ahead).posix().rem_euclid(WEEK);
            let is_before = pulse > *at && pulse - *at <= ANNOUNCED_WITHIN;
            is_before && ahead.is_some() && ahead.map(week_second) == announced.second_of_week
        });
        announced.and_then(|(announced, _)| announced.correction).unwrap_or_default()
    }
}

/// Records what this kind of message reports about UTC.
fn knows_utc(unknown: &mut Option<Instant<Raw>>, now: Instant<Raw>, is_known: bool) -> Option<News> {
    *unknown = (!is_known).then_some(now);
    (!is_known).then_some(News::UtcUnknown)
}
