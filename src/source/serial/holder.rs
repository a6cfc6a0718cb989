//! Other users of a serial port or a FIFO: processes that have it open, and the kernel's console.

use std::fmt::Display;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use tracing::warn;

use crate::sys::error::{OpenError, Problem};
use crate::sys::processes::{Process, only_reads};

/// The other processes that have this device open and may read from it. Those of other users are visible to root only.
pub(crate) fn holders(device: &str) -> Vec<Process> {
    let Ok(number) = fs::metadata(device).map(|meta| meta.rdev()) else { return Vec::new() };
    let holders = Process::others().filter(|process| process.has_open_device(number) == Some(true));
    holders.filter(|process| !only_stamps(&process.name, process.args().iter().map(String::as_str))).collect()
}

/// The other processes that only read this FIFO. A process that also writes keeps it open for the writers.
pub(crate) fn readers(fifo: &Path) -> Vec<Process> {
    let Ok(path) = fs::canonicalize(fifo) else { return Vec::new() };
    let reads = |process: &Process| process.fds().is_ok_and(|mut fds| fds.any(|fd| only_reads(&fd, &path)));
    Process::others().filter(reads).collect()
}

/// Whether this is ldattach(8) with the line discipline that timestamps the port's pulse (`N_PPS`, 18 in linux/tty.h): it
/// keeps the port open and reads nothing from it. The arguments begin with its name.
pub(crate) fn only_stamps<'a>(command: &str, args: impl Iterator<Item = &'a str>) -> bool {
    let is_pps = |arg: &str| arg.eq_ignore_ascii_case("pps") || arg == "18";
    command == "ldattach" && args.skip(1).any(is_pps)
}

/// How to stop common holders of a port, by a part of their names.
const CURES: [(&str, &str); 4] = [
    ("gpsd", "stop it (systemctl stop gpsd.socket gpsd.service), or read the sentences through it with --gpsd"),
    ("ModemManager", "stop it (systemctl stop ModemManager), or set ID_MM_DEVICE_IGNORE=1 for the device in udev"),
    ("getty", "run systemctl disable --now serial-getty@{tty}, and remove console= from the kernel's command line"),
    ("brltty", "stop it (systemctl stop brltty), or remove its package, which mistakes adapters for braille displays"),
];

/// The device is held by these.
pub(crate) fn held(device: &str, holders: &[Process]) -> OpenError {
    let (holder, cure) = match holders {
        [] => ("a program that only root can see".into(), format!("stop it (`fuser -v {device}` as root shows it)")),
        [first, ..] => {
            let cure = CURES.iter().find(|(name, _)| first.name.contains(name)).map_or("stop it", |(_, cure)| cure);
            (list(holders), cure.replace("{tty}", &name_of(device)))
        }
    };
    OpenError::cured(Problem::Taken, format!("{device} is held by {holder}"), cure)
}

/// Warns of programs that read without a lock: the bytes they read are lost here.
pub(crate) fn warn_of(readers: &[Process], device: impl Display) {
    if !readers.is_empty() {
        warn!("{device} is also read by {}: the bytes they read are lost here; stop them", list(readers));
    }
}

/// Their names, for a sentence.
pub(crate) fn list(holders: &[Process]) -> String {
    holders.iter().map(Process::to_string).collect::<Vec<_>>().join(", ")
}

/// The problem with a port that is the kernel's console (Documentation/ABI/testing/sysfs-tty), and the fix.
pub(crate) fn console(device: &str) -> Option<String> {
    let consoles = fs::read_to_string("/sys/class/tty/console/active").unwrap_or_default();
    console_among(device, &name_of(device), &consoles)
}

fn console_among(device: &str, name: &str, consoles: &str) -> Option<String> {
    consoles.split_whitespace().any(|console| console == name).then(|| {
        format!(
            "{device} is the kernel's console, which sends messages and a login prompt to the connected device: if \
             that is a receiver, remove console={name} from the kernel command line and reboot"
        )
    })
}

/// The last part of the name that the device has in /dev.
pub(super) fn name_of(device: &str) -> String {
    let resolved = fs::canonicalize(device).unwrap_or_else(|_| device.into());
    resolved.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ldattach_that_stamps_the_pulse_is_no_holder_and_any_other_is() {
        for (command, line, only) in [
            ("ldattach", "ldattach\0pps\0/dev/ttyS0\0", true),
            ("ldattach", "/usr/sbin/ldattach\0-d\0-s\x009600\0PPS\0/dev/ttyS0\0", true),
            ("ldattach", "ldattach\x0018\0/dev/ttyS0\0", true),
            ("ldattach", "ldattach\0gsm0710\0/dev/pps\0", false),
            ("ldattach", "pps\0tty\0/dev/ttyS0\0", false),
            ("ldattach", "", false),
            ("cat", "cat\0pps\0", false),
        ] {
            assert_eq!(only_stamps(command, line.split('\0')), only, "{command}: {line:?}");
        }
    }

    #[test]
    fn the_usual_suspects_have_cures() {
        let holder = |command: &str| vec![Process { pid: 7, name: command.into(), ..Process::default() }];
        for (command, words) in [
            ("gpsd", "held by gpsd (pid 7): stop it (systemctl stop gpsd.socket"),
            ("ModemManager", "ID_MM_DEVICE_IGNORE"),
            ("agetty", "serial-getty@ttyS0"),
            ("brltty", "stop brltty"),
            ("cat", "held by cat (pid 7): stop it"),
        ] {
            let said = held("/dev/ttyS0", &holder(command)).to_string();
            assert!(said.contains(words), "{said}");
        }
        assert!(held("/dev/ttyS0", &[]).to_string().contains("only root"));
    }

    #[test]
    fn the_console_is_known_by_its_name_and_named_as_the_operator_did() {
        let consoles = "tty0 ttyAMA0\n";
        let said = console_among("/dev/serial0", "ttyAMA0", consoles).unwrap();
        assert!(said.starts_with("/dev/serial0 is the kernel's console") && said.contains("console=ttyAMA0"), "{said}");
        for name in ["ttyAMA01", "ttyAMA", ""] {
            assert_eq!(console_among("/dev/x", name, consoles), None, "{name}");
        }
    }
}
