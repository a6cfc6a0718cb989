//! The pulse's half of the input: whichever clock its edges are stamped by.

use std::fmt;
use std::io;

use tokio::sync::mpsc::Sender;

use super::phc::{Phc, PhcConfig, PhcError, PhcThread};
use super::pps::PpsConfig;
use crate::event::Event;

/// Where the edges come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PulseConfig {
    /// A PTP hardware clock.
    Phc(PhcConfig),
    /// A kernel PPS device: the system clock is its own PHC.
    Pps(PpsConfig),
}

/// As it is shown to the operator.
impl fmt::Display for PulseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phc(PhcConfig { device, pin: Some(pin), .. }) => write!(f, "pin {pin} of {device}"),
            Self::Phc(PhcConfig { device, pin: None, .. }) => f.write_str(device),
            Self::Pps(pps) => write!(f, "{}", pps.device.display()),
        }
    }
}

/// A source of edges that can be started.
#[derive(Debug)]
pub struct Pulse {
    config: PhcConfig,
    /// An open PHC; without it, the PHC is waited for.
    phc: Option<Phc>,
}

impl Pulse {
    /// Tries once: what is wrong is an error, what is not there yet is waited for when it runs.
    pub fn open(config: PulseConfig) -> Result<Self, PhcError> {
        let config = match config {
            PulseConfig::Phc(phc) => phc,
            PulseConfig::Pps(pps) => {
                PhcConfig { device: pps.device.to_string_lossy().into_owned(), pin: None, channel: 0 }
            }
        };
        let phc = match Phc::open(&config) {
            Ok(phc) => Some(phc),
            Err(error) if !error.is_fatal() => None,
            Err(error) => return Err(error),
        };
        Ok(Self { config, phc })
    }

    /// Starts the thread that owns it.
    pub fn start(self, events: Sender<Event>) -> io::Result<PhcThread> {
        PhcThread::spawn(self.config, self.phc, events)
    }
}
