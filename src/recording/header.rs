//! The header line: format version, program version, engine configuration.
//!
//! A setting that is missing from the header did not exist when the recording was made: it has the value that the engine
//! had then. A setting that this program does not know is an error: the replay could differ from what happened.

use std::fmt;

use super::VERSION;
use crate::core::engine::Config;
use crate::core::event::text::{Fields, Flaw, Value};
use crate::core::time::Date;

/// The first word of a header.
pub(crate) const MAGIC: &str = "gnss2shm-recording";

/// Follows the header in every file, for human readers.
pub(crate) const LEGEND: &str = "\
# Each line: CLOCK_MONOTONIC_RAW in ns, keyword, fields; all times in ns. See gnss2shm-recording(5).
#   bytes TIME-OF-ONE-BYTE \"DATA\" | edge PHC | cross PHC SYSTEM WINDOW | source CHANGE | tick
#   report SECOND NAMED-AT BEGAN-AT | witness MAX-ERROR | leap-table DAY KIND
";

/// The range of dates that was accepted before headers contained it; must never change.
const FLOOR_UNSAID: Date = Date::from_days(20_758); // 2026-11-01
const CEILING_UNSAID: Date = Date::from_days(27_926); // 2046-06-17

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the program that recorded.
    pub program: String,
    /// Which file of a run this is, from 1. An engine that saw the file before can continue with it.
    pub part: i64,
    /// The configuration of the engine.
    pub config: Config,
}

impl Header {
    /// The header of the first file of a run of this program.
    pub fn new(config: Config) -> Self {
        Self { program: env!("CARGO_PKG_VERSION").to_owned(), part: 1, config }
    }

    /// Whether a recording with this header continues one with the header `before`.
    pub fn continues(&self, before: &Self) -> bool {
        (self.part, &self.program, self.config) == (before.part.saturating_add(1), &before.program, before.config)
    }

    /// Reads a line (without its end) from the field after [`MAGIC`] on.
    pub(super) fn after_magic(mut fields: Fields<'_>) -> Result<Self, Flaw> {
        let version: i64 = fields.take("format version")?;
        if !(1..=VERSION).contains(&version) {
            return Err(Flaw(format!("the recording has format {version}; this program reads 1 to {VERSION}")));
        }
        let config = Config { date_floor: FLOOR_UNSAID, date_ceiling: CEILING_UNSAID, ..Config::default() };
        let mut header = Self { program: String::new(), part: 1, config };
        let mut seen: Vec<&[u8]> = Vec::new();
        while let Ok(setting) = fields.next("setting") {
            let mut parts = setting.splitn(2, |&byte| byte == b'=');
            let (name, value) = (parts.next().unwrap_or_default(), parts.next());
            let known = value.filter(|_| !seen.contains(&name)).and_then(|value| header.set(name, value));
            known.ok_or_else(|| Flaw::unreadable("setting of this program", setting))?;
            seen.push(name);
        }
        Ok(header)
    }

    /// `None` for an unknown setting or value.
    fn set(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        match name {
            b"program" => self.program = String::from_utf8(value.into()).ok()?,
            b"part" => self.part = i64::read(value).filter(|part| *part >= 1)?,
            _ => self.config.set(name, value)?,
        }
        Some(())
    }
}

/// The line, without its end.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, part, config } = self;
        write!(f, "{MAGIC} {VERSION} program={program} part={part} {config}")
    }
}
