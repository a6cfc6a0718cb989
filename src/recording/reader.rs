//! Text to events, as it comes: no line is longer than [`LINE_MAX`], and nothing else is kept.

use std::fmt;

use super::VERSION;
use super::header::{Header, MAGIC, NotRead};
use crate::core::event::Event;
use crate::core::event::text::{self, Fields, Flaw, LINE_MAX};

/// The first word of a line that says how many events are missing there.
pub const LOST: &str = "lost";

/// What a line of a recording says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A recording begins, or its next file.
    Header(Header),
    /// The engine was given this.
    Event(Event),
    /// The engine was given this many events that could not be recorded.
    Lost(i64),
}

/// A line that cannot be read. Nothing after it is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Damage {
    /// Number of the line, from 1.
    pub line: u64,
    /// What is wrong.
    pub what: What,
}

/// What is wrong with a line of a recording.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// The first line is no header.
    NoHeader,
    /// The recording has a newer format.
    NewerFormat(i64),
    /// The line is longer than any that is written.
    TooLong,
    /// The line is wrong.
    Flaw(Flaw),
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: ", self.line)?;
        match &self.what {
            What::NoHeader => write!(f, "this is not a recording: it does not begin with `{MAGIC}`"),
            What::NewerFormat(version) => {
                write!(f, "the recording has format {version}, this program reads up to {VERSION}: use a newer one")
            }
            What::TooLong => write!(f, "longer than {LINE_MAX} bytes"),
            What::Flaw(flaw) => write!(f, "{flaw}"),
        }
    }
}

impl std::error::Error for Damage {}

/// Takes the text in pieces of any size.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning of a line whose end has not come yet.
    partial: Vec<u8>,
    lines: u64,
    has_header: bool,
    damage: Option<Damage>,
}

impl Reader {
    /// Hands on what the lines say that this piece completes, up to the first damaged one; that one stays the answer.
    pub fn push(&mut self, piece: &[u8], mut found: impl FnMut(Item)) -> Result<(), Damage> {
        if self.damage.is_none() {
            self.damage = self.take(piece, &mut found).err();
        }
        self.damage.clone().map_or(Ok(()), Err)
    }

    /// Whether the text breaks off within a line. That is what a recording looks like whose writer was killed: nothing
    /// is wrong with it.
    pub fn breaks_off(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Whether a header has come.
    pub fn has_header(&self) -> bool {
        self.has_header
    }

    fn take(&mut self, piece: &[u8], found: &mut impl FnMut(Item)) -> Result<(), Damage> {
        let mut rest = piece;
        while let Some(end) = rest.iter().position(|&byte| byte == b'\n') {
            let (line, after) = rest.split_at(end);
            rest = after.get(1..).unwrap_or_default();
            if self.partial.is_empty() {
                self.line(line, found)?;
            } else {
                self.keep(line)?;
                let whole = std::mem::take(&mut self.partial);
                self.line(&whole, found)?;
                self.partial = whole;
                self.partial.clear();
            }
        }
        self.keep(rest)
    }

    fn keep(&mut self, part: &[u8]) -> Result<(), Damage> {
        if self.partial.len() + part.len() > LINE_MAX {
            return Err(Damage { line: self.lines + 1, what: self.unless_foreign(What::TooLong) });
        }
        self.partial.extend_from_slice(part);
        Ok(())
    }

    fn line(&mut self, line: &[u8], found: &mut impl FnMut(Item)) -> Result<(), Damage> {
        self.lines += 1;
        let item = if line.len() > LINE_MAX { Err(What::TooLong) } else { self.read(line) };
        match item {
            Ok(item) => item.into_iter().for_each(found),
            Err(what) => return Err(Damage { line: self.lines, what: self.unless_foreign(what) }),
        }
        Ok(())
    }

    fn read(&mut self, line: &[u8]) -> Result<Option<Item>, What> {
        if let Some(b'0'..=b'9' | b'-') = line.first()
            && self.has_header
        {
            return text::parse(line).map(|event| Some(Item::Event(event))).map_err(What::Flaw);
        }
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(None);
        }
        match Header::parse(line) {
            Some(Ok(header)) => {
                self.has_header = true;
                Ok(Some(Item::Header(header)))
            }
            Some(Err(NotRead::Newer(version))) => Err(What::NewerFormat(version)),
            Some(Err(NotRead::Flaw(flaw))) => Err(What::Flaw(flaw)),
            None if !self.has_header => Err(What::NoHeader),
            None => lost(line).map(|lost| Some(Item::Lost(lost))).map_err(What::Flaw),
        }
    }

    /// Before a header has come, no line is damaged: it is of another file.
    fn unless_foreign(&self, what: What) -> What {
        match what {
            What::TooLong if !self.has_header => What::NoHeader,
            What::TooLong | What::NoHeader | What::NewerFormat(_) | What::Flaw(_) => what,
        }
    }
}

/// `lost N`, or what is wrong with an event's line.
fn lost(line: &[u8]) -> Result<i64, Flaw> {
    let mut fields = Fields::of(line);
    if fields.next(LOST)? != LOST.as_bytes() {
        return text::parse(line).and(Err(Flaw::unreadable("line of a recording", line)));
    }
    let lost = fields.number("number of lost events")?;
    fields.end()?;
    Ok(lost)
}

#[cfg(test)]
mod tests;
