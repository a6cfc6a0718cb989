//! The receiver's half of the input: whichever source its sentences come from.

use std::fmt;

use tokio::sync::mpsc::Sender;

use super::error::SourceError;
use super::gpsd::{self, GpsdConfig};
use super::serial::{self, Baud, Port, SerialConfig};
use super::stream::{self, StreamConfig};
use crate::core::event::Event;

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
    /// An open device; without it, it is waited for.
    port: Option<Port>,
}

impl Receiver {
    /// Tries once: what is wrong is an error, what is not there yet is waited for when it runs.
    pub fn open(config: ReceiverConfig) -> Result<Self, SourceError> {
        let config = by_what_it_is(config);
        let port = match &config {
            ReceiverConfig::Serial(serial) => may_come(serial::open(serial))?,
            ReceiverConfig::Gpsd(_) => None,
            ReceiverConfig::Stream(stream) => {
                may_come(stream::check(stream))?;
                None
            }
        };
        Ok(Self { config, port })
    }

    /// Runs until the events have nowhere to go.
    pub async fn run(self, events: Sender<Event>) {
        match self.config {
            ReceiverConfig::Serial(serial) => serial::run(serial, self.port, events).await,
            ReceiverConfig::Gpsd(gpsd) => gpsd::run(gpsd, events).await,
            ReceiverConfig::Stream(stream) => stream::run(stream, events).await,
        }
    }
}

/// A device of the kernel's GNSS subsystem comes and goes like a serial port, whichever option names it.
fn by_what_it_is(config: ReceiverConfig) -> ReceiverConfig {
    match config {
        ReceiverConfig::Stream(StreamConfig::Fifo(path)) if serial::is_gnss(&path) => {
            let device = path.to_string_lossy().into_owned();
            ReceiverConfig::Serial(SerialConfig { device, baud: Baud::default() })
        }
        ReceiverConfig::Serial(_) | ReceiverConfig::Gpsd(_) | ReceiverConfig::Stream(_) => config,
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
