//! u-blox's binary protocol UBX, as far as it is about time. [`crate::core::nmea::Framer`] cuts its frames out of the bytes;
//! here they are recognized and read. Layouts: u-blox's interface descriptions, chapters "UBX protocol", NAV-PVT,
//! NAV-TIMEUTC, NAV-TIMELS and TIM-TP; they are the same from u-blox 6 to 10, reserved bits aside, but for NAV-PVT, which
//! begins with u-blox 7 and has 84 bytes there.
//!
//! A frame is 0xB5 0x62, class, id, length of the payload (two bytes, the lower first), payload, and Fletcher's
//! checksum in two bytes over everything from the class on. All numbers in a payload have their lowest byte first.

mod time_utc;

pub use time_utc::TimeUtc;

use crate::core::event::{Announced, Leap};
use crate::core::nmea::{Kind, Sentence, Validity};
use crate::core::time::{Date, Instant, Raw, Span, WEEK};

/// Bytes of a frame besides its payload.
const OVERHEAD: usize = 8;
/// Longest payload that is believed; the longest that receivers send, RXM-RAWX of some hundred signals, are shorter. A
/// length that was damaged on the line holds no more than this back.
const PAYLOAD_MAX: usize = 4_096;

/// A pulse that is announced for a time further off a second than this is not that second's.
const PULSE_ON_THE_SECOND: Span = Span::from_micros(1);
/// No quantization is as coarse as this: the slowest clock that steps a receiver's pulse has 23 MHz.
const QUANTISATION_MAX: Span = Span::from_nanos(50);

/// What bytes begin.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Begun {
    /// A frame of that many bytes, with a right checksum.
    Frame(usize),
    /// Perhaps a frame: it is not complete.
    Open,
    /// No frame.
    Nothing,
}

/// A frame with a right checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Frame {
    /// What it says.
    pub message: Message,
    /// When its first byte began on the line.
    pub first_byte: Instant<Raw>,
    /// When the read returned that brought its first byte.
    pub read_at: Instant<Raw>,
    /// How many bytes that read brought.
    pub read: usize,
}

/// What a frame says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Message {
    /// NAV-TIMEUTC: the time of the last solution.
    TimeUtc(TimeUtc),
    /// NAV-PVT: the solution, its time among it.
    Pvt(TimeUtc),
    /// NAV-TIMELS: the leap seconds.
    TimeLs(TimeLs),
    /// TIM-TP: the next pulse.
    TimTp(TimTp),
    /// Anything else, or one of these in another layout.
    Other,
}

/// NAV-TIMELS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeLs {
    /// GPS time minus UTC.
    pub count: LeapCount,
    /// The leap second that satellites announce.
    pub next: Option<Announced>,
}

/// GPS time minus UTC in seconds (currLs), and where it comes from (srcOfCurrLs, validCurrLs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapCount {
    /// From a satellite or from the receiver's configuration.
    Told(i64),
    /// Valid, from a source that the receiver does not name (255). A NEO-M8T says so in normal operation, minutes after
    /// it named the source: it is no doubt, and takes none away.
    Unsourced(i64),
    /// The firmware's, or not valid.
    Default,
}

/// TIM-TP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimTp {
    /// Which time the pulse is announced in.
    pub base: TimeBase,
    /// The second of that time's week (from Sunday) that the pulse begins; `None` where it begins none.
    pub second_of_week: Option<i64>,
    /// What has to be added to the time at which that pulse comes to get its second's beginning: `qErr`, in whole
    /// nanoseconds. `None` where the receiver says that it is not valid, or where it is too large to be one.
    ///
    /// The interface description leaves the sign open. Measured, with the reference's pulse starting and the receiver's
    /// stopping a counter, the interval *plus* `qErr` is the steady one (ZED-F9T, anderswallin.net, 2019-10,
    /// "uBlox F9T qErr correction"): a positive `qErr` belongs to a pulse that comes early.
    pub correction: Option<Span>,
}

/// Which time a pulse is announced in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeBase {
    /// UTC.
    Utc,
    /// That of GPS, or of Galileo, which counts the same seconds of the week.
    Gps,
    /// Another one, or UTC while the receiver does not know it.
    Other,
}

/// What bytes begin; those of a whole frame may be followed by others.
pub fn begun(mut bytes: impl ExactSizeIterator<Item = u8>) -> Begun {
    let have = bytes.len();
    let header = [(); 6].map(|()| bytes.next());
    match header {
        [Some(0xB5), None, ..] => Begun::Open,
        [Some(0xB5), Some(0x62), class, id, low, high] => {
            let (Some(class), Some(id), Some(low), Some(high)) = (class, id, low, high) else { return Begun::Open };
            let length = usize::from(u16::from_le_bytes([low, high]));
            if length > PAYLOAD_MAX {
                Begun::Nothing
            } else if have < length + OVERHEAD {
                Begun::Open
            } else {
                let covered = [class, id, low, high].into_iter().chain(bytes.by_ref().take(length));
                let sums = covered.fold((0_u8, 0_u8), |(a, b), byte| {
                    let a = a.wrapping_add(byte);
                    (a, b.wrapping_add(a))
                });
                let is_right = (bytes.next(), bytes.next()) == (Some(sums.0), Some(sums.1));
                if is_right { Begun::Frame(length + OVERHEAD) } else { Begun::Nothing }
            }
        }
        _ => Begun::Nothing,
    }
}

impl Message {
    /// What a whole frame says whose checksum is right.
    pub fn read(frame: &[u8]) -> Self {
        let payload = frame.get(6..frame.len().saturating_sub(2)).unwrap_or_default();
        let message = match (frame.get(2), frame.get(3), payload.len()) {
            (Some(0x01), Some(0x07), 84 | 92) => TimeUtc::read_pvt(payload).map(Self::Pvt),
            (Some(0x01), Some(0x21), 20) => TimeUtc::read(payload).map(Self::TimeUtc),
            (Some(0x01), Some(0x26), 24) => TimeLs::read(payload).map(Self::TimeLs),
            (Some(0x0D), Some(0x01), 16) => TimTp::read(payload).map(Self::TimTp),
            _ => None,
        };
        message.unwrap_or(Self::Other)
    }
}

impl Frame {
    /// It as a sentence, with its time if it names one. What it says of UTC is not in it.
    pub fn sentence(&self) -> Sentence {
        let Self { message, first_byte, read_at, read } = *self;
        let (kind, time, date, validity) = match message {
            Message::TimeUtc(TimeUtc { time, date, validity, .. }) => (Kind::TimeUtc, time, date, validity),
            Message::Pvt(TimeUtc { time, date, validity, .. }) => (Kind::Pvt, time, date, validity),
            Message::TimeLs(_) | Message::TimTp(_) | Message::Other => (Kind::Other, None, None, Validity::Unsaid),
        };
        Sentence { kind, time, date, validity, first_byte, read_at, read }
    }
}

impl TimeLs {
    fn read(payload: &[u8]) -> Option<Self> {
        let [version] = number(payload, 4)?;
        let [source, count, change_source, change] = number(payload, 8)?;
        let seconds_to_event = i32::from_le_bytes(number(payload, 12)?);
        let (week, day) = (u16::from_le_bytes(number(payload, 16)?), u16::from_le_bytes(number(payload, 18)?));
        let [valid] = number(payload, 23)?;
        if version != 0 {
            return None;
        }
        let seconds = i64::from(count.cast_signed());
        let count = match (valid & 0b01 != 0, source) {
            (false, _) | (true, 0) => LeapCount::Default,
            (true, 255) => LeapCount::Unsourced(seconds),
            (true, _) => LeapCount::Told(seconds),
        };
        let leap = match change.cast_signed() {
            1 => Leap::Insert,
            -1 => Leap::Delete,
            _ => Leap::None,
        };
        // GPS counts weeks from Sunday, 1980-01-06, and days from 1 for Sunday; a leap second ends that day.
        let day = Date::from_days(3_657 + i64::from(week) * 7 + i64::from(day) - 1);
        // ITU-R TF.460-6 allows the end of any month, June and December first.
        let (_, _, day_after) = Date::from_days(day.days() + 1).ymd();
        let ends_month = day_after == 1;
        let is_announced =
            valid & 0b10 != 0 && change_source != 0 && leap != Leap::None && seconds_to_event > 0 && ends_month;
        Some(Self { count, next: is_announced.then_some(Announced { day, leap }) })
    }
}

impl TimTp {
    fn read(payload: &[u8]) -> Option<Self> {
        let millis = i64::from(u32::from_le_bytes(number(payload, 0)?));
        let part = i64::from(u32::from_le_bytes(number(payload, 4)?));
        let picos = i64::from(i32::from_le_bytes(number(payload, 8)?));
        let [flags, reference] = number(payload, 14)?;
        let base = match (flags & 0b11, reference & 0b1111) {
            (0b11, _) => TimeBase::Utc,
            (0b00 | 0b10, 0 | 3) => TimeBase::Gps,
            _ => TimeBase::Other,
        };
        let at = Span::from_millis(millis) + Span::from_nanos((part * 1_000_000) >> 32);
        let (second, off) = at.nearest(Span::SECOND);
        // On to the nearest nanosecond, a half away from zero.
        let correction = Span::from_nanos((picos + 500 * picos.signum()) / 1_000);
        let (is_invalid, is_unlocked) = (flags & 0b01_0000 != 0, flags & 0b10_0000 != 0);
        Some(Self {
            base,
            second_of_week: (off.abs() <= PULSE_ON_THE_SECOND).then_some(second % WEEK),
            correction: (!is_invalid && !is_unlocked && correction.abs() <= QUANTISATION_MAX).then_some(correction),
        })
    }
}

/// The `N` bytes from there on.
fn number<const N: usize>(payload: &[u8], at: usize) -> Option<[u8; N]> {
    payload.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
