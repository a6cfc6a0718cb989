//! The pulse's end: the device exists, can timestamp, has the pin, and the service may use it; the interface of a PHC is
//! up. All of that is seen in sysfs, so a PHC in use is not disturbed.

use super::{Finding, Patient, READ, READ_WRITE, System};
use crate::source::phc::{check_channel, choose_pin, is_up};
use crate::source::pulse::PulseConfig;
use crate::source::sysfs::{Device, Finder, PPS, PTP};
use crate::sys::error::OpenError;
use crate::sys::ptp::{Function, PinState};

pub(super) const ITEM: &str = "pulse";

/// The device of the configuration, or why `run` refuses it.
pub(super) fn find(system: &System, config: &PulseConfig) -> Result<Device, OpenError> {
    let finder = Finder { root: &system.root, phc_index: system.phc_index };
    let phc = match config {
        PulseConfig::Phc(phc) => phc,
        PulseConfig::Pps(pps) => return finder.pps(&pps.device),
    };
    let device = finder.phc(&phc.device)?;
    if let Some(channels) = device.value("n_external_timestamps").and_then(|text| text.parse().ok()) {
        check_channel(&device, phc.channel, channels)?;
    }
    if phc.pin.is_some() {
        // sysfs has names without numbers: the numbers here only serve to count.
        let pin = |(index, name)| PinState { name, index, function: Function::NONE, channel: 0 };
        let pins: Vec<_> = (0..).zip(device.pins()).map(pin).collect();
        choose_pin(&device, phc, &pins)?;
    }
    Ok(device)
}

/// Whether the service may use it.
pub(super) fn check(patient: &Patient<'_>, config: &PulseConfig, device: &Device) -> Result<Finding, Finding> {
    let (class, access) = match config {
        PulseConfig::Phc(_) => (PTP.name, READ_WRITE),
        PulseConfig::Pps(_) => (PPS.name, READ),
    };
    let denied = format!(
        "have udev do so: rule `SUBSYSTEM==\"{class}\", GROUP=\"clock\", MODE=\"0660\"`, as in 60-gnss2shm.rules, then \
         `udevadm control --reload` and `udevadm trigger --action=change --subsystem-match={class}`"
    );
    patient.may_use(ITEM, &device.node, access, "check that the driver is loaded and udev runs", &denied)?;
    Ok(Finding::ok(ITEM, format!("{config}: {device}")))
}

/// The interface of a PHC: igb and igc timestamp nothing while it is down, and an unused adapter may be put to sleep.
pub(super) fn interface(system: &System, device: &Device) -> Option<Finding> {
    const ITEM: &str = "interface";
    let name = device.interfaces().into_iter().next()?;
    let of = |file: &str| system.text(format!("/sys/class/net/{name}/{file}"));
    if !is_up(&of("flags")) {
        let cure = format!("run `ip link set {name} up`, and make that permanent");
        return Some(Finding::warning(
            ITEM,
            format!("{name} is down; igb and igc timestamp nothing while it is"),
            cure,
        ));
    }
    // Linux, drivers/net/ethernet/intel/igb/igb_main.c, igb_runtime_idle(): after 5 s without a link.
    if of("carrier") == "0" && of("device/power/control") == "auto" {
        let cure = format!("run `echo on > /sys/class/net/{name}/device/power/control` at every boot");
        return Some(Finding::warning(
            ITEM,
            format!("{name} has no link, and its adapter and PHC may sleep then"),
            cure,
        ));
    }
    Some(Finding::ok(ITEM, format!("{name} is up")))
}
