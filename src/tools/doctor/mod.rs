//! What `gnss2shm doctor` looks at: an installed system, item by item, each ok or with what is wrong and its cure.
//! Every check is a function from a [`System`] to findings. It never changes anything and opens no device: a PHC that
//! is opened and asked for timestamps would be taken from whoever has it. [`crate::cli`] prints what is found.

use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::config::Settings;
use crate::core::printable::printable;
use crate::daemon::status::SOCKETS;
use account::{Account, Unit};
use chrony_conf::ChronyConf;
use processes::Processes;

pub mod account;
pub mod chrony;
pub mod chrony_conf;
mod configuration;
mod machine;
pub mod processes;
mod pulse;
mod receiver;
mod rivals;
mod segment;
mod service;
mod sock;
pub mod system;

pub use machine::Kernel;
pub use system::System;

/// Where the configurations of the service's instances are.
const CONFIGURATIONS: &str = "/etc/gnss2shm";
/// The instance whose configuration the package brings: drop-ins are looked for under this name where there is none.
const ASSUMED: &str = "default";

/// How an item is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, or it could not be looked at.
    Warning,
    /// It does not work, or what comes of it is wrong.
    Failure,
}

/// One line of the answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What was looked at.
    pub item: &'static str,
    /// How it is.
    pub level: Level,
    /// What was seen.
    pub says: String,
    /// What to do about it; nothing where all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Finding {
    fn ok(item: &'static str, says: impl Into<String>) -> Self {
        Self { item, level: Level::Ok, says: says.into(), cure: None }
    }

    fn warning(item: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { item, level: Level::Warning, says: says.into(), cure: Some(cure.into()) }
    }

    fn failure(item: &'static str, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { item, level: Level::Failure, says: says.into(), cure: Some(cure.into()) }
    }

    /// What this user may not see.
    fn unseen(item: &'static str, what: impl std::fmt::Display) -> Self {
        Self::warning(item, format!("not looked at: {what}"), "run as root")
    }
}

/// As people read it: `warning  rivals         what is wrong; what to do`.
impl std::fmt::Display for Finding {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let level = match self.level {
            Level::Ok => "ok",
            Level::Warning => "warning",
            Level::Failure => "FAILURE",
        };
        write!(f, "{level:<8} {:<14} {}", self.item, printable(&self.says))?;
        self.cure.as_ref().map_or(Ok(()), |cure| write!(f, "; {}", printable(cure)))
    }
}

/// What was found, or that all is well.
fn or_ok(found: Vec<Finding>, item: &'static str, says: impl Into<String>) -> Vec<Finding> {
    if found.is_empty() { vec![Finding::ok(item, says)] } else { found }
}

/// An instance of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Instance {
    /// Its name, as in `gnss2shm@NAME.service`.
    pub name: String,
    /// Its configuration.
    pub config: PathBuf,
}

impl Instance {
    /// The instance of this name, or of this configuration, or the only one, or the package's.
    ///
    /// # Errors
    /// There are several to choose from: their names.
    pub fn find(system: &System, name: Option<&str>, config: Option<PathBuf>) -> Result<Self, Vec<String>> {
        let of_config = |config: &PathBuf| config.file_stem().map(|stem| stem.to_string_lossy().into_owned());
        let named = name.map(str::to_owned).or_else(|| config.as_ref().and_then(of_config));
        let name = match named {
            Some(name) => name,
            None => match Self::all(system).as_slice() {
                [] => ASSUMED.to_owned(),
                [only] => only.name.clone(),
                several => return Err(several.iter().map(|instance| instance.name.clone()).collect()),
            },
        };
        Ok(Self { config: config.unwrap_or_else(|| Self::configured(&name)), name })
    }

    /// Whether nothing but the name that the package gives its own speaks for it.
    fn is_assumed(&self, system: &System) -> bool {
        self.name == ASSUMED && self.config == Self::configured(ASSUMED) && Self::all(system).is_empty()
    }

    /// Every instance that has a configuration.
    fn all(system: &System) -> Vec<Self> {
        let files = system.names(CONFIGURATIONS);
        let names = files.iter().filter_map(|file| file.strip_suffix(".toml"));
        names.map(|name| Self { name: name.to_owned(), config: Self::configured(name) }).collect()
    }

    /// Whether it runs, or will at the next boot.
    fn is_started(&self, system: &System) -> bool {
        const WANTED: &str = "/etc/systemd/system/multi-user.target.wants";
        let wanted = Path::new(WANTED).join(format!("gnss2shm@{}.service", self.name));
        system.has(self.socket()) || system.has(wanted)
    }

    /// Where the unit has it answer.
    fn socket(&self) -> PathBuf {
        PathBuf::from(SOCKETS).join(format!("{}.sock", self.name))
    }

    fn configured(name: &str) -> PathBuf {
        PathBuf::from(CONFIGURATIONS).join(format!("{name}.toml"))
    }
}

/// What the checks share.
struct Patient<'a> {
    system: &'a System,
    instance: &'a Instance,
    unit: Unit,
    /// None where there is no such user.
    account: Option<Account>,
    processes: Processes,
    kernel: Option<Kernel>,
    chrony: ChronyConf,
    /// The node of the PHC or PPS that the pulse goes to, where it is known.
    pulse: Option<PathBuf>,
}

/// Looks at everything, in the order in which it should be put right.
pub fn examine(system: &System, instance: &Instance) -> Vec<Finding> {
    if let Some(refused) = configuration::no_name(instance) {
        return vec![refused];
    }
    let (settings, mut found) = configuration::check(system, instance);
    let unit = Unit::read(system, instance);
    let (account, user) = account::check(system, &unit);
    found.extend(user);
    let processes = Processes::find(system);
    let (kernel, release) = machine::kernel(system);
    found.extend(release);
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
    found.extend(chrony::daemon(&patient));
    if let Some(settings) = &settings {
        found.extend(refclocks(&patient, settings));
        found.extend(service::check(&patient, settings));
    }
    found
}

/// The way of the samples to chronyd, and what it makes of them.
fn refclocks(patient: &Patient<'_>, settings: &Settings) -> Vec<Finding> {
    let mut found = vec![];
    if let Some(unit) = settings.shm {
        found.extend(segment::check(patient, unit, settings.world_writable));
    }
    if let Some(path) = &settings.sock {
        found.extend(sock::check(patient, path));
    }
    found.extend(chrony::check(patient, settings));
    found
}

/// How it is on the whole.
pub fn worst(found: &[Finding]) -> Level {
    found.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}
