//! The fields of a line: numbers, words, quoted bytes; and what can be wrong with them.

use std::fmt::{self, Write};

use super::{DATA_MAX, Word};
use crate::core::time::{Clock, Date, Instant, Span};

/// What is wrong with a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Flaw {
    /// The line ends where this field should be.
    Missing(&'static str),
    /// What stands for this field cannot be read.
    Unreadable {
        /// The field.
        field: &'static str,
        /// What stands there: its beginning, escaped.
        found: String,
    },
    /// Something stands after the last field: its beginning, escaped.
    Trailing(String),
    /// The data do not begin with a quotation mark, or nothing ends them.
    Unquoted,
    /// In the data is a byte or a backslash sequence that the writer never makes.
    Escape,
    /// More data than a read gives.
    TooMuchData,
}

impl Flaw {
    /// What stands for this field cannot be read.
    pub fn unreadable(field: &'static str, found: &[u8]) -> Self {
        Self::Unreadable { field, found: excerpt(found) }
    }
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Missing(field) => write!(f, "the {field} is missing"),
            Self::Unreadable { field, found } => {
                let article = if field.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" };
                write!(f, "`{found}` is not {article} {field}")
            }
            Self::Trailing(found) => write!(f, "`{found}` stands after the last field"),
            Self::Unquoted => f.write_str("the data are not within quotation marks"),
            Self::Escape => f.write_str("the data contain a byte or a backslash that no recording has"),
            Self::TooMuchData => write!(f, "more than {DATA_MAX} bytes of data"),
        }
    }
}

/// The beginning of a field as it may be shown to a person.
fn excerpt(field: &[u8]) -> String {
    const SHOWN: usize = 40;
    let shown = field.get(..SHOWN).unwrap_or(field);
    let dots = if field.len() > SHOWN { "..." } else { "" };
    format!("{}{dots}", shown.escape_ascii())
}

/// Takes a line apart at its blanks.
#[derive(Debug)]
pub(crate) struct Fields<'a>(Option<&'a [u8]>);

impl<'a> Fields<'a> {
    pub(crate) fn of(line: &'a [u8]) -> Self {
        Self(Some(line))
    }

    pub(crate) fn next(&mut self, field: &'static str) -> Result<&'a [u8], Flaw> {
        let rest = self.0.take().ok_or(Flaw::Missing(field))?;
        let Some(blank) = rest.iter().position(|&byte| byte == b' ') else { return Ok(rest) };
        let (found, after) = rest.split_at(blank);
        self.0 = after.get(1..);
        Ok(found)
    }

    pub(crate) fn number(&mut self, field: &'static str) -> Result<i64, Flaw> {
        let found = self.next(field)?;
        integer(found).ok_or_else(|| Flaw::unreadable(field, found))
    }

    pub(crate) fn word<W: Word>(&mut self, field: &'static str) -> Result<W, Flaw> {
        let found = self.next(field)?;
        W::from_word(found).ok_or_else(|| Flaw::unreadable(field, found))
    }

    /// Whether the next field is this word; only then it is taken.
    pub(super) fn is(&mut self, word: &[u8]) -> bool {
        let mut ahead = Self(self.0);
        let is = ahead.next("word") == Ok(word);
        if is {
            self.0 = ahead.0;
        }
        is
    }

    pub(crate) fn date(&mut self, field: &'static str) -> Result<Date, Flaw> {
        let found = self.next(field)?;
        let mut parts = found.splitn(3, |&byte| byte == b'-').map(integer);
        let mut part = || parts.next().flatten();
        let day = part().zip(part()).zip(part()).and_then(|((year, month), day)| {
            Date::new(i32::try_from(year).ok()?, u8::try_from(month).ok()?, u8::try_from(day).ok()?)
        });
        day.ok_or_else(|| Flaw::unreadable(field, found))
    }

    pub(crate) fn end(self) -> Result<(), Flaw> {
        self.0.map_or(Ok(()), |rest| Err(Flaw::Trailing(excerpt(rest))))
    }

    pub(super) fn instant<C: Clock>(&mut self, field: &'static str) -> Result<Instant<C>, Flaw> {
        self.number(field).map(Instant::from_nanos)
    }

    pub(super) fn span(&mut self, field: &'static str) -> Result<Span, Flaw> {
        self.number(field).map(Span::from_nanos)
    }

    /// The rest of the line, which are quoted data.
    pub(super) fn quoted(self) -> Result<Box<[u8]>, Flaw> {
        let rest = self.0.ok_or(Flaw::Missing("data"))?;
        let inner = rest.strip_prefix(b"\"").and_then(|rest| rest.strip_suffix(b"\"")).ok_or(Flaw::Unquoted)?;
        unescape(inner)
    }
}

/// A decimal number with nothing but a minus sign before it.
fn integer(text: &[u8]) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix(b"-") {
        Some(digits) => (-1, digits),
        None => (1, text),
    };
    if digits.is_empty() {
        return None;
    }
    digits.iter().try_fold(0_i64, |number, byte| {
        let digit = if byte.is_ascii_digit() { i64::from(byte - b'0') } else { return None };
        number.checked_mul(10)?.checked_add(sign * digit)
    })
}

/// Printable ASCII as it is; quotation mark, backslash and line ends behind a backslash; all else as `\xHH`.
pub(super) fn write_quoted(f: &mut fmt::Formatter<'_>, data: &[u8]) -> fmt::Result {
    f.write_char('"')?;
    for &byte in data {
        match byte {
            b'"' => f.write_str("\\\"")?,
            b'\\' => f.write_str("\\\\")?,
            b'\r' => f.write_str("\\r")?,
            b'\n' => f.write_str("\\n")?,
            b' '..=b'~' => f.write_char(char::from(byte))?,
            _ => write!(f, "\\x{byte:02x}")?,
        }
    }
    f.write_char('"')
}

fn unescape(text: &[u8]) -> Result<Box<[u8]>, Flaw> {
    let mut data = Vec::with_capacity(text.len().min(DATA_MAX));
    let mut bytes = text.iter().copied();
    while let Some(byte) = bytes.next() {
        if data.len() == DATA_MAX {
            return Err(Flaw::TooMuchData);
        }
        data.push(match byte {
            b'\\' => unescaped(&mut bytes).ok_or(Flaw::Escape)?,
            b'"' => return Err(Flaw::Escape),
            b' '..=b'~' => byte,
            _ => return Err(Flaw::Escape),
        });
    }
    Ok(data.into())
}

/// The byte that stands behind a backslash.
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
