//! What goes into a PHC's ioctls and what comes out, as values that cannot be invalid.

use crate::core::time::{Instant, Phc, Raw, Sys};

/// What a PHC can do (`PTP_CLOCK_GETCAPS`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Caps {
    /// Channels of external timestamps.
    pub n_ext_ts: u32,
    /// Pins that can be given a function; none where the wiring is fixed.
    pub n_pins: u32,
    /// Whether the driver has cross timestamps in hardware.
    pub cross_timestamping: Crosststamp,
    /// Largest change of its rate, in parts per billion.
    pub max_adj: i32,
}

/// Cross timestamps in hardware (`PCIe` PTM and its like).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crosststamp {
    /// The driver has them. Whether the machine's `PCIe` root has, only trying shows.
    Offered,
    /// The driver has not.
    Missing,
}

/// A pin and what it is set to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PinState {
    /// The driver's name for it.
    pub name: String,
    /// Its number, from 0.
    pub index: u32,
    /// What it does.
    pub function: Function,
    /// For which channel of that function.
    pub channel: u32,
}

/// What a pin does (`enum ptp_pin_function`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Function {
    /// Nothing.
    None,
    /// Stamps edges that come in.
    ExtTs,
    /// Another one, by its number: a periodic output, mostly.
    Other(u32),
}

/// One rung of the ladder of requests for external timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// `PTP_EXTTS_REQUEST2`: rising edges and no others, or an error.
    StrictRising,
    /// `PTP_EXTTS_REQUEST2`: both edges, or an error. All that igb and igc grant.
    StrictBoth,
    /// `PTP_EXTTS_REQUEST`: rising edges, and the driver may do as it likes. All that there is before Linux 5.4.
    Loose,
}

/// Whose queue a descriptor's events come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Queue {
    /// Its own: it gets every event.
    Own,
    /// That of all descriptors: each event goes to one reader. All that there is before Linux 6.7.
    Shared,
}

/// Why [`Ptp::wait`](super::Ptp::wait) came back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Woken {
    /// The time is over; perhaps a little early, if a signal came.
    Timeout,
    /// Events are queued: [`Ptp::read`](super::Ptp::read) will not block.
    Events,
    /// The bell was rung.
    Rung,
    /// The device is gone.
    Gone,
}

/// A queued event: an edge on a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// The hardware's timestamp.
    pub phc: Instant<Phc>,
    /// The channel.
    pub channel: u32,
}

/// The PHC was read between two readings of the system clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bracket {
    /// System clock before.
    pub before: Instant<Sys>,
    /// PHC.
    pub phc: Instant<Phc>,
    /// System clock after.
    pub after: Instant<Sys>,
}

/// All three clocks at one moment, latched by hardware.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Precise {
    /// PHC.
    pub phc: Instant<Phc>,
    /// System clock.
    pub sys: Instant<Sys>,
    /// `CLOCK_MONOTONIC_RAW`.
    pub raw: Instant<Raw>,
}
