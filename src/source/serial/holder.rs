//! Who has a serial port: the processes that have it open and the kernel's console, by what /proc shows of them.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::class::name_of;

/// A process that has the port open.
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
        write!(f, "{} (pid {})", self.command, self.pid)
    }
}

/// The other processes that have this device open. Of other users' processes only root sees that.
pub(crate) fn holders(device: &str) -> Vec<Holder> {
    let Ok(number) = fs::metadata(device).map(|meta| meta.rdev()) else { return Vec::new() };
    let pids = fs::read_dir("/proc").into_iter().flatten().flatten();
    pids.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|&pid: &u32| pid != std::process::id() && has_open(pid, number))
        .map(|pid| {
            let command = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
            Holder { pid, command: command.trim_end().to_owned() }
        })
        .collect()
}

fn has_open(pid: u32, number: u64) -> bool {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.into_iter().any(|fd| fs::metadata(fd.path()).is_ok_and(|meta| meta.rdev() == number))
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

/// What is wrong with a port that is the kernel's console, and the cure.
pub(crate) fn console(device: &str) -> Option<String> {
    let consoles = fs::read_to_string("/proc/consoles").unwrap_or_default();
    console_among(device, &name_of(Path::new(device)), &consoles)
}

/// A line of /proc/consoles begins with the name (Documentation/filesystems/proc.rst).
fn console_among(device: &str, name: &str, consoles: &str) -> Option<String> {
    let is_one = consoles.lines().any(|line| line.split_whitespace().next() == Some(name));
    is_one.then(|| {
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
        let consoles = "tty0                 -WU (EC  p  )    4:7\nttyAMA0              -W- (E   p a)  204:64\n";
        let said = console_among("/dev/serial0", "ttyAMA0", consoles).unwrap();
        assert!(said.starts_with("/dev/serial0 is the kernel's console") && said.contains("console=ttyAMA0"), "{said}");
        for name in ["ttyAMA01", "ttyAMA", "204:64", ""] {
            assert_eq!(console_among("/dev/x", name, consoles), None, "{name}");
        }
    }
}
