//! What a u-blox receiver says beside its seconds: whether it knows UTC, which leap second comes, and how far its next
//! pulse is off.
//!
//! After a cold start a receiver has a fix long before a satellite has told it the leap seconds. Until then its seconds
//! are reckoned with those that its firmware was made with, and look as valid as any. Four messages tell: PUBX,04 (a
//! number of leap seconds that ends in D), NAV-TIMEUTC (validUTC), NAV-PVT (fullyResolved) and NAV-TIMELS (validCurrLs,
//! srcOfCurrLs). While the last of any of these says that UTC is not known, no second that this receiver names is used, by
//! whichever sentence.

use crate::core::event::Announced;
use crate::core::nmea::{Kind, LeapSeconds, Sentence, Validity};
use crate::core::time::{DAY, Instant, Raw, Span, UtcSecond, WEEK};
use crate::core::ubx::{Frame, Message, TimTp, TimeBase, TimeLs};

/// A message that stopped coming is believed for so long: with a fix, every satellite of GPS sends the leap seconds once
/// in 12.5 minutes.
const UNKNOWN_FOR: Span = Span::from_secs(13 * 60);
/// A pulse is announced within the second before it, a slow line allowed for.
const ANNOUNCED_WITHIN: Span = Span::from_millis(1_500);
/// 1970-01-01 was a Thursday; weeks begin on Sunday.
const EPOCH_IN_WEEK: i64 = 4 * DAY;

/// What a u-blox receiver says beside its seconds. Of any other receiver it knows nothing, and does nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ublox {
    /// When each kind of message said last that UTC is not known; `None` where it says the opposite, or nothing.
    clock: Option<Instant<Raw>>,
    time_utc: Option<Instant<Raw>>,
    pvt: Option<Instant<Raw>>,
    time_ls: Option<Instant<Raw>>,
    /// GPS time minus UTC in seconds.
    leap_seconds: Option<i64>,
    /// The last two pulses announced, the newer first, and when each was.
    pulses: [Option<(TimTp, Instant<Raw>)>; 2],
}

/// What follows from a message for others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Said {
    /// The receiver does not know UTC.
    UtcUnknown,
    /// The leap second that comes next, or that none does.
    LeapSecond(Option<Announced>),
    /// Nothing.
    Nothing,
}

impl Ublox {
    /// Takes a sentence or a frame.
    pub fn hear(&mut self, now: Instant<Raw>, message: &Result<Sentence, Frame>) -> Said {
        use crate::core::ubx::LeapCount::{Default, Told, Unsourced};
        let says = |slot: &mut Option<Instant<Raw>>, knows_utc: bool| {
            *slot = (!knows_utc).then_some(now);
            if knows_utc { Said::Nothing } else { Said::UtcUnknown }
        };
        match message {
            Ok(Sentence { kind: Kind::Clock(Some(LeapSeconds::Default(_))), .. }) => says(&mut self.clock, false),
            Ok(Sentence { kind: Kind::Clock(Some(LeapSeconds::Received(seconds))), .. }) => {
                self.leap_seconds = Some(*seconds);
                says(&mut self.clock, true)
            }
            Ok(_) => Said::Nothing,
            Err(Frame { message, first_byte, .. }) => match message {
                Message::TimeUtc(time) => says(&mut self.time_utc, time.knows_utc),
                // Without a fix it says nothing of UTC: a receiver that lost its satellites has not lost its leap seconds.
                Message::Pvt(time) if !time.knows_utc && time.validity == Validity::Invalid => Said::Nothing,
                Message::Pvt(time) => says(&mut self.pvt, time.knows_utc),
                Message::TimeLs(TimeLs { count: Default, .. }) => says(&mut self.time_ls, false),
                Message::TimeLs(TimeLs { count: count @ (Told(seconds) | Unsourced(seconds)), next }) => {
                    self.time_ls = self.time_ls.filter(|_| matches!(count, Unsourced(_)));
                    self.leap_seconds = Some(*seconds);
                    Said::LeapSecond(*next)
                }
                Message::TimTp(pulse) => {
                    self.pulses = [Some((*pulse, *first_byte)), self.pulses[0]];
                    Said::Nothing
                }
                Message::Other => Said::Nothing,
            },
        }
    }

    /// Whether the receiver's seconds are not UTC's by its own account.
    pub fn utc_is_unknown(&self, now: Instant<Raw>) -> bool {
        [self.clock, self.time_utc, self.pvt, self.time_ls].iter().flatten().any(|&said| now - said <= UNKNOWN_FOR)
    }

    /// What has to be added to the time of the pulse that begins this second and came then; nothing unless it was
    /// announced for this second and before it. A pulse that is announced in GPS time needs the leap seconds, which
    /// PUBX,04 or NAV-TIMELS tell.
    pub fn correction(&self, utc: UtcSecond, pulse: Instant<Raw>) -> Span {
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
