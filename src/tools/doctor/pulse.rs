//! The pulse's end: the clock is there, can timestamp, has the pin, and the service may use it. All of it is seen in
//! sysfs, so that a PHC at work is left alone.

use std::fmt::Display;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::account::{READ, READ_WRITE};
use super::{Finding, Patient, System, link};
use crate::source::phc::{PhcConfig, Pin};
use crate::source::pulse::PulseConfig;

const ITEM: &str = "pulse";
const CLASS: &str = "/sys/class/ptp";
/// `enum ptp_pin_function` of `<linux/ptp_clock.h>`.
const EXTERNAL_TIME_STAMPS: &str = "1";
const UNUSED: &str = "0";

/// The node that the pulse goes to, as far as it is known, and what is wrong with it.
pub(super) fn check(patient: &Patient<'_>, config: &PulseConfig) -> (Option<PathBuf>, Vec<Finding>) {
    match config {
        PulseConfig::Phc(phc) => match resolve(patient.system, &phc.device) {
            Ok(name) => {
                let mut found = clock(patient, phc, &name);
                found.extend(link::check(patient.system, phc, &name));
                (Some(Path::new("/dev").join(name)), found)
            }
            Err(finding) => (None, vec![finding]),
        },
        PulseConfig::Pps(pps) => pps_device(patient, &pps.device),
    }
}

/// The name of a PHC, as `ptp0`.
fn resolve(system: &System, device: &str) -> Result<String, Finding> {
    let wrong = |says: String, cure: &str| Err(Finding::failure(ITEM, says, cure));
    if device.contains('/') {
        let node = system.real(device).map_err(|error| missing(device, &error))?;
        let name = name_of(&node);
        if !system.has(Path::new(CLASS).join(&name)) {
            return wrong(
                format!("{device} is no PTP hardware clock"),
                "name the NIC's interface or a /dev/ptpN in [phc]",
            );
        }
        return Ok(name);
    }
    let (place, is_there) = if device.contains(':') {
        let address = device.strip_prefix("pci-").unwrap_or(device).to_ascii_lowercase();
        let address = if address.matches(':').count() == 1 { format!("0000:{address}") } else { address };
        let place = Path::new("/sys/bus/pci/devices").join(address);
        (vec![place.join("ptp")], system.has(place))
    } else {
        if let Ok(Some(index)) = (system.phc_index)(device) {
            return Ok(format!("ptp{index}"));
        }
        let place = Path::new("/sys/class/net").join(device);
        (vec![place.join("device/ptp"), place.join("phydev/ptp")], system.has(place))
    };
    let clocks: Vec<_> = place.iter().flat_map(|place| system.names(place)).collect();
    match clocks.first() {
        Some(clock) => Ok(clock.clone()),
        None if is_there => wrong(
            format!("{device} has no PTP hardware clock"),
            "name the NIC that the pulse is wired to in [phc], and check that the kernel has its driver's PTP part",
        ),
        None => wrong(
            format!("there is no network interface or PCI device {device}"),
            "correct device in [phc] (`ip -br link` lists interfaces), or load the NIC's driver",
        ),
    }
}

fn clock(patient: &Patient<'_>, config: &PhcConfig, name: &str) -> Vec<Finding> {
    let system = patient.system;
    let sysfs = Path::new(CLASS).join(name);
    let of = |file: &str| system.value(sysfs.join(file));
    let number = |file: &str| of(file).and_then(|text| text.parse::<u32>().ok());
    let (channels, channel) = (number("n_external_timestamps"), config.channel);
    let mut found = vec![];
    if let Some(physical) = made_from(system, &sysfs) {
        let says = format!("{name} is a virtual clock, which timestamps no pulse");
        return vec![Finding::failure(ITEM, says, format!("name /dev/{physical}, which it is made from, in [phc]"))];
    }
    match channels {
        Some(0) => found.push(Finding::failure(
            ITEM,
            format!("{name} has no external timestamps: it cannot see a pulse"),
            "name the NIC that the pulse is wired to in [phc], or wire the pulse to a serial port and use [pps]",
        )),
        Some(n) if channel >= n => found.push(Finding::failure(
            ITEM,
            format!("{name} has no channel {channel}, but {n}, counted from 0"),
            "correct channel in [phc], or leave it out",
        )),
        Some(_) | None => found.extend(pin(system, config, name, number("n_programmable_pins").unwrap_or(0))),
    }
    found.extend(may_use(patient, &format!("/dev/{name}"), READ_WRITE, "ptp"));
    let clock = of("clock_name").unwrap_or_default();
    let says = match &config.pin {
        Some(pin) => format!("pin {pin} of {} ({name}, {clock})", config.device),
        None => format!("{} ({name}, {clock})", config.device),
    };
    super::or_ok(found, ITEM, says)
}

/// The clock that a virtual one is made from: the parent of a PHC is the NIC, that of a virtual one is a PHC.
fn made_from(system: &System, sysfs: &Path) -> Option<String> {
    let parent = name_of(&system.real(sysfs.join("device")).ok()?);
    system.has(Path::new(CLASS).join(&parent)).then_some(parent)
}

fn pin(system: &System, config: &PhcConfig, name: &str, pins: u32) -> Option<Finding> {
    let wanted = config.pin.as_ref()?;
    let directory = Path::new(CLASS).join(name).join("pins");
    let names = system.names(&directory);
    let no_such = |says: &dyn Display| Finding::failure(ITEM, format!("{name} has no pin {wanted}"), says.to_string());
    match wanted {
        _ if pins == 0 => Some(no_such(&"leave pin out: its wiring is fixed")),
        Pin::Index(index) if *index >= pins => {
            Some(no_such(&format!("correct pin in [phc]: it has 0 to {}", pins - 1)))
        }
        Pin::Index(_) => None, // sysfs has their names only
        Pin::Name(pin) if !names.contains(pin) => {
            Some(no_such(&format!("correct pin in [phc]: it has {}", names.join(", "))))
        }
        Pin::Name(pin) => {
            let set = system.value(directory.join(pin)).unwrap_or_default();
            let mut words = set.split_ascii_whitespace();
            let (function, channel) = (words.next()?, words.next().unwrap_or_default());
            let is_ours = function == EXTERNAL_TIME_STAMPS && channel == config.channel.to_string();
            if is_ours || function == UNUSED {
                return None;
            }
            let is =
                if function == EXTERNAL_TIME_STAMPS { format!("on channel {channel}") } else { "an output".into() };
            Some(Finding::warning(
                ITEM,
                format!("pin {pin} of {name} is {is}, not an input on channel {}", config.channel),
                "stop what has set it (ts2phc, a script, testptp -L), then restart gnss2shm, which sets it at its start",
            ))
        }
    }
}

fn pps_device(patient: &Patient<'_>, device: &Path) -> (Option<PathBuf>, Vec<Finding>) {
    let system = patient.system;
    let shown = device.display().to_string();
    let node = match system.real(device) {
        Ok(node) => node,
        Err(error) => {
            let mut finding = missing(&shown, &error);
            if finding.level == super::Level::Failure {
                finding.cure = Some(format!(
                    "for a pulse on a serial port run `ldattach pps /dev/ttyS0`, for one on a GPIO pin load pps-gpio, or \
                     correct {shown} in [pps]"
                ));
            }
            return (None, vec![finding]);
        }
    };
    let sysfs = Path::new("/sys/class/pps").join(name_of(&node));
    if !system.has(&sysfs) {
        let finding = Finding::failure(ITEM, format!("{shown} is no PPS device"), "name a /dev/ppsN in [pps]");
        return (None, vec![finding]);
    }
    let found = may_use(patient, &shown, READ, "pps").into_iter().collect();
    let name = system.value(sysfs.join("name")).unwrap_or_default();
    (Some(node), super::or_ok(found, ITEM, format!("{shown} ({name})")))
}

/// The node exists for the service, too.
fn may_use(patient: &Patient<'_>, device: &str, what: u32, class: &str) -> Option<Finding> {
    let node = match patient.system.node(device) {
        Ok(node) => node,
        Err(error) => return Some(missing(device, &error)),
    };
    let cure = format!(
        "have udev do so: rule `SUBSYSTEM==\"{class}\", GROUP=\"clock\", MODE=\"0660\"`, as in 60-gnss2shm.rules, then \
         `udevadm control --reload` and `udevadm trigger --action=change --subsystem-match={class}`"
    );
    patient.account.as_ref()?.check(patient.system, ITEM, what, &node, &cure)
}

fn missing(device: &str, error: &std::io::Error) -> Finding {
    match error.kind() {
        ErrorKind::PermissionDenied => Finding::unseen(ITEM, device),
        _ => Finding::failure(
            ITEM,
            format!("{device} is not there"),
            "load the NIC's driver, or correct device in [phc]: an interface's name stays, a number may change at a boot",
        ),
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}
