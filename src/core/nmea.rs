//! Parses bytes strictly into [`Sentence`]s and u-blox frames: each has a correct checksum, and a time and date that
//! exist.
//!
//! The [`Framer`] cuts bytes into lines and timestamps them. Lines are split by the `nmea` crate. Times and dates are
//! parsed in `content`, because that crate's parser accepts `nan` and `+8+3+5` as a time and rejects second 60, which
//! exists.

mod content;
mod framer;
mod line;

pub(crate) use framer::SLOWEST;
pub(crate) use framer::{Burst, Found, Framer};
pub(crate) use line::{Line, LineCounts, Refusal};

use crate::core::time::{Date, Instant, Raw};

/// Longest line accepted, from `$` to checksum. NMEA 0183 allows 82; receivers in the field send up to 100.
const LINE_MAX: usize = nmea::SENTENCE_MAX_LEN;

/// A sentence with a correct checksum, or the same content from a u-blox frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Sentence {
    /// Its type.
    pub kind: Kind,
    /// The time of day, if it names one.
    pub time: Option<TimeOfDay>,
    /// The date, if it names one.
    pub date: Option<Date>,
    /// Whether it reports them as valid.
    pub validity: Validity,
    /// The leap seconds that PUBX,04 names.
    pub leap_seconds: Option<LeapSeconds>,
    /// When its first byte began on the line, if the bytes arrived at the port's rate.
    pub first_byte: Instant<Raw>,
    /// When the read with its first byte returned.
    pub read_at: Instant<Raw>,
    /// Bytes that this read returned.
    pub read: usize,
}

/// Messages that carry time; all others are `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Recommended minimum: time, date, status.
    Rmc,
    /// GPS fix data: time, quality.
    Gga,
    /// Fix data of several systems: time, a mode letter for each.
    Gns,
    /// Position: time, status.
    Gll,
    /// Time and date with a four-digit year, but no status.
    Zda,
    /// u-blox's PUBX,04: time, date, and the leap seconds they are based on. It does not name a second by itself,
    /// because it does not report whether there is a fix.
    Clock,
    /// u-blox's binary NAV-TIMEUTC.
    TimeUtc,
    /// u-blox's binary NAV-PVT: time, date and the fix.
    Pvt,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether it names a complete second and its validity by itself.
    pub(crate) fn decides(self) -> bool {
        matches!(self, Self::Rmc | Self::TimeUtc | Self::Pvt)
    }
}

/// The leap seconds that a receiver uses, GPS time minus UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeapSeconds {
    /// Received from a satellite.
    Received(i64),
    /// Built into the firmware: they may be outdated.
    Default(i64),
}

/// A time of day as named by a sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum TimeOfDay {
    /// The second of the day, 0 to 86,399, with a fraction of zero or none.
    Whole(u32),
    /// 23:59:60.
    LeapSecond,
    /// A time between two seconds, which names no pulse.
    Fraction,
}

/// Whether a sentence reports its time as valid. Of several, the greatest value counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Validity {
    /// The sentence has no field for it.
    Unsaid,
    /// A satellite fix.
    Valid,
    /// No fix, or an estimated, manual or simulated one.
    Invalid,
}

impl Validity {
    /// For a message that has a field for it.
    pub(crate) fn valid_if(is_valid: bool) -> Self {
        if is_valid { Self::Valid } else { Self::Invalid }
    }
}

#[cfg(test)]
mod tests;
