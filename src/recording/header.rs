//! The header line: format version, program version, engine configuration.
//!
//! A setting that is missing from the header did not exist when the recording was made: it has the value that the engine
//! had then. A setting that this program does not know is an error: the replay could differ from what happened.

use std::fmt;

use super::VERSION;
use crate::core::engine::Config;
use crate::core::engine::guard::{Conventions, Rollover, WitnessMode};
use crate::core::event::Edges;
use crate::core::event::text::{Fields, Flaw, Value, Word, words};
use crate::core::time::{Date, Span};

/// The first word of a header.
pub const MAGIC: &str = "gnss2shm-recording";

/// Follows the header in every file, for human readers.
pub const LEGEND: &str = "\
# Each line: CLOCK_MONOTONIC_RAW in ns, keyword, fields; all times in ns. See gnss2shm-recording(5).
#   bytes TIME-OF-ONE-BYTE \"DATA\" | edge PHC | cross PHC SYSTEM WINDOW | source CHANGE | tick
#   report SECOND NAMED-AT BEGAN-AT | witness MAX-ERROR | leap-table DAY KIND
";

/// The range of dates that was accepted before headers contained it; must never change.
const FLOOR_UNSAID: Date = Date::from_days(20_758); // 2026-11-01
const CEILING_UNSAID: Date = Date::from_days(27_926); // 2046-06-17

/// The value of a missing setting.
const AUTO: &str = "auto";

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
        let config = &mut self.config;
        match name {
            b"program" => self.program = String::from_utf8(value.into()).ok()?,
            b"part" => self.part = i64::read(value).filter(|part| *part >= 1)?,
            b"width" => config.width = Value::read(value)?,
            b"edges" => config.edges = Value::read(value)?,
            b"delay" => config.delay = Value::read(value)?,
            b"offset" => config.offset = Value::read(value)?,
            b"holdover" => config.holdover = Value::read(value)?,
            b"trust-zda" => config.trust_zda = Value::read(value)?,
            b"sawtooth" => config.sawtooth = Value::read(value)?,
            b"rollover" => config.rollover = Value::read(value)?,
            b"witness" => config.witness = Value::read(value)?,
            b"conventions" => config.conventions = Value::read(value)?,
            b"date-floor" => config.date_floor = Value::read(value)?,
            b"date-ceiling" => config.date_ceiling = Value::read(value)?,
            _ => return None,
        }
        Some(())
    }
}

/// The line, without its end. A new setting must be written here and read in `set`.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, part, config } = self;
        let auto = |span: Option<Span>| span.map_or(AUTO.into(), |span| span.nanos().to_string());
        write!(f, "{MAGIC} {VERSION} program={program} part={part}")?;
        write!(f, " width={} delay={} offset={}", auto(config.width), auto(config.delay), config.offset.nanos())?;
        write!(f, " edges={} holdover={}", config.edges.map_or(AUTO, |edges| edges.word()), config.holdover.nanos())?;
        write!(f, " trust-zda={} sawtooth={}", config.trust_zda.word(), config.sawtooth.word())?;
        write!(f, " rollover={} witness={}", config.rollover.word(), config.witness.word())?;
        write!(f, " conventions={}", config.conventions.word())?;
        write!(f, " date-floor={} date-ceiling={}", config.date_floor, config.date_ceiling)
    }
}

impl<T: Value> Value for Option<T> {
    fn read(text: &[u8]) -> Option<Self> {
        if text == AUTO.as_bytes() { Some(None) } else { T::read(text).map(Some) }
    }
}

words! { bool:
    (true) = "yes",
    (false) = "no",
}

words! { Rollover:
    (Self::Refuse) = "refuse",
    (Self::Correct) = "correct",
}

words! { WitnessMode:
    (Self::Block) = "block",
    (Self::Warn) = "warn",
    (Self::Off) = "off",
}

words! { Edges:
    (Self::RisingOnly) = "one",
    (Self::Both) = "both",
    (Self::Unknown) = "unknown",
}

words! { Conventions:
    (Self::Assume) = "assume",
    (Self::Confirm) = "confirm",
}
