//! The pulse's half of the input: the device that timestamps its edges.

use std::convert::Infallible;
use std::fmt;

use super::phc::{Phc, PhcConfig};
use super::pps::{KernelPps, PpsConfig};
use super::thread::{End, Link};
use crate::sys::error::{OpenError, Problem};

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

/// An open device that timestamps edges.
#[derive(Debug)]
pub(crate) enum Pulse {
    /// A PTP hardware clock.
    Phc(Phc),
    /// A kernel PPS device.
    Pps(KernelPps),
}

impl Pulse {
    /// Opens the device, and logs what was found.
    pub(crate) fn open(config: &PulseConfig) -> Result<Self, OpenError> {
        match config {
            PulseConfig::Phc(config) => Phc::open(config).map(Self::Phc),
            PulseConfig::Pps(config) => KernelPps::open(config).map(Self::Pps),
        }
    }

    /// Opens the device at the start: a wrong setting is an error, but a device that may come or recover is waited for.
    pub(crate) fn open_or_wait(config: &PulseConfig) -> Result<Option<Self>, OpenError> {
        match Self::open(config) {
            Err(error) if matches!(error.problem, Problem::NotThere | Problem::Failed) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Tells that it is open, then passes on edges and cross timestamps until the device is lost.
    pub(super) fn serve(&mut self, link: &Link) -> Result<Infallible, End> {
        match self {
            Self::Phc(phc) => phc.serve(link),
            Self::Pps(pps) => pps.serve(link),
        }
    }
}
