//! Who has a serial port or a FIFO: the processes that have it open or locked, and the kernel's console, by what /proc
//! shows of them.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::class::name_of;
use crate::sys::processes;

/// The number of the line discipline that stamps a port's pulse, linux/tty.h.
const N_PPS: u8 = 18;

/// A process that has it open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Holder {
    pid: u32,
    command: String,
}

impl Holder {
    pub(crate) fn new(pid: u32) -> Self {
        Self { pid, command: processes::program(pid).unwrap_or_default() }
    }

    /// The name of its program.
    pub(crate) fn command(&self) -> &str {
        &self.command
    }

    /// How to be rid of it.
    fn cure(&self, device: &str) -> String {
        match self.command.as_str() {
            "gpsd" => {
                "stop it (systemctl stop gpsd.socket gpsd.service), or take the sentences from it with --gpsd".into()
            }
            "ModemManager" => {
                "stop it (systemctl stop ModemManager), or give the device ID_MM_DEVICE_IGNORE=1 by udev".into()
            }
            "agetty" | "getty" | "login" => format!(
                "disable the console on it (systemctl disable --now serial-getty@{}), and remove console= from the kernel's command line",
                name_of(Path::new(device))
            ),
            "brltty" => {
                "stop it (systemctl stop brltty), or remove the package, which takes USB adapters for Braille displays"
                    .into()
            }
            _ => "stop it".into(),
        }
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let command = if self.command.is_empty() { "a program" } else { &self.command };
        write!(f, "{command} (pid {})", self.pid)
    }
}

/// The other processes that have this device open and may read of it. Of other users' processes only root sees that.
pub(crate) fn holders(device: &str) -> Vec<Holder> {
    let Ok(number) = fs::metadata(device).map(|meta| meta.rdev()) else { return Vec::new() };
    // What is elsewhere may be on a server that does not answer: asking for more than its name would block.
    let is_device = |fd: &Path| fs::read_link(fd).is_ok_and(|name| name.starts_with("/dev/"));
    let is_it = |fd: &Path| is_device(fd) && fs::metadata(fd).is_ok_and(|meta| meta.rdev() == number);
    let has_open = |pid: &u32| fds(*pid).any(|fd| is_it(&fd));
    let holders = processes::others().filter(has_open).map(|pid| (pid, Holder::new(pid)));
    holders
        .filter(|(pid, holder)| !only_stamps(holder.command(), command_line(*pid).split('\0')))
        .map(|(_, holder)| holder)
        .collect()
}

/// The arguments of a process, each ended by a zero byte, `proc_pid_cmdline(5)`.
fn command_line(pid: u32) -> String {
    let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    String::from_utf8_lossy(&line).into_owned()
}

/// Whether this is ldattach(8) with the line discipline that stamps the port's pulse: it keeps the port open and reads
/// nothing of it. The arguments begin with its name.
pub(crate) fn only_stamps<'a>(command: &str, args: impl Iterator<Item = &'a str>) -> bool {
    let is_pps = |arg: &str| arg.eq_ignore_ascii_case("pps") || arg.parse() == Ok(N_PPS);
    command == "ldattach" && args.skip(1).any(is_pps)
}

/// What a process has open; nothing where only root may know.
pub(crate) fn fds(pid: u32) -> impl Iterator<Item = PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.map(|fd| fd.path())
}

/// Whether a descriptor of [`fds`] is open for reading and not for writing, and at this path, which is canonical. Only
/// the link is looked at: what it leads to may be on a server that does not answer.
pub(crate) fn reads(fd: &Path, path: &Path) -> bool {
    // The mode of the link is that of the descriptor, proc_pid_fd(5).
    fs::symlink_metadata(fd).is_ok_and(|link| link.mode() & 0o600 == 0o400)
        && fs::read_link(fd).is_ok_and(|name| name == path)
}

/// Who has the device, and the cure.
pub(crate) fn sentence(device: &str, holders: &[Holder]) -> String {
    match holders {
        [] => format!(
            "{device} is held by a program that only root can see: stop it (fuser -v {device} as root names it)"
        ),
        [first, ..] => format!("{device} is held by {}: {}", list(holders), first.cure(device)),
    }
}

/// The names of the active consoles, with spaces between (Documentation/ABI/testing/sysfs-tty).
pub(crate) const CONSOLES: &str = "/sys/class/tty/console/active";

/// Whether this tty is one of them.
pub(crate) fn is_console(name: &str, consoles: &str) -> bool {
    consoles.split_whitespace().any(|console| console == name)
}

/// What is wrong with a port that is the kernel's console, and the cure.
pub(crate) fn console(device: &str) -> Option<String> {
    let consoles = fs::read_to_string(CONSOLES).unwrap_or_default();
    console_among(device, &name_of(Path::new(device)), &consoles)
}

fn console_among(device: &str, name: &str, consoles: &str) -> Option<String> {
    is_console(name, consoles).then(|| {
        format!(
            "{device} is the kernel's console, whose messages and login prompt go to whatever is wired to it: if that is a \
             receiver, take console={name} from the kernel's command line and reboot"
        )
    })
}

/// Their names.
pub(crate) fn list(holders: &[Holder]) -> String {
    holders.iter().map(Holder::to_string).collect::<Vec<_>>().join(", ")
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
