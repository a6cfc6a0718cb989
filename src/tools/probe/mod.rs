//! Finds receiver and pulse on a machine of which nothing is known: lists the clocks and ports, listens on every port
//! at every rate, tries every pin, and has the engine judge what was found. It decides nothing about time: which edge
//! is on time and whether all is well is what [`Engine`](crate::core::engine::Engine) says of the events of the real
//! sources.
//!
//! Ports that somebody else has are left alone, pins are left as they were found.

use crate::source::gpsd::GpsdConfig;
use crate::source::phc::PhcConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::{Baud, SerialConfig};

pub mod figures;
pub mod gpsd;
pub mod heard;
pub mod pairing;
pub mod pins;
pub mod report;
mod search;
pub mod settings;
pub mod survey;

pub use pairing::Pairing;
pub use search::search;

use gpsd::Gpsd;
use heard::Heard;
use pins::Tried;
use survey::Clock;

/// Where to look.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// These ports and no others; all, where none is named.
    pub serial: Vec<String>,
    /// These clocks and no others; all, where none is named.
    pub phc: Vec<String>,
    /// A gpsd that may have the receiver.
    pub gpsd: GpsdConfig,
}

/// All that was found.
#[derive(Debug)]
pub struct Findings {
    /// The clocks, and what came of their pins.
    pub clocks: Vec<Searched>,
    /// The ports, and what they said.
    pub ports: Vec<Port>,
    /// Where a gpsd was asked for.
    pub asked: GpsdConfig,
    /// The gpsd that answered there.
    pub gpsd: Option<Gpsd>,
    /// The receiver that was taken.
    pub receiver: Option<ReceiverConfig>,
    /// The pin that was taken.
    pub pulse: Option<PhcConfig>,
    /// What became of the two together.
    pub pairing: Pairing,
}

/// A clock, and what came of its pins.
#[derive(Debug)]
pub struct Searched {
    /// Which.
    pub clock: Clock,
    /// Its pins; none where they were not tried.
    pub pins: Vec<Tried>,
    /// Why its pins were not tried, or not to the end.
    pub trouble: Option<String>,
}

/// A port, and what it said.
#[derive(Debug)]
pub struct Port {
    /// Its device.
    pub device: String,
    /// Why it was not listened to.
    pub left: Option<String>,
    /// What was heard.
    pub heard: Heard,
}

impl Port {
    /// As settings name it. A rate that was not heard stays the default.
    fn config(&self) -> ReceiverConfig {
        let baud = self.heard.rate().map(Baud::Rate).unwrap_or_default();
        ReceiverConfig::Serial(SerialConfig { device: self.device.clone(), baud })
    }
}
