//! Who else has a serial port or a FIFO: the processes that have it open, by proc(5), and the kernel's console.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use tracing::warn;

use super::port::name_of;
use crate::sys::processes;

/// A process that has it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pid: u32,
    command: String,
}

impl Holder {
    /// The name of its program.
    pub(crate) fn command(&self) -> &str {
        &self.command
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = if self.command.is_empty() { "a program" } else { &self.command };
        write!(f, "{command} (pid {})", self.pid)
    }
}

/// The other processes that have this device open and may read from it. Only root sees those of other users.
pub(crate) fn holders(device: &str) -> Vec<Holder> {
    let Ok(number) = fs::metadata(device).map(|meta| meta.rdev()) else { return Vec::new() };
    // Outside of /dev it may be on a server that does not answer: to ask for more than the link's name would block.
    let mut found = having_open(|fd| {
        fs::read_link(fd).is_ok_and(|name| name.starts_with("/dev/"))
            && fs::metadata(fd).is_ok_and(|meta| meta.rdev() == number)
    });
    found.retain(|holder| {
        let line = fs::read(format!("/proc/{}/cmdline", holder.pid)).unwrap_or_default();
        !only_stamps(&holder.command, String::from_utf8_lossy(&line).split('\0'))
    });
    found
}

/// The other processes that only read this FIFO. One that also writes keeps it open for the writers.
pub(crate) fn readers(fifo: &Path) -> Vec<Holder> {
    let Ok(path) = fs::canonicalize(fifo) else { return Vec::new() };
    // The mode of the link is that of the descriptor, proc_pid_fd(5).
    let is_read = |fd: &Path| fs::symlink_metadata(fd).is_ok_and(|link| link.mode() & 0o600 == 0o400);
    having_open(|fd| is_read(fd) && fs::read_link(fd).is_ok_and(|name| name == path))
}

/// The other processes with such a descriptor, named by its link in /proc.
fn having_open(is_it: impl Fn(&Path) -> bool) -> Vec<Holder> {
    let fds = |pid| fs::read_dir(PathBuf::from(format!("/proc/{pid}/fd"))).into_iter().flatten().flatten();
    let has_open = |pid: &u32| fds(*pid).any(|fd| is_it(&fd.path()));
    let named = |pid| Holder { pid, command: processes::program(pid).unwrap_or_default() };
    processes::others().filter(has_open).map(named).collect()
}

/// Whether this is ldattach(8) with the line discipline that timestamps the port's pulse (`N_PPS`, 18 in linux/tty.h): it
/// keeps the port open and reads nothing from it. The arguments begin with its name.
pub(crate) fn only_stamps<'a>(command: &str, args: impl Iterator<Item = &'a str>) -> bool {
    let is_pps = |arg: &str| arg.eq_ignore_ascii_case("pps") || arg == "18";
    command == "ldattach" && args.skip(1).any(is_pps)
}

/// How to stop a program from using the device.
fn cure(command: &str, device: &str) -> String {
    match command {
        "gpsd" => "stop it (systemctl stop gpsd.socket gpsd.service), or take the sentences from it with --gpsd".into(),
        "ModemManager" => {
            "stop it (systemctl stop ModemManager), or give the device ID_MM_DEVICE_IGNORE=1 by udev".into()
        }
        "agetty" | "getty" | "login" => format!(
            "disable the console on it (systemctl disable --now serial-getty@{}), and remove console= from the kernel's \
             command line",
            name_of(Path::new(device))
        ),
        "brltty" => {
            "stop it (systemctl stop brltty), or remove the package, which takes USB adapters for Braille displays"
                .into()
        }
        _ => "stop it".into(),
    }
}

/// The holders of the device, and the cure.
pub(crate) fn sentence(device: &str, holders: &[Holder]) -> String {
    match holders {
        [] => format!(
            "{device} is held by a program that only root can see: stop it (fuser -v {device} as root names it)"
        ),
        [first, ..] => format!("{device} is held by {}: {}", list(holders), cure(first.command(), device)),
    }
}

/// Warns of programs that neither lock nor ask: they take away what they read.
pub(crate) fn warn_of(readers: &[Holder], device: impl fmt::Display) {
    if !readers.is_empty() {
        warn!("{device} is also read by {}: what they read of it is lost here; stop them", list(readers));
    }
}

fn list(holders: &[Holder]) -> String {
    holders.iter().map(Holder::to_string).collect::<Vec<_>>().join(", ")
}

/// The names of the active consoles, with spaces between (Documentation/ABI/testing/sysfs-tty).
pub(crate) const CONSOLES: &str = "/sys/class/tty/console/active";

/// Whether this tty is one of them.
pub(crate) fn is_console(name: &str, consoles: &str) -> bool {
    consoles.split_whitespace().any(|console| console == name)
}

/// What is wrong with a port that is the kernel's console, and the cure.
pub(crate) fn console(device: &str) -> Option<String> {
    console_among(device, &name_of(Path::new(device)), &fs::read_to_string(CONSOLES).unwrap_or_default())
}

fn console_among(device: &str, name: &str, consoles: &str) -> Option<String> {
    is_console(name, consoles).then(|| {
        format!(
            "{device} is the kernel's console, whose messages and login prompt go to whatever is wired to it: if that is a \
             receiver, remove console={name} from the kernel's command line and reboot"
        )
    })
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
        let holder = |command: &str| vec![Holder { pid: 7, command: command.into() }];
        for (command, words) in [
            ("gpsd", "held by gpsd (pid 7): stop it (systemctl stop gpsd.socket"),
            ("ModemManager", "ID_MM_DEVICE_IGNORE"),
            ("agetty", "serial-getty@ttyS0"),
            ("brltty", "stop brltty"),
            ("cat", "held by cat (pid 7): stop it"),
        ] {
            let said = sentence("/dev/ttyS0", &holder(command));
            assert!(said.contains(words), "{said}");
        }
        assert!(sentence("/dev/ttyS0", &[]).contains("only root"));
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
