//! The receiver on a serial port: reads bytes, dates them, hands them on. A device that is not there, or goes away, is
//! waited for; what cannot become right by waiting is an error at start.

use std::convert::Infallible;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::str::FromStr;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

use super::error::SourceError;
use crate::event::{Bytes, Event, SourceChange};
use crate::sys::clock::raw_now;
use crate::sys::tty::Tty;
use crate::time::Span;

/// Start bit, eight data bits, stop bit.
const BITS_PER_BYTE: i64 = 10;
/// A read returns at most what the kernel's buffer holds.
const READ_MAX: usize = 4096;
/// How long bytes are left to gather: well below the silence between bursts that the framer looks for.
const GATHER: Duration = Duration::from_millis(15);
/// How long a missing device is left alone before it is tried again.
const RETRY: Duration = Duration::from_secs(1);

/// Which port, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialConfig {
    /// Path of the device.
    pub device: String,
    /// Bits a second.
    pub baud: Baud,
}

/// Bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baud {
    /// Found out by listening.
    Auto,
    /// This many.
    Rate(u32),
}

impl Default for Baud {
    fn default() -> Self {
        Self::Rate(9_600)
    }
}

impl Baud {
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
        let rate = text.parse().ok().filter(|rate| (300..=4_000_000).contains(rate)).map(Self::Rate);
        match text {
            "auto" => Ok(Self::Auto),
            _ => rate.ok_or_else(|| format!("`{text}` is no baud rate: from 300 to 4000000, or auto")),
        }
    }
}

/// Opens the port once.
pub fn open(config: &SerialConfig) -> Result<Tty, SourceError> {
    let device = &config.device;
    match std::fs::metadata(device) {
        Ok(meta) if !meta.file_type().is_char_device() => {
            return Err(SourceError::Wrong(format!("{device} is no serial port: give the name of a tty device")));
        }
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => return Err(denied(device)),
        Ok(_) | Err(_) => {}
    }
    Tty::open(device, config.baud.rate()).map_err(|error| {
        let os = io::Error::last_os_error();
        match error.kind() {
            serialport::ErrorKind::Io(io::ErrorKind::NotFound) => not_there(device),
            _ if !std::path::Path::new(device).exists() => not_there(device),
            serialport::ErrorKind::Io(io::ErrorKind::PermissionDenied) => denied(device),
            _ => match os.raw_os_error() {
                Some(libc::ENXIO | libc::ENODEV | libc::EIO) => not_there(device),
                Some(libc::EBUSY | libc::EWOULDBLOCK) => SourceError::Busy(format!(
                    "{device} is held by another program: stop it (fuser -v {device} names it)"
                )),
                Some(libc::ENOTTY) => {
                    SourceError::Wrong(format!("{device} is no serial port: give the name of a tty device"))
                }
                _ => SourceError::Other(format!("{device} cannot be opened at {} baud: {error}", config.baud.rate())),
            },
        }
    })
}

fn not_there(device: &str) -> SourceError {
    SourceError::NotThere(format!("{device} is not there: check the receiver's cable and the name"))
}

fn denied(device: &str) -> SourceError {
    SourceError::Denied(format!(
        "{device} may not be opened: run as root or join the group that owns it (often dialout)"
    ))
}

/// Reads the port until the events have nowhere to go. Reopens it when it is gone.
pub async fn run(config: SerialConfig, opened: Option<Tty>, events: Sender<Event>) {
    // Ends when the engine is gone, and only then.
    let Err(Closed) = follow(&config, opened, &events).await;
}

async fn follow(config: &SerialConfig, opened: Option<Tty>, events: &Sender<Event>) -> Result<Infallible, Closed> {
    let mut next = opened.map_or_else(|| open(config), Ok);
    loop {
        match next {
            Ok(tty) => {
                info!("reading {} at {} baud", config.device, config.baud.rate());
                send(events, SourceChange::SentencesOpen).await?;
                pump(&tty, config.baud.rate(), events).await?;
                warn!("{} is gone; waiting for it", config.device);
            }
            Err(error) => warn!("{error}; waiting for it"),
        }
        send(events, SourceChange::SentencesLost).await?;
        next = wait_for(config).await;
    }
}

/// Tries until the port opens or fails in a way that is new.
async fn wait_for(config: &SerialConfig) -> Result<Tty, SourceError> {
    let mut said = None;
    loop {
        tokio::time::sleep(RETRY).await;
        match open(config) {
            Ok(tty) => return Ok(tty),
            Err(error) if said.is_none() || said.as_ref() == Some(&error.to_string()) => said = Some(error.to_string()),
            Err(error) => return Err(error),
        }
    }
}

/// The engine is gone: nothing is left to do.
struct Closed;

async fn send(events: &Sender<Event>, change: SourceChange) -> Result<(), Closed> {
    events.send(Event::Source { raw: raw_now(), change }).await.map_err(|_| Closed)
}

/// Lets the rest of a burst arrive. Its first bytes have been read the moment they came, which is all that its time
/// hangs on; each of the others would be a wake-up of its own, and waking up is what this program spends its processor
/// time on. The thread is blocked on purpose: a timer of the runtime would still be woken by every byte. Nothing else
/// on it is in a hurry, for events carry their time and samples are taken seconds later.
fn gather() {
    std::thread::sleep(GATHER);
}

/// Hands on what is read until the device is gone.
async fn pump(tty: &Tty, baud: u32, events: &Sender<Event>) -> Result<(), Closed> {
    let byte_time = Span::from_nanos(BITS_PER_BYTE * 1_000_000_000 / i64::from(baud.max(1)));
    let mut buffer = vec![0; READ_MAX];
    // Zero bytes, EIO and EPIPE are how the kernel says that the device is gone; any other error is no better.
    while let Ok(length @ 1..) = tty.read(&mut buffer).await {
        let read_at = raw_now();
        let data = buffer.get(..length).unwrap_or_default().into();
        events.send(Event::Bytes(Bytes { read_at, byte_time, data })).await.map_err(|_| Closed)?;
        gather();
    }
    Ok(())
}
