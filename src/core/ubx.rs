//! u-blox's binary protocol UBX, as far as it concerns time. [`crate::core::nmea::Framer`] extracts its frames from the
//! bytes; this module recognizes and decodes them. Layouts: u-blox's interface descriptions (protocol 14 to 34),
//! chapters "UBX protocol", NAV-PVT, NAV-TIMEUTC, NAV-TIMELS and TIM-TP. They are the same from u-blox 6 to 10, apart
//! from reserved bits and NAV-PVT, which was introduced with u-blox 7 and has 84 bytes there. Meaning of the validity
//! flags: ZED-F9T integration manual, "UTC/GNSS times ambiguity".
//!
//! A frame is 0xB5 0x62, class, id, payload length (two bytes), payload, and a two-byte Fletcher checksum over everything
//! from the class on. All numbers are little-endian.

use crate::core::event::{Announced, Leap};
use crate::core::nmea::{Kind, Sentence, TimeOfDay, Validity};
use crate::core::time::{Date, Instant, Raw, Span, WEEK};

/// Bytes of a frame besides its payload.
const OVERHEAD: usize = 8;
/// Longest payload accepted; the longest that receivers send, RXM-RAWX with about a hundred signals, is shorter. A
/// damaged length field holds back no more than this.
const PAYLOAD_MAX: usize = 4_096;

/// A time less accurate than this is not valid: a receiver with a fix knows it to within nanoseconds.
const ACCURATE: Span = Span::from_millis(1);
/// A solution is for the millisecond of the receiver's clock that is nearest to its second.
const ON_THE_SECOND: Span = Span::from_millis(1);
/// A pulse announced for a time farther than this from a second does not mark that second.
const PULSE_ON_THE_SECOND: Span = Span::from_micros(1);
/// No quantization error is larger: the slowest clock that times a receiver's pulse has 23 MHz.
const QUANTIZATION_MAX: Span = Span::from_nanos(50);

/// What a sequence of bytes begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Begun {
    /// A frame of that many bytes, with a correct checksum.
    Frame(usize),
    /// Possibly a frame, but not complete.
    Open,
    /// Not a frame.
    Nothing,
}

/// A frame with a correct checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Frame {
    /// Content.
    pub message: Message,
    /// When its first byte began on the line.
    pub first_byte: Instant<Raw>,
    /// When the read with its first byte returned.
    pub read_at: Instant<Raw>,
    /// How many bytes that read returned.
    pub read: usize,
}

/// The content of a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// NAV-TIMEUTC: the time of the last solution.
    TimeUtc(TimeUtc),
    /// NAV-PVT: the solution, including its time.
    Pvt(TimeUtc),
    /// NAV-TIMELS: the leap seconds.
    TimeLs(TimeLs),
    /// TIM-TP: the next pulse.
    TimTp(TimTp),
    /// Anything else, or one of these in another layout.
    Other,
}

/// NAV-TIMEUTC, or the same fields of NAV-PVT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeUtc {
    /// The time of day, if it exists.
    pub time: Option<TimeOfDay>,
    /// The time of day including the nanoseconds; slightly negative just before midnight.
    pub since_midnight: Option<Span>,
    /// The day, if it exists.
    pub date: Option<Date>,
    /// Whether the receiver's flags make the time valid and its accuracy is that of a fix. `Unsaid` if NAV-PVT has a
    /// fix but whole seconds are ambiguous.
    pub validity: Validity,
    /// Whether the receiver knows UTC; otherwise, it uses its firmware's default leap seconds.
    pub knows_utc: bool,
}

/// NAV-TIMELS.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimeLs {
    /// GPS time minus UTC.
    pub count: LeapCount,
    /// The leap second that satellites announce.
    pub next: Option<Announced>,
}

/// GPS time minus UTC in seconds (currLs), and where it comes from (srcOfCurrLs, validCurrLs).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeapCount {
    /// From a satellite or the receiver's configuration.
    Told(i64),
    /// Valid, from a source that the receiver does not name (255). A NEO-M8T reports this in normal operation, minutes
    /// after it named the source: it neither raises nor removes doubt.
    Unsourced(i64),
    /// The firmware's, or not valid.
    Default,
}

/// TIM-TP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TimTp {
    /// Time scale of the announcement.
    pub base: TimeBase,
    /// The second of that scale's week (from Sunday) that the pulse begins; `None` if it does not begin a second.
    pub second_of_week: Option<i64>,
    /// What to add to the time of that pulse to get the beginning of its second: `qErr`, in whole nanoseconds. `None` if
    /// the receiver flags it as invalid, or if it is too large.
    ///
    /// The interface description leaves the sign open. Measured, with the reference's pulse starting and the receiver's
    /// stopping a counter, the interval *plus* `qErr` is the steady one (ZED-F9T, anderswallin.net, 2019-10, "uBlox F9T
    /// qErr correction"): a positive `qErr` belongs to a pulse that is early.
    pub correction: Option<Span>,
}

/// Time scale in which a pulse is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeBase {
    /// UTC.
    Utc,
    /// GPS, or Galileo, which counts the same seconds of the week.
    Gps,
    /// Another one, or UTC while the receiver does not know it.
    Other,
}

/// What these bytes begin with. Other bytes may follow a whole frame.
pub(crate) fn begun(mut bytes: impl ExactSizeIterator<Item = u8>) -> Begun {
    let have = bytes.len();
    let [Some(0xB5), None | Some(0x62), class, id, low, high] = [(); 6].map(|()| bytes.next()) else {
        return Begun::Nothing;
    };
    let (Some(class), Some(id), Some(low), Some(high)) = (class, id, low, high) else { return Begun::Open };
    let length = usize::from(u16::from_le_bytes([low, high]));
    if length > PAYLOAD_MAX {
        return Begun::Nothing;
    }
    if have < length + OVERHEAD {
        return Begun::Open;
    }
    let covered = [class, id, low, high].into_iter().chain(bytes.by_ref().take(length));
    let (a, b) = covered.fold((0_u8, 0_u8), |(a, b), byte| {
        let a = a.wrapping_add(byte);
        (a, b.wrapping_add(a))
    });
    let is_right = (bytes.next(), bytes.next()) == (Some(a), Some(b));
    if is_right { Begun::Frame(length + OVERHEAD) } else { Begun::Nothing }
}

impl Message {
    /// Decodes a whole frame with a correct checksum.
    pub(crate) fn read(frame: &[u8]) -> Self {
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
    /// The frame as a sentence, with its time if it names one, but without its information about UTC.
    pub(crate) fn sentence(&self) -> Sentence {
        let Self { message, first_byte, read_at, read } = *self;
        let (kind, time, date, validity) = match message {
            Message::TimeUtc(TimeUtc { time, date, validity, .. }) => (Kind::TimeUtc, time, date, validity),
            Message::Pvt(TimeUtc { time, date, validity, .. }) => (Kind::Pvt, time, date, validity),
            Message::TimeLs(_) | Message::TimTp(_) | Message::Other => (Kind::Other, None, None, Validity::Unsaid),
        };
        Sentence { kind, time, date, validity, leap_seconds: None, first_byte, read_at, read }
    }
}

impl TimeUtc {
    /// NAV-TIMEUTC: validTOW, validWKN, validUTC.
    fn read(payload: &[u8]) -> Option<Self> {
        let (time, accuracy, flags) = Self::fields(payload, 4, 8, 12)?;
        let is_valid = flags & 0b011 == 0b011 && accuracy <= ACCURATE && time.exists();
        Some(Self { validity: Validity::valid_if(is_valid), ..time })
    }

    /// NAV-PVT: validDate, validTime, fullyResolved, gnssFixOK. Dead reckoning alone is not a fix, like mode E of a
    /// sentence. While whole seconds are ambiguous, the accuracy is in the range of seconds and says nothing about the
    /// fix.
    fn read_pvt(payload: &[u8]) -> Option<Self> {
        let (time, accuracy, valid) = Self::fields(payload, 12, 16, 4)?;
        let [fix, flags] = number(payload, 20)?;
        let has_fix = valid & 0b011 == 0b011 && flags & 1 != 0 && matches!(fix, 2..=5) && time.exists();
        let validity = if has_fix && !time.knows_utc {
            Validity::Unsaid
        } else {
            Validity::valid_if(has_fix && accuracy <= ACCURATE)
        };
        Some(Self { validity, ..time })
    }

    /// The fields at these offsets: the time, its accuracy and the byte of flags. Hour, minute and second are rounded
    /// to the nearest hundredth of a second, and the nanoseconds are the remainder: with -213 the fields already name
    /// the second that begins 213 ns later.
    fn fields(payload: &[u8], accuracy: usize, nanos: usize, year: usize) -> Option<(Self, Span, u8)> {
        let accuracy = Span::from_nanos(u32::from_le_bytes(number(payload, accuracy)?).into());
        let nanos = Span::from_nanos(i32::from_le_bytes(number(payload, nanos)?).into());
        let [month, day, hour, minute, second, flags] = number(payload, year + 2)?;
        let date = Date::new(u16::from_le_bytes(number(payload, year)?).into(), month, day);
        let exists = matches!((hour, minute, second), (0..=23, 0..=59, 0..=59) | (23, 59, 60));
        let second_of_day = exists.then(|| u32::from(hour) * 3_600 + u32::from(minute) * 60 + u32::from(second));
        let time = second_of_day.map(|second_of_day| match second {
            _ if nanos.abs() > ON_THE_SECOND => TimeOfDay::Fraction,
            60 => TimeOfDay::LeapSecond,
            _ => TimeOfDay::Whole(second_of_day),
        });
        let since_midnight = second_of_day.map(|second| Span::from_secs(second.into()) + nanos);
        let knows_utc = flags & 0b100 != 0;
        Some((Self { time, since_midnight, date, validity: Validity::Unsaid, knows_utc }, accuracy, flags))
    }

    fn exists(&self) -> bool {
        self.date.is_some() && self.time.is_some()
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
        // Rounded to the nearest nanosecond, halves away from zero.
        let correction = Span::from_nanos((picos + 500 * picos.signum()) / 1_000);
        let (is_invalid, is_unlocked) = (flags & 0b01_0000 != 0, flags & 0b10_0000 != 0);
        Some(Self {
            base,
            second_of_week: (off.abs() <= PULSE_ON_THE_SECOND).then_some(second % WEEK),
            correction: (!is_invalid && !is_unlocked && correction.abs() <= QUANTIZATION_MAX).then_some(correction),
        })
    }
}

/// `N` bytes from `at` on.
fn number<const N: usize>(payload: &[u8], at: usize) -> Option<[u8; N]> {
    payload.get(at..)?.first_chunk().copied()
}

#[cfg(test)]
mod tests;
