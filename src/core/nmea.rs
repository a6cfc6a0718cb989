//! Bytes to frames to [`Sentence`]s, strictly: what passes here has a right checksum and a time and date that exist.
//!
//! The [`Framer`] cuts bytes into lines and dates them. Lines are taken apart by the `nmea` crate. Times and dates are
//! read in `content`, because that crate's reader accepts `nan` and `+8+3+5` for a time and rejects second 60, which
//! is a real one.

mod content;
mod framer;
mod line;

pub(crate) use framer::SLOWEST;
pub use framer::{Burst, Found, Framer};
pub use line::{Line, LineCounts, Refusal};

use crate::core::time::{Date, Instant, Raw};

/// Longest line that is looked at, from `$` to checksum. NMEA 0183 allows 82; receivers in the field send up to 100.
const LINE_MAX: usize = nmea::SENTENCE_MAX_LEN;

/// A sentence with a right checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What it is.
    pub kind: Kind,
    /// The time of day that it names.
    pub time: Option<TimeOfDay>,
    /// The date that it names.
    pub date: Option<Date>,
    /// What it says of its own worth.
    pub validity: Validity,
    /// When its first byte began on the line, if the bytes came at the pace that the port is set to.
    pub first_byte: Instant<Raw>,
    /// When the read returned that brought its first byte.
    pub read_at: Instant<Raw>,
    /// How many bytes that read brought.
    pub read: usize,
}

/// The sentences that carry time; all others are `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Recommended minimum: time, date, status.
    Rmc,
    /// Fix data of GPS: time, quality.
    Gga,
    /// Fix data of several systems: time, a mode letter for each.
    Gns,
    /// Position: time, status.
    Gll,
    /// Time and date with four digits of the year, but no status.
    Zda,
    /// u-blox's PUBX,04: time, date, and the leap seconds that they are reckoned with. It names no second of its own:
    /// it does not say whether there is a fix.
    Clock(Option<LeapSeconds>),
    /// u-blox's binary NAV-TIMEUTC, which is not a sentence but says the same.
    TimeUtc,
    /// u-blox's binary NAV-PVT: time, date and the fix.
    Pvt,
    /// Anything else.
    Other,
}

impl Kind {
    /// Whether it says by itself which second it is, and whether that is valid.
    pub fn decides(self) -> bool {
        matches!(self, Self::Rmc | Self::TimeUtc | Self::Pvt)
    }

    /// A number of its own.
    pub(crate) fn number(self) -> u32 {
        match self {
            Self::Rmc => 0,
            Self::Gga => 1,
            Self::Gns => 2,
            Self::Gll => 3,
            Self::Zda => 4,
            Self::Clock(_) => 5,
            Self::TimeUtc => 6,
            Self::Pvt => 7,
            Self::Other => 8,
        }
    }
}

/// The leap seconds that a receiver reckons with, GPS time minus UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapSeconds {
    /// A satellite said so.
    Received(i64),
    /// Its firmware was made with them: they may be outdated.
    Default(i64),
}

/// A time of day as a sentence names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOfDay {
    /// The second of the day, 0 to 86,399, with a fraction of zero or none.
    Whole(u32),
    /// 23:59:60.
    LeapSecond,
    /// A time between two seconds: names no pulse.
    Fraction,
}

/// What a sentence says of its own worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// A fix by satellites, with the mode that makes its time good.
    Valid,
    /// No fix, or one that is estimated, entered by hand or simulated.
    Invalid,
    /// The sentence has no field for it.
    Unsaid,
}

#[cfg(test)]
mod tests;
