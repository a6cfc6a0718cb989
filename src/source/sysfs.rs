//! Finds PTP hardware clocks and kernel PPS devices in sysfs without opening them: opening some devices (a watchdog, a
//! modem) has effects. `run`, `probe` and `doctor` use the same functions, and so refuse the same devices.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::sys::error::{OpenError, Problem};
use crate::sys::ptp;

const NO_CLOCK: &str = "has no PTP hardware clock";
const ITS_NIC: &str = "name the NIC that the pulse is wired to";

/// A class of devices in `/sys/class`.
#[derive(Debug)]
pub(crate) struct Class {
    /// Its name.
    pub(crate) name: &'static str,
    /// What one is.
    one: &'static str,
    /// What to name instead of anything else.
    given: &'static str,
    /// What to do if there is none.
    hint: &'static str,
}

/// PTP hardware clocks.
pub(crate) const PTP: Class = Class {
    name: "ptp",
    one: "a PTP hardware clock",
    given: "give a network interface or the path of a /dev/ptpN",
    hint: "check its name (`ip -br link` lists interfaces) and that its driver is loaded",
};
/// Kernel PPS devices.
pub(crate) const PPS: Class = Class {
    name: "pps",
    one: "a kernel PPS device",
    given: "give the path of a /dev/ppsN",
    hint: "for a pulse on a serial port's DCD pin attach the line discipline (ldattach pps /dev/ttyS0), for one on a GPIO \
           pin load pps-gpio, and check the number",
};

/// A device as sysfs shows it. Displayed with its driver's name for it: `/dev/ptp0 (igb)`.
#[derive(Clone, Debug)]
pub(crate) struct Device {
    /// `/dev/ptp0`.
    pub(crate) node: PathBuf,
    /// The driver's name for it; empty if sysfs does not say.
    pub(crate) name: String,
    /// Its directory.
    sysfs: PathBuf,
}

/// Where devices are looked up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Finder<'a> {
    /// The directory that stands for `/`.
    pub(crate) root: &'a Path,
    /// N of the `/dev/ptpN` of a network interface, as [`ptp::phc_index`].
    pub(crate) phc_index: fn(&str) -> io::Result<Option<u32>>,
}

impl Finder<'_> {
    /// This machine.
    pub(crate) fn live() -> Self {
        Self { root: Path::new("/"), phc_index: ptp::phc_index }
    }

    /// The PHC of a network interface or of a PCI device (an interface's name has no colon), or the one at a path
    /// (anything with a slash).
    ///
    /// # Errors
    /// [`Problem::NotThere`]: interface, PCI device or node do not exist yet. [`Problem::Unsupported`]: it has no PHC.
    /// [`Problem::Wrong`]: it cannot be a PHC, has several, or is a virtual clock.
    pub(crate) fn phc(&self, device: &str) -> Result<Device, OpenError> {
        let clock = if device.contains('/') {
            self.at(&PTP, Path::new(device))?
        } else if device.contains(':') {
            self.named(&PTP, &self.of_pci(device)?, None)
        } else {
            let index = (self.phc_index)(device).map_err(|error| PTP.unusable(Path::new(device), &error))?;
            let Some(index) = index else {
                return refuse(Problem::Unsupported, format!("{device} {NO_CLOCK}"), ITS_NIC);
            };
            self.named(&PTP, &format!("ptp{index}"), None)
        };
        // The parent of a PHC is the NIC, that of a virtual clock is a PHC (`ptp_clock_register`, Linux 5.14). A PHC
        // that has virtual clocks is a good one: nothing can set or steer it (`EBUSY`).
        let parent = fs::canonicalize(clock.sysfs.join("device")).unwrap_or_default();
        let hardware = parent.file_name().unwrap_or_default();
        if hardware.is_empty() || !self.class(&PTP).join(hardware).exists() {
            return Ok(clock);
        }
        let cure = format!("name /dev/{}, the hardware clock it is made from", hardware.display());
        refuse(Problem::Wrong, format!("{device} is a virtual clock and timestamps no pulses"), cure)
    }

    /// The kernel PPS device at a path.
    ///
    /// # Errors
    /// It does not exist yet, is something else, or its pulse is made by the kernel or by a PHC.
    pub(crate) fn pps(&self, path: &Path) -> Result<Device, OpenError> {
        let device = self.at(&PPS, path)?;
        if device.name == "ktimer" || device.name.starts_with("ptp") {
            let cure = "name the device that the receiver is wired to, or its NIC's clock with --phc";
            return refuse(Problem::Wrong, format!("{device} is a pulse made by this machine itself"), cure);
        }
        Ok(device)
    }

    /// The device at a path, by its number: the node may have any name.
    fn at(&self, class: &Class, path: &Path) -> Result<Device, OpenError> {
        let cannot = |error: io::Error| class.unusable(path, &error);
        let root = fs::canonicalize(self.root).map_err(cannot)?;
        let real = fs::canonicalize(root.join(path.strip_prefix("/").unwrap_or(path))).map_err(cannot)?;
        let found = fs::metadata(&real).map_err(cannot)?;
        let (directory, number) = (self.class(class), found.rdev());
        let number = format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
        let is_it = |name: &String| value(&directory.join(name).join("dev")).is_some_and(|dev| dev == number);
        match names(&directory).into_iter().find(is_it) {
            Some(name) if !found.file_type().is_block_device() => {
                Ok(self.named(class, &name, Some(Path::new("/").join(real.strip_prefix(root).unwrap_or(&real)))))
            }
            _ => Err(cannot(io::Error::from_raw_os_error(libc::ENOTTY))),
        }
    }

    fn of_pci(&self, device: &str) -> Result<String, OpenError> {
        let Some(address) = pci_address(device) else {
            let cure = "write it as `lspci -D` does, as in 0000:03:00.0";
            return refuse(Problem::Wrong, format!("{device:?} is no PCI address"), cure);
        };
        let found = self.root.join("sys/bus/pci/devices").join(&address);
        let clocks = names(&found.join("ptp"));
        let (problem, says, cure) = match clocks.as_slice() {
            [clock] => return Ok(clock.clone()),
            [] if found.join("driver").exists() => (Problem::Unsupported, NO_CLOCK, ITS_NIC.into()),
            [] => (Problem::NotThere, "is not there, or has no driver", "check with `lspci -D -k`".into()),
            several => {
                let cure = format!("name one of /dev/{}", several.join(", /dev/"));
                (Problem::Wrong, "has several PTP hardware clocks", cure)
            }
        };
        refuse(problem, format!("PCI device {address} {says}"), cure)
    }

    fn named(&self, class: &Class, name: &str, node: Option<PathBuf>) -> Device {
        let node = node.unwrap_or_else(|| Path::new("/dev").join(name));
        let sysfs = self.class(class).join(name);
        let name = value(&sysfs.join("clock_name")).or_else(|| value(&sysfs.join("name"))).unwrap_or_default();
        Device { node, name, sysfs }
    }

    fn class(&self, class: &Class) -> PathBuf {
        self.root.join("sys/class").join(class.name)
    }
}

impl Class {
    /// Why a node or a network interface cannot be opened or asked.
    pub(crate) fn unusable(&self, path: &Path, error: &io::Error) -> OpenError {
        let Self { name, one, given, hint } = self;
        let (problem, says, cure) = match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ENXIO) => {
                (Problem::NotThere, "is not there".into(), (*hint).to_owned())
            }
            Some(libc::ENOTTY | libc::EINVAL) => (Problem::Wrong, format!("is not {one}"), (*given).to_owned()),
            Some(libc::EACCES | libc::EPERM) => {
                let rule = format!("SUBSYSTEM==\"{name}\", GROUP=\"clock\", MODE=\"0660\"");
                let cure = "add the user to the group that owns it, or run as root; if root owns it, add the udev rule";
                (Problem::Denied, "may not be opened".into(), format!("{cure} {rule}"))
            }
            _ => (
                Problem::Failed,
                format!("does not work ({error})"),
                "look for its driver's messages with dmesg".into(),
            ),
        };
        OpenError::cured(problem, format!("{} {says}", path.display()), cure)
    }
}

impl Device {
    /// What a file of its directory says.
    pub(crate) fn value(&self, file: &str) -> Option<String> {
        value(&self.sysfs.join(file))
    }

    /// Its network interfaces, if it is a part of a NIC and not of a PHY.
    pub(crate) fn interfaces(&self) -> Vec<String> {
        names(&self.sysfs.join("device/net"))
    }

    /// The names of its pins, in alphabetical order.
    pub(crate) fn pins(&self) -> Vec<String> {
        names(&self.sysfs.join("pins"))
    }

    /// The kernel's name for the driver of the device that it belongs to.
    pub(crate) fn driver(&self) -> Option<String> {
        let driver = fs::read_link(self.sysfs.join("device/driver")).ok()?;
        Some(driver.file_name()?.to_string_lossy().into_owned())
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = self.node.display();
        if self.name.is_empty() { write!(f, "{node}") } else { write!(f, "{node} ({})", self.name) }
    }
}

/// Why a device is not used: what is wrong, and what to do.
pub(crate) fn refuse<T>(problem: Problem, says: String, cure: impl Into<String>) -> Result<T, OpenError> {
    Err(OpenError::cured(problem, says, cure))
}

/// A PCI address as sysfs has it, from that form, from the output of lspci (without the domain, if that is 0), or from
/// udev's (`pci-0000:03:00.0`). A domain behind Intel's VMD has five digits or more.
fn pci_address(device: &str) -> Option<String> {
    let address = device.strip_prefix("pci-").unwrap_or(device).to_ascii_lowercase();
    let address = if address.matches(':').count() == 1 { format!("0000:{address}") } else { address };
    let shape: String = address.chars().map(|c| if c.is_ascii_hexdigit() { '0' } else { c }).collect();
    let domain = shape.strip_suffix(":00:00.0")?;
    ((4..=8).contains(&domain.len()) && domain.chars().all(|c| c == '0')).then_some(address)
}

/// The one value that a file of sysfs holds.
fn value(file: &Path) -> Option<String> {
    Some(fs::read_to_string(file).ok()?.trim().to_owned())
}

/// The names in a directory, sorted; none if it cannot be read.
pub(crate) fn names(directory: &Path) -> Vec<String> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests;
