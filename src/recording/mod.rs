//! Recordings: every event passed to the engine, as readable text that `gnss2shm replay` can repeat.
//!
//! A recording is a header line and then one event per line, in the order in which the engine got them; the same header
//! and events give the same verdicts. Blank lines and lines that begin with `#` are ignored, wherever they are.
//! The format is described in gnss2shm-recording(5).

mod header;
pub(crate) mod recorder;

use crate::core::event::Event;
use crate::core::event::text::{self, Fields, Flaw, LINE_MAX};

pub use header::Header;
pub(crate) use header::{LEGEND, MAGIC};

/// The format that is written, and the newest that is read.
pub(crate) const VERSION: i64 = 1;
/// The first word of a line with the number of events missing there.
pub(crate) const LOST: &str = "lost";

/// The content of a line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    /// A recording begins, or its next file.
    Header(Header),
    /// The engine received this event.
    Event(Event),
    /// The engine received this many events that could not be recorded.
    Lost(i64),
}

/// A line that cannot be read. Nothing after it is read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {flaw}")]
pub struct Damage {
    /// Number of the line, from 1.
    pub line: u64,
    flaw: Flaw,
}

/// Takes the text in pieces of any size.
#[derive(Debug, Default)]
pub struct Reader {
    /// The beginning of a line whose end has not arrived yet.
    partial: Vec<u8>,
    lines: u64,
    is_recording: bool,
    has_header: bool,
    damage: Option<Damage>,
}

impl Reader {
    /// Passes on the content of the lines that this piece completes, up to the first damaged one; after that, every
    /// call returns that error.
    pub fn push(&mut self, piece: &[u8], mut found: impl FnMut(Item)) -> Result<(), Damage> {
        if self.damage.is_none() {
            let taken = self.take(piece, &mut found);
            self.damage = taken.err().map(|flaw| Damage { line: self.lines + 1, flaw });
        }
        self.damage.clone().map_or(Ok(()), Err)
    }

    /// Whether the text ends within a line, as when the recording process was killed: that is not damage.
    pub fn breaks_off(&self) -> bool {
        !self.partial.is_empty()
    }

    /// Whether a header was read.
    pub fn has_header(&self) -> bool {
        self.has_header
    }

    /// Whether the text begins as a recording of any version, readable or not.
    pub(crate) fn is_recording(&self) -> bool {
        self.is_recording
    }

    fn take(&mut self, piece: &[u8], found: &mut impl FnMut(Item)) -> Result<(), Flaw> {
        for part in piece.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) = part.strip_suffix(b"\n").map_or((part, false), |text| (text, true));
            if self.partial.len() + text.len() > LINE_MAX {
                let too_long = Flaw(format!("longer than {LINE_MAX} bytes"));
                return Err(if self.is_recording { too_long } else { not_a_recording() });
            }
            self.partial.extend_from_slice(text);
            if ends {
                let line = std::mem::take(&mut self.partial);
                self.line(&line)?.into_iter().for_each(&mut *found);
                self.lines += 1;
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<Option<Item>, Flaw> {
        if line.is_empty() || line.starts_with(b"#") {
            return Ok(None);
        }
        let mut fields = Fields::of(line);
        let first = fields.next("header")?;
        if first == MAGIC.as_bytes() {
            self.is_recording = true;
            let header = Header::after_magic(fields)?;
            self.has_header = true;
            Ok(Some(Item::Header(header)))
        } else if !self.has_header {
            Err(not_a_recording())
        } else if first == LOST.as_bytes() {
            let lost = fields.take("number of lost events")?;
            fields.end()?;
            Ok(Some(Item::Lost(lost)))
        } else {
            text::parse(line).map(|event| Some(Item::Event(event)))
        }
    }
}

fn not_a_recording() -> Flaw {
    Flaw(format!("this is not a recording: it does not begin with `{MAGIC}`"))
}

#[cfg(test)]
mod tests;
