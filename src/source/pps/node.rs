//! The node of a kernel PPS device: what sort of pulse it is, and whether it is still the one that was opened.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::source::error::SourceError;

/// A node that leads to a PPS device of a receiver.
#[derive(Clone, Debug)]
pub(super) struct Node {
    path: PathBuf,
    name: String,
    identity: Identity,
}

/// What a node made anew differs in, even if it has the same path. A device that is gone is not told to those who have
/// it open: they wait for edges forever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Identity {
    inode: u64,
    device: u64,
}

impl Node {
    /// Looks at the node, without opening it: opening some devices (a watchdog, a modem) does something.
    ///
    /// # Errors
    /// It is not there, it is something else, or its pulse is not a receiver's.
    pub(super) fn find(path: &Path) -> Result<Self, SourceError> {
        let found = fs::metadata(path).map_err(|error| opening(path, &error))?;
        if !found.file_type().is_char_device() {
            return Err(not_a_pps(path));
        }
        let sysfs = format!("/sys/dev/char/{}:{}", libc::major(found.rdev()), libc::minor(found.rdev()));
        if fs::read_link(format!("{sysfs}/subsystem")).is_ok_and(|class| !class.ends_with("pps")) {
            return Err(not_a_pps(path));
        }
        let name = fs::read_to_string(format!("{sysfs}/name")).unwrap_or_default().trim().to_owned();
        check_name(path, &name)?;
        Ok(Self { path: path.to_path_buf(), name, identity: Identity { inode: found.ino(), device: found.rdev() } })
    }

    /// One that was never looked at.
    #[cfg(test)]
    pub(super) fn sample(path: &str, name: &str) -> Self {
        Self { path: path.into(), name: name.into(), identity: Identity { inode: 0, device: 0 } }
    }

    /// Whether the path still leads to it.
    pub(super) fn is_there(&self) -> bool {
        let now = fs::metadata(&self.path).map(|found| Identity { inode: found.ino(), device: found.rdev() });
        now.is_ok_and(|now| now == self.identity)
    }
}

/// Opening the node failed.
pub(super) fn opening(path: &Path, error: &io::Error) -> SourceError {
    let path = path.display();
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ENXIO) => SourceError::NotThere(format!(
            "{path} is not there: for a pulse on a serial port's DCD pin attach the line discipline (ldattach pps \
             /dev/ttyS0), for one on a GPIO pin load pps-gpio, and check the number; it is waited for"
        )),
        Some(libc::EACCES | libc::EPERM) => SourceError::Denied(format!(
            "{path} may not be opened for reading: add the user to the group that owns it (where that is root, a udev rule \
             is needed: SUBSYSTEM==\"pps\", GROUP=\"clock\", MODE=\"0640\"), or run as root"
        )),
        _ => {
            SourceError::Other(format!("{path} cannot be opened ({error}): look for its driver's messages with dmesg"))
        }
    }
}

/// Node and driver's name, for messages: `/dev/pps0 (serial0)`.
impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.name.as_str() {
            "" => self.path.display().fmt(f),
            name => write!(f, "{} ({name})", self.path.display()),
        }
    }
}

/// The path is something, but not a PPS device.
pub(super) fn not_a_pps(path: &Path) -> SourceError {
    SourceError::Wrong(format!("{} is not a kernel PPS device: give the path of a /dev/ppsN", path.display()))
}

/// Some PPS devices have no input: their pulse is made inside the machine.
fn check_name(path: &Path, name: &str) -> Result<(), SourceError> {
    let path = path.display();
    if name.starts_with("ptp") {
        return Err(SourceError::Wrong(format!(
            "{path} gives the pulse of the PTP hardware clock {name} itself, not the receiver's: if the receiver is wired \
             to that NIC, use --phc /dev/{name} instead"
        )));
    }
    if name == "ktimer" {
        return Err(SourceError::Wrong(format!(
            "{path} gives the pulse of a timer of the kernel, not the receiver's: name the device that the receiver is \
             wired to, or unload pps-ktimer"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pulse_that_the_machine_makes_itself_is_refused_by_name() {
        for (name, says) in [("ptp0", "--phc /dev/ptp0"), ("ptp12", "--phc /dev/ptp12"), ("ktimer", "pps-ktimer")] {
            let error = check_name(Path::new("/dev/pps1"), name).unwrap_err();
            assert!(matches!(error, SourceError::Wrong(_)));
            assert!(error.to_string().contains(says) && error.to_string().contains("/dev/pps1"), "{error}");
        }
        for name in ["serial0", "usbserial1", "pps@12.-1", "parport0", ""] {
            assert_eq!(check_name(Path::new("/dev/pps0"), name), Ok(()), "{name}");
        }
    }

    #[test]
    fn a_device_that_is_absent_is_waited_for_and_a_wrong_one_is_not() {
        for (path, is_waited_for) in [
            ("/dev/pps4095", true),
            ("/nosuchdir/pps0", true),
            ("/dev/null", false),
            ("/proc/version", false),
            ("/dev", false),
        ] {
            let error = Node::find(Path::new(path)).unwrap_err();
            assert!(error.may_pass() == is_waited_for && error.to_string().contains(path), "{error}");
        }
    }

    #[test]
    fn what_may_pass_is_waited_for_and_every_error_names_its_cure() {
        for (errno, may_pass, cure) in [
            (libc::ENOENT, true, "ldattach pps /dev/ttyS0"),
            (libc::ENXIO, true, "waited for"),
            (libc::EACCES, false, "udev rule"),
            (libc::EPERM, false, "run as root"),
            (libc::EIO, false, "dmesg"),
        ] {
            let error = opening(Path::new("/dev/pps7"), &io::Error::from_raw_os_error(errno));
            let sentence = error.to_string();
            assert_eq!(error.may_pass(), may_pass, "{sentence}");
            assert!(
                sentence.contains("/dev/pps7") && sentence.contains(cure) && !sentence.ends_with('.'),
                "{sentence}"
            );
        }
    }

    #[test]
    fn a_node_made_anew_is_another_one() {
        let path = std::env::temp_dir().join(format!("gnss2shm-node-{}", std::process::id()));
        let identity = || fs::metadata(&path).map(|found| Identity { inode: found.ino(), device: found.rdev() });
        fs::write(&path, "").unwrap();
        let node = Node { path: path.clone(), name: String::new(), identity: identity().unwrap() };
        assert!(node.is_there());
        let kept = std::env::temp_dir().join(format!("gnss2shm-node-{}-kept", std::process::id()));
        fs::rename(&path, &kept).unwrap(); // keeps its inode from being used again
        assert!(!node.is_there(), "it is gone");
        fs::write(&path, "").unwrap();
        assert!(!node.is_there(), "it is another one");
        fs::remove_file(&path).unwrap();
        fs::remove_file(&kept).unwrap();
    }
}
