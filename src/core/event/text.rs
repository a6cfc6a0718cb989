//! The one-line text form of an [`Event`]: what recordings are made of. Pure: text in, events out.
//!
//! Every line begins with the time (`CLOCK_MONOTONIC_RAW`, nanoseconds) at which the event was captured and the event's
//! keyword. All times are whole nanoseconds. gnss2shm-recording(5) describes each line.
//!
//! A new event needs a word in [`Keyword`], an arm in [`Event`]'s `Display` and an arm in [`parse`]; the compiler asks
//! for all three.

mod fields;

use std::fmt;

use super::{Announced, Bytes, CrossTs, Edge, Edges, Event, Leap, Lost, Report, Says, SourceChange, Witness};
use crate::core::time::{Instant, Raw, UtcSecond};

pub(crate) use fields::Fields;
pub use fields::Flaw;

/// Most bytes of one read that a line holds. Sources read far less at a time.
pub const DATA_MAX: usize = 65_536;

/// Longest line: every byte escaped, and the fields before them.
pub const LINE_MAX: usize = 4 * DATA_MAX + 128;

/// Values that are written as one word.
pub trait Word: Sized + 'static {
    /// All of them, in the order in which they are documented.
    const ALL: &'static [Self];
    /// The word.
    fn word(&self) -> &'static str;
    /// The value that this word stands for.
    fn from_word(word: &[u8]) -> Option<Self>;
}

/// One list gives the words both ways; a value that is missing in it does not compile.
macro_rules! words {
    ($type:ty: $(($($value:tt)+) = $word:literal,)*) => {
        impl $crate::core::event::text::Word for $type {
            const ALL: &'static [Self] = &[$($($value)+,)*];
            fn word(&self) -> &'static str {
                match self { $($($value)+ => $word,)* }
            }
            fn from_word(word: &[u8]) -> Option<Self> {
                match word {
                    $(word if word == $word.as_bytes() => Some($($value)+),)*
                    _ => None,
                }
            }
        }
    };
}

pub(crate) use words;

/// What a line is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keyword {
    /// [`Event::Bytes`]: byte time, quoted data.
    Bytes,
    /// [`Event::Report`]: second, when it was named, when its burst began; or `no-fix`.
    Report,
    /// [`Event::Edge`]: PHC.
    Edge,
    /// [`Event::CrossTs`]: PHC, system clock, window.
    CrossTs,
    /// [`Event::Source`]: what happened to it.
    Source,
    /// [`Event::Witness`]: how far the system clock can be off, or `unsynchronised`.
    Witness,
    /// [`Event::LeapTable`]: day and kind, or `none`.
    LeapTable,
    /// [`Event::Tick`].
    Tick,
}

words! { Keyword:
    (Self::Bytes) = "bytes",
    (Self::Report) = "report",
    (Self::Edge) = "edge",
    (Self::CrossTs) = "cross",
    (Self::Source) = "source",
    (Self::Witness) = "witness",
    (Self::LeapTable) = "leap-table",
    (Self::Tick) = "tick",
}

words! { Leap:
    (Self::None) = "none",
    (Self::Insert) = "insert",
    (Self::Delete) = "delete",
}

words! { SourceChange:
    (Self::SentencesOpen) = "sentences-open",
    (Self::SentencesLost(Lost::Device)) = "sentences-lost",
    (Self::SentencesLost(Lost::Held)) = "sentences-lost-held",
    (Self::SentencesLost(Lost::Server)) = "sentences-lost-server",
    (Self::SentencesLost(Lost::Writer)) = "sentences-lost-writer",
    (Self::SentencesLost(Lost::Stdin)) = "sentences-lost-stdin",
    (Self::SentencesLost(Lost::Gpsd)) = "gpsd-lost",
    (Self::SentencesLost(Lost::GpsdDevice)) = "gpsd-device-lost",
    (Self::SentencesLost(Lost::GpsdDevices)) = "gpsd-devices-several",
    (Self::PulseOpen(Edges::RisingOnly)) = "pulse-open-rising-only",
    (Self::PulseOpen(Edges::Both)) = "pulse-open-both",
    (Self::PulseOpen(Edges::Unknown)) = "pulse-open-both-or-unknown",
    (Self::PulseLost) = "pulse-lost",
    (Self::PulseRearmed) = "pulse-rearmed",
    (Self::PpsOpen(Edges::RisingOnly)) = "pps-open-one-edge",
    (Self::PpsOpen(Edges::Both)) = "pps-open-both",
    (Self::PpsOpen(Edges::Unknown)) = "pps-open-both-or-unknown",
    (Self::PpsLost) = "pps-lost",
}

/// What stands in the place of a value that is not known.
const UNSYNCHRONISED: &[u8] = b"unsynchronised";
const NONE: &[u8] = b"none";
const NO_FIX: &[u8] = b"no-fix";

impl Event {
    /// When it was captured, and the keyword of its line.
    pub fn head(&self) -> (Instant<Raw>, Keyword) {
        match self {
            Self::Bytes(Bytes { read_at, .. }) => (*read_at, Keyword::Bytes),
            Self::Report(Report { read_at, .. }) => (*read_at, Keyword::Report),
            Self::Edge(Edge { read_at, .. }) => (*read_at, Keyword::Edge),
            Self::CrossTs(CrossTs { raw, .. }) => (*raw, Keyword::CrossTs),
            Self::Source { raw, .. } => (*raw, Keyword::Source),
            Self::Witness(Witness { raw, .. }) => (*raw, Keyword::Witness),
            Self::LeapTable { raw, .. } => (*raw, Keyword::LeapTable),
            Self::Tick { raw } => (*raw, Keyword::Tick),
        }
    }
}

/// The line, without its end.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, keyword) = self.head();
        write!(f, "{} {}", at.nanos(), keyword.word())?;
        // Every field by name: one that is new has to be written here, and read in `parse`.
        match self {
            Self::Bytes(Bytes { read_at: _, byte_time, data }) => {
                write!(f, " {} ", byte_time.nanos())?;
                fields::write_quoted(f, data)
            }
            Self::Report(Report { read_at: _, says: Says::Second { utc, named_at, began_at } }) => {
                write!(f, " {} {} {}", utc.posix(), named_at.nanos(), began_at.nanos())
            }
            Self::Report(Report { read_at: _, says: Says::NoFix }) => write!(f, " {}", NO_FIX.escape_ascii()),
            Self::Edge(Edge { phc, read_at: _ }) => write!(f, " {}", phc.nanos()),
            Self::CrossTs(CrossTs { phc, sys, raw: _, window }) => {
                write!(f, " {} {} {}", phc.nanos(), sys.nanos(), window.nanos())
            }
            Self::Source { raw: _, change } => write!(f, " {}", change.word()),
            Self::Witness(Witness { raw: _, max_error: Some(error) }) => write!(f, " {}", error.nanos()),
            Self::Witness(Witness { raw: _, max_error: None }) => write!(f, " {}", UNSYNCHRONISED.escape_ascii()),
            Self::LeapTable { raw: _, next: Some(Announced { day, leap }) } => write!(f, " {day} {}", leap.word()),
            Self::LeapTable { raw: _, next: None } => write!(f, " {}", NONE.escape_ascii()),
            Self::Tick { raw: _ } => Ok(()),
        }
    }
}

/// The event that a line (without its end) stands for.
pub fn parse(line: &[u8]) -> Result<Event, Flaw> {
    let mut fields = Fields::of(line);
    let raw = fields.instant("time")?;
    let event = match fields.word("keyword")? {
        Keyword::Bytes => {
            let (byte_time, data) = (fields.span("byte time")?, fields.quoted()?);
            return Ok(Event::Bytes(Bytes { read_at: raw, byte_time, data }));
        }
        Keyword::Report => {
            let second = |fields: &mut Fields<'_>| {
                Ok(Says::Second {
                    utc: UtcSecond::from_posix(fields.number("second")?),
                    named_at: fields.instant("time of naming")?,
                    began_at: fields.instant("beginning of the burst")?,
                })
            };
            let says = if fields.is(NO_FIX) { Says::NoFix } else { second(&mut fields)? };
            Event::Report(Report { read_at: raw, says })
        }
        Keyword::Edge => Event::Edge(Edge { phc: fields.instant("PHC time")?, read_at: raw }),
        Keyword::CrossTs => Event::CrossTs(CrossTs {
            phc: fields.instant("PHC time")?,
            sys: fields.instant("system time")?,
            raw,
            window: fields.span("window")?,
        }),
        Keyword::Source => Event::Source { raw, change: fields.word("change of a source")? },
        Keyword::Witness => {
            let max_error =
                if fields.is(UNSYNCHRONISED) { None } else { Some(fields.span("error of the system clock")?) };
            Event::Witness(Witness { raw, max_error })
        }
        Keyword::LeapTable => {
            let announced = |fields: &mut Fields<'_>| {
                Ok(Announced { day: fields.date("day")?, leap: fields.word("kind of leap second")? })
            };
            let next = if fields.is(NONE) { None } else { Some(announced(&mut fields)?) };
            Event::LeapTable { raw, next }
        }
        Keyword::Tick => Event::Tick { raw },
    };
    fields.end()?;
    Ok(event)
}

#[cfg(test)]
mod tests;
