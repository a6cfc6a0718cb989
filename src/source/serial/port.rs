//! Opens the receiver's device: a serial port, or a device of the kernel's GNSS subsystem. Says in the operator's words
//! what is wrong with it.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use tracing::warn;

use super::holder::{console, holders, sentence, warn_of};
use crate::sys::bytes::ByteFile;
use crate::sys::error::{OpenError, Problem};
use crate::sys::tty::Tty;

/// The receiver's device, open.
#[derive(Debug)]
pub enum Port {
    /// A serial port.
    Tty(Tty),
    /// A device without a rate, `/dev/gnssN`.
    Gnss(ByteFile),
}

/// Opens the device once; a serial port at this rate.
pub(super) fn open(device: &str, baud: u32) -> Result<Port, OpenError> {
    let path = Path::new(device);
    let opened = fs::metadata(path).and_then(|found| {
        if is_gnss(path) {
            ByteFile::open(path).map(Port::Gnss)
        } else if found.file_type().is_char_device() {
            Tty::open(device, baud, || !holders(device).is_empty()).map(Port::Tty)
        } else {
            Err(io::Error::from_raw_os_error(libc::ENOTTY))
        }
    });
    let port = opened.map_err(|error| refusal(device, &error))?;
    if let Port::Tty(tty) = &port {
        warn_of(&holders(device), device);
        if let Some(why) = console(device) {
            warn!("{why}");
        }
        if let Ok(set) = tty.baud()
            && !is_near(set, baud)
        {
            warn!("{device} cannot do {baud} baud and is set to {set}");
        }
    }
    Ok(port)
}

/// Why the device cannot be opened, or is gone.
pub(super) fn refusal(device: &str, error: &io::Error) -> OpenError {
    let (problem, why) = match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENXIO | libc::ENODEV | libc::EIO) => {
            (Problem::NotThere, "is not there: check the receiver's cable and the name")
        }
        Some(libc::EACCES | libc::EPERM) => {
            (Problem::Denied, "may not be opened: run as root or join the group that owns it (often dialout)")
        }
        Some(libc::ENOTTY) => (Problem::Wrong, "is not a serial port: give the name of a tty device"),
        Some(libc::EBUSY) => return OpenError::new(Problem::Taken, sentence(device, &holders(device))),
        _ => return OpenError::new(Problem::Failed, format!("{device} cannot be opened: {error}")),
    };
    OpenError::new(problem, format!("{device} {why}"))
}

/// Whether two rates are the same for a receiver and a sender: after ten bits they are apart by less than half a bit.
pub(super) fn is_near(one: u32, other: u32) -> bool {
    u64::from(one.abs_diff(other)) * 33 <= u64::from(other)
}

/// Whether this is a device of the kernel's GNSS subsystem, or will be one as soon as it is there.
pub(crate) fn is_gnss(device: &Path) -> bool {
    let Ok(found) = fs::metadata(device) else {
        return device.to_string_lossy().starts_with("/dev/gnss");
    };
    let (major, minor) = (libc::major(found.rdev()), libc::minor(found.rdev()));
    let subsystem = fs::read_link(format!("/sys/dev/char/{major}:{minor}/subsystem"));
    found.file_type().is_char_device() && subsystem.is_ok_and(|subsystem| subsystem.ends_with("gnss"))
}

/// A name that stays with the adapter, if `device` is one that depends on the order of plugging.
pub(crate) fn stable_name(device: &Path) -> Option<PathBuf> {
    let name = device.to_str()?;
    let is_numbered = name.starts_with("/dev/ttyUSB") || name.starts_with("/dev/ttyACM");
    is_numbered.then(|| link_to(Path::new("/dev/serial/by-id"), device)).flatten()
}

/// The link in this directory that leads to this device.
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
            assert_eq!(open(device, 9_600).unwrap_err().problem, problem, "{device}");
        }
        assert!(is_gnss(Path::new("/dev/gnss9")) && !is_gnss(Path::new("/dev/null")));
    }
}
