//! Opening the receiver's device: a serial port, or one of the kernel's GNSS subsystem. What is wrong is said in the
//! operator's words.

use std::io;
use std::path::Path;

use tracing::warn;

use super::class::{Class, class_of, is_gnss};
use super::holder::{console, holders, list, sentence};
use crate::source::error::SourceError;
use crate::sys::bytes::ByteFile;
use crate::sys::tty::{Exclusive, Tty, TtyError};

/// The receiver's device, open.
#[derive(Debug)]
pub enum Port {
    /// A serial port.
    Tty(Tty),
    /// A device that hands out bytes without a rate.
    Gnss(ByteFile),
}

/// Opens the device once; a serial port at this rate.
pub(super) fn open(device: &str, baud: u32) -> Result<Port, SourceError> {
    let path = Path::new(device);
    match class_of(path) {
        // What the name cannot be followed for (a directory that may not be searched) is no absence.
        Class::Absent => match std::fs::metadata(path) {
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Err(denied(device)),
            Ok(_) | Err(_) => Err(not_there(device)),
        },
        Class::Other => Err(no_port(device)),
        Class::Gnss => ByteFile::open(path).map(Port::Gnss).map_err(|error| os(device, &error)),
        Class::Device => tty(device, baud).map(Port::Tty),
    }
}

fn tty(device: &str, baud: u32) -> Result<Tty, SourceError> {
    let exclusive = || if holders(device).is_empty() { Exclusive::Stale } else { Exclusive::Held };
    let tty = Tty::open(device, baud, exclusive).map_err(|error| match error {
        TtyError::Locked => SourceError::Busy(sentence(device, &holders(device))),
        TtyError::NotATty => no_port(device),
        TtyError::Os(error) => os(device, &error),
    })?;
    // Those who neither lock nor ask take away what they read.
    let others = holders(device);
    if !others.is_empty() {
        warn!("{device} is also open in {}: what they read of it is lost here; stop them", list(&others));
    }
    if let Some(why) = console(device) {
        warn!("{why}");
    }
    if let Ok(set) = tty.baud()
        && !is_near(set, baud)
    {
        warn!("{device} cannot do {baud} baud and is set to {set}");
    }
    Ok(tty)
}

/// Whether two rates are the same for a receiver and a sender: ten bits apart by less than half of one.
pub(super) fn is_near(one: u32, other: u32) -> bool {
    u64::from(one.abs_diff(other)) * 33 <= u64::from(other)
}

fn os(device: &str, error: &io::Error) -> SourceError {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENXIO | libc::ENODEV | libc::EIO) => not_there(device),
        Some(libc::EACCES | libc::EPERM) => denied(device),
        Some(libc::EBUSY) => SourceError::Busy(sentence(device, &holders(device))),
        Some(libc::ENOTTY) => no_port(device),
        _ => SourceError::Other(format!("{device} cannot be opened: {error}")),
    }
}

fn no_port(device: &str) -> SourceError {
    SourceError::Wrong(format!("{device} is not a serial port: give the name of a tty device"))
}

pub(super) fn not_there(device: &str) -> SourceError {
    SourceError::NotThere(format!("{device} is not there: check the receiver's cable and the name"))
}

fn denied(device: &str) -> SourceError {
    let group = if is_gnss(Path::new(device)) { "" } else { " (often dialout)" };
    SourceError::Denied(format!("{device} may not be opened: run as root or join the group that owns it{group}"))
}
