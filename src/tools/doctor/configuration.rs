//! The instance's configuration: it exists, is valid, and uses nothing that another instance uses.

use std::io::ErrorKind;

use super::{Finding, Instance, System};
use crate::config::{File, Given, Settings};
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;

const ITEM: &str = "configuration";

/// The settings and what is wrong with them, or why there are none.
pub(super) fn check(system: &System, instance: &Instance) -> Result<(Settings, Vec<Finding>), Finding> {
    if instance.name.contains('/') {
        let says = format!("{} is not a name of an instance, for it has a slash", instance.name);
        let cure = "name it as in gnss2shm@NAME.service, or its file with --config FILE";
        return Err(Finding::failure(ITEM, says, cure));
    }
    let settings = read(system, instance)?;
    let found = conflicts(system, instance, &settings);
    Ok((settings, super::or_ok(found, ITEM, instance.config.display().to_string())))
}

fn read(system: &System, instance: &Instance) -> Result<Settings, Finding> {
    let path = instance.config.display();
    let bytes = std::fs::read(system.at(&instance.config)).map_err(|error| {
        if error.kind() == ErrorKind::PermissionDenied {
            return Finding::unseen(ITEM, format!("{path}, and the devices that it names"));
        }
        let others: Vec<_> = Instance::all(system).into_iter().map(|instance| instance.name).collect();
        let others = if others.is_empty() { "none".to_owned() } else { others.join(", ") };
        let says = format!("{path} cannot be read ({error}), so devices and refclock are not looked at");
        let cure = "install the package and fill in its configuration, or have `gnss2shm probe --write FILE` make one";
        Finding::failure(ITEM, says, format!("{cure}; instances that have one: {others}"))
    })?;
    let file = File::from_bytes(&path.to_string(), &bytes);
    file.and_then(|file| Settings::new(Given::default(), Some(&file))).map_err(|error| {
        let cure = "correct it, as in gnss2shm.toml(5), and ask again: devices and refclock are not looked at";
        Finding::failure(ITEM, error.to_string(), cure)
    })
}

/// Other instances that write to our unit, or read what only one can read. One that is never started does no harm.
fn conflicts(system: &System, instance: &Instance, ours: &Settings) -> Vec<Finding> {
    let mut found = vec![];
    let is_other = |other: &Instance| other.config != instance.config && other.is_started(system);
    for other in Instance::all(system).into_iter().filter(is_other) {
        let Ok(theirs) = read(system, &other) else { continue };
        let unit = ours.shm.filter(|_| ours.shm == theirs.shm).map(|unit| format!("SHM unit {unit}"));
        let sock = ours.sock.as_ref().filter(|_| ours.sock == theirs.sock).map(|path| path.display().to_string());
        let is_same_port = matches!(ours.receiver, ReceiverConfig::Serial(_)) && ours.receiver == theirs.receiver;
        let is_same_clock = matches!(ours.pulse, PulseConfig::Phc(_)) && ours.pulse == theirs.pulse;
        let port = is_same_port.then(|| ours.receiver.to_string());
        let clock = is_same_clock.then(|| ours.pulse.to_string());
        let shared: Vec<_> = [unit, sock, port, clock].into_iter().flatten().collect();
        if !shared.is_empty() {
            let (path, name, shared) = (other.config.display(), &other.name, shared.join(" and "));
            let cure = format!("give each instance its own, or run `systemctl disable --now gnss2shm@{name}`");
            found.push(Finding::failure(ITEM, format!("{path} uses {shared}, too"), cure));
        }
    }
    found
}
