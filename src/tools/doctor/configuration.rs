//! The instance's configuration: it is there, is understood, and takes nothing that another instance has.

use std::io::ErrorKind;

use super::{CONFIGURATIONS, Finding, Instance, System};
use crate::config::{File, Given, Settings};
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;

const ITEM: &str = "configuration";

/// What is wrong with a name that would lead out of the directories that it is looked up in.
pub(super) fn no_name(instance: &Instance) -> Option<Finding> {
    let name = &instance.name;
    name.contains('/').then(|| {
        Finding::failure(
            ITEM,
            format!("{name} is not a name of an instance, for it has a slash, so nothing is looked at"),
            "name it as in gnss2shm@NAME.service, or its file with --config FILE",
        )
    })
}

/// The settings, if they can be used.
pub(super) fn check(system: &System, instance: &Instance) -> (Option<Settings>, Vec<Finding>) {
    match read(system, instance) {
        Ok(settings) => {
            let mut found = conflicts(system, instance, &settings);
            if found.is_empty() {
                found.push(Finding::ok(ITEM, instance.config.display().to_string()));
            }
            (Some(settings), found)
        }
        Err(finding) => (None, vec![finding]),
    }
}

/// The settings, or why there are none.
pub(super) fn read(system: &System, instance: &Instance) -> Result<Settings, Finding> {
    let path = instance.config.display();
    let bytes = system.bytes(&instance.config).map_err(|error| match error.kind() {
        ErrorKind::PermissionDenied => Finding::unseen(ITEM, format!("{path}, and the devices that it names")),
        // Nothing is installed, as in a checkout: no instance is missing by name.
        ErrorKind::NotFound if instance.is_assumed(system) => Finding::failure(
            ITEM,
            format!("there is none in {CONFIGURATIONS}, so receiver, pulse and refclock are not looked at"),
            "install the package and fill in the one that it brings, or have `gnss2shm probe --write FILE` make one; \
             one that lies elsewhere is looked at with --config FILE",
        ),
        ErrorKind::NotFound => Finding::failure(
            ITEM,
            format!("{path} is not there, so devices and refclock are not looked at"),
            format!("write it, as in gnss2shm.toml(5){}", others(system)),
        ),
        _ => Finding::failure(ITEM, format!("{path} cannot be read: {error}"), "make it a file of text"),
    })?;
    let settings =
        File::from_bytes(&path.to_string(), &bytes).and_then(|file| Settings::new(Given::default(), Some(&file)));
    settings.map_err(|error| {
        Finding::failure(
            ITEM,
            error.to_string(),
            "correct it, as in gnss2shm.toml(5), and ask again: devices and refclock are not looked at",
        )
    })
}

/// The instances that can be asked for instead.
fn others(system: &System) -> String {
    let names: Vec<_> = Instance::all(system).into_iter().map(|instance| instance.name).collect();
    if names.is_empty() {
        String::new()
    } else {
        format!(", or ask for an instance that there is: {}", names.join(", "))
    }
}

/// Other instances that write to our unit, or read what only one can read. An example that nobody starts does no harm.
fn conflicts(system: &System, instance: &Instance, ours: &Settings) -> Vec<Finding> {
    let mut found = vec![];
    let is_other = |other: &Instance| other.config != instance.config && other.is_started(system);
    for other in Instance::all(system).into_iter().filter(is_other) {
        let Ok(theirs) = read(system, &other) else { continue };
        let mut takes = vec![];
        if let Some(unit) = ours.shm.filter(|_| ours.shm == theirs.shm) {
            takes.push(format!("SHM unit {unit}"));
        }
        if let Some(path) = ours.sock.as_ref().filter(|_| ours.sock == theirs.sock) {
            takes.push(path.display().to_string());
        }
        if matches!(ours.receiver, ReceiverConfig::Serial(_)) && ours.receiver == theirs.receiver {
            takes.push(ours.receiver.to_string());
        }
        if matches!(ours.pulse, PulseConfig::Phc(_)) && ours.pulse == theirs.pulse {
            takes.push(ours.pulse.to_string());
        }
        if !takes.is_empty() {
            let (path, name, takes) = (other.config.display(), &other.name, takes.join(" and "));
            found.push(Finding::failure(
                ITEM,
                format!("{path} wants {takes}, too"),
                format!("give each instance its own, or run `systemctl disable --now gnss2shm@{name}`"),
            ));
        }
    }
    found
}
