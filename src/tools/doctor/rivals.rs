//! Other programs that set the system clock, or take the receiver's bytes or the pulse's edges.

use std::path::Path;

use super::machine::Kernel;
use super::processes::{has_flag, option};
use super::{Finding, Patient, service};
use crate::config::Settings;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::holder::only_stamps;
use crate::sys::processes::Process;

const ITEM: &str = "rivals";

/// Programs that set the system clock, as chronyd does, by the first 15 bytes of their names, and how each is ended.
const CLOCK_SETTERS: [(&str, &str); 4] = [
    ("systemd-timesyn", "run `systemctl disable --now systemd-timesyncd`"),
    ("ntpd", "run `systemctl disable --now ntp ntpsec ntpd openntpd`, whichever there is"),
    ("ntp-daemon", "run `systemctl disable --now ntpd-rs`"),
    ("ptpd", "run `systemctl disable --now ptpd`, or start it with -n"),
];

pub(super) fn check(patient: &Patient<'_>, settings: Option<&Settings>) -> Vec<Finding> {
    let mut found = setters(patient);
    // Where the service runs, it is a gnss2shm that has port and clock; else it is one that keeps the service from
    // them.
    let runs = settings.is_some_and(|settings| patient.system.has(service::socket(patient, settings)));
    let rivals: Vec<_> = patient.processes.seen.iter().filter(|process| !runs || process.name != "gnss2shm").collect();
    let serial = match settings.map(|settings| &settings.receiver) {
        Some(ReceiverConfig::Serial(serial)) => Some(serial),
        _ => None,
    };
    found.extend(serial.iter().flat_map(|serial| port(patient, &rivals, &serial.device)));
    if let Some(node) = &patient.pulse {
        found.extend(clock(patient, &rivals, node));
    }
    if patient.processes.are_hidden {
        found.push(Finding::unseen(ITEM, "the processes of others"));
    }
    let read = match (serial.is_some(), patient.pulse.is_some()) {
        (true, true) => ", or reads receiver or pulse",
        (true, false) => ", or reads the receiver; the pulse was not looked at",
        (false, true) => ", or reads the pulse",
        (false, false) => "; receiver and pulse were not looked at",
    };
    super::or_ok(found, ITEM, format!("nobody else sets the system clock{read}"))
}

fn setters(patient: &Patient<'_>) -> Vec<Finding> {
    let mut found = vec![];
    let sets = |process: &Process| format!("{process} sets the system clock, as chronyd does");
    for (name, cure) in CLOCK_SETTERS {
        found.extend(patient.processes.named(name).map(|process| Finding::failure(ITEM, sets(process), cure)));
    }
    for process in patient.processes.named("phc2sys").filter(|process| sets_system_clock(&process.args())) {
        let cure =
            "run `systemctl disable --now phc2sys`, or have it feed chronyd: -E ntpshm -M with a unit of its own";
        found.push(Finding::failure(ITEM, sets(process), cure));
    }
    // One with -x leaves the clock alone; whether it reads our segment is seen there.
    if let Some(ours) = patient.processes.chronyd() {
        let others =
            patient.processes.chronyds().filter(|other| other.pid != ours.pid && !has_flag(&other.args(), "-x"));
        found.extend(others.map(|other| {
            let says = format!("{other} sets the system clock, as {ours} does");
            Finding::failure(ITEM, says, format!("end the one that is not the service's, as with `kill {}`", other.pid))
        }));
    }
    found
}

/// phc2sys sets the system clock unless it is told to set a PHC, or to feed somebody who does.
fn sets_system_clock(args: &[String]) -> bool {
    let is = |name, value| option(args, name).is_some_and(|found| found == value);
    let feeds = option(args, "-E").is_some_and(|servo| servo.contains("shm") || servo.contains("sock"));
    let sets_phc = option(args, "-c").is_some_and(|sink| sink != "CLOCK_REALTIME") || is("-s", "CLOCK_REALTIME");
    let is_automatic = has_flag(args, "-a") && !has_flag(args, "-r") && !has_flag(args, "-rr");
    !feeds && !sets_phc && !is_automatic
}

/// Who else has the receiver's port.
fn port(patient: &Patient<'_>, rivals: &[&Process], device: &str) -> Vec<Finding> {
    let Ok(node) = patient.system.real(device) else { return vec![] };
    let tty = node.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (mut found, mut is_unseen) = (vec![], false);
    for process in
        rivals.iter().filter(|process| !only_stamps(&process.name, process.args().iter().map(String::as_str)))
    {
        let has_it = process.has_open(&node);
        is_unseen |= has_it.is_none();
        let named = process
            .args()
            .iter()
            .any(|arg| *arg == tty || Path::new(arg).file_name().is_some_and(|name| *name == *tty) || arg == device);
        // What may not be looked at is told by its command line.
        let may_have = named && ["agetty", "getty", "login", "gpsd", "brltty"].contains(&process.name.as_str());
        if has_it.unwrap_or(may_have) {
            found.push(Finding::failure(ITEM, format!("{process} has {device} open"), ends(process, &tty)));
        }
    }
    if found.is_empty() && is_unseen {
        found.push(Finding::unseen(ITEM, format!("who else has {device} open")));
    }
    let probes = patient.processes.named("ModemManager").next();
    if let Some(process) = probes.filter(|_| is_usb(&tty) && !is_ignored(patient, &tty)) {
        found.push(Finding::warning(
            ITEM,
            format!("{process} may take {device} for a modem and send it commands"),
            format!(
                "have udev tell it not to, with a rule `KERNEL==\"{tty}\", ENV{{ID_MM_PORT_IGNORE}}=\"1\"`, or run \
                 `systemctl disable --now ModemManager`"
            ),
        ));
    }
    found
}

fn is_usb(tty: &str) -> bool {
    tty.starts_with("ttyUSB") || tty.starts_with("ttyACM")
}

/// Whether udev has `ModemManager` leave the port alone.
fn is_ignored(patient: &Patient<'_>, tty: &str) -> bool {
    let number = patient.system.value(format!("/sys/class/tty/{tty}/dev")).unwrap_or_default();
    let properties = patient.system.text(format!("/run/udev/data/c{number}")).unwrap_or_default();
    properties.lines().any(|line| ["E:ID_MM_PORT_IGNORE=1", "E:ID_MM_DEVICE_IGNORE=1"].contains(&line))
}

/// How the holder of a port is ended.
fn ends(process: &Process, tty: &str) -> String {
    match process.name.as_str() {
        "gpsd" => {
            "run `systemctl disable --now gpsd.service gpsd.socket`, or read through it: [gpsd] for [serial]".into()
        }
        "agetty" | "getty" | "login" | "bash" | "sh" => {
            format!(
                "run `systemctl disable --now serial-getty@{tty}.service`, and take console={tty} from the kernel's \
                 command line if it is there"
            )
        }
        "ModemManager" => {
            format!(
                "have udev tell it not to, with a rule `KERNEL==\"{tty}\", ENV{{ID_MM_PORT_IGNORE}}=\"1\"`, then restart it"
            )
        }
        "brltty" => "run `systemctl mask --now brltty.service brltty-udev.service`".into(),
        "gnss2shm" => {
            format!("if it is the one that is meant, start it with --status; else end it (`kill {}`)", process.pid)
        }
        _ => format!(
            "end it (`kill {}`), or stop its service (`systemctl status {}` names it)",
            process.pid, process.pid
        ),
    }
}

/// Who else has the PHC: what steers it may, what takes its timestamps may not.
fn clock(patient: &Patient<'_>, rivals: &[&Process], node: &Path) -> Vec<Finding> {
    const HARMLESS: [&str; 4] = ["ptp4l", "phc2sys", "timemaster", "chronyd"];
    if !node.to_string_lossy().starts_with("/dev/ptp") {
        return vec![]; // a PPS device may have as many readers as like
    }
    let (mut found, mut is_unseen) = (vec![], false);
    for process in rivals.iter().filter(|process| !HARMLESS.contains(&process.name.as_str())) {
        let has_it = process.has_open(node);
        is_unseen |= has_it.is_none() && process.name == "ts2phc";
        if has_it != Some(true) {
            continue;
        }
        let cure = match process.name.as_str() {
            "ts2phc" => {
                "run `systemctl disable --now ts2phc`: what it does for the PHC, gnss2shm does not need".to_owned()
            }
            _ => format!("end it (`kill {}`)", process.pid),
        };
        let says = format!("{process} has {} open", node.display());
        found.push(if patient.kernel.is_some_and(|kernel| kernel >= Kernel::OWN_QUEUES) {
            Finding::warning(ITEM, format!("{says}, and may set its pin otherwise or end its timestamps"), cure)
        } else {
            Finding::failure(
                ITEM,
                format!("{says}, and before Linux 6.7 every edge that it reads is missing to us"),
                cure,
            )
        });
    }
    if is_unseen {
        found.push(Finding::unseen(ITEM, format!("whether ts2phc, which runs, reads {}", node.display())));
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phc2sys_is_a_rival_where_it_sets_the_system_clock() {
        for (line, is_rival) in [
            ("phc2sys -s eth0 -O -37", true),
            ("phc2sys -s eth0 -c CLOCK_REALTIME -w", true),
            ("phc2sys -c eth0 -s CLOCK_REALTIME", false),
            ("phc2sys -a -r", true),
            ("phc2sys -a", false),
            ("phc2sys -s eth0 -E ntpshm -M 5 -w", false),
        ] {
            let args: Vec<_> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(sets_system_clock(&args), is_rival, "{line}");
        }
    }
}
