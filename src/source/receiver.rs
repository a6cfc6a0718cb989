//! The receiver's half of the input: a serial port, gpsd or a stream.

use std::fmt;

use tokio::sync::mpsc::Sender;

use super::gpsd::{self, GpsdConfig};
use super::serial::{self, Baud, Port, SerialConfig};
use super::stream::{self, StreamConfig};
use crate::core::event::Event;
use crate::sys::error::{OpenError, Problem};

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

/// The name that the operator sees.
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
    /// A serial port that is open already.
    port: Option<Port>,
}

impl Receiver {
    /// Tries once: what waiting cannot cure is an error, what is not there yet is waited for by [`Self::run`].
    pub fn open(mut config: ReceiverConfig) -> Result<Self, OpenError> {
        // A device of the kernel's GNSS subsystem comes and goes like a serial port, whichever option names it.
        if let ReceiverConfig::Stream(StreamConfig::Fifo(path)) = &config
            && serial::is_gnss(path)
        {
            let device = path.to_string_lossy().into_owned();
            config = ReceiverConfig::Serial(SerialConfig { device, baud: Baud::default() });
        }
        let opened = match &config {
            ReceiverConfig::Serial(serial) => serial::open(serial).map(Some),
            ReceiverConfig::Gpsd(_) => Ok(None),
            ReceiverConfig::Stream(stream) => stream::check(stream).map(|()| None),
        };
        match opened {
            Ok(port) => Ok(Self { config, port }),
            Err(error) if matches!(error.problem, Problem::NotThere | Problem::Taken) => {
                Ok(Self { config, port: None })
            }
            Err(error) => Err(error),
        }
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
