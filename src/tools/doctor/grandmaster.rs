//! The chain behind a PTP grandmaster: the kernel's TAI offset, the program that steers the NIC's clock, and ptp4l.

use super::rivals::{named, option};
use super::{Checked, Finding, Patient};
use crate::source::pulse::PulseConfig;
use crate::source::sysfs::{Device, each_reader_gets_every_edge};
use crate::sys::processes::Process;

/// Options of ptp4l that keep it from following another clock: since linuxptp 4.0, and before.
const SERVER_ONLY: [&str; 2] = ["serverOnly", "masterOnly"];

pub(super) fn check(patient: &Patient<'_>) -> Vec<Checked> {
    if !patient.is_grandmaster {
        return Vec::new();
    }
    vec![follower(patient), tai(patient), steering(patient), ptp4l(patient)]
}

/// `gnss2shm grandmaster`.
fn follower(patient: &Patient<'_>) -> Checked {
    let is_it = |process: &&Process| process.args().get(1).is_some_and(|command| command == "grandmaster");
    match named(patient.processes, "gnss2shm").find(is_it) {
        Some(process) => Ok(format!("{process} tells ptp4l what is measured")),
        None => Err(Finding::failure(
            "no `gnss2shm grandmaster` is running, so ptp4l announces an unsynchronized clock",
            format!("run `systemctl enable --now gnss2shm-grandmaster@{}`", patient.instance.name),
        )),
    }
}

fn tai(patient: &Patient<'_>) -> Checked {
    (patient.system.tai_offset)().map(|offset| format!("the kernel's TAI - UTC is {offset} s")).ok_or_else(|| {
        Finding::failure(
            "the kernel's TAI - UTC is not set, so ts2phc sets the NIC's clock to UTC",
            "write `leapsectz right/UTC` (from chrony 4.6: `leapseclist /usr/share/zoneinfo/leap-seconds.list`) in \
             chrony.conf and restart chronyd",
        )
    })
}

/// Which program steers the NIC's clock, if it is one.
fn steering(patient: &Patient<'_>) -> Checked {
    let (PulseConfig::Phc(phc), pulse) = (&patient.settings.pulse, &patient.pulse) else {
        return Err(Finding::failure(
            "the pulse is timestamped by a kernel PPS device, so nothing shows whether the NIC's clock is right",
            "connect the pulse to a pin of the NIC, and set [phc] in the settings file",
        ));
    };
    let Device { node, .. } = pulse.as_ref().map_err(Clone::clone)?;
    let steers = |process: &&Process| {
        process.has_open(node) == Some(true)
            || process.args().iter().skip(1).any(|arg| *arg == phc.device || *arg == node.display().to_string())
    };
    let is_servo =
        |process: &&Process| process.name != "phc2sys" || option(&process.args(), "-s") == Some("CLOCK_REALTIME");
    let servos: Vec<_> = ["ts2phc", "phc2sys"]
        .iter()
        .flat_map(|name| named(patient.processes, name))
        .filter(steers)
        .filter(is_servo)
        .collect();
    match *servos {
        [ts2phc] if ts2phc.name == "ts2phc" && !each_reader_gets_every_edge(&patient.system.root) => {
            Err(Finding::failure(
                format!(
                    "{ts2phc} reads the pulse, too, and before Linux 6.7 each of the two gets only some of the edges"
                ),
                "steer the NIC's clock with phc2sys (/usr/share/gnss2shm/grandmaster), or use a newer kernel",
            ))
        }
        [servo] => Ok(format!("{servo} steers {}", node.display())),
        [] => Err(Finding::failure(
            format!("no program is seen that steers {}", node.display()),
            "start ts2phc, or, before Linux 6.7, phc2sys: see /usr/share/gnss2shm/grandmaster",
        )),
        [one, other, ..] => {
            Err(Finding::failure(format!("{one} and {other} both steer {}", node.display()), "stop one of them"))
        }
    }
}

fn ptp4l(patient: &Patient<'_>) -> Checked {
    let Some(ptp4l) = named(patient.processes, "ptp4l").next() else {
        return Err(Finding::failure(
            "ptp4l is not running",
            "start it with the ptp4l.conf of /usr/share/gnss2shm/grandmaster",
        ));
    };
    if let Ok(Device { node, .. }) = &patient.pulse
        && ptp4l.has_open(node) == Some(false)
    {
        return Err(Finding::failure(
            format!(
                "{ptp4l} does not use {}, so it serves another clock than the one that is measured",
                node.display()
            ),
            "connect the pulse to the NIC that ptp4l serves",
        ));
    }
    let args = ptp4l.args();
    let file = option(&args, "-f").unwrap_or_default();
    let conf = patient.system.text(file);
    let is_set = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        words.next().is_some_and(|key| SERVER_ONLY.contains(&key)) && words.next() == Some("1")
    };
    let is_option = args.iter().any(|arg| SERVER_ONLY.iter().any(|key| *arg == format!("--{key}=1")));
    if is_option || conf.lines().any(is_set) {
        return Ok(format!("{ptp4l} follows no other clock"));
    }
    Err(Finding::warning(
        format!("{ptp4l} may follow another clock, and would then steer the NIC's clock"),
        format!("write `masterOnly 1` (from linuxptp 4.0 on: `serverOnly 1`) in {file} below [global]"),
    ))
}
