//! Values that settings have: each knows its range, and how it is written on the command line and in the file.

use std::fmt;
use std::net::SocketAddr;
use std::ops::Range;

use serde::de::{Deserializer, Error, Unexpected, Visitor};
use serde::{Deserialize, de};

use crate::duration::parse_span;
use crate::engine::guard;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::Pin;
use crate::source::serial::Baud;
use crate::source::server::Server;
use crate::time::Span;

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
                from.deserialize_any(Written("a time with its unit, as in \"100ms\""))?.parse().map_err(D::Error::custom)
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
    /// How late the pulse reaches the NIC, by cable and antenna: `"25ns"`; negative where it comes early.
    Offset: Span::from_millis(-1)..Span::from_nanos(1_000_001), "cables and antennas delay a pulse by less than 1ms";
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($int:ty): $says:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $int);

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                text.parse().map(Self).map_err(|_| format!("`{text}` is not {}", $says))
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Written($says))?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

numbers! {
    /// A unit of the SHM refclock.
    Unit(u8): "a unit, a whole number from 0 to 255";
    /// A channel of external time stamps.
    Channel(u32): "a channel, a whole number from 0";
}

/// The rate of the pulse: once a second. Nothing else can be labelled; whoever says another rate gets told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate;

impl std::str::FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_end_matches("Hz").trim_end() {
            "1" => Ok(Self),
            _ => Err(format!(
                "`{text}` is not 1 Hz: a sentence names one pulse a second, so set the receiver to one pulse a second"
            )),
        }
    }
}

/// An address that only this machine can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(pub SocketAddr);

impl std::str::FromStr for Loopback {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let address: SocketAddr = text
            .parse()
            .map_err(|_| format!("`{text}` is no address and port: write it as in 127.0.0.1:9123 or [::1]:9123"))?;
        if address.ip().is_loopback() {
            Ok(Self(address))
        } else {
            Err(format!(
                "`{text}` is not on loopback: metrics are for this machine; let a proxy or a tunnel carry them further"
            ))
        }
    }
}

/// A string or a whole number, as it is written.
struct Written(&'static str);

impl Visitor<'_> for Written {
    type Value = String;
    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
    fn visit_str<E: de::Error>(self, text: &str) -> Result<String, E> {
        Ok(text.to_owned())
    }
    fn visit_i64<E: de::Error>(self, number: i64) -> Result<String, E> {
        Ok(number.to_string())
    }
}

macro_rules! written {
    ($($type:ty: $says:literal;)*) => {$(
        impl<'de> Deserialize<'de> for $type {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                from.deserialize_any(Written($says))?.parse().map_err(D::Error::custom)
            }
        }
    )*};
}

written! {
    Baud: "a baud rate from 300 to 4000000, or \"auto\"";
    Server: "a host and port, as in \"localhost:2947\"";
    GpsdConfig: "a host and port, as in \"localhost:2947\"";
    Loopback: "an address and port on loopback, as in \"127.0.0.1:9123\"";
    Rate: "1, the only rate there is";
}

impl<'de> Deserialize<'de> for Pin {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
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
        from.deserialize_any(NameOrNumber)
    }
}
