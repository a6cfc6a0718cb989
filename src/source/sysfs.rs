//! Finds PTP hardware clocks and kernel PPS devices in sysfs without opening them: opening some devices (a watchdog, a
//! modem) has effects. `run`, `probe` and `doctor` use the same functions, and so refuse the same devices.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::sys::error::{OpenError, Problem};
use crate::sys::ethtool;

/// A class of devices in `/sys/class`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Class {
    /// PTP hardware clocks.
    Ptp,
    /// Kernel PPS devices.
    Pps,
}

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
    /// N of the `/dev/ptpN` of a network interface, as [`ethtool::phc_index`].
    pub(crate) phc_index: fn(&str) -> io::Result<Option<u32>>,
}

impl Finder<'static> {
    /// This machine.
    pub(crate) fn live() -> Self {
        Self { root: Path::new("/"), phc_index: ethtool::phc_index }
    }
}

impl Finder<'_> {
    /// The PHC of a network interface or of a PCI device (an interface's name has no colon), or the one at a path
    /// (anything with a slash).
    ///
    /// # Errors
    /// [`Problem::NotThere`]: interface, PCI device or node do not exist yet. [`Problem::Unsupported`]: it has no PHC.
    /// [`Problem::Wrong`]: it cannot be a PHC, has several, or is a virtual clock.
    pub(crate) fn phc(&self, device: &str) -> Result<Device, OpenError> {
        let clock = if device.contains('/') {
            self.at(Class::Ptp, Path::new(device))?
        } else {
            let name = if device.contains(':') { self.of_pci(device)? } else { self.of_interface(device)? };
            self.named(Class::Ptp, &name, Path::new("/dev").join(&name))
        };
        // The parent of a PHC is the NIC, that of a virtual clock is a PHC (`ptp_clock_register`, Linux 5.14). A PHC
        // that has virtual clocks is a good one: nothing can set or steer it (`EBUSY`).
        let parent = fs::canonicalize(clock.sysfs.join("device")).unwrap_or_default();
        match parent.file_name() {
            Some(physical) if self.class(Class::Ptp).join(physical).exists() => Err(OpenError::new(
                Problem::Wrong,
                format!(
                    "{device} is a virtual clock and timestamps no pulses: name /dev/{}, the hardware clock it is made from",
                    physical.display()
                ),
            )),
            _ => Ok(clock),
        }
    }

    /// The kernel PPS device at a path.
    ///
    /// # Errors
    /// It does not exist yet, is something else, or its pulse does not come from outside.
    pub(crate) fn pps(&self, path: &Path) -> Result<Device, OpenError> {
        let device = self.at(Class::Pps, path)?;
        let (shown, name) = (path.display(), &device.name);
        let sentence = if name.starts_with("ptp") {
            format!(
                "{shown} gives the pulse of the PTP hardware clock {name} itself, not the receiver's: if the receiver is \
                 wired to that NIC, use --phc /dev/{name} instead"
            )
        } else if name == "ktimer" {
            format!(
                "{shown} gives the pulse of a kernel timer, not the receiver's: name the device that the receiver is wired \
                 to, or unload pps-ktimer"
            )
        } else {
            return Ok(device);
        };
        Err(OpenError::new(Problem::Wrong, sentence))
    }

    /// The device at a path, by its number: the node may have any name.
    fn at(&self, class: Class, path: &Path) -> Result<Device, OpenError> {
        let cannot = |error: io::Error| class.cannot_open(path, &error);
        let root = fs::canonicalize(self.root).map_err(cannot)?;
        let real = fs::canonicalize(root.join(path.strip_prefix("/").unwrap_or(path))).map_err(cannot)?;
        let found = fs::metadata(&real).map_err(cannot)?;
        let (directory, number) = (self.class(class), found.rdev());
        let number = format!("{}:{}", rustix::fs::major(number), rustix::fs::minor(number));
        let is_it = |name: &String| value(&directory.join(name).join("dev")).is_some_and(|dev| dev == number);
        match names(&directory).into_iter().find(is_it) {
            Some(name) if !found.file_type().is_block_device() => {
                Ok(self.named(class, &name, Path::new("/").join(real.strip_prefix(root).unwrap_or(&real))))
            }
            _ => Err(class.not_one(path)),
        }
    }

    fn of_interface(&self, name: &str) -> Result<String, OpenError> {
        let error = match (self.phc_index)(name) {
            Ok(Some(index)) => return Ok(format!("ptp{index}")),
            Ok(None) => {
                return Err(OpenError::new(
                    Problem::Unsupported,
                    format!("{name} has no PTP hardware clock: name the NIC that the pulse is wired to"),
                ));
            }
            Err(error) => error,
        };
        Err(match error.raw_os_error() {
            Some(libc::ENODEV) => OpenError::new(
                Problem::NotThere,
                format!(
                    "there is no network interface {name}: check its name (`ip -br link` lists interfaces) and that its driver \
                     is loaded"
                ),
            ),
            Some(libc::EINVAL) => OpenError::new(
                Problem::Wrong,
                format!("{name:?} is not an interface's name: give a network interface or the path of a /dev/ptpN"),
            ),
            _ => OpenError::new(
                Problem::Failed,
                format!("{name} cannot be asked for its PTP hardware clock: look for its driver's messages ({error})"),
            ),
        })
    }

    fn of_pci(&self, device: &str) -> Result<String, OpenError> {
        let wrong = |sentence| Err(OpenError::new(Problem::Wrong, sentence));
        let Some(address) = pci_address(device) else {
            return wrong(format!("{device:?} is no PCI address: write it as `lspci -D` does, as in 0000:03:00.0"));
        };
        let found = self.root.join("sys/bus/pci/devices").join(&address);
        match names(&found.join("ptp")).as_slice() {
            [clock] => Ok(clock.clone()),
            [] if found.join("driver").exists() => Err(OpenError::new(
                Problem::Unsupported,
                format!("PCI device {address} has no PTP hardware clock: name the NIC that the pulse is wired to"),
            )),
            [] => Err(OpenError::new(
                Problem::NotThere,
                format!("there is no PCI device {address}, or it has no driver: check with `lspci -D -k`"),
            )),
            several => {
                let several = several.join(", /dev/");
                wrong(format!("PCI device {address} has several PTP hardware clocks: name one of /dev/{several}"))
            }
        }
    }

    fn named(&self, class: Class, name: &str, node: PathBuf) -> Device {
        let sysfs = self.class(class).join(name);
        let file = match class {
            Class::Ptp => "clock_name",
            Class::Pps => "name",
        };
        Device { node, name: value(&sysfs.join(file)).unwrap_or_default(), sysfs }
    }

    fn class(&self, class: Class) -> PathBuf {
        self.root.join("sys/class").join(match class {
            Class::Ptp => "ptp",
            Class::Pps => "pps",
        })
    }
}

impl Class {
    /// Why a node cannot be looked at or opened.
    pub(crate) fn cannot_open(self, path: &Path, error: &io::Error) -> OpenError {
        let path = path.display();
        let (hint, rule) = match self {
            Self::Ptp => (
                "check its name and that the NIC's driver is loaded (the number may change at every boot, an interface's \
                 name does not)",
                "SUBSYSTEM==\"ptp\", GROUP=\"clock\", MODE=\"0660\"",
            ),
            Self::Pps => (
                "for a pulse on a serial port's DCD pin attach the line discipline (ldattach pps /dev/ttyS0), for one on a \
                 GPIO pin load pps-gpio, and check the number",
                "SUBSYSTEM==\"pps\", GROUP=\"clock\", MODE=\"0640\"",
            ),
        };
        match error.raw_os_error() {
            Some(libc::ENOENT | libc::ENOTDIR | libc::ENODEV | libc::ENXIO) => {
                OpenError::new(Problem::NotThere, format!("{path} is not there: {hint}"))
            }
            Some(libc::EACCES | libc::EPERM) => OpenError::new(
                Problem::Denied,
                format!(
                    "{path} may not be opened: add the user to the group that owns it (if that is root, a udev rule is \
                     needed: {rule}), or run as root"
                ),
            ),
            _ => failed(path, "cannot be opened", error),
        }
    }

    /// The path is something else.
    pub(crate) fn not_one(self, path: &Path) -> OpenError {
        let (what, cure) = match self {
            Self::Ptp => ("a PTP hardware clock", "give a network interface or the path of a /dev/ptpN"),
            Self::Pps => ("a kernel PPS device", "give the path of a /dev/ppsN"),
        };
        OpenError::new(Problem::Wrong, format!("{} is not {what}: {cure}", path.display()))
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

    /// The kernel's name for the driver of the device that it belongs to. Not always enough to know it: stmmac works
    /// below drivers of many names; nor is the clock's own: igb uses the MAC address.
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

/// An unexpected failure of a device.
pub(crate) fn failed(device: impl fmt::Display, what: &str, error: &io::Error) -> OpenError {
    OpenError::new(Problem::Failed, format!("{device} {what} ({error}): look for its driver's messages with dmesg"))
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
fn names(directory: &Path) -> Vec<String> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<_> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    names
}

#[cfg(test)]
mod tests;
