//! What a device's name stands for: which class of device it is, and under which name it is always found.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

/// What is found under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Class {
    /// Nothing.
    Absent,
    /// A receiver that the kernel's GNSS subsystem drives, as `/dev/gnss0`: bytes without a rate.
    Gnss,
    /// Any other character device: a serial port, if it is one.
    Device,
    /// Something that is no device.
    Other,
}

/// What this name stands for.
pub(super) fn class_of(device: &Path) -> Class {
    let Ok(meta) = fs::metadata(device) else { return Class::Absent };
    if !meta.file_type().is_char_device() {
        return Class::Other;
    }
    let (major, minor) = (libc::major(meta.rdev()), libc::minor(meta.rdev()));
    let subsystem = fs::read_link(format!("/sys/dev/char/{major}:{minor}/subsystem"));
    if subsystem.is_ok_and(|class| class.ends_with("gnss")) { Class::Gnss } else { Class::Device }
}

/// Whether this is a device of the kernel's GNSS subsystem, or will be when it comes.
pub(super) fn is_gnss(device: &Path) -> bool {
    match class_of(device) {
        Class::Gnss => true,
        Class::Absent => device.parent() == Some(Path::new("/dev")) && name_of(device).starts_with("gnss"),
        Class::Device | Class::Other => false,
    }
}

/// The last part of the name that the device has in /dev.
pub(super) fn name_of(device: &Path) -> String {
    let resolved = fs::canonicalize(device).unwrap_or_else(|_| device.to_owned());
    resolved.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// A name that stays with the adapter, where `device` is one that depends on the order of plugging.
pub(crate) fn stable_name(device: &Path) -> Option<PathBuf> {
    let name = device.file_name()?.to_str()?;
    let numbered =
        device.parent() == Some(Path::new("/dev")) && (name.starts_with("ttyUSB") || name.starts_with("ttyACM"));
    if numbered { link_to(Path::new("/dev/serial/by-id"), device) } else { None }
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
        assert_eq!(class_of(Path::new("/dev/null")), Class::Device);
        assert_eq!(class_of(Path::new("/nowhere")), Class::Absent);
        assert_eq!(class_of(Path::new("/proc/version")), Class::Other);
        assert!(is_gnss(Path::new("/dev/gnss9")) && !is_gnss(Path::new("/dev/null")));
    }
}
