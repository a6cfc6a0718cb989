//! `gnss2shm doctor`: checks an installed system item by item. Nothing is changed and no device is opened: a PHC that is
//! opened and asked for timestamps would lose edges for the program that uses it. Each item has one finding, its first
//! fault, unless several programs or lines are at fault. [`crate::cli`] prints the findings.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::core::printable::printable;
use crate::sys::processes::Process;
use chrony_conf::ChronyConf;
use service::Account;

mod chrony;
mod chrony_conf;
mod pulse;
mod receiver;
mod rivals;
mod service;
mod sinks;
mod system;

pub use service::Instance;
pub use system::System;

/// Permission to read a file.
const READ: u32 = 0o4;
/// Permission to read and write it.
const READ_WRITE: u32 = 0o6;

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

    /// A sentence of `run`: its cure follows the last colon.
    fn sentence(item: &'static str, sentence: impl fmt::Display) -> Self {
        let sentence = sentence.to_string();
        let (says, cure) = sentence.rsplit_once(": ").unwrap_or((&sentence, "see the log of the service"));
        Self::failure(item, says, cure)
    }

    /// This user has no permission to check it.
    fn unseen(item: &'static str, what: impl fmt::Display) -> Self {
        Self::warning(item, format!("not looked at: {what}"), "run as root")
    }

    /// A file that cannot be read or looked up.
    fn unreadable(item: &'static str, path: &Path, error: &io::Error, cure: impl Into<String>) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied => Self::unseen(item, path.display()),
            _ => Self::failure(item, format!("{}: {error}", path.display()), cure),
        }
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

/// What the checks share.
struct Patient<'a> {
    system: &'a System,
    /// None if the service is not installed as it should be.
    account: Option<Account>,
    /// All processes that this user may see.
    processes: &'a [Process],
    /// The chronyd that sets the clock, if it runs.
    chronyd: Option<&'a Process>,
    chrony: ChronyConf,
    /// Node of the PHC or PPS that the pulse is wired to, if it was found.
    pulse: Option<PathBuf>,
}

impl Patient<'_> {
    /// Whether this file is there, and the service may do `what` with it; otherwise what is wrong, with one of the cures.
    fn may_use(&self, item: &'static str, path: &Path, what: u32, absent: &str, denied: &str) -> Result<(), Finding> {
        let found = fs::metadata(self.system.at(path));
        let meta = found.map_err(|error| Finding::unreadable(item, path, &error, absent))?;
        let (uid, gid, mode) = (meta.uid(), meta.gid(), meta.mode() & 0o777);
        let Some(account) = self.account.as_ref().filter(|account| !account.may(what, &[uid], &[gid], mode)) else {
            return Ok(());
        };
        let does = if what == READ { "read" } else { "read and write" };
        let (name, path) = (&account.name, path.display());
        let says = format!("{name} may not {does} {path} (owner uid {uid}, gid {gid}, mode {mode:04o})");
        let group = "if its group may, add that by SupplementaryGroups= with `systemctl edit gnss2shm@.service`";
        Err(Finding::failure(item, says, format!("{denied}; or, {group}")))
    }
}

/// Checks everything, in the order in which it should be put right.
pub fn examine(system: &System, instance: &Instance) -> Vec<Finding> {
    let settings = match instance.settings(system) {
        Ok(settings) => settings,
        Err(finding) => return vec![finding],
    };
    let account = service::account(system, &instance.name);
    let processes: Vec<_> = Process::all(&system.root).collect();
    let chronyd = rivals::chronyds(&processes).first().copied();
    let mut patient = Patient {
        system,
        account: account.as_ref().ok().cloned(),
        processes: &processes,
        chronyd,
        chrony: ChronyConf::read(system, chronyd),
        pulse: None,
    };
    let either = |checked: Result<Finding, Finding>| checked.unwrap_or_else(|finding| finding);
    let mut found = vec![
        Finding::ok(service::CONFIGURATION, instance.config.display().to_string()),
        account.map_or_else(|finding| finding, |account| Finding::ok(service::USER, account.name)),
        either(receiver::check(&patient, &settings.receiver)),
    ];
    match pulse::find(system, &settings.pulse) {
        Ok(device) => {
            found.push(either(pulse::check(&patient, &settings.pulse, &device)));
            found.extend(pulse::interface(system, &device));
            patient.pulse = Some(device.node);
        }
        Err(error) => found.push(Finding::sentence(pulse::ITEM, error)),
    }
    found.extend(rivals::check(&patient, &settings.receiver));
    found.push(chrony::daemon(&patient));
    found.extend(settings.shm.map(|unit| either(sinks::shm(&patient, unit, settings.world_writable))));
    found.extend(settings.sock.iter().map(|path| either(sinks::sock(&patient, path))));
    found.extend(chrony::check(&patient, &settings));
    found.push(service::check(system, instance, &settings));
    found
}

/// The state on the whole.
pub fn worst(found: &[Finding]) -> Level {
    found.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}
