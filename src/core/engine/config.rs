//! The engine's settings: what the operator knows and the wires cannot show, and the dates that this release accepts.

use std::fmt;

use crate::core::event::Edges;
use crate::core::event::text::{Value, Word, words};
use crate::core::time::{Date, Span};

/// Dates before this release are wrong: a receiver that names one has the wrong week number or no fix yet. Moved
/// forward with every release.
pub(crate) const DATE_FLOOR: Date = match Date::new(2026, 11, 1) {
    Some(date) => date,
    None => Date::from_days(0),
};
/// GPS counts weeks modulo 1024 (ten bits, IS-GPS-200): dates are ambiguous by this period.
pub(super) const ROLLOVER_WEEKS: i64 = 1_024;
/// Dates from here on are not accepted.
pub(crate) const DATE_CEILING: Date = Date::from_days(DATE_FLOOR.days() + ROLLOVER_WEEKS * 7);

/// The value of a setting that is not given.
const AUTO: &str = "auto";

/// What to do with a receiver whose week number rolled over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollover {
    /// Refuse its dates.
    Refuse,
    /// Add whole multiples of 1024 weeks.
    Correct,
}

/// What to do if the system clock disagrees with the first label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WitnessMode {
    /// Nothing is published.
    #[default]
    Block,
    /// The disagreement is logged.
    Warn,
    /// The system clock is ignored.
    Off,
}

/// How to treat the two conventions that no wire can contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Conventions {
    /// Assume them, unless the system clock disagrees.
    #[default]
    Assume,
    /// They must be configured, or the system clock must agree.
    Confirm,
}

/// Everything that the verdicts depend on, besides the events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pulse width; if not set, the shorter part of the second is the pulse.
    pub width: Option<Span>,
    /// Which edges the NIC timestamps; if not set, those that the driver granted.
    pub edges: Option<Edges>,
    /// Sentence delay, pulse to first byte; if not set, a sentence names the last pulse before it.
    pub delay: Option<Span>,
    /// How much later than the true second the on-time edge reaches the NIC, because of cable and antenna. A sample's
    /// system time is the edge's minus this; the sentence delay is counted from the edge as it arrives.
    pub offset: Span,
    /// How long seconds are counted by pulses alone.
    pub holdover: Span,
    /// Whether ZDA alone is valid.
    pub trust_zda: bool,
    /// Whether to correct pulses by the quantization error that a u-blox receiver announces.
    pub sawtooth: bool,
    /// What to do with dates before [`Self::date_floor`].
    pub rollover: Rollover,
    /// What to do if the system clock disagrees with the first label.
    pub witness: WitnessMode,
    /// How to treat the conventions that no wire can contradict.
    pub conventions: Conventions,
    /// The first UTC day that is accepted.
    pub date_floor: Date,
    /// The first UTC day that is not.
    pub date_ceiling: Date,
}

impl Config {
    /// Sets the setting that a recording's header calls `name`. `None` for an unknown setting or value.
    pub(crate) fn set(&mut self, name: &[u8], value: &[u8]) -> Option<()> {
        match name {
            b"width" => self.width = Value::read(value)?,
            b"edges" => self.edges = Value::read(value)?,
            b"delay" => self.delay = Value::read(value)?,
            b"offset" => self.offset = Value::read(value)?,
            b"holdover" => self.holdover = Value::read(value)?,
            b"trust-zda" => self.trust_zda = Value::read(value)?,
            b"sawtooth" => self.sawtooth = Value::read(value)?,
            b"rollover" => self.rollover = Value::read(value)?,
            b"witness" => self.witness = Value::read(value)?,
            b"conventions" => self.conventions = Value::read(value)?,
            b"date-floor" => self.date_floor = Value::read(value)?,
            b"date-ceiling" => self.date_ceiling = Value::read(value)?,
            _ => return None,
        }
        Some(())
    }
}

/// Every setting, as a recording's header names it and [`Config::set`] reads it.
impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let auto = |span: Option<Span>| span.map_or(AUTO.into(), |span| span.nanos().to_string());
        write!(f, "width={} delay={} offset={}", auto(self.width), auto(self.delay), self.offset.nanos())?;
        write!(f, " edges={} holdover={}", self.edges.map_or(AUTO, |edges| edges.word()), self.holdover.nanos())?;
        write!(f, " trust-zda={} sawtooth={}", self.trust_zda.word(), self.sawtooth.word())?;
        write!(f, " rollover={} witness={}", self.rollover.word(), self.witness.word())?;
        write!(f, " conventions={}", self.conventions.word())?;
        write!(f, " date-floor={} date-ceiling={}", self.date_floor, self.date_ceiling)
    }
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: None,
            edges: None,
            delay: None,
            offset: Span::ZERO,
            holdover: Span::from_secs(60),
            trust_zda: false,
            sawtooth: false,
            rollover: Rollover::Refuse,
            witness: WitnessMode::Block,
            conventions: Conventions::Assume,
            date_floor: DATE_FLOOR,
            date_ceiling: DATE_CEILING,
        }
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

words! { Edges:
    (Self::RisingOnly) = "one",
    (Self::Both) = "both",
    (Self::Unknown) = "unknown",
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

words! { Conventions:
    (Self::Assume) = "assume",
    (Self::Confirm) = "confirm",
}
