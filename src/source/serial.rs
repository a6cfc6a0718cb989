//! The receiver on a serial port: reads its bytes and timestamps them. A device that is not there, or goes away, is waited
//! for; what waiting cannot cure is an error at start.

mod autobaud;
pub(crate) mod holder;
mod port;

use std::convert::Infallible;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::sleep;
use tracing::info;

pub use autobaud::RATES;
pub use port::Port;
pub(crate) use port::{is_gnss, stable_name};

use super::feed::{BITS_PER_BYTE, Closed, Feed, Presence, RETRY, pump};
use crate::core::event::{Event, Lost};
use crate::core::time::Span;
use crate::sys::error::{OpenError, Problem};
use autobaud::pump_at_its_rate;

/// How often a port that is missing is looked for.
const REOPEN: Duration = Duration::from_millis(250);

/// Which port, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialConfig {
    /// Path of the device: best a name that stays, as in /dev/serial/by-id.
    pub device: String,
    /// The rate; meaningless for a device that has none.
    pub baud: Baud,
}

/// Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baud {
    /// Found by listening.
    Auto,
    /// This rate.
    Rate(u32),
}

impl Default for Baud {
    fn default() -> Self {
        Self::Rate(9_600)
    }
}

impl Baud {
    /// What an operator may write.
    pub const ALLOWED: &'static str = "a whole number from 300 to 4000000, or \"auto\"";

    /// The rate to begin with.
    fn rate(self) -> u32 {
        match self {
            Self::Auto => 9_600,
            Self::Rate(rate) => rate,
        }
    }
}

impl FromStr for Baud {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(rate @ 300..=4_000_000) => Ok(Self::Rate(rate)),
            Ok(_) | Err(_) => Err(format!("`{text}` is not a baud rate: allowed is {}", Self::ALLOWED)),
        }
    }
}

/// Opens the port once.
pub fn open(config: &SerialConfig) -> Result<Port, OpenError> {
    if let Some(stable) = stable_name(Path::new(&config.device)) {
        info!("{} may have another number tomorrow; {} is the same device", config.device, stable.display());
    }
    port::open(&config.device, config.baud.rate())
}

/// Reads the port until the events have nowhere to go. Reopens it when it is gone.
pub async fn run(config: SerialConfig, opened: Option<Port>, events: Sender<Event>) {
    let feed = Feed::new(events);
    feed.until_closed(follow(&config, opened, &feed)).await;
}

async fn follow(config: &SerialConfig, mut opened: Option<Port>, feed: &Feed) -> Result<Infallible, Closed> {
    let device = &config.device;
    let (mut presence, mut baud) = (Presence::new(feed), config.baud.rate());
    loop {
        let error = match opened.take().map_or_else(|| port::open(device, baud), Ok) {
            Ok(port) => {
                match (port, config.baud) {
                    (Port::Gnss(file), _) => {
                        presence.opened(format!("reading {device}")).await?;
                        let _gone = pump(feed, &file, Span::ZERO, |_| false).await?;
                    }
                    (Port::Tty(tty), Baud::Rate(_)) => {
                        presence.opened(format!("reading {device} at {baud} baud")).await?;
                        let _gone = pump(feed, tty.bytes(), byte_time(baud), |_| false).await?;
                    }
                    (Port::Tty(tty), Baud::Auto) => {
                        presence.opened(format!("reading {device}: looking for its rate, {baud} baud first")).await?;
                        baud = pump_at_its_rate(&tty, device, baud, feed).await?;
                    }
                }
                // Zero bytes, EIO and EPIPE are how the kernel says that the device is gone; other errors are no better.
                port::not_there(device)
            }
            Err(error) => error,
        };
        // The holder of a port is looked for in all of /proc: not four times a second.
        let is_held = error.problem == Problem::Taken;
        let (lost, pause) = if is_held { (Lost::Held, RETRY) } else { (Lost::Device, REOPEN) };
        presence.lost(lost, format!("{error}; waiting for it")).await?;
        sleep(pause).await;
    }
}

/// How long a byte takes on the line.
pub(crate) fn byte_time(baud: u32) -> Span {
    Span::from_nanos(BITS_PER_BYTE * 1_000_000_000 / i64::from(baud.max(1)))
}
