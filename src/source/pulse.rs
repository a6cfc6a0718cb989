//! The pulse's half of the input: whichever clock its edges are stamped by.

use std::fmt;
use std::io;

use tokio::sync::mpsc::Sender;

use super::error::SourceError;
use super::phc::{Phc, PhcConfig, PhcError};
use super::pps::{KernelPps, PpsConfig};
use super::thread::PulseThread;
use crate::core::event::Event;

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

/// A source of edges that can be started: an open device; without one, it is waited for.
#[derive(Debug)]
pub enum Pulse {
    /// A PTP hardware clock.
    Phc(PhcConfig, Option<Phc>),
    /// A kernel PPS device.
    Pps(PpsConfig, Option<KernelPps>),
}

/// Why there is no source of edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PulseError {
    /// The PTP hardware clock cannot be used.
    Phc(PhcError),
    /// The kernel PPS device cannot be used.
    Pps(SourceError),
}

impl Pulse {
    /// Tries once: what is wrong is an error, what is not there yet is waited for when it runs.
    pub fn open(config: PulseConfig) -> Result<Self, PulseError> {
        Ok(match config {
            PulseConfig::Phc(config) => match Phc::open(&config) {
                Ok(phc) => Self::Phc(config, Some(phc)),
                Err(error) if !error.is_fatal() => Self::Phc(config, None),
                Err(error) => return Err(PulseError::Phc(error)),
            },
            PulseConfig::Pps(config) => match KernelPps::open(&config) {
                Ok(pps) => Self::Pps(config, Some(pps)),
                Err(error) if error.may_pass() => Self::Pps(config, None),
                Err(error) => return Err(PulseError::Pps(error)),
            },
        })
    }

    /// Starts the thread that owns it.
    pub fn start(self, events: Sender<Event>) -> io::Result<PulseThread> {
        match self {
            Self::Phc(config, phc) => PulseThread::spawn(config, phc, events),
            Self::Pps(config, pps) => PulseThread::spawn(config, pps, events),
        }
    }
}

impl fmt::Display for PulseError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phc(error) => error.fmt(f),
            Self::Pps(error) => error.fmt(f),
        }
    }
}

impl std::error::Error for PulseError {}
