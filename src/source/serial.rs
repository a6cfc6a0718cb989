//! The receiver on a serial port: reads its bytes and timestamps them. A missing device is retried; a problem that
//! waiting cannot fix is an error at start.

mod autobaud;
pub(crate) mod holder;

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use rustix::io::Errno;
use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

pub(crate) use autobaud::RATES;

use super::feed::{BITS_PER_BYTE, Closed, Presence, RETRY, pump};
use crate::core::event::{Event, Lost};
use crate::core::time::Span;
use crate::sys::error::{OpenError, Problem};
use crate::sys::tty::ByteFile;
use crate::sys::tty::Tty;
use autobaud::pump_at_its_rate;
use holder::{console, held, holders, name_of, warn_of};

/// How often a missing port is retried.
const REOPEN: Duration = Duration::from_millis(250);

/// The port and its baud rate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SerialConfig {
    /// Path of the device, preferably a stable one in /dev/serial/by-id.
    pub device: String,
    /// The baud rate; ignored for a device without one.
    pub baud: Baud,
}

/// Bits per second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Baud {
    /// Found by listening.
    Auto,
    /// This rate.
    Rate(u32),
}

impl Baud {
    /// The rate of NMEA 0183 receivers that nobody has changed.
    pub(crate) const USUAL: Self = Self::Rate(9_600);

    /// The initial rate.
    fn rate(self) -> u32 {
        if let Self::Rate(rate) = self { rate } else { 9_600 }
    }
}

impl FromStr for Baud {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            _ if text == "auto" => Ok(Self::Auto),
            Ok(rate @ 300..=4_000_000) => Ok(Self::Rate(rate)),
            Ok(_) | Err(_) => {
                Err(format!("`{text}` is not a baud rate: it must be a whole number from 300 to 4000000 or \"auto\""))
            }
        }
    }
}

/// Opens the port once.
pub(crate) fn open(config: &SerialConfig) -> Result<Tty, OpenError> {
    if let Some(stable) = stable_name(Path::new(&config.device)) {
        let (given, stable) = (&config.device, stable.display());
        info!("{given} may be renumbered at the next boot; {stable} is a stable name of the same device");
    }
    open_at(&config.device, config.baud.rate())
}

/// Reads the port until the event channel is closed. Reopens it after a loss.
pub(crate) async fn run(config: SerialConfig, mut port: Option<Tty>, events: Sender<Event>) {
    let (mut presence, mut baud) = (Presence::new(&events), config.baud.rate());
    while follow(&config, port.take(), &mut baud, &mut presence).await.is_ok() {}
}

/// Opens the port, if it is not open yet, and reads it until it is gone.
async fn follow(
    SerialConfig { device, baud: configured }: &SerialConfig,
    port: Option<Tty>,
    baud: &mut u32,
    presence: &mut Presence<'_>,
) -> Result<(), Closed> {
    let events = presence.events;
    let error = match port.map_or_else(|| open_at(device, *baud), Ok) {
        Ok(tty) => {
            presence.opened(format!("reading {device}")).await?;
            // Zero bytes, EIO, and EPIPE mean that the device is gone; other errors are handled alike.
            match (tty.baud(), configured) {
                // It has no rate.
                (Err(_), _) => drop(pump(events, &tty.bytes, Span::ZERO, |_| false).await?),
                (Ok(_), Baud::Auto) => *baud = pump_at_its_rate(&tty, device, *baud, events).await,
                (Ok(_), Baud::Rate(rate)) => drop(pump(events, &tty.bytes, byte_time(*rate), |_| false).await?),
            }
            refusal(device, &Errno::NODEV.into())
        }
        Err(error) => error,
    };
    // Finding the holder of a port reads all of /proc: not four times per second.
    let is_held = error.problem == Problem::Taken;
    let (lost, pause) = if is_held { (Lost::Held, RETRY) } else { (Lost::Device, REOPEN) };
    presence.gone(lost, format!("{error}; waiting for it"), pause).await
}

/// Transmission time of a byte.
pub(crate) fn byte_time(baud: u32) -> Span {
    Span::from_nanos(BITS_PER_BYTE * 1_000_000_000 / i64::from(baud.max(1)))
}

/// Opens the device once: a serial port at this rate, or a device without one, `/dev/gnssN`.
fn open_at(device: &str, baud: u32) -> Result<Tty, OpenError> {
    let path = Path::new(device);
    let opened = fs::metadata(path).and_then(|found| {
        if !found.file_type().is_char_device() {
            Err(Errno::NOTTY.into())
        } else if name_of(device).starts_with("gnss") {
            ByteFile::open(path).map(|bytes| Tty { bytes })
        } else {
            Tty::open(device, baud, || !holders(device).is_empty())
        }
    });
    let tty = opened.map_err(|error| refusal(device, &error))?;
    warn_of(&holders(device), device);
    if let Some(why) = console(device) {
        warn!("{why}");
    }
    Ok(tty)
}

/// Why the device cannot be opened, or is gone.
fn refusal(device: &str, error: &io::Error) -> OpenError {
    let (problem, why) = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENXIO | libc::ENODEV | libc::EIO) => {
            (Problem::NotThere, "does not exist: check the receiver's cable and the name")
        }
        Some(libc::EACCES | libc::EPERM) => {
            let denied = "cannot be opened (permission denied): run as root, or join its group (often dialout)";
            (Problem::Denied, denied)
        }
        Some(libc::ENOTTY) => (Problem::Wrong, "is not a serial port: give the name of a tty device"),
        Some(libc::EBUSY) => return held(device, &holders(device)),
        _ => return OpenError::new(Problem::Failed, format!("{device} cannot be opened: {error}")),
    };
    OpenError::new(problem, format!("{device} {why}"))
}

/// A stable name of the adapter, if `device` depends on the order of plugging.
pub(crate) fn stable_name(device: &Path) -> Option<PathBuf> {
    let name = device.to_str()?;
    let is_numbered = name.starts_with("/dev/ttyUSB") || name.starts_with("/dev/ttyACM");
    is_numbered.then(|| link_to(Path::new("/dev/serial/by-id"), device)).flatten()
}

/// The link in this directory to this device.
fn link_to(directory: &Path, device: &Path) -> Option<PathBuf> {
    let target = fs::canonicalize(device).ok()?;
    let mut links = fs::read_dir(directory).ok()?.flatten().map(|entry| entry.path());
    links.find(|link| fs::canonicalize(link).is_ok_and(|leads_to| leads_to == target))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_stay_are_found() {
        let dir = std::env::temp_dir().join(format!("gnss2shm-by-id-{}", std::process::id()));
        fs::create_dir_all(&dir).unwrap();
        let link = dir.join("usb-u-blox_7-if00");
        let _ = fs::remove_file(&link);
        std::os::unix::fs::symlink("/dev/null", &link).unwrap();
        assert_eq!(link_to(&dir, Path::new("/dev/null")), Some(link));
        assert_eq!(link_to(&dir, Path::new("/dev/zero")), None);
        fs::remove_dir_all(&dir).unwrap();
    }

    #[test]
    fn devices_are_told_from_what_is_none() {
        for (device, problem) in [
            ("/dev/null", Problem::Wrong),
            ("/nowhere", Problem::NotThere),
            ("/proc/version/tty", Problem::NotThere),
            ("/proc/version", Problem::Wrong),
        ] {
            assert_eq!(open_at(device, 9_600).unwrap_err().problem, problem, "{device}");
        }
    }
}
