//! Other programs that set the system clock, or take the receiver's bytes or the pulse's edges.

use std::path::Path;

use super::{Checked, Finding, Patient};
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::holder::{held, only_stamps};
use crate::source::sysfs::Device;
use crate::sys::processes::Process;

/// Programs that set the system clock as chronyd does, by the first 15 bytes of their names, and how to stop each.
const CLOCK_SETTERS: [(&str, &str); 5] = [
    ("systemd-timesyn", "run `systemctl disable --now systemd-timesyncd`"),
    (
        "ntpd",
        "run `systemctl disable --now ntp ntpsec ntpd openntpd`, whichever is installed; NTPsec can also read the samples in \
         place of chronyd: /usr/share/gnss2shm/ntpsec.conf",
    ),
    (
        "ntp-daemon",
        "run `systemctl disable --now ntpd-rs`; or it reads the samples in place of chronyd: \
         /usr/share/gnss2shm/ntpd-rs.toml",
    ),
    ("ptpd", "run `systemctl disable --now ptpd`, or start it with -n"),
    ("phc2sys", "run `systemctl disable --now phc2sys`, or have it feed chronyd: -E ntpshm -M with its own unit"),
];
/// Programs that may have the PHC open: none of them reads external timestamps.
const PHC_USERS: [&str; 5] = ["gnss2shm", "ptp4l", "phc2sys", "timemaster", "chronyd"];

pub(super) fn check(patient: &Patient<'_>) -> Vec<Checked> {
    let mut found = setters(patient);
    let holders = |node: &Path| -> Vec<Process> {
        patient.processes.iter().filter(|process| process.has_open(node) == Some(true)).cloned().collect()
    };
    if let ReceiverConfig::Serial(serial) = &patient.settings.receiver
        && let Ok(node) = patient.system.real(&serial.device)
    {
        let mut holders = holders(&node);
        holders.retain(|process| {
            process.name != "gnss2shm" && !only_stamps(&process.name, process.args().iter().map(String::as_str))
        });
        if !holders.is_empty() {
            found.push(held(&serial.device, &holders).into());
        }
    }
    // Any number of programs may read a PPS device.
    if let (PulseConfig::Phc(_), Ok(Device { node, .. })) = (&patient.settings.pulse, &patient.pulse) {
        for process in holders(node).iter().filter(|process| !PHC_USERS.contains(&process.name.as_str())) {
            if patient.is_grandmaster && process.name == "ts2phc" {
                continue; // judged with the rest of the grandmaster
            }
            // Since Linux 6.7, every descriptor of a PHC has its own event queue.
            let does = "it may take edges (before Linux 6.7) or change the pin";
            let says = format!("{process} has {} open: {does}", node.display());
            found.push(Finding::warning(says, "stop it: gnss2shm needs no other program for the pulse"));
        }
    }
    // Only root can see the files that PID 1 has open.
    let init = patient.processes.iter().find(|process| process.pid == 1);
    if init.is_none_or(|init| init.has_open(Path::new("/")).is_none()) {
        found.push(Finding::unseen("the processes of other users"));
    }
    if found.is_empty() {
        return vec![Ok("no other program sets the system clock or uses the devices".into())];
    }
    found.into_iter().map(Err).collect()
}

/// Each other program that sets the system clock.
fn setters(patient: &Patient<'_>) -> Vec<Finding> {
    let processes = patient.processes;
    let consumer = patient.consumer.as_ref().map(|consumer| &consumer.process);
    let ours = consumer.map_or("chronyd", |consumer| &consumer.name);
    let mut found = vec![];
    for (name, cure) in CLOCK_SETTERS {
        let sets = |process: &&Process| {
            consumer.is_none_or(|consumer| consumer.pid != process.pid)
                && (name != "phc2sys" || sets_system_clock(&process.args()))
        };
        let fault = |process| Finding::failure(format!("{process} sets the system clock, as {ours} does"), cure);
        found.extend(named(processes, name).filter(sets).map(fault));
    }
    for other in chronyds(processes).iter().skip(1).filter(|other| !leaves_the_clock(other)) {
        let says = format!("{other} sets the system clock, as another chronyd does");
        found.push(Finding::failure(says, "stop the one that does not belong to the service"));
    }
    found
}

/// Those with this name outside containers, where they could not set this machine's clock.
pub(super) fn named<'a>(processes: &'a [Process], name: &'a str) -> impl Iterator<Item = &'a Process> {
    processes.iter().filter(move |process| process.name == name && !process.is_contained)
}

/// Every chronyd except its helper processes, sorted by PID; those that do not set the clock come last.
pub(super) fn chronyds(processes: &[Process]) -> Vec<&Process> {
    let is_helper = |process: &Process| named(processes, "chronyd").any(|other| other.pid == process.parent);
    let mut daemons: Vec<_> = named(processes, "chronyd").filter(|process| !is_helper(process)).collect();
    daemons.sort_by_key(|daemon| (leaves_the_clock(daemon), daemon.pid));
    daemons
}

/// chronyd(8), option -x.
pub(super) fn leaves_the_clock(chronyd: &Process) -> bool {
    chronyd.args().iter().any(|arg| arg == "-x")
}

/// The value of this option on the command line, as in `-f FILE` or `-fFILE`.
pub(super) fn option<'a>(args: &'a [String], option: &str) -> Option<&'a str> {
    let mut args = args.iter().skip(1);
    match args.find_map(|arg| arg.strip_prefix(option))? {
        "" => args.next().map(String::as_str),
        value => Some(value),
    }
}

/// phc2sys sets the system clock unless configured to set a PHC or to feed another program.
fn sets_system_clock(args: &[String]) -> bool {
    let feeds = option(args, "-E").is_some_and(|servo| servo.contains("shm") || servo.contains("sock"));
    let sets_phc =
        option(args, "-c").is_some_and(|sink| sink != "CLOCK_REALTIME") || option(args, "-s") == Some("CLOCK_REALTIME");
    let has = |flag: &str| args.iter().any(|arg| arg.starts_with(flag));
    let is_automatic = has("-a") && !has("-r");
    !feeds && !sets_phc && !is_automatic
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    #[test]
    fn phc2sys_is_a_rival_where_it_sets_the_system_clock() {
        for (line, is_rival) in [
            ("phc2sys -s eth0 -O -37", true),
            ("phc2sys -s eth0 -c CLOCK_REALTIME -w", true),
            ("phc2sys -c eth0 -s CLOCK_REALTIME", false),
            ("phc2sys -a -r", true),
            ("phc2sys -a -rr", true),
            ("phc2sys -a", false),
            ("phc2sys -s eth0 -E ntpshm -M 5 -w", false),
        ] {
            assert_eq!(sets_system_clock(&args(line)), is_rival, "{line}");
        }
    }

    #[test]
    fn options_are_found_with_and_without_a_space() {
        assert_eq!(option(&args("chronyd -F 1 -f /x"), "-f"), Some("/x"));
        assert_eq!(option(&args("chronyd -f/x"), "-f"), Some("/x"));
        assert_eq!(option(&args("chronyd -F 1"), "-f"), None);
        assert_eq!(option(&args("-f"), "-f"), None);
    }
}
