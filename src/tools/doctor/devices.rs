//! Receiver and pulse: the devices exist and the service may use them, or the receiver's server answers; the interface
//! of a PHC is up. A PHC is checked only in sysfs, so its user is not disturbed.

use std::net::{TcpStream, ToSocketAddrs};
use std::path::Path;
use std::time::Duration;

use super::{Checked, Finding, Patient, READ, READ_WRITE, System};
use crate::source::phc::{check_channel, choose_pin, is_up};
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::stream::Server;
use crate::source::sysfs::{Device, Finder, PPS, PTP};
use crate::sys::ptp::{Function, PinState};

/// Stable names of USB ports.
const BY_ID: &str = "/dev/serial/by-id";
/// Time limit for a server on this machine or in its network.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);

pub(super) fn receiver(patient: &Patient<'_>) -> Checked {
    let config = &patient.settings.receiver;
    match config {
        ReceiverConfig::Serial(serial) => {
            let ports = patient.system.names(BY_ID).join(", ");
            let absent = format!("connect the receiver, or correct its name: {BY_ID} has [{ports}]");
            let denied = "run `udevadm trigger --action=change --subsystem-match=tty`: ports belong to group dialout";
            patient.may_use(Path::new(&serial.device), READ_WRITE, &absent, denied)?;
        }
        ReceiverConfig::Gpsd(gpsd) => {
            answers(&gpsd.server, "run `systemctl enable --now gpsd.socket`, or correct server in [gpsd]")?;
        }
        ReceiverConfig::Tcp(server) => answers(server, "start the server, or correct server in [tcp]")?,
        ReceiverConfig::Fifo(path) => {
            let denied = "give the service access: `chgrp dialout` and `chmod 0660`";
            patient.may_use(path, READ, "create it with `mkfifo`, or correct path in [fifo]", denied)?;
        }
        ReceiverConfig::Stdin => {}
    }
    Ok(config.to_string())
}

fn answers(server: &Server, cure: &str) -> Result<(), Finding> {
    let mut addresses = (server.host.as_str(), server.port).to_socket_addrs().into_iter().flatten();
    if addresses.any(|address| TcpStream::connect_timeout(&address, ANSWERS_WITHIN).is_ok()) {
        return Ok(());
    }
    Err(Finding::failure(format!("nothing answers at {server}"), cure))
}

/// The device of the pulse, or why `run` refuses it.
pub(super) fn find(system: &System, config: &PulseConfig) -> Result<Device, Finding> {
    let finder = Finder { root: &system.root, phc_index: system.phc_index };
    let phc = match config {
        PulseConfig::Phc(phc) => phc,
        PulseConfig::Pps(pps) => return Ok(finder.pps(&pps.device)?),
    };
    let device = finder.phc(&phc.device)?;
    if let Some(channels) = device.value("n_external_timestamps").and_then(|text| text.parse().ok()) {
        check_channel(&device, phc.channel, channels)?;
    }
    if phc.pin.is_some() {
        // sysfs has names without numbers: these numbers only count them.
        let pin = |(index, name)| PinState { name, index, function: Function::NONE, channel: 0 };
        let pins: Vec<_> = (0..).zip(device.pins()).map(pin).collect();
        choose_pin(&device, phc, &pins)?;
    }
    Ok(device)
}

pub(super) fn pulse(patient: &Patient<'_>) -> Checked {
    let (config, device) = (&patient.settings.pulse, patient.pulse.clone()?);
    let (class, access) = match config {
        PulseConfig::Phc(_) => (PTP.name, READ_WRITE),
        PulseConfig::Pps(_) => (PPS.name, READ),
    };
    let rule = format!("SUBSYSTEM==\"{class}\", GROUP=\"clock\", MODE=\"0660\"");
    let denied =
        format!("add the udev rule `{rule}`, then run `udevadm control --reload` and `udevadm trigger -s {class}`");
    patient.may_use(&device.node, access, "check that the driver is loaded and udev is running", &denied)?;
    Ok(format!("{config}: {device}"))
}

/// igb and igc do not timestamp while the interface is down.
pub(super) fn interface(patient: &Patient<'_>) -> Option<Checked> {
    let name = patient.pulse.as_ref().ok()?.interfaces().into_iter().next()?;
    if is_up(&patient.system.text(format!("/sys/class/net/{name}/flags"))) {
        return Some(Ok(format!("{name} is up")));
    }
    let cure = format!("run `ip link set {name} up`, and make that permanent");
    Some(Err(Finding::warning(format!("{name} is down; igb and igc do not timestamp in that state"), cure)))
}
