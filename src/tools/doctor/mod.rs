//! `gnss2shm doctor`: checks an installed system item by item. Every check is a function from the [`System`] and the
//! configuration to findings. Nothing is changed and no device is opened: a PHC that is opened and asked for timestamps
//! would lose edges for the program that uses it. [`crate::cli`] prints the findings.

use std::fmt;
use std::path::PathBuf;

use serde::Serialize;

use crate::core::printable::printable;
use account::{Account, Unit};
use chrony_conf::ChronyConf;
use processes::Processes;

mod account;
mod chrony;
mod chrony_conf;
mod instance;
mod machine;
mod processes;
mod pulse;
mod receiver;
mod rivals;
mod segment;
mod service;
mod sock;
mod system;

pub use instance::Instance;
pub use system::System;

/// State of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, or it could not be checked.
    Warning,
    /// It does not work, or its results are wrong.
    Failure,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Item that was checked.
    pub item: &'static str,
    /// Its state.
    pub level: Level,
    /// What was seen.
    pub says: String,
    /// What to do about it; none where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Finding {
    fn ok(item: &'static str, says: impl Into<String>) -> Self {
        Self { item, level: Level::Ok, says: says.into(), cure: None }
    }

    fn new(item: &'static str, level: Level, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { item, level, says: says.into(), cure: Some(cure.into()) }
    }

    fn warning(item: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(item, Level::Warning, says, cure)
    }

    fn failure(item: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(item, Level::Failure, says, cure)
    }

    /// This user has no permission to check it.
    fn unseen(item: &'static str, what: impl fmt::Display) -> Self {
        Self::warning(item, format!("not looked at: {what}"), "run as root")
    }
}

/// For people: `warning  rivals         what is wrong; what to do`.
impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Failure => "FAILURE",
        };
        write!(f, "{level:<8} {:<14} {}", self.item, printable(&self.says))?;
        self.cure.as_ref().map_or(Ok(()), |cure| write!(f, "; {}", printable(cure)))
    }
}

/// The findings, or ok where there are none.
fn or_ok(found: Vec<Finding>, item: &'static str, says: impl Into<String>) -> Vec<Finding> {
    if found.is_empty() { vec![Finding::ok(item, says)] } else { found }
}

/// What the checks share.
struct Patient<'a> {
    system: &'a System,
    instance: &'a Instance,
    unit: Unit,
    /// None where there is no such user.
    account: Option<Account>,
    processes: Processes,
    /// Major and minor version.
    kernel: (u32, u32),
    chrony: ChronyConf,
    /// Node of the PHC or PPS that the pulse is wired to, where it is known.
    pulse: Option<PathBuf>,
}

/// Checks everything, in the order in which it should be put right.
pub fn examine(system: &System, instance: &Instance) -> Vec<Finding> {
    let (settings, configuration) = match instance::settings(system, instance) {
        Ok(settings) => (Some(settings), Finding::ok(instance::ITEM, instance.config.display().to_string())),
        Err(finding) => (None, finding),
    };
    let mut found = vec![configuration];
    if instance.name.contains('/') {
        return found; // it would lead out of the directories that it is looked up in
    }
    let unit = Unit::read(system, instance);
    let (account, user) = account::check(system, &unit);
    found.extend(user);
    let (kernel, release) = machine::kernel(system);
    found.push(release);
    let processes = Processes::find(system);
    let chrony = ChronyConf::read(system, &processes);
    let mut patient = Patient { system, instance, unit, account, processes, kernel, chrony, pulse: None };
    if let Some(settings) = &settings {
        found.extend(receiver::check(&patient, &settings.receiver));
        let (node, pulse) = pulse::check(&patient, &settings.pulse);
        patient.pulse = node;
        found.extend(pulse);
    }
    found.extend(rivals::check(&patient, settings.as_ref()));
    found.extend(machine::leap_seconds(system, &patient.chrony));
    found.push(chrony::daemon(&patient));
    if let Some(settings) = &settings {
        found.extend(settings.shm.into_iter().flat_map(|unit| segment::check(&patient, unit, settings.world_writable)));
        found.extend(settings.sock.iter().map(|path| sock::check(&patient, path)));
        found.extend(chrony::check(&patient, settings));
        found.extend(service::check(&patient, settings));
    }
    found
}

/// The state on the whole.
pub fn worst(found: &[Finding]) -> Level {
    found.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}
