//! Settings, from the command line and from a file. A wrong one is refused at start, with its place in the file; what
//! is in here afterwards can be used as it is.

use std::fmt;
use std::ops::Range;
use std::path::Path;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, de};

use crate::duration::parse_span;
use crate::engine;
use crate::engine::guard;
use crate::source::phc::{PhcConfig, Pin};
use crate::source::serial::SerialConfig;
use crate::time::Span;

/// Everything that `gnss2shm run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The receiver's port.
    pub serial: SerialConfig,
    /// The clock that time stamps the pulse.
    pub phc: PhcConfig,
    /// Unit of the SHM refclock.
    pub shm: u8,
    /// What the operator knows better than the wire.
    pub engine: engine::Config,
}

/// What may be said, in the file or on the command line; nothing of it has to be.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Given {
    /// The receiver's port.
    pub serial: Serial,
    /// The clock that time stamps the pulse.
    pub phc: PhcGiven,
    /// The SHM refclock.
    pub shm: Shm,
    /// The pulse.
    pub pulse: Pulse,
    /// The receiver's sentences.
    pub sentences: Sentences,
    /// How long seconds are counted on the pulse alone.
    pub holdover: Option<Duration>,
    /// `"refuse"` or `"correct"` dates from before this release by multiples of 1024 weeks.
    pub rollover: Option<Rollover>,
    /// `"block"`, `"warn"` or `"off"`: what to do when the system clock disagrees with the first label.
    pub witness: Option<Witness>,
    /// `"assume"` the two conventions, or have them `"confirm"`ed.
    pub conventions: Option<Conventions>,
}

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident = $engine:path { $($variant:ident: $says:literal),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, clap::ValueEnum)]
        #[serde(rename_all = "kebab-case")]
        pub enum $name {
            $(#[doc = $says] $variant,)*
        }

        impl From<$name> for $engine {
            fn from(choice: $name) -> Self {
                match choice {
                    $($name::$variant => Self::$variant,)*
                }
            }
        }
    )*};
}

choices! {
    /// What is done with a receiver whose week number rolled over.
    Rollover = guard::Rollover {
        Refuse: "its dates are refused",
        Correct: "multiples of 1024 weeks are added"
    }
    /// What is done when the system clock disagrees with the first label.
    Witness = guard::WitnessMode {
        Block: "nothing is published",
        Warn: "it is said",
        Off: "it is not asked"
    }
    /// What is done about the two conventions that no wire can contradict.
    Conventions = guard::Conventions {
        Assume: "they are assumed, unless the witness disagrees",
        Confirm: "they must be configured, or the witness must agree"
    }
}

/// `[serial]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Serial {
    /// Path of the device.
    pub device: Option<String>,
    /// Bits a second.
    pub baud: Option<Baud>,
}

/// `[phc]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct PhcGiven {
    /// Interface or `/dev/ptpN`.
    pub device: Option<String>,
    /// Name or number of the pin.
    #[serde(deserialize_with = "pin")]
    pub pin: Option<Pin>,
    /// Channel of external time stamps.
    pub channel: Option<u32>,
}

/// `[shm]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shm {
    /// Unit.
    pub unit: Option<u8>,
}

/// `[pulse]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Pulse {
    /// Pulse width.
    pub width: Option<Width>,
}

/// `[sentences]`
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
pub struct Sentences {
    /// Pulse to first byte.
    pub delay: Option<Delay>,
    /// ZDA alone is valid.
    pub trust_zda: Option<bool>,
}

/// Why settings cannot be used: one sentence, with its place where it comes from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(String),
    /// The file is wrong.
    Wrong(String),
    /// Something is neither in the file nor on the command line.
    Missing(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(sentence) | Self::Wrong(sentence) | Self::Missing(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Given {
    /// What this file says.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| ConfigError::Unreadable(format!("{} cannot be read: {error}", path.display())))?;
        Self::parse(&text).map_err(|(at, message)| ConfigError::Wrong(format!("{}:{at}: {message}", path.display())))
    }

    /// What this text says; else the place (`line:column`) and what is wrong there.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        toml::from_str(text).map_err(|error| {
            let (line, column) = place(text, error.span().unwrap_or_default().start);
            (format!("{line}:{column}"), error.message().replace('\n', "; "))
        })
    }

    /// What is said here, and where nothing is said, what `other` says.
    #[must_use]
    pub fn or(self, other: Self) -> Self {
        Self {
            serial: Serial {
                device: self.serial.device.or(other.serial.device),
                baud: self.serial.baud.or(other.serial.baud),
            },
            phc: PhcGiven {
                device: self.phc.device.or(other.phc.device),
                pin: self.phc.pin.or(other.phc.pin),
                channel: self.phc.channel.or(other.phc.channel),
            },
            shm: Shm { unit: self.shm.unit.or(other.shm.unit) },
            pulse: Pulse { width: self.pulse.width.or(other.pulse.width) },
            sentences: Sentences {
                delay: self.sentences.delay.or(other.sentences.delay),
                trust_zda: self.sentences.trust_zda.or(other.sentences.trust_zda),
            },
            holdover: self.holdover.or(other.holdover),
            rollover: self.rollover.or(other.rollover),
            witness: self.witness.or(other.witness),
            conventions: self.conventions.or(other.conventions),
        }
    }

    /// Settings that can be used, with defaults for what nobody said.
    pub fn settle(self) -> Result<Settings, ConfigError> {
        let missing = |what, flag, table| {
            ConfigError::Missing(format!("no {what} is given: say {flag}, or device in [{table}] of the --config file"))
        };
        let defaults = engine::Config::default();
        Ok(Settings {
            serial: SerialConfig {
                device: self.serial.device.ok_or_else(|| missing("serial port", "--serial /dev/ttyS0", "serial"))?,
                baud: self.serial.baud.map_or(9_600, |baud| baud.0),
            },
            phc: PhcConfig {
                device: self.phc.device.ok_or_else(|| missing("PTP hardware clock", "--phc eth0", "phc"))?,
                pin: self.phc.pin,
                channel: self.phc.channel.unwrap_or(0),
            },
            shm: self.shm.unit.unwrap_or(0),
            engine: engine::Config {
                width: self.pulse.width.map(|width| width.0),
                delay: self.sentences.delay.map(|delay| delay.0),
                holdover: self.holdover.map_or(defaults.holdover, |holdover| holdover.0),
                trust_zda: self.sentences.trust_zda.unwrap_or(defaults.trust_zda),
                rollover: self.rollover.map_or(defaults.rollover, Into::into),
                witness: self.witness.map_or(defaults.witness, Into::into),
                conventions: self.conventions.map_or(defaults.conventions, Into::into),
                ..defaults
            },
        })
    }
}

/// Line and column, both from 1, of a byte in a text.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

/// Bits a second: 300 to 4,000,000.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Baud(pub u32);

impl std::str::FromStr for Baud {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        text.parse().ok().and_then(Self::new).ok_or_else(|| format!("`{text}` is no baud rate: 300 to 4000000"))
    }
}

impl Baud {
    fn new(rate: u32) -> Option<Self> {
        (300..=4_000_000).contains(&rate).then_some(Self(rate))
    }
}

impl<'de> Deserialize<'de> for Baud {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let rate = u32::deserialize(from)?;
        Self::new(rate).ok_or_else(|| D::Error::custom(format!("`{rate}` is no baud rate: 300 to 4000000")))
    }
}

macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident: $range:expr, $says:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub Span);

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let range: Range<Span> = $range;
                let span = parse_span(text)?;
                if range.contains(&span) { Ok(Self(span)) } else { Err(format!("`{text}` is out of range: {}", $says)) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from)?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

durations! {
    /// A pulse width: `"100ms"`.
    Width: Span::from_nanos(1)..Span::SECOND, "a pulse is shorter than a second";
    /// A sentence delay, negative where sentences name the next pulse.
    Delay: Span::from_secs(-1)..Span::from_secs(5), "sentences come from 1 s before to 5 s after their pulse";
    /// How long seconds are counted on the pulse alone.
    Duration: Span::ZERO..Span::from_secs(86_401), "from 0s to 24h";
}

/// A pin's name or its number.
fn pin<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Pin>, D::Error> {
    struct NameOrNumber;
    impl Visitor<'_> for NameOrNumber {
        type Value = Pin;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a pin's name, as in \"SDP0\", or its number")
        }
        fn visit_str<E: de::Error>(self, name: &str) -> Result<Pin, E> {
            name.parse().map_err(E::custom)
        }
        fn visit_i64<E: de::Error>(self, number: i64) -> Result<Pin, E> {
            u32::try_from(number).map(Pin::Index).map_err(|_| E::invalid_value(Unexpected::Signed(number), &self))
        }
    }
    from.deserialize_any(NameOrNumber).map(Some)
}

#[cfg(test)]
mod tests;
