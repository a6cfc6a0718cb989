//! From what the operator wrote to a node.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::error::{PhcError, PhcErrorKind};
use crate::sys::ethtool;

/// Where the kernel shows its PCI devices.
const PCI: &str = "/sys/bus/pci/devices";

/// The node of a device: the PHC of a network interface or of a PCI device (no interface has a colon in its name), or a
/// path (anything with a slash) to a PHC's node.
///
/// # Errors
/// Not fatal: interface, PCI device or node are not there. Fatal: what is named has no PHC, is something else, or is a
/// virtual clock.
pub fn resolve(device: &str) -> Result<PathBuf, PhcError> {
    if device.contains('/') {
        of_path(Path::new(device))
    } else if device.contains(':') {
        of_pci(device, Path::new(PCI))
    } else {
        of_interface(device)
    }
}

fn of_interface(name: &str) -> Result<PathBuf, PhcError> {
    let error = match ethtool::phc_index(name) {
        Ok(Some(index)) => return Ok(PathBuf::from(format!("/dev/ptp{index}"))),
        Ok(None) => {
            return Err(PhcError::new(
                PhcErrorKind::NoClock,
                format!("{name} has no PTP hardware clock: name the interface that the pulse is wired to"),
            ));
        }
        Err(error) => error,
    };
    Err(match error.raw_os_error() {
        Some(libc::ENODEV) => PhcError::new(
            PhcErrorKind::NotThere,
            format!(
                "there is no network interface {name}: check its name and that its driver is loaded; it is waited for"
            ),
        ),
        Some(libc::EINVAL) => PhcError::new(
            PhcErrorKind::NotAClock,
            format!("{name:?} is not an interface's name: give a network interface or the path of a /dev/ptpN"),
        ),
        _ => PhcError::failed(name, "cannot be asked for its PTP hardware clock", &error),
    })
}

fn of_pci(device: &str, devices: &Path) -> Result<PathBuf, PhcError> {
    let Some(address) = pci_address(device) else {
        return Err(PhcError::new(
            PhcErrorKind::NotAClock,
            format!("{device:?} is no PCI address: write it as `lspci -D` does, as in 0000:03:00.0"),
        ));
    };
    let found = devices.join(&address);
    let is_driven = match fs::metadata(&found) {
        Ok(_) => found.join("driver").exists(),
        Err(error) if error.kind() == io::ErrorKind::NotFound => false,
        Err(error) => return Err(PhcError::failed(&address, "cannot be looked up", &error)),
    };
    let clocks = entries(&found.join("ptp"));
    match clocks.as_slice() {
        [clock] => Ok(Path::new("/dev").join(clock)),
        [] if !is_driven => Err(PhcError::new(
            PhcErrorKind::NotThere,
            format!(
                "there is no PCI device {address}, or it has no driver: check with `lspci -D -k`; it is waited for"
            ),
        )),
        [] => Err(PhcError::new(
            PhcErrorKind::NoClock,
            format!("PCI device {address} has no PTP hardware clock: name the NIC that the pulse is wired to"),
        )),
        several => Err(PhcError::new(
            PhcErrorKind::NotAClock,
            format!(
                "PCI device {address} has several PTP hardware clocks: name one of /dev/{}",
                several.join(", /dev/")
            ),
        )),
    }
}

/// A PCI address as sysfs has it, from that, from what lspci prints (without the domain, if that is 0), or from what
/// udev makes of it (`pci-0000:03:00.0`).
fn pci_address(device: &str) -> Option<String> {
    let address = device.strip_prefix("pci-").unwrap_or(device).to_ascii_lowercase();
    let (bus_first, function) = address.split_once('.')?;
    let parts: Vec<_> = bus_first.split(':').collect();
    let (domain, bus, slot) = match parts.as_slice() {
        [bus, slot] => ("0000", *bus, *slot),
        [domain, bus, slot] => (*domain, *bus, *slot),
        _ => return None,
    };
    let is_hex = |part: &str, digits: &[usize]| {
        digits.contains(&part.len()) && part.bytes().all(|digit| digit.is_ascii_hexdigit())
    };
    // A domain behind Intel's VMD has five digits, or more.
    let is_whole =
        is_hex(domain, &[4, 5, 6, 7, 8]) && is_hex(bus, &[2]) && is_hex(slot, &[2]) && is_hex(function, &[1]);
    is_whole.then(|| format!("{domain}:{bus}:{slot}.{function}"))
}

/// Names in a directory, in order; none where it cannot be read.
pub(super) fn entries(directory: &Path) -> Vec<String> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

fn of_path(path: &Path) -> Result<PathBuf, PhcError> {
    let found = fs::metadata(path).map_err(|error| PhcError::opening(path, &error))?;
    // Looked up before the node is opened: opening some devices (a watchdog, a modem) does something.
    if !found.file_type().is_char_device() {
        return Err(not_a_clock(path));
    }
    let device = sysfs(&found);
    if is_class(&device).is_some_and(|is_ptp| !is_ptp) {
        return Err(not_a_clock(path));
    }
    if let Some(physical) = made_from(&device) {
        return Err(PhcError::new(
            PhcErrorKind::NotAClock,
            format!(
                "{} is a virtual clock and timestamps no pulses: name /dev/{physical}, the hardware clock it is made from",
                path.display()
            ),
        ));
    }
    Ok(fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf()))
}

/// Whether a device in sysfs is of the class ptp; `None` where sysfs does not say.
fn is_class(device: &Path) -> Option<bool> {
    fs::read_link(device.join("subsystem")).ok().map(|class| class.ends_with("ptp"))
}

/// The clock that a virtual clock was made from by a number in `n_vclocks`: the parent of a PHC is the NIC, that of a
/// virtual clock is a PHC (the kernel's `ptp_clock_register`, Linux 5.14).
///
/// A PHC that has virtual clocks is a good one for us: it timestamps as ever, and the kernel lets nobody set or steer
/// it (`EBUSY`), unless the hardware has a counter of its own for the virtual ones.
fn made_from(device: &Path) -> Option<String> {
    let parent = device.join("device");
    is_class(&parent)?.then_some(())?;
    Some(fs::canonicalize(parent).ok()?.file_name()?.to_string_lossy().into_owned())
}

/// The path is something, but not a PHC.
pub(super) fn not_a_clock(path: &Path) -> PhcError {
    PhcError::new(
        PhcErrorKind::NotAClock,
        format!("{} is not a PTP hardware clock: give a network interface or the path of a /dev/ptpN", path.display()),
    )
}

/// The name that the driver gave the clock; empty where sysfs does not say.
pub(super) fn clock_name(path: &Path) -> String {
    let name = fs::metadata(path).and_then(|found| fs::read_to_string(sysfs(&found).join("clock_name")));
    name.unwrap_or_default().trim().to_owned()
}

/// Names to know its driver by: the kernel's for the driver of the device that the clock belongs to, then the clock's.
/// Neither alone is enough: igb names its clocks after MAC addresses, and stmmac is below drivers of many names.
pub(super) fn driver_names(path: &Path) -> Vec<String> {
    let driver = fs::metadata(path).ok().and_then(|found| driver_of(&sysfs(&found)));
    driver.into_iter().chain([clock_name(path)]).collect()
}

fn driver_of(device: &Path) -> Option<String> {
    let driver = fs::read_link(device.join("device/driver")).ok()?;
    Some(driver.file_name()?.to_string_lossy().into_owned())
}

pub(super) fn sysfs(node: &fs::Metadata) -> PathBuf {
    let (major, minor) = (libc::major(node.rdev()), libc::minor(node.rdev()));
    PathBuf::from(format!("/sys/dev/char/{major}:{minor}"))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn a_device_that_is_absent_is_waited_for_and_a_wrong_one_is_fatal() {
        for (device, kind) in [
            ("nosuchif0", PhcErrorKind::NotThere),
            ("lo", PhcErrorKind::NoClock),
            ("a-name-too-long-for-an-interface", PhcErrorKind::NotAClock),
            ("/dev/ptp4095", PhcErrorKind::NotThere),
            ("/nosuchdir/ptp0", PhcErrorKind::NotThere),
            ("ffff:ff:1f.7", PhcErrorKind::NotThere),
            ("0000:03:00", PhcErrorKind::NotAClock),
            ("eth0:1", PhcErrorKind::NotAClock),
            ("/dev/null", PhcErrorKind::NotAClock),
            ("/proc/version", PhcErrorKind::NotAClock),
            ("/dev", PhcErrorKind::NotAClock),
        ] {
            let error = resolve(device).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.is_fatal(), kind != PhcErrorKind::NotThere);
            assert!(error.to_string().contains(device), "{error}");
        }
    }

    #[test]
    fn a_pci_address_is_read_as_lspci_and_udev_write_it() {
        for (written, read) in [
            ("0000:03:00.0", Some("0000:03:00.0")),
            ("pci-0000:03:00.0", Some("0000:03:00.0")),
            ("03:00.1", Some("0000:03:00.1")),
            ("0000:AF:1F.7", Some("0000:af:1f.7")),
            ("10000:e1:00.0", Some("10000:e1:00.0")),
            ("3:00.0", None),
            ("0000:03:00", None),
            ("0000:03:00.10", None),
            ("0000:03:0g.0", None),
            ("pci-0000:00:14.0-usb-0:1", None),
            ("0:0000:03:00.0", None),
            ("000:03:00.0", None),
        ] {
            assert_eq!(pci_address(written).as_deref(), read, "{written}");
        }
    }

    /// A directory tree of this test's own.
    struct Tree(PathBuf);

    impl Tree {
        fn new(name: &str, directories: &[&str], links: &[(&str, &str)]) -> Self {
            let root = std::env::temp_dir().join(format!("gnss2shm-sysfs-{name}-{}", std::process::id()));
            let _ = fs::remove_dir_all(&root);
            for directory in directories {
                fs::create_dir_all(root.join(directory)).unwrap();
            }
            for (link, target) in links {
                symlink(target, root.join(link)).unwrap();
            }
            Self(root)
        }
    }

    impl Drop for Tree {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn a_pci_device_leads_to_its_clock() {
        let tree = Tree::new(
            "pci",
            &[
                "drivers/igb",
                "0000:01:00.0/ptp/ptp3",
                "0000:02:00.0/ptp/ptp10",
                "0000:02:00.0/ptp/ptp9",
                "0000:03:00.0",
                "0000:04:00.0",
            ],
            &[("0000:01:00.0/driver", "../drivers/igb"), ("0000:03:00.0/driver", "../drivers/igb")],
        );
        assert_eq!(of_pci("01:00.0", &tree.0), Ok(PathBuf::from("/dev/ptp3")));
        for (device, kind, says) in [
            ("pci-0000:02:00.0", PhcErrorKind::NotAClock, "one of /dev/ptp10, /dev/ptp9"),
            ("0000:03:00.0", PhcErrorKind::NoClock, "0000:03:00.0 has no PTP hardware clock"),
            ("0000:04:00.0", PhcErrorKind::NotThere, "it has no driver"),
            ("0000:05:00.0", PhcErrorKind::NotThere, "no PCI device 0000:05:00.0"),
        ] {
            let error = of_pci(device, &tree.0).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert!(error.to_string().contains(says), "{error}");
        }
    }

    #[test]
    fn the_driver_is_that_of_the_device_that_the_clock_belongs_to() {
        let tree = Tree::new(
            "driver",
            &["bus/drivers/igb", "pci0/ptp/ptp0", "virtual/ptp/ptp1"],
            &[("pci0/driver", "../bus/drivers/igb"), ("pci0/ptp/ptp0/device", "../..")],
        );
        assert_eq!(driver_of(&tree.0.join("pci0/ptp/ptp0")).as_deref(), Some("igb"));
        assert_eq!(driver_of(&tree.0.join("virtual/ptp/ptp1")), None);
        assert_eq!(driver_names(&tree.0.join("absent")), [""]);
    }

    #[test]
    fn a_virtual_clock_leads_to_the_one_it_is_made_from() {
        let tree = Tree::new(
            "vclock",
            &["class/ptp", "class/pci", "pci0/ptp/ptp0/ptp2"],
            &[
                ("pci0/subsystem", "../class/pci"),
                ("pci0/ptp/ptp0/subsystem", "../../../class/ptp"),
                ("pci0/ptp/ptp0/device", "../.."),
                ("pci0/ptp/ptp0/ptp2/subsystem", "../../../../class/ptp"),
                ("pci0/ptp/ptp0/ptp2/device", ".."),
            ],
        );
        let device = |path: &str| tree.0.join(path);
        assert_eq!(made_from(&device("pci0/ptp/ptp0/ptp2")).as_deref(), Some("ptp0"));
        assert_eq!(made_from(&device("pci0/ptp/ptp0")), None);
        assert_eq!(made_from(&device("pci0")), None);
        assert_eq!(is_class(&device("pci0/ptp/ptp0")), Some(true));
        assert_eq!(is_class(&device("pci0")), Some(false));
        assert_eq!(is_class(&device("absent")), None);
    }
}
