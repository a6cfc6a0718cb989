//! Values that settings have: each knows its range, how it is written, and how to say so.

use std::net::SocketAddr;
use std::ops::Range;

use crate::core::duration::parse_span_in;
use crate::core::engine::guard;
use crate::core::event;
use crate::core::time::Span;

macro_rules! choices {
    ($($(#[$doc:meta])* $name:ident = $engine:path { $($variant:ident: $says:literal),* })*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
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
        Refuse: "refuse them",
        Correct: "add multiples of 1024 weeks to them"
    }
    /// What is done when the system clock disagrees with the first label.
    Witness = guard::WitnessMode {
        Block: "publish nothing",
        Warn: "publish, and warn in the log",
        Off: "do not ask it"
    }
    /// What is done about the two conventions that no wire can contradict.
    Conventions = guard::Conventions {
        Assume: "assume them, unless the witness disagrees",
        Confirm: "publish nothing until both are configured, or the witness agrees"
    }
}

/// Which edges the NIC timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Edges {
    /// both edges: one alone is refused, because the other one is lost
    Both,
    /// the on-time edge alone: it is believed
    One,
}

impl From<Edges> for event::Edges {
    fn from(edges: Edges) -> Self {
        match edges {
            Edges::Both => Self::Both,
            Edges::One => Self::RisingOnly,
        }
    }
}

macro_rules! durations {
    ($($(#[$doc:meta])* $name:ident in $natural:literal: $range:expr, $allowed:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub Span);

        impl $name {
            /// What an operator may write.
            pub const ALLOWED: &'static str = $allowed;
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                let range: Range<Span> = $range;
                let span = parse_span_in($natural, text).map_err(|why| format!("{why}; allowed is {}", $allowed))?;
                if range.contains(&span) {
                    Ok(Self(span))
                } else {
                    Err(format!("`{text}` is out of range: allowed is {}", $allowed))
                }
            }
        }
    )*};
}

durations! {
    /// A pulse width: `"100ms"`.
    Width in "ms": Span::from_nanos(1)..Span::SECOND, "a time from 1ns to less than 1s, as in \"100ms\"";
    /// A sentence delay, negative where sentences name the next pulse.
    Delay in "ms": Span::from_secs(-1)..Span::from_secs(5), "a time from -1s to less than 5s, as in \"300ms\"";
    /// How long seconds are counted on the pulse alone.
    Duration in "s": Span::ZERO..Span::from_secs(86_401), "a time from 0s to 24h, as in \"60s\"";
    /// How late the pulse reaches the NIC, by cable and antenna: `"25ns"`; negative where it comes early.
    Offset in "ns": Span::from_millis(-1)..Span::from_nanos(1_000_001), "a time from -1ms to 1ms, as in \"25ns\"";
}

macro_rules! numbers {
    ($($(#[$doc:meta])* $name:ident($int:ty): $allowed:literal;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub struct $name(pub $int);

        impl $name {
            /// What an operator may write.
            pub const ALLOWED: &'static str = $allowed;
        }

        impl std::str::FromStr for $name {
            type Err = String;
            fn from_str(text: &str) -> Result<Self, String> {
                text.parse().map(Self).map_err(|_| format!("`{text}` is refused: allowed is {}", $allowed))
            }
        }
    )*};
}

numbers! {
    /// A unit of the SHM refclock.
    Unit(u8): "a whole number from 0 to 255";
    /// A channel of external timestamps.
    Channel(u32): "a whole number from 0 to 4294967295";
}

/// The rate of the pulse: once a second. Nothing else can be labeled; whoever says another rate gets told so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate;

impl Rate {
    /// What an operator may write.
    pub const ALLOWED: &'static str = "1";
}

impl std::str::FromStr for Rate {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.trim_end_matches("Hz").trim_end() {
            "1" => Ok(Self),
            _ => Err(format!(
                "`{text}` is not 1 Hz: allowed is {}, for a sentence names one pulse a second, so set the receiver to one \
                 pulse a second",
                Self::ALLOWED
            )),
        }
    }
}

/// An address that only this machine can reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Loopback(pub SocketAddr);

impl Loopback {
    /// What an operator may write.
    pub const ALLOWED: &'static str =
        "an address on loopback with its port, as in \"127.0.0.1:9456\" or \"[::1]:9456\"";
}

impl std::str::FromStr for Loopback {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let address: SocketAddr =
            text.parse().map_err(|_| format!("`{text}` is not an address and port: allowed is {}", Self::ALLOWED))?;
        if address.ip().is_loopback() {
            Ok(Self(address))
        } else {
            Err(format!(
                "`{text}` is not on loopback: allowed is {}; let a proxy or a tunnel carry metrics further",
                Self::ALLOWED
            ))
        }
    }
}
