//! The text form of an [`Event`], one line each, as in recordings. Pure: text in, events out.
//!
//! Every line begins with the time (`CLOCK_MONOTONIC_RAW`, nanoseconds) at which the event was captured and the event's
//! keyword. All times are whole nanoseconds. gnss2shm-recording(5) describes each line.
//!
//! A new event needs a keyword in [`Event::head`], an arm in [`Event`]'s `Display` and an arm in [`parse`].

use std::fmt::{self, Write};

use super::{Announced, Bytes, CrossTs, Edge, Edges, Event, Leap, Lost, Report, Says, SourceChange, Witness};
use crate::core::time::{Clock, Date, Instant, Raw, Span, UtcSecond};

/// Maximum bytes of one read in a line. Sources read far less at a time.
pub const DATA_MAX: usize = 65_536;

/// Longest line: every byte escaped, and the fields before them.
pub const LINE_MAX: usize = 4 * DATA_MAX + 128;

/// Values that are written as one word.
pub trait Word: Sized + 'static {
    /// All of them, in the order in which they are documented.
    const ALL: &'static [Self];
    /// The word.
    fn word(&self) -> &'static str;
    /// The value of this word.
    fn from_word(word: &[u8]) -> Option<Self>;
}

/// One list defines the words in both directions; a missing value is a compile error.
macro_rules! words {
    ($type:ty: $(($($value:tt)+) = $word:literal,)*) => {
        impl $crate::core::event::text::Word for $type {
            const ALL: &'static [Self] = &[$($($value)+,)*];
            fn word(&self) -> &'static str {
                match self { $($($value)+ => $word,)* }
            }
            fn from_word(word: &[u8]) -> Option<Self> {
                $(if word == $word.as_bytes() { return Some($($value)+) })*
                None
            }
        }
        impl $crate::core::event::text::Value for $type {
            fn read(text: &[u8]) -> Option<Self> {
                $crate::core::event::text::Word::from_word(text)
            }
        }
    };
}

pub(crate) use words;

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

/// Written instead of an unknown value.
const UNSYNCHRONISED: &str = "unsynchronised";
const NONE: &str = "none";
const NO_FIX: &str = "no-fix";
/// A field that recordings of older versions lack, and that is left out if it is not known.
const TAI_OFFSET: &str = "TAI - UTC";

impl Event {
    /// When it was captured, and the keyword of its line.
    pub fn head(&self) -> (Instant<Raw>, &'static str) {
        match self {
            Self::Bytes(Bytes { read_at, .. }) => (*read_at, "bytes"),
            Self::Report(Report { read_at, .. }) => (*read_at, "report"),
            Self::Edge(Edge { read_at, .. }) => (*read_at, "edge"),
            Self::CrossTs(CrossTs { raw, .. }) => (*raw, "cross"),
            Self::Source { raw, .. } => (*raw, "source"),
            Self::Witness(Witness { raw, .. }) => (*raw, "witness"),
            Self::LeapTable { raw, .. } => (*raw, "leap-table"),
            Self::Tick { raw } => (*raw, "tick"),
        }
    }
}

/// The line, without its end.
impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (at, keyword) = self.head();
        write!(f, "{} {keyword}", at.nanos())?;
        // Every field is named, so that a new one must be written here; `parse` must read it.
        match self {
            Self::Bytes(Bytes { read_at: _, byte_time, data }) => {
                write!(f, " {} ", byte_time.nanos())?;
                write_quoted(f, data)
            }
            Self::Report(Report { read_at: _, says: Says::Second { utc, named_at, began_at } }) => {
                write!(f, " {} {} {}", utc.posix(), named_at.nanos(), began_at.nanos())
            }
            Self::Report(Report { read_at: _, says: Says::NoFix }) => write!(f, " {NO_FIX}"),
            Self::Edge(Edge { phc, read_at: _ }) => write!(f, " {}", phc.nanos()),
            Self::CrossTs(CrossTs { phc, sys, raw: _, window }) => {
                write!(f, " {} {} {}", phc.nanos(), sys.nanos(), window.nanos())
            }
            Self::Source { raw: _, change } => write!(f, " {}", change.word()),
            Self::Witness(Witness { raw: _, max_error, tai_offset }) => {
                match max_error {
                    Some(error) => write!(f, " {}", error.nanos()),
                    None => write!(f, " {UNSYNCHRONISED}"),
                }?;
                write_optional(f, *tai_offset)
            }
            Self::LeapTable { raw: _, next, tai_offset } => {
                match next {
                    Some(Announced { day, leap }) => write!(f, " {day} {}", leap.word()),
                    None => write!(f, " {NONE}"),
                }?;
                write_optional(f, *tai_offset)
            }
            Self::Tick { raw: _ } => Ok(()),
        }
    }
}

/// The event of a line (without its end).
pub fn parse(line: &[u8]) -> Result<Event, Flaw> {
    let mut fields = Fields::of(line);
    let raw = fields.instant("time")?;
    let event = match fields.next("keyword")? {
        b"bytes" => {
            let (byte_time, data) = (fields.take("byte time")?, fields.quoted()?);
            return Ok(Event::Bytes(Bytes { read_at: raw, byte_time, data }));
        }
        b"report" => {
            let says = match fields.take_unless(NO_FIX, "second")? {
                Some(second) => Says::Second {
                    utc: UtcSecond::from_posix(second),
                    named_at: fields.instant("time of naming")?,
                    began_at: fields.instant("beginning of the burst")?,
                },
                None => Says::NoFix,
            };
            Event::Report(Report { read_at: raw, says })
        }
        b"edge" => Event::Edge(Edge { phc: fields.instant("PHC time")?, read_at: raw }),
        b"cross" => {
            let (phc, sys) = (fields.instant("PHC time")?, fields.instant("system time")?);
            Event::CrossTs(CrossTs { phc, sys, raw, window: fields.take("window")? })
        }
        b"source" => Event::Source { raw, change: fields.take("change of a source")? },
        b"witness" => {
            let max_error = fields.take_unless(UNSYNCHRONISED, "error of the system clock")?;
            Event::Witness(Witness { raw, max_error, tai_offset: fields.optional(TAI_OFFSET)? })
        }
        b"leap-table" => {
            let next = match fields.take_unless(NONE, "day")? {
                Some(day) => Some(Announced { day, leap: fields.take("kind of leap second")? }),
                None => None,
            };
            Event::LeapTable { raw, next, tai_offset: fields.optional(TAI_OFFSET)? }
        }
        b"tick" => Event::Tick { raw },
        other => return Err(Flaw::unreadable("keyword", other)),
    };
    fields.end()?;
    Ok(event)
}

/// What is wrong with a line, in one sentence.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Flaw(pub(crate) String);

impl Flaw {
    /// The text of this field cannot be read.
    pub(crate) fn unreadable(field: &str, found: &[u8]) -> Self {
        let article = if field.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
        Self(format!("`{}` is not {article} {field}", excerpt(found)))
    }
}

/// The beginning of a field, printable.
fn excerpt(field: &[u8]) -> String {
    const SHOWN: usize = 40;
    let (shown, dots) = field.get(..SHOWN).map_or((field, ""), |shown| (shown, "..."));
    format!("{}{dots}", shown.escape_ascii())
}

/// A value that a field can contain.
pub(crate) trait Value: Sized {
    fn read(text: &[u8]) -> Option<Self>;
}

/// Decimal, optionally with a minus sign.
impl Value for i64 {
    fn read(text: &[u8]) -> Option<Self> {
        std::str::from_utf8(text).ok().filter(|text| !text.starts_with('+'))?.parse().ok()
    }
}

impl Value for Span {
    fn read(text: &[u8]) -> Option<Self> {
        i64::read(text).map(Self::from_nanos)
    }
}

/// `2028-12-31`
impl Value for Date {
    fn read(text: &[u8]) -> Option<Self> {
        let mut parts = text.splitn(3, |&byte| byte == b'-').map_while(i64::read);
        let (year, month, day) = (parts.next()?, parts.next()?, parts.next()?);
        Self::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?)
    }
}

/// The fields of a line, separated by single blanks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fields<'a>(Option<&'a [u8]>);

impl<'a> Fields<'a> {
    pub(crate) fn of(line: &'a [u8]) -> Self {
        Self(Some(line))
    }

    pub(crate) fn next(&mut self, field: &str) -> Result<&'a [u8], Flaw> {
        let rest = self.0.take().ok_or_else(|| Flaw(format!("the {field} is missing")))?;
        let mut parts = rest.splitn(2, |&byte| byte == b' ');
        let found = parts.next().unwrap_or_default();
        self.0 = parts.next();
        Ok(found)
    }

    pub(crate) fn take<V: Value>(&mut self, field: &str) -> Result<V, Flaw> {
        let found = self.next(field)?;
        V::read(found).ok_or_else(|| Flaw::unreadable(field, found))
    }

    fn instant<C: Clock>(&mut self, field: &str) -> Result<Instant<C>, Flaw> {
        self.take(field).map(Instant::from_nanos)
    }

    /// The next field, unless it is this word.
    fn take_unless<V: Value>(&mut self, word: &str, field: &str) -> Result<Option<V>, Flaw> {
        let before = *self;
        if self.next(field)? == word.as_bytes() {
            return Ok(None);
        }
        *self = before;
        self.take(field).map(Some)
    }

    /// The next field, if there is one.
    fn optional<V: Value>(&mut self, field: &str) -> Result<Option<V>, Flaw> {
        self.0.is_some().then(|| self.take(field)).transpose()
    }

    pub(crate) fn end(self) -> Result<(), Flaw> {
        self.0.map_or(Ok(()), |rest| Err(Flaw(format!("`{}` follows the last field", excerpt(rest)))))
    }

    /// The rest of the line, which is quoted data.
    fn quoted(self) -> Result<Box<[u8]>, Flaw> {
        let rest = self.0.ok_or_else(|| Flaw("the data is missing".into()))?;
        let inner = rest.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\""));
        let inner = inner.ok_or_else(|| Flaw("the data is not in quotation marks".into()))?;
        let mut data = Vec::with_capacity(inner.len().min(DATA_MAX));
        let mut bytes = inner.iter().copied();
        while let Some(byte) = bytes.next() {
            if data.len() == DATA_MAX {
                return Err(Flaw(format!("more than {DATA_MAX} bytes of data")));
            }
            let read = match byte {
                b'\\' => unescaped(&mut bytes),
                b' '..=b'~' if byte != b'"' => Some(byte),
                _ => None,
            };
            data.push(read.ok_or_else(|| {
                Flaw("the data contains a byte or an escape sequence that is not valid in a recording".into())
            })?);
        }
        Ok(data.into())
    }
}

/// Printable ASCII unchanged; quotation marks, backslashes, and line ends escaped with a backslash; everything else as
/// `\xHH`.
fn write_quoted(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for &byte in data {
        match byte {
            b'\'' => f.write_char('\'')?,
            b'\t' => f.write_str("\\x09")?,
            _ => write!(f, "{}", byte.escape_ascii())?,
        }
    }
    f.write_char('"')
}

/// A field at the end of a line, unless it is not known.
fn write_optional(f: &mut fmt::Formatter<'_>, value: Option<i64>) -> fmt::Result {
    value.map_or(Ok(()), |value| write!(f, " {value}"))
}

/// The byte after a backslash.
fn unescaped(bytes: &mut impl Iterator<Item = u8>) -> Option<u8> {
    let first = bytes.next()?;
    let mut hex = || char::from(bytes.next()?).to_digit(16).map(|digit| digit as u8);
    Some(match first {
        b'r' => b'\r',
        b'n' => b'\n',
        b'x' => hex()? << 4 | hex()?,
        b'"' | b'\\' => first,
        _ => return None,
    })
}

#[cfg(test)]
mod tests;
