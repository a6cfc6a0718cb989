//! The pulse's end: the device exists, can timestamp, has the pin, and the service may use it; the interface of a PHC is
//! up. All of that is seen in sysfs, so a PHC in use is not disturbed.

use std::path::PathBuf;

use super::account::{READ, READ_WRITE};
use super::{Finding, Patient, System};
use crate::source::phc::{PhcConfig, check_channel, choose_pin, is_up};
use crate::source::pulse::PulseConfig;
use crate::source::sysfs::{Class, Device, Finder, PPS, PTP};
use crate::sys::error::{OpenError, Problem};
use crate::sys::ptp::{Function, PinState};

const ITEM: &str = "pulse";

/// The node of the pulse, if it is known, and what is wrong with it.
pub(super) fn check(patient: &Patient<'_>, config: &PulseConfig) -> (Option<PathBuf>, Vec<Finding>) {
    let system = patient.system;
    let finder = Finder { root: &system.root, phc_index: system.phc_index };
    let (found, phc, class, access) = match config {
        PulseConfig::Phc(phc) => (finder.phc(&phc.device), Some(phc), &PTP, READ_WRITE),
        PulseConfig::Pps(pps) => (finder.pps(&pps.device), None, &PPS, READ),
    };
    let device = match found {
        Ok(device) => device,
        Err(error) => return (None, vec![refused(&error)]),
    };
    let mut findings: Vec<_> = phc.and_then(|phc| channel_and_pin(phc, &device)).into_iter().collect();
    findings.extend(may_use(patient, &device, access, class));
    let mut findings = super::or_ok(findings, ITEM, format!("{config}: {device}"));
    findings.extend(phc.and_then(|phc| interface(system, phc, &device)));
    (Some(device.node), findings)
}

/// The error of `run`: a sentence whose cure follows a colon.
fn refused(error: &OpenError) -> Finding {
    let sentence = error.to_string();
    let (says, cure) = sentence.split_once(": ").unwrap_or((&sentence, "see the log of the service"));
    match error.problem {
        Problem::Denied => Finding::unseen(ITEM, says),
        _ => Finding::failure(ITEM, says, cure),
    }
}

fn channel_and_pin(config: &PhcConfig, clock: &Device) -> Option<Finding> {
    let channels = clock.value("n_external_timestamps").and_then(|text| text.parse().ok());
    if let Some(Err(error)) = channels.map(|channels| check_channel(clock, config.channel, channels)) {
        return Some(refused(&error));
    }
    let wanted = config.pin.as_ref()?;
    // sysfs has names without numbers: the numbers here only serve to count.
    let pins: Vec<_> = (0..).zip(clock.pins()).map(|(index, name)| pin(clock, index, name)).collect();
    let found = match choose_pin(clock, config, &pins) {
        Ok(found) => found?,
        Err(error) => return Some(refused(&error)),
    };
    let is = match found.function {
        _ if wanted.0 != found.name => return None,
        Function::None => return None,
        Function::ExtTs if found.channel == config.channel => return None,
        Function::ExtTs => format!("on channel {}", found.channel),
        Function::Other(_) => "an output".to_owned(),
    };
    Some(Finding::warning(
        ITEM,
        format!("pin {wanted} of {clock} is {is}, not an input on channel {}", config.channel),
        "stop the program that set it (ts2phc, a script, testptp -L), then restart gnss2shm, which sets it at its start",
    ))
}

/// The state of a pin: its file holds the number of its function (`enum ptp_pin_function`) and its channel.
fn pin(clock: &Device, index: u32, name: String) -> PinState {
    let text = clock.value(&format!("pins/{name}")).unwrap_or_default();
    let mut numbers = text.split_ascii_whitespace().map(|number| number.parse().unwrap_or(0_u32));
    let mut next = || numbers.next().unwrap_or(0);
    PinState { name, index, function: next().into(), channel: next() }
}

/// The node exists, and the service may use it.
fn may_use(patient: &Patient<'_>, device: &Device, access: u32, class: &Class) -> Option<Finding> {
    let node = match patient.system.node(&device.node) {
        Ok(node) => node,
        Err(error) => return Some(refused(&class.unusable(&device.node, &error))),
    };
    let name = class.name;
    let cure = format!(
        "have udev do so: rule `SUBSYSTEM==\"{name}\", GROUP=\"clock\", MODE=\"0660\"`, as in 60-gnss2shm.rules, then \
         `udevadm control --reload` and `udevadm trigger --action=change --subsystem-match={name}`"
    );
    patient.account.as_ref()?.check(patient.system, ITEM, access, &node, &cure)
}

/// The interface of a PHC: igb and igc timestamp nothing while it is down, and an unused adapter may be put to sleep.
fn interface(system: &System, config: &PhcConfig, clock: &Device) -> Option<Finding> {
    const ITEM: &str = "interface";
    let named = Some(config.device.clone()).filter(|device| !device.contains(['/', ':']));
    let name = clock.interfaces().into_iter().next().or(named)?;
    let of = |file: &str| system.value(format!("/sys/class/net/{name}/{file}")).unwrap_or_default();
    let awake = format!("run `echo on > /sys/class/net/{name}/device/power/control` at every boot");
    Some(if of("device/power/runtime_status") == "suspended" {
        let cure = format!("{awake}, and `ip link set {name} up`");
        Finding::failure(ITEM, format!("the adapter of {name} sleeps, and its clock with it"), cure)
    } else if !is_up(&of("flags")) {
        let cure = format!("run `ip link set {name} up`, and make that permanent");
        Finding::warning(ITEM, format!("{name} is down; igb and igc timestamp nothing while it is"), cure)
    } else if of("carrier") == "0" && of("device/power/control") == "auto" {
        // Linux, drivers/net/ethernet/intel/igb/igb_main.c, igb_runtime_idle(): after 5 s without a link.
        Finding::warning(ITEM, format!("{name} has no link, and its adapter may be put to sleep for that"), awake)
    } else {
        Finding::ok(ITEM, format!("{name} is up"))
    })
}
