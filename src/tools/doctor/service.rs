//! The service itself: it answers at its status socket, is the installed version, and publishes.

use std::path::PathBuf;

use super::{Finding, Instance, Patient};
use crate::config::Settings;
use crate::core::event::Reason;

const ITEM: &str = "service";
/// A start takes no longer than this to be worth waiting for.
const STARTS_WITHIN_MS: i64 = 60_000;

/// Where the instance answers, if it runs.
pub(super) fn socket(patient: &Patient<'_>, settings: &Settings) -> PathBuf {
    let of_unit = patient.instance.socket();
    // The unit gives a socket on its command line, which goes before the configuration.
    match &settings.status {
        Some(own) if !patient.system.has(&of_unit) => own.clone(),
        Some(_) | None => of_unit,
    }
}

pub(super) fn check(patient: &Patient<'_>, settings: &Settings) -> Vec<Finding> {
    let (name, socket) = (&patient.instance.name, socket(patient, settings));
    if !patient.system.has(&socket) {
        let (own, config) = (Instance::configured(name), patient.instance.config.display());
        let copy = if own == patient.instance.config {
            String::new()
        } else {
            format!("copy {config} to {}, ", own.display())
        };
        return vec![Finding::failure(
            ITEM,
            format!("gnss2shm@{name} does not run: there is no {}", socket.display()),
            format!(
                "{copy}run `systemctl enable --now gnss2shm@{name}`; if it ends, `journalctl -u gnss2shm@{name}` says why"
            ),
        )];
    }
    let now = match (patient.system.status)(&patient.system.at(&socket)) {
        Ok(now) => now,
        Err(why) => {
            let cure =
                format!("run `systemctl restart gnss2shm@{name}`; `journalctl -u gnss2shm@{name}` says what happened");
            return vec![Finding::failure(ITEM, why, cure)];
        }
    };
    let mut found = vec![];
    let installed = env!("CARGO_PKG_VERSION");
    if now.version != installed {
        found.push(Finding::warning(
            ITEM,
            format!("version {} runs, and {installed} is installed", now.version),
            format!("run `systemctl restart gnss2shm@{name}`"),
        ));
    }
    let state = match &now.sentence {
        Some(sentence) => format!("{}: {sentence}", now.state),
        None => now.state.clone(),
    };
    let follow = format!("`gnss2shm status {name} --follow` shows when it is over");
    let is_early = now.for_ms < STARTS_WITHIN_MS && now.samples == 0 && now.sync != "LOCKED";
    match now.sync.as_str() {
        "LOCKED" => {}
        "HOLDOVER" => found.push(Finding::warning(ITEM, state, follow)),
        _ if is_early && now.reason.as_deref().is_none_or(|reason| reason == Reason::Starting.key()) => {
            found.push(Finding::warning(ITEM, state, "it has just started: ask again in a minute"));
        }
        _ => found.push(Finding::failure(ITEM, state, follow)),
    }
    let second = now.sample.map_or_else(String::new, |sample| format!(", last {}", sample.second));
    super::or_ok(found, ITEM, format!("{} since {}, {} samples{second}", now.state, now.since, now.samples))
}
