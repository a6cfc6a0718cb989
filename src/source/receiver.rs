//! The receiver's half of the input: a serial port, gpsd, a TCP server, a FIFO, or standard input.

use std::fmt;
use std::path::PathBuf;

use tokio::sync::mpsc::Sender;

use super::feed::Presence;
use super::gpsd::{self, GpsdConfig};
use super::serial::{self, SerialConfig};
use super::stream::{self, Server};
use crate::core::event::Event;
use crate::sys::error::{OpenError, Problem};
use crate::sys::tty::Tty;

/// Where the sentences come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ReceiverConfig {
    /// A serial port.
    Serial(SerialConfig),
    /// gpsd.
    Gpsd(GpsdConfig),
    /// A server that sends NMEA to each client: ser2net, gpsd's raw port, `nc -lk`.
    Tcp(Server),
    /// A FIFO that another program writes to.
    Fifo(PathBuf),
    /// Standard input.
    Stdin,
}

/// The name that the operator sees.
impl fmt::Display for ReceiverConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial(serial) => f.write_str(&serial.device),
            Self::Gpsd(GpsdConfig { server, device: None }) => write!(f, "gpsd at {server}"),
            Self::Gpsd(GpsdConfig { server, device: Some(device) }) => write!(f, "{device} of gpsd at {server}"),
            Self::Tcp(server) => write!(f, "TCP server {server}"),
            Self::Fifo(path) => write!(f, "{}", path.display()),
            Self::Stdin => f.write_str("standard input"),
        }
    }
}

/// A source of sentences that can be started.
#[derive(Debug)]
pub(crate) struct Receiver {
    config: ReceiverConfig,
    /// A serial port that is open already.
    port: Option<Tty>,
}

impl Receiver {
    /// Tries once: a permanent problem is an error; for a missing source, [`Self::run`] retries.
    pub(crate) fn open(config: ReceiverConfig) -> Result<Self, OpenError> {
        let opened = match &config {
            ReceiverConfig::Serial(serial) => serial::open(serial).map(Some),
            ReceiverConfig::Fifo(path) => stream::check_fifo(path).map(|()| None),
            ReceiverConfig::Stdin => stream::check_stdin().map(|()| None),
            ReceiverConfig::Gpsd(_) | ReceiverConfig::Tcp(_) => Ok(None),
        };
        match opened {
            Err(error) if !matches!(error.problem, Problem::NotThere | Problem::Taken) => Err(error),
            opened => Ok(Self { config, port: opened.unwrap_or_default() }),
        }
    }

    /// Runs until the event channel is closed.
    pub(crate) async fn run(self, events: Sender<Event>) {
        let (mut presence, mut before) = (Presence::new(&events), None);
        match self.config {
            ReceiverConfig::Serial(serial) => serial::run(serial, self.port, events).await,
            ReceiverConfig::Gpsd(gpsd) => gpsd::run(gpsd, events).await,
            ReceiverConfig::Tcp(server) => while stream::follow_tcp(&server, &mut presence).await.is_ok() {},
            ReceiverConfig::Fifo(path) => while stream::follow_fifo(&path, &mut before, &mut presence).await.is_ok() {},
            ReceiverConfig::Stdin => stream::read_stdin(&events).await.unwrap_or_default(),
        }
    }
}
