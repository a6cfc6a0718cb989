//! The receiver's half of the input: whichever source its sentences come from.

use std::fmt;

use tokio::sync::mpsc::Sender;

use super::error::SourceError;
use super::gpsd::{self, GpsdConfig};
use super::serial::{self, SerialConfig};
use super::stream::{self, StreamConfig};
use crate::event::Event;
use crate::sys::tty::Tty;

/// Where the sentences come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverConfig {
    /// A serial port.
    Serial(SerialConfig),
    /// gpsd.
    Gpsd(GpsdConfig),
    /// TCP, a FIFO, standard input.
    Stream(StreamConfig),
}

/// As it is shown to the operator.
impl fmt::Display for ReceiverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => f.write_str(&serial.device),
            Self::Gpsd(GpsdConfig { server, device: None }) => write!(f, "gpsd at {server}"),
            Self::Gpsd(GpsdConfig { server, device: Some(device) }) => write!(f, "{device} of gpsd at {server}"),
            Self::Stream(StreamConfig::Tcp(server)) => write!(f, "TCP server {server}"),
            Self::Stream(StreamConfig::Fifo(path)) => write!(f, "{}", path.display()),
            Self::Stream(StreamConfig::Stdin) => f.write_str("standard input"),
        }
    }
}

/// A source of sentences that can be started.
#[derive(Debug)]
pub struct Receiver {
    config: ReceiverConfig,
    /// An open serial port; without it, the port is waited for.
    tty: Option<Tty>,
}

impl Receiver {
    /// Tries once: what is wrong is an error, what is not there yet is waited for when it runs.
    pub fn open(config: ReceiverConfig) -> Result<Self, SourceError> {
        let tty = match &config {
            ReceiverConfig::Serial(serial) => may_come(serial::open(serial))?,
            ReceiverConfig::Gpsd(_) => None,
            ReceiverConfig::Stream(stream) => {
                may_come(stream::check(stream))?;
                None
            }
        };
        Ok(Self { config, tty })
    }

    /// Runs until the events have nowhere to go.
    pub async fn run(self, events: Sender<Event>) {
        match self.config {
            ReceiverConfig::Serial(serial) => serial::run(serial, self.tty, events).await,
            ReceiverConfig::Gpsd(gpsd) => gpsd::run(gpsd, events).await,
            ReceiverConfig::Stream(stream) => stream::run(stream, events).await,
        }
    }
}

/// What is open, or nothing where waiting may help; anything else is an error.
fn may_come<T>(opened: Result<T, SourceError>) -> Result<Option<T>, SourceError> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if error.may_pass() => Ok(None),
        Err(error) => Err(error),
    }
}
