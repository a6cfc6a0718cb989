//! A value as it stands in the file, and what it takes to become a setting.

use std::path::PathBuf;
use std::str::FromStr;

use clap::ValueEnum;
use toml::de::{DeInteger, DeValue};

use super::values::{
    Channel, Conventions, Delay, Duration, Edges, Loopback, Offset, Rate, Rollover, Unit, Width, Witness,
};
use crate::core::size::Size;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::Pin;
use crate::source::pps::Capture;
use crate::source::serial::Baud;
use crate::source::server::Server;

/// Nothing that is read from a text is longer: what is, is not repeated in an error.
const TEXT_MAX: usize = 300;

/// As much is repeated of what is wrong.
const QUOTED_MAX: usize = 80;

/// What stands behind the equals sign.
pub(super) enum Written<'a> {
    /// In quotes.
    Text(&'a str),
    /// A number, in decimal.
    Number(String),
    /// `true` or `false`.
    Truth(bool),
    /// A date, an array or a table: no setting is one.
    Other,
}

impl<'a> From<&'a DeValue<'_>> for Written<'a> {
    fn from(value: &'a DeValue<'_>) -> Self {
        match value {
            DeValue::String(text) => Self::Text(text),
            DeValue::Integer(number) => Self::Number(decimal(number)),
            DeValue::Float(number) => Self::Number(number.as_str().to_owned()),
            DeValue::Boolean(truth) => Self::Truth(*truth),
            DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => Self::Other,
        }
    }
}

/// Its beginning, where it is long.
pub(super) fn clipped(text: &str) -> String {
    match text.char_indices().nth(QUOTED_MAX) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

fn decimal(number: &DeInteger<'_>) -> String {
    i128::from_str_radix(number.as_str(), number.radix())
        .map_or_else(|_| number.as_str().to_owned(), |number| number.to_string())
}

/// What a setting can be.
pub(super) trait Value: Sized {
    /// Completes "allowed is ".
    fn allowed() -> String;

    /// The setting; else a sentence that says what is allowed.
    fn read(written: &Written<'_>) -> Result<Self, String>;
}

/// Why this cannot be a `T`, where nothing is to be said of it but that.
fn not_allowed<T: Value>() -> String {
    format!("allowed is {}", T::allowed())
}

/// Read as on the command line, in quotes or as a number.
fn parse<T: Value + FromStr<Err = String>>(written: &Written<'_>) -> Result<T, String> {
    match written {
        Written::Text(text) if text.len() <= TEXT_MAX => text.parse(),
        Written::Number(text) if text.len() <= TEXT_MAX => text.parse(),
        Written::Text(_) | Written::Number(_) | Written::Truth(_) | Written::Other => Err(not_allowed::<T>()),
    }
}

macro_rules! as_on_the_command_line {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn allowed() -> String {
                Self::ALLOWED.to_owned()
            }
            fn read(written: &Written<'_>) -> Result<Self, String> {
                parse(written)
            }
        }
    )*};
}

as_on_the_command_line!(Width Delay Duration Offset Unit Channel Rate Loopback Baud Server GpsdConfig Size);

macro_rules! one_of {
    ($($type:ty)*) => {$(
        impl Value for $type {
            fn allowed() -> String {
                let choices: Vec<_> = Self::value_variants()
                    .iter()
                    .filter_map(|choice| Some(format!("\"{}\"", choice.to_possible_value()?.get_name())))
                    .collect();
                super::listed(&choices, "or")
            }
            fn read(written: &Written<'_>) -> Result<Self, String> {
                match written {
                    Written::Text(text) => Self::from_str(text, false).ok(),
                    Written::Number(_) | Written::Truth(_) | Written::Other => None,
                }
                .ok_or_else(not_allowed::<Self>)
            }
        }
    )*};
}

one_of!(Rollover Witness Conventions Capture Edges);

macro_rules! in_quotes {
    ($($type:ty: $says:literal;)*) => {$(
        impl Value for $type {
            fn allowed() -> String {
                $says.to_owned()
            }
            fn read(written: &Written<'_>) -> Result<Self, String> {
                match written {
                    Written::Text(text) if !text.is_empty() => Ok(Self::from(*text)),
                    Written::Text(_) | Written::Number(_) | Written::Truth(_) | Written::Other => {
                        Err(not_allowed::<Self>())
                    }
                }
            }
        }
    )*};
}

in_quotes! {
    String: "a name in quotes, as in \"/dev/ttyS0\" or \"eth0\"";
    PathBuf: "a path in quotes, as in \"/run/gnss\"";
}

impl Value for Pin {
    fn allowed() -> String {
        Self::ALLOWED.to_owned()
    }
    fn read(written: &Written<'_>) -> Result<Self, String> {
        match written {
            // `nan` is a number in TOML, and would do as a name.
            Written::Number(text) => text.parse().map(Self::Index).map_err(|_| not_allowed::<Self>()),
            Written::Text(_) | Written::Truth(_) | Written::Other => parse(written),
        }
    }
}

impl Value for bool {
    fn allowed() -> String {
        "true or false, without quotes".to_owned()
    }
    fn read(written: &Written<'_>) -> Result<Self, String> {
        match written {
            Written::Truth(truth) => Ok(*truth),
            Written::Text(_) | Written::Number(_) | Written::Other => Err(not_allowed::<Self>()),
        }
    }
}
