//! The header line: which format, which program, which engine configuration.
//!
//! A setting that the header does not name did not exist when the recording was made: it stands at what the engine did
//! then. A setting that this program does not know is an error: it could not repeat what happened.

use std::fmt;

use super::VERSION;
use crate::core::engine::Config;
use crate::core::engine::guard::{Conventions, Rollover, WitnessMode};
use crate::core::event::Edges;
use crate::core::event::text::{Fields, Flaw, Word, words};
use crate::core::time::{Date, Span};

/// The first word of a header.
pub const MAGIC: &str = "gnss2shm-recording";

/// What stands below the header of every file for whoever reads it.
pub const LEGEND: &str = "\
# Each line: CLOCK_MONOTONIC_RAW in ns, keyword, fields; all times in ns. See gnss2shm-recording(5).
#   bytes TIME-OF-ONE-BYTE \"DATA\" | edge PHC | cross PHC SYSTEM WINDOW | source CHANGE | tick
#   report SECOND NAMED-AT BEGAN-AT | witness MAX-ERROR | leap-table DAY KIND
";

/// Which days were believed when headers did not say it yet; never to be moved.
const FLOOR_UNSAID: Date = day(2026, 11, 1);
const CEILING_UNSAID: Date = day(2046, 6, 17);

/// What a setting says that is not given.
const AUTO: &[u8] = b"auto";

/// A header.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Version of the program that recorded.
    pub program: String,
    /// Which file of a run this is, from 1. An engine that saw the file before this one may go on with it.
    pub part: i64,
    /// How the engine was configured.
    pub config: Config,
}

impl Default for Header {
    fn default() -> Self {
        Self::new(Config::default())
    }
}

impl Header {
    /// The header of the first file of a run of this program.
    pub fn new(config: Config) -> Self {
        Self { program: env!("CARGO_PKG_VERSION").to_owned(), part: 1, config }
    }

    /// Whether a recording with this header goes on where one with `before` ended.
    pub fn continues(&self, before: &Self) -> bool {
        (self.part, &self.program, self.config) == (before.part.saturating_add(1), &before.program, before.config)
    }

    /// What a line (without its end) says, if it is a header.
    pub(super) fn parse(line: &[u8]) -> Option<Result<Self, NotRead>> {
        let mut fields = Fields::of(line);
        (fields.next("header") == Ok(MAGIC.as_bytes())).then(|| Self::after_magic(fields))
    }

    fn after_magic(mut fields: Fields<'_>) -> Result<Self, NotRead> {
        let version = fields.number("format version")?;
        if version > VERSION {
            return Err(NotRead::Newer(version));
        }
        if version < 1 {
            return Err(Flaw::unreadable("format version", version.to_string().as_bytes()).into());
        }
        let config = Config { date_floor: FLOOR_UNSAID, date_ceiling: CEILING_UNSAID, ..Config::default() };
        let mut header = Self { program: String::new(), part: 1, config };
        let mut seen: Vec<&[u8]> = Vec::new();
        while let Ok(setting) = fields.next("setting") {
            let wrong = || Flaw::unreadable("setting of this program", setting);
            let equals = setting.iter().position(|&byte| byte == b'=').ok_or_else(wrong)?;
            let (name, value) = (setting.get(..equals).unwrap_or_default(), setting.get(equals + 1..));
            if seen.contains(&name) {
                return Err(wrong().into());
            }
            header.set(name, value.unwrap_or_default()).ok_or_else(wrong)?;
            seen.push(name);
        }
        Ok(header)
    }

    /// Nothing where there is no such setting or no such value.
    fn set(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        let config = &mut self.config;
        match name {
            b"program" => self.program = String::from_utf8(value.into()).ok()?,
            b"part" => self.part = number(value).filter(|part| *part >= 1)?,
            b"width" => config.width = if value == AUTO { None } else { Some(span(value)?) },
            b"edges" => config.edges = if value == AUTO { None } else { Some(Edges::from_word(value)?) },
            b"delay" => config.delay = if value == AUTO { None } else { Some(span(value)?) },
            b"offset" => config.offset = span(value)?,
            b"holdover" => config.holdover = span(value)?,
            b"trust-zda" => config.trust_zda = bool::from_word(value)?,
            b"sawtooth" => config.sawtooth = bool::from_word(value)?,
            b"rollover" => config.rollover = Rollover::from_word(value)?,
            b"witness" => config.witness = WitnessMode::from_word(value)?,
            b"conventions" => config.conventions = Conventions::from_word(value)?,
            b"date-floor" => config.date_floor = date(value)?,
            b"date-ceiling" => config.date_ceiling = date(value)?,
            _ => return None,
        }
        Some(())
    }
}

/// The line, without its end.
impl fmt::Display for Header {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { program, part, config } = self;
        // Every setting by name: one that is new in the engine has to be written here, and read in `set`.
        let Config {
            width,
            edges,
            delay,
            offset,
            holdover,
            trust_zda,
            sawtooth,
            rollover,
            witness,
            conventions,
            date_floor,
            date_ceiling,
        } = config;
        let auto = |span: &Option<Span>| span.map_or(AUTO.escape_ascii().to_string(), |span| span.nanos().to_string());
        write!(f, "{MAGIC} {VERSION} program={program} part={part}")?;
        write!(f, " width={} delay={} offset={}", auto(width), auto(delay), offset.nanos())?;
        write!(
            f,
            " edges={}",
            edges.as_ref().map_or(AUTO.escape_ascii().to_string(), |edges| edges.word().to_owned())
        )?;
        write!(f, " holdover={}", holdover.nanos())?;
        write!(f, " trust-zda={} sawtooth={}", trust_zda.word(), sawtooth.word())?;
        write!(f, " rollover={}", rollover.word())?;
        write!(f, " witness={} conventions={}", witness.word(), conventions.word())?;
        write!(f, " date-floor={date_floor} date-ceiling={date_ceiling}")
    }
}

/// Why a header cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotRead {
    /// It is of a newer format.
    Newer(i64),
    /// Something is wrong with it.
    Flaw(Flaw),
}

impl From<Flaw> for NotRead {
    fn from(flaw: Flaw) -> Self {
        Self::Flaw(flaw)
    }
}

fn number(text: &[u8]) -> Option<i64> {
    Fields::of(text).number("setting").ok()
}

fn span(text: &[u8]) -> Option<Span> {
    number(text).map(Span::from_nanos)
}

fn date(text: &[u8]) -> Option<Date> {
    Fields::of(text).date("setting").ok()
}

const fn day(year: i32, month: u8, day: u8) -> Date {
    match Date::new(year, month, day) {
        Some(date) => date,
        None => Date::from_days(0),
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
