//! Values of settings. Each is read from text, alike in the file and on the command line, and says what is allowed.

use std::net::SocketAddr;
use std::ops::Range;
use std::str::FromStr;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use serde::de::{Deserialize, Deserializer, Error};
use toml::Value;

use crate::core::event::text::{Word, words};
use crate::core::time::Span;
use crate::core::units::{Size, parse_span};
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::Pin;
use crate::source::pps::Capture;
use crate::source::receiver::Server;
use crate::source::serial::Baud;

/// No value is longer than this; a longer one is not repeated in an error.
const TEXT_MAX: usize = 300;

/// Values of which `parse` makes something else than text, or says why not.
macro_rules! values {
    ($($(#[$doc:meta])* $name:ident($inner:ty) = $parse:expr, $allowed:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(crate) struct $name(pub(crate) $inner);

        impl $name {
            /// What an operator may write.
            const ALLOWED: &'static str = $allowed;
        }

        impl FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let parse: fn(&str) -> Result<$inner, String> = $parse;
                parse(text).map(Self).map_err(|why| format!("{why}; allowed is {}", $allowed))
            }
        }
    )*};
}

values! {
    /// A pulse width.
    Width(Span) = |text| time(text, Span::from_nanos(1)..Span::SECOND),
        "a time from 1ns to less than 1s, as in \"100ms\"";
    /// A sentence delay; negative if sentences name the next pulse.
    Delay(Span) = |text| time(text, Span::from_secs(-1)..Span::from_secs(5)),
        "a time from -1s to less than 5s, as in \"300ms\"";
    /// A holdover or waiting time.
    Duration(Span) = |text| time(text, Span::ZERO..Span::from_secs(86_401)),
        "a time from 0s to 24h, as in \"60s\"";
    /// The delay of the pulse in cable and antenna; negative if it arrives early.
    Offset(Span) = |text| time(text, Span::from_millis(-1)..Span::from_nanos(1_000_001)),
        "a time from -1ms to 1ms, as in \"25ns\"";
    /// A unit of the SHM refclock.
    Unit(u8) = number, "a whole number from 0 to 255";
    /// A channel of external timestamps.
    Channel(u32) = number, "a whole number from 0 to 4294967295";
    /// The pulse rate, which can only be 1 Hz: a sentence names one pulse a second.
    Rate(()) = rate, "1; set the receiver to one pulse a second";
    /// An address that only this machine can reach.
    Loopback(SocketAddr) = loopback, "an address on loopback with its port, as in \"127.0.0.1:9456\" or \"[::1]:9456\"";
}

fn time(text: &str, range: Range<Span>) -> Result<Span, String> {
    match parse_span(text)? {
        span if range.contains(&span) => Ok(span),
        _ => Err(format!("`{text}` is out of range")),
    }
}

fn number<T: FromStr>(text: &str) -> Result<T, String> {
    text.parse().map_err(|_| format!("`{text}` is refused"))
}

fn rate(text: &str) -> Result<(), String> {
    if text.trim_end_matches("Hz").trim_end() == "1" { Ok(()) } else { Err(format!("`{text}` is not 1 Hz")) }
}

fn loopback(text: &str) -> Result<SocketAddr, String> {
    let address = text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback());
    address.ok_or_else(|| format!("`{text}` is not on loopback; use a proxy to carry metrics further"))
}

/// Has the file read these types as the command line does, in quotes or as a number.
macro_rules! read_from_text {
    ($($type:ty)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Self, D::Error> {
                let text = match Value::deserialize(value) {
                    Ok(Value::String(text)) if text.len() <= TEXT_MAX => text,
                    Ok(Value::Integer(number)) => number.to_string(),
                    _ => return Err(not_allowed(Self::ALLOWED)),
                };
                text.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

read_from_text!(Width Delay Duration Offset Unit Channel Rate Loopback Size Baud Server GpsdConfig Pin);

fn not_allowed<E: Error>(allowed: &str) -> E {
    E::custom(format!("allowed is {allowed}"))
}

/// Reads a name or a path, which must be in quotes and not empty.
pub(super) fn quoted<'de, D: Deserializer<'de>, T: From<String>>(value: D) -> Result<Option<T>, D::Error> {
    match Value::deserialize(value) {
        Ok(Value::String(text)) if !text.is_empty() => Ok(Some(text.into())),
        _ => Err(not_allowed("a name or path in quotes, as in \"/dev/ttyS0\" or \"eth0\"")),
    }
}

/// Reads `true` or `false`.
pub(super) fn switch<'de, D: Deserializer<'de>>(value: D) -> Result<Option<bool>, D::Error> {
    bool::deserialize(value).map(Some).map_err(|_| not_allowed("true or false, without quotes"))
}

/// Reads one of the words of this type.
pub(super) fn word<'de, D: Deserializer<'de>, T: Word>(value: D) -> Result<Option<T>, D::Error> {
    let text = Value::deserialize(value).ok();
    let known = text.as_ref().and_then(Value::as_str).filter(|text| choices::<T>().any(|word| word == *text));
    let refused = || not_allowed(&choices::<T>().map(|word| format!("\"{word}\"")).collect::<Vec<_>>().join(" or "));
    known.and_then(|text| T::from_word(text.as_bytes())).map(Some).ok_or_else(refused)
}

/// The same on the command line.
pub(crate) fn word_parser<T: Word + Clone + Send + Sync>() -> impl TypedValueParser<Value = T> {
    PossibleValuesParser::new(choices::<T>()).try_map(|word| T::from_word(word.as_bytes()).ok_or("no such choice"))
}

/// What an operator can choose from; edges are never known to be unknown.
fn choices<T: Word>() -> impl Iterator<Item = &'static str> {
    T::ALL.iter().map(Word::word).filter(|word| *word != "unknown")
}

words! { Capture:
    (Self::Both) = "both",
    (Self::Assert) = "assert",
    (Self::Clear) = "clear",
}
