//! Other programs that set the system clock, or take the receiver's bytes or the pulse's edges.

use std::path::Path;

use super::machine::OWN_QUEUES;
use super::processes::{has_flag, option};
use super::{Finding, Level, Patient, service};
use crate::config::Settings;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::holder::{only_stamps, sentence};
use crate::sys::processes::Process;

const ITEM: &str = "rivals";
/// Programs that set the system clock as chronyd does, by the first 15 bytes of their names, and how to stop each.
const CLOCK_SETTERS: [(&str, &str); 5] = [
    ("systemd-timesyn", "run `systemctl disable --now systemd-timesyncd`"),
    ("ntpd", "run `systemctl disable --now ntp ntpsec ntpd openntpd`, whichever there is"),
    ("ntp-daemon", "run `systemctl disable --now ntpd-rs`"),
    ("ptpd", "run `systemctl disable --now ptpd`, or start it with -n"),
    ("phc2sys", "run `systemctl disable --now phc2sys`, or have it feed chronyd: -E ntpshm -M with a unit of its own"),
];
/// Programs that may have the PHC open: none of them reads its timestamps.
const PHC_USERS: [&str; 4] = ["ptp4l", "phc2sys", "timemaster", "chronyd"];

pub(super) fn check(patient: &Patient<'_>, settings: Option<&Settings>) -> Vec<Finding> {
    let mut found = setters(patient);
    // If the service runs, it is a gnss2shm that has port and clock open.
    let runs = settings.is_some_and(|settings| patient.system.has(service::socket(patient, settings)));
    let mut is_unseen = patient.processes.are_hidden;
    let mut holders = |node: &Path| {
        let mut holders = patient.processes.seen.clone();
        holders.retain(|process| {
            let has = process.has_open(node);
            is_unseen |= has.is_none();
            has == Some(true) && !(runs && process.name == "gnss2shm")
        });
        holders
    };
    if let Some(ReceiverConfig::Serial(serial)) = settings.map(|settings| &settings.receiver)
        && let Ok(node) = patient.system.real(&serial.device)
    {
        let device = &serial.device;
        let mut holders = holders(&node);
        holders.retain(|process| !only_stamps(&process.name, process.args().iter().map(String::as_str)));
        if !holders.is_empty() {
            let sentence = sentence(device, &holders);
            let (held, cure) = sentence.split_once(": ").unwrap_or((&sentence, "stop it"));
            found.push(Finding::failure(ITEM, held, cure));
        }
        let tty = node.file_name().unwrap_or_default().to_string_lossy();
        if let Some(process) = patient.processes.named("ModemManager").next().filter(|_| is_probed(patient, &tty)) {
            let says = format!("{process} may take {device} for a modem and send it commands");
            let cure = "give the device ID_MM_DEVICE_IGNORE=1 by udev, or run `systemctl disable --now ModemManager`";
            found.push(Finding::warning(ITEM, says, cure));
        }
    }
    // Any number of programs may read a PPS device.
    if let Some(node) = patient.pulse.as_ref().filter(|node| node.to_string_lossy().starts_with("/dev/ptp")) {
        let shown = node.display();
        for process in holders(node).into_iter().filter(|process| !PHC_USERS.contains(&process.name.as_str())) {
            let level = if patient.kernel >= OWN_QUEUES { Level::Warning } else { Level::Failure };
            let says =
                format!("{process} has {shown} open: it may take edges (before Linux 6.7) or set the pin otherwise");
            found.push(Finding::new(ITEM, level, says, "stop it: gnss2shm needs no other program for the pulse"));
        }
    }
    if is_unseen {
        found.push(Finding::unseen(ITEM, "the processes of other users"));
    }
    super::or_ok(found, ITEM, "no other program sets the system clock or uses the devices")
}

fn setters(patient: &Patient<'_>) -> Vec<Finding> {
    let mut found = vec![];
    for (name, cure) in CLOCK_SETTERS {
        let sets = |process: &&Process| name != "phc2sys" || sets_system_clock(&process.args());
        for process in patient.processes.named(name).filter(sets) {
            found.push(Finding::failure(ITEM, format!("{process} sets the system clock, as chronyd does"), cure));
        }
    }
    // With -x it leaves the clock alone; whether it reads our segment is checked there.
    if let [ours, others @ ..] = patient.processes.chronyds().as_slice() {
        for other in others.iter().filter(|other| !has_flag(&other.args(), "-x")) {
            let says = format!("{other} sets the system clock, as {ours} does");
            found.push(Finding::failure(ITEM, says, "stop the one that is not the service's"));
        }
    }
    found
}

/// phc2sys sets the system clock unless it is told to set a PHC, or to feed another program.
fn sets_system_clock(args: &[String]) -> bool {
    let feeds = option(args, "-E").is_some_and(|servo| servo.contains("shm") || servo.contains("sock"));
    let sets_phc =
        option(args, "-c").is_some_and(|sink| sink != "CLOCK_REALTIME") || option(args, "-s") == Some("CLOCK_REALTIME");
    let is_automatic = has_flag(args, "-a") && !has_flag(args, "-r") && !has_flag(args, "-rr");
    !feeds && !sets_phc && !is_automatic
}

/// Whether `ModemManager` probes a port: a USB port that udev does not tell it to ignore.
fn is_probed(patient: &Patient<'_>, tty: &str) -> bool {
    let number = patient.system.value(format!("/sys/class/tty/{tty}/dev")).unwrap_or_default();
    let properties = patient.system.text(format!("/run/udev/data/c{number}")).unwrap_or_default();
    let is_told = |line| ["E:ID_MM_PORT_IGNORE=1", "E:ID_MM_DEVICE_IGNORE=1"].contains(&line);
    (tty.starts_with("ttyUSB") || tty.starts_with("ttyACM")) && !properties.lines().any(is_told)
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
