//! What there is: PTP hardware clocks and serial ports, as the kernel lists them. Opens no serial port, sets nothing.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use crate::source::phc::cross::CrossReader;
use crate::source::phc::{Method, deaf};
use crate::source::serial::{class, holder};
use crate::source::sysfs::{Finder, PTP};
use crate::sys::ethtool;
use crate::sys::ptp::{Caps, PinState, Ptp};

/// Programs that have a clock open and read no timestamps.
const NO_READERS: [&str; 3] = ["ptp4l", "phc2sys", "timemaster"];

/// A PTP hardware clock.
#[derive(Debug)]
pub struct Clock {
    /// How settings should name it: by its network interface, which keeps its name, else by its node.
    pub device: String,
    /// `/dev/ptpN`.
    pub node: PathBuf,
    /// The driver's name for it.
    pub driver: String,
    /// What it can do, or why it cannot be asked.
    pub able: Result<Able, String>,
}

/// What a clock can do.
#[derive(Debug)]
pub struct Able {
    /// Channels and pins, in numbers.
    pub caps: Caps,
    /// Its pins, and what they are set to.
    pub pins: Vec<PinState>,
    /// How it is compared with the system's clocks.
    pub method: Method,
    /// Programs that read its timestamps, as far as one can tell.
    pub readers: Vec<String>,
}

/// A serial port, or a device of the kernel's GNSS subsystem.
#[derive(Debug)]
pub struct Found {
    /// `/dev/ttyUSB0`.
    pub device: String,
    /// Why it is not listened to, where it must not be touched.
    pub leave: Option<String>,
}

/// The clocks that are named, else all.
pub fn clocks(named: &[String]) -> Vec<Clock> {
    if named.is_empty() {
        return entries("/sys/class/ptp").iter().map(|name| clock(Path::new("/dev").join(name), None)).collect();
    }
    named
        .iter()
        .map(|device| match Finder::live().phc(device) {
            Ok(found) => clock(found.node, Some(device)),
            Err(error) => Clock {
                device: device.clone(),
                node: PathBuf::from(device),
                driver: String::new(),
                able: Err(error.to_string()),
            },
        })
        .collect()
}

fn clock(node: PathBuf, named: Option<&String>) -> Clock {
    let name = node.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let driver = fs::read_to_string(format!("/sys/class/ptp/{name}/clock_name")).unwrap_or_default().trim().to_owned();
    let found = || interface(&name).or_else(|| pci(&name, &node));
    let device = named.cloned().or_else(found).unwrap_or_else(|| node.display().to_string());
    let able = able(&node);
    Clock { device, node, driver, able }
}

fn able(node: &Path) -> Result<Able, String> {
    let cannot = |error| format!("{} cannot be asked what it can do: {error}", node.display());
    let ptp = Ptp::open(node).map_err(|error| PTP.unusable(node, &error).to_string())?;
    let caps = ptp.caps().map_err(cannot)?;
    let pins = (0..caps.n_pins).map(|index| ptp.pin(index)).collect::<Result<_, _>>().map_err(cannot)?;
    let method = CrossReader::detect(&ptp).map_err(cannot)?.method;
    if let Some(deaf) = Finder::live().phc(&node.to_string_lossy()).ok().as_ref().and_then(deaf) {
        return Err(deaf);
    }
    let holders = holder::holders(&node.to_string_lossy()).into_iter();
    let readers = holders.filter(|holder| !NO_READERS.contains(&holder.command())).map(|holder| holder.to_string());
    Ok(Able { caps, pins, method, readers: readers.collect() })
}

/// The network interface that a clock belongs to; the first one where it has several.
fn interface(clock: &str) -> Option<String> {
    let number: u32 = clock.strip_prefix("ptp")?.parse().ok()?;
    entries("/sys/class/net").into_iter().find(|name| ethtool::phc_index(name).is_ok_and(|index| index == Some(number)))
}

/// The PCI address of a clock, where that names it and no other.
fn pci(clock: &str, node: &Path) -> Option<String> {
    let device = fs::canonicalize(format!("/sys/class/ptp/{clock}/device")).ok()?;
    let address = device.file_name()?.to_string_lossy().into_owned();
    Finder::live().phc(&address).is_ok_and(|found| found.node == node).then_some(address)
}

/// The ports that are named, else all that have hardware behind them.
pub fn ports(named: &[String]) -> Vec<Found> {
    let devices = if named.is_empty() { hardware() } else { named.to_vec() };
    devices.into_iter().map(|device| Found { leave: leave(&device), device }).collect()
}

fn hardware() -> Vec<String> {
    let ttys = entries("/sys/class/tty").into_iter().filter(|name| {
        let tty = Path::new("/sys/class/tty").join(name);
        // Names without a UART behind them (PORT_UNKNOWN) are many, and virtual terminals have no device at all.
        let kind = fs::read_to_string(tty.join("type")).unwrap_or_default();
        tty.join("device").exists() && kind.trim() != "0"
    });
    let gnss = entries("/sys/class/gnss");
    let devices = ttys.chain(gnss).map(|name| format!("/dev/{name}")).filter(|device| Path::new(device).exists());
    // A name that stays with the adapter is the one for the settings.
    devices
        .map(|device| class::stable_name(Path::new(&device)).map_or(device, |name| name.display().to_string()))
        .collect()
}

/// Why a port must not be touched.
fn leave(device: &str) -> Option<String> {
    let no_port =
        || is_no_port(device).then(|| format!("{device} is not a serial port: give the name of a tty device"));
    no_port().or_else(|| holder::console(device)).or_else(|| {
        let holders = holder::holders(device);
        (!holders.is_empty()).then(|| holder::sentence(device, &holders))
    })
}

/// Whether it is there and is certainly none, by what the kernel says of its number: to open it would touch it. A pseudo
/// terminal is in no class.
fn is_no_port(device: &str) -> bool {
    let Ok(meta) = fs::metadata(device) else { return false };
    if !meta.file_type().is_char_device() {
        return true;
    }
    let (major, minor) = (libc::major(meta.rdev()), libc::minor(meta.rdev()));
    let class = fs::canonicalize(format!("/sys/dev/char/{major}:{minor}/subsystem"));
    class.is_ok_and(|class| !["tty", "gnss"].iter().any(|known| class.ends_with(known)))
}

/// Names in a directory, in the order of their numbers; none where it cannot be read.
fn entries(directory: &str) -> Vec<String> {
    let found = fs::read_dir(directory).into_iter().flatten().flatten();
    let mut names: Vec<String> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort_by_key(|name| (name.len(), name.clone()));
    names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_clock_that_is_none_says_so() {
        let found = clocks(&["/dev/null".to_owned(), "nosuchif0".to_owned()]);
        let said: Vec<_> = found.iter().map(|clock| clock.able.as_ref().unwrap_err().as_str()).collect();
        assert!(said[0].contains("/dev/null is not a PTP hardware clock"), "{said:?}");
        assert!(said[1].contains("nosuchif0"), "{said:?}");
    }

    #[test]
    fn what_is_no_serial_port_is_not_said_to_be_held() {
        let _holder = fs::File::open("/dev/null").unwrap();
        for device in ["/dev/null", "/dev/zero", "/proc/self/exe", "/tmp"] {
            let said = leave(device).unwrap();
            assert!(said.contains("is not a serial port") && !said.contains("held"), "{said}");
        }
        assert_eq!(leave("/dev/nosuchport"), None, "who opens it says more");
        assert!(!is_no_port("/dev/tty"));
    }
}
