//! Why a PHC cannot be used, in the operator's words.

use std::fmt;
use std::io;
use std::path::Path;

/// Why a PHC cannot be used. Displayed, it is one sentence: what is wrong, where, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhcError {
    kind: PhcErrorKind,
    sentence: String,
}

/// What sort of trouble it is: the exit code, and whether waiting helps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PhcErrorKind {
    /// The interface or the node is not there; it may come.
    NotThere,
    /// The kernel or the driver failed where it should not; it may be busy or in a reset.
    Failed,
    /// A path to something else or to a virtual clock, or a name that nothing can have.
    NotAClock,
    /// The interface is there and has no PHC.
    NoClock,
    /// The PHC has no external timestamps.
    NoTimeStamps,
    /// The channel is out of range.
    NoSuchChannel,
    /// The PHC has no such pin.
    NoSuchPin,
    /// No pin was named, and the first one is in use for something else.
    PinInUse,
    /// The driver refuses this pin or this channel.
    Refused,
    /// Another process uses this pin or this channel.
    Taken,
    /// The node may not be opened.
    Permission,
}

impl PhcError {
    pub(super) fn new(kind: PhcErrorKind, sentence: String) -> Self {
        Self { kind, sentence }
    }

    /// Opening the node failed.
    pub(crate) fn opening(path: &Path, error: &io::Error) -> Self {
        let path = path.to_string_lossy();
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ENXIO) => Self::new(
                PhcErrorKind::NotThere,
                format!(
                    "{path} is not there: check its name and that the NIC's driver is loaded (the number may change at \
                     every boot, an interface's name does not); it is waited for"
                ),
            ),
            Some(libc::EACCES | libc::EPERM) => Self::new(
                PhcErrorKind::Permission,
                format!(
                    "{path} may not be opened for reading and writing: add the user to the group that owns it (\"clock\" \
                     since systemd 258; before, a udev rule is needed: SUBSYSTEM==\"ptp\", GROUP=\"clock\", MODE=\"0660\"), \
                     or run as root"
                ),
            ),
            _ => Self::failed(&path, "cannot be opened", error),
        }
    }

    /// Something failed that should not.
    pub(super) fn failed(what: &str, failed: &str, error: &io::Error) -> Self {
        Self::new(
            PhcErrorKind::Failed,
            format!("{what} {failed} ({error}): look for its driver's messages with dmesg; it is tried again"),
        )
    }

    /// What sort of trouble it is.
    pub fn kind(&self) -> PhcErrorKind {
        self.kind
    }

    /// Whether a setting is wrong, so that waiting does not help.
    pub fn is_fatal(&self) -> bool {
        match self.kind {
            PhcErrorKind::NotThere | PhcErrorKind::Failed => false,
            PhcErrorKind::NotAClock
            | PhcErrorKind::NoClock
            | PhcErrorKind::NoTimeStamps
            | PhcErrorKind::NoSuchChannel
            | PhcErrorKind::NoSuchPin
            | PhcErrorKind::PinInUse
            | PhcErrorKind::Refused
            | PhcErrorKind::Taken
            | PhcErrorKind::Permission => true,
        }
    }
}

impl fmt::Display for PhcError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.sentence)
    }
}

impl std::error::Error for PhcError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_pass_is_waited_for_and_what_is_set_wrong_is_fatal() {
        for (errno, kind, fatal, cure) in [
            (libc::ENOENT, PhcErrorKind::NotThere, false, "waited for"),
            (libc::ENODEV, PhcErrorKind::NotThere, false, "driver is loaded"),
            (libc::EACCES, PhcErrorKind::Permission, true, "udev rule"),
            (libc::EPERM, PhcErrorKind::Permission, true, "run as root"),
            (libc::EIO, PhcErrorKind::Failed, false, "dmesg"),
        ] {
            let error = PhcError::opening(Path::new("/dev/ptp7"), &io::Error::from_raw_os_error(errno));
            assert_eq!((error.kind(), error.is_fatal()), (kind, fatal), "{error}");
            let sentence = error.to_string();
            assert!(
                sentence.contains("/dev/ptp7") && sentence.contains(cure) && !sentence.ends_with('.'),
                "{sentence}"
            );
        }
    }
}
