//! The receiver's half of the input: a serial port, gpsd, a TCP server, a FIFO, or standard input.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use tokio::sync::mpsc::Sender;

use super::feed::Presence;
use super::gpsd::{self, GpsdConfig};
use super::serial::{self, SerialConfig};
use super::stream;
use crate::core::event::Event;
use crate::sys::error::{OpenError, Problem};
use crate::sys::tty::Tty;

/// Where the sentences come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReceiverConfig {
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
pub struct Receiver {
    config: ReceiverConfig,
    /// A serial port that is open already.
    port: Option<Tty>,
}

impl Receiver {
    /// Tries once: a permanent problem is an error; for a missing source, [`Self::run`] retries.
    pub fn open(config: ReceiverConfig) -> Result<Self, OpenError> {
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
    pub async fn run(self, events: Sender<Event>) {
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

/// Where a program listens: `localhost:2947`, `192.0.2.1:5000`, `[2001:db8::1]:2947`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// A name or an address, an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl Server {
    /// What an operator may write.
    pub const ALLOWED: &'static str = "a host and port, such as \"localhost:2947\" or \"[2001:db8::1]:2947\"";
}

impl FromStr for Server {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = address.or(Some(host).filter(|host| !host.contains(':')))?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
        };
        parse().ok_or_else(|| format!("`{text}` is not a host and port: it must be {}", Self::ALLOWED))
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_and_written_back() {
        for text in ["localhost:2947", "192.0.2.1:5000", "[2001:db8::1]:2947"] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
        for text in ["", "localhost", ":2947", "localhost:", "localhost:0", "localhost:65536", "::1:2947", "[::1:2947"]
        {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
