//! The service itself: it answers at its status socket, is the installed version, and publishes.

use std::path::PathBuf;

use super::{Finding, Patient};
use crate::config::Settings;
use crate::core::event::Reason;

const ITEM: &str = "service";
/// A start takes less than this.
const STARTS_WITHIN_MS: i64 = 60_000;

/// The status socket.
pub(super) fn socket(patient: &Patient<'_>, settings: &Settings) -> PathBuf {
    let of_unit = patient.instance.socket();
    // That on the unit's command line overrides that of the configuration.
    settings.status.clone().filter(|_| !patient.system.has(&of_unit)).unwrap_or(of_unit)
}

pub(super) fn check(patient: &Patient<'_>, settings: &Settings) -> Vec<Finding> {
    let (name, socket) = (&patient.instance.name, socket(patient, settings));
    let (service, start, restart) = if patient.unit.is_installed() && patient.instance.is_of_unit() {
        let service = format!("gnss2shm@{name}");
        let start = format!("run `systemctl enable --now {service}`; if it ends, `journalctl -u {service}` says why");
        let restart = format!("run `systemctl restart {service}`; `journalctl -u {service}` says what happened");
        (service, start, restart)
    } else {
        let config = patient.instance.config.display();
        let start = format!("start `gnss2shm run --config {config} --status {}`", socket.display());
        ("gnss2shm".into(), start, "restart gnss2shm".into())
    };
    if !patient.system.has(&socket) {
        let says = format!("{service} does not run: there is no {}", socket.display());
        return vec![Finding::failure(ITEM, says, start)];
    }
    let now = match (patient.system.status)(&patient.system.at(&socket)) {
        Ok(now) => now,
        Err(why) => return vec![Finding::failure(ITEM, why, restart)],
    };
    let mut found = vec![];
    let installed = env!("CARGO_PKG_VERSION");
    if now.version != installed {
        let says = format!("version {} runs, and {installed} is installed", now.version);
        found.push(Finding::warning(ITEM, says, restart));
    }
    let state = now.sentence.as_ref().map_or(now.state.clone(), |sentence| format!("{}: {sentence}", now.state));
    let follow = format!("`gnss2shm status {name} --follow` shows when it is over");
    let is_starting = now.for_ms < STARTS_WITHIN_MS
        && now.samples == 0
        && now.reason.as_deref().is_none_or(|reason| reason == Reason::Starting.key());
    match now.sync.as_str() {
        "LOCKED" => {}
        "HOLDOVER" => found.push(Finding::warning(ITEM, state, follow)),
        _ if is_starting => found.push(Finding::warning(ITEM, state, "it has just started: ask again in a minute")),
        _ => found.push(Finding::failure(ITEM, state, follow)),
    }
    let second = now.sample.map_or_else(String::new, |sample| format!(", last {}", sample.second));
    super::or_ok(found, ITEM, format!("{} since {}, {} samples{second}", now.state, now.since, now.samples))
}
