//! `gnss2shm doctor`: checks an installed system item by item. Nothing is changed and no device is opened: opening a
//! PHC and requesting timestamps would take edges from the program that uses it. Each item has one finding, its first
//! fault, unless several programs or lines are at fault. [`crate::cli`] prints the findings.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde::Serialize;

use crate::config::Settings;
use crate::core::printable::printable;
use crate::daemon::status::snapshot::Snapshot;
use crate::source::sysfs::{self, Device};
use crate::sys::clock::kernel_clock;
use crate::sys::error::OpenError;
use crate::sys::processes::Process;
use crate::sys::ptp;
use chrony::ChronyConf;
use consumers::Consumer;
use service::Account;

mod chrony;
mod consumers;
mod devices;
mod grandmaster;
mod rivals;
mod service;
mod sinks;

pub(crate) use service::Instance;

/// A check of an item.
type Check = fn(&Patient<'_>) -> Vec<Checked>;
/// A good state or a fault; [`examine`] adds the item.
type Checked = Result<String, Finding>;

/// The items, in the order in which they should be fixed.
const CHECKS: [(&str, Check); 14] = [
    (CONFIGURATION, |patient| vec![Ok(patient.instance.config.display().to_string())]),
    ("service user", |patient| vec![patient.account.clone().map(|account| account.name)]),
    ("receiver", |patient| vec![devices::receiver(patient)]),
    ("pulse", |patient| vec![devices::pulse(patient)]),
    ("interface", |patient| devices::interface(patient).into_iter().collect()),
    ("rivals", rivals::check),
    ("consumer", consumers::check),
    ("chronyd", |patient| with_chronyd(patient, |patient| vec![chrony::daemon(patient)])),
    ("SHM segment", |patient| patient.settings.shm.iter().map(|unit| sinks::shm(patient, *unit)).collect()),
    ("SOCK socket", |patient| patient.settings.sock.iter().map(|path| sinks::sock(patient, path)).collect()),
    ("chrony.conf", |patient| with_chronyd(patient, chrony::lines)),
    ("chrony source", |patient| with_chronyd(patient, chrony::sources)),
    ("service", |patient| vec![service::check(patient)]),
    ("grandmaster", grandmaster::check),
];
/// Without its settings, no other item can be checked.
const CONFIGURATION: &str = "configuration";

/// Permission to read a file.
const READ: u32 = 0o4;
/// Permission to read and write it.
const READ_WRITE: u32 = 0o6;

/// State of an item.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Level {
    /// As it should be.
    Ok,
    /// It works, or it could not be checked.
    Warning,
    /// It fails, or its results are wrong.
    Failure,
}

/// One line of the report.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub(crate) struct Finding {
    /// Item that was checked.
    pub item: &'static str,
    /// Its state.
    pub level: Level,
    /// What was seen.
    pub says: String,
    /// What to do about it; none if it is ok.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
}

impl Finding {
    fn new(level: Level, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { item: "", level, says: says.into(), cure: Some(cure.into()) }
    }

    fn warning(says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Level::Warning, says, cure)
    }

    fn failure(says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self::new(Level::Failure, says, cure)
    }

    /// This user has no permission to check it.
    fn unseen(what: impl fmt::Display) -> Self {
        Self::warning(format!("not checked: {what}"), "run as root")
    }

    /// A file that cannot be read or looked up.
    fn unreadable(path: &Path, error: &io::Error, cure: &str) -> Self {
        match error.kind() {
            ErrorKind::PermissionDenied => Self::unseen(path.display()),
            _ => Self::failure(format!("{}: {error}", path.display()), cure),
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

/// An error with which `run` would refuse to start.
impl From<OpenError> for Finding {
    fn from(error: OpenError) -> Self {
        Self::failure(error.says, error.cure.unwrap_or_else(|| "see the service's log".into()))
    }
}

/// The machine that is checked: files below a root directory, and queries that no file answers.
pub(crate) struct System {
    /// Its root directory.
    pub root: PathBuf,
    /// Output of a program with these arguments, or why there is none.
    pub run: fn(&System, &str, &[&str]) -> Result<String, String>,
    /// The state at this status socket, or why there is none.
    pub status: fn(&Path) -> Result<Snapshot, String>,
    /// The kernel's TAI - UTC in seconds, if a program has set it.
    pub tai_offset: fn() -> Option<i64>,
    /// N of the `/dev/ptpN` that belongs to a network interface, from its driver.
    pub phc_index: fn(&str) -> io::Result<Option<u32>>,
}

impl System {
    /// This machine; `status` asks an instance at its socket.
    pub(crate) fn live(status: fn(&Path) -> Result<Snapshot, String>) -> Self {
        let tai_offset = || kernel_clock().ok()?.tai_offset;
        Self { root: "/".into(), run, status, tai_offset, phc_index: ptp::phc_index }
    }

    /// The path below the root directory.
    pub(crate) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Contents of a file, trimmed; empty if it cannot be read. Bytes that are not UTF-8 are replaced.
    fn text(&self, path: impl AsRef<Path>) -> String {
        let bytes = fs::read(self.at(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// Sorted names in a directory; none if it cannot be read.
    fn names(&self, directory: impl AsRef<Path>) -> Vec<String> {
        sysfs::names(&self.at(directory))
    }

    /// The target of a path, with links resolved.
    fn real(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let (real, root) = (fs::canonicalize(self.at(path))?, fs::canonicalize(&self.root)?);
        Ok(Path::new("/").join(real.strip_prefix(root).unwrap_or(&real)))
    }
}

/// systemctl and chronyc have their own timeouts.
fn run(_: &System, program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program} cannot be started ({error})"))?;
    // chronyc also prints errors to standard output.
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{program}: {text} ({})", output.status)) }
}

/// What the checks share.
struct Patient<'a> {
    system: &'a System,
    instance: &'a Instance,
    settings: Settings,
    /// A fault if the service is not installed as it should be.
    account: Result<Account, Finding>,
    /// All processes visible to this user.
    processes: &'a [Process],
    /// The chronyd that sets the clock, if running.
    chronyd: Option<&'a Process>,
    /// The daemon that reads the samples in place of chronyd, if there is one.
    consumer: Option<Consumer>,
    chrony: ChronyConf,
    /// Whether its settings say that this machine is a PTP grandmaster.
    is_grandmaster: bool,
    /// The PHC or PPS device of the pulse, or why `run` refuses it.
    pulse: Result<Device, Finding>,
}

/// A check that applies unless another daemon takes chronyd's place.
fn with_chronyd(patient: &Patient<'_>, check: Check) -> Vec<Checked> {
    if patient.consumer.is_none() { check(patient) } else { vec![] }
}

impl Patient<'_> {
    /// The process that reads the samples, if it runs.
    fn reader(&self) -> Option<&Process> {
        self.consumer.as_ref().map(|consumer| &consumer.process).or(self.chronyd)
    }

    /// Whether this file exists and the service may access it; otherwise the problem, with one of the fixes.
    fn may_use(&self, path: &Path, what: u32, absent: &str, denied: &str) -> Result<(), Finding> {
        let found = fs::metadata(self.system.at(path));
        let meta = found.map_err(|error| Finding::unreadable(path, &error, absent))?;
        let (uid, gid, mode) = (meta.uid(), meta.gid(), meta.mode() & 0o777);
        let Some(account) = self.account.as_ref().ok().filter(|account| !account.may(what, &[uid], &[gid], mode))
        else {
            return Ok(());
        };
        let does = if what == READ { "read" } else { "read and write" };
        let (name, path) = (&account.name, path.display());
        let says = format!("{name} cannot {does} {path} (owner uid {uid}, gid {gid}, mode {mode:04o})");
        let group = "if its group can, add that group with SupplementaryGroups= in `systemctl edit gnss2shm@.service`";
        Err(Finding::failure(says, format!("{denied}; or, {group}")))
    }
}

/// Checks everything.
pub(crate) fn examine(system: &System, instance: &Instance) -> Vec<Finding> {
    let settings = match instance.settings(system) {
        Ok(settings) => settings,
        Err(finding) => return vec![Finding { item: CONFIGURATION, ..finding }],
    };
    let processes: Vec<_> = Process::all(&system.root).collect();
    let chronyd = rivals::chronyds(&processes).first().copied();
    let patient = Patient {
        system,
        instance,
        account: service::account(system, &instance.name),
        processes: &processes,
        chronyd,
        consumer: Consumer::find(system, &processes, &settings),
        chrony: ChronyConf::read(system, chronyd),
        pulse: devices::find(system, &settings.pulse),
        is_grandmaster: system
            .text(&instance.config)
            .lines()
            .any(|line| line.trim_start().starts_with("[grandmaster]")),
        settings,
    };
    let finding = |item, checked: Checked| match checked {
        Ok(says) => Finding { item, level: Level::Ok, says, cure: None },
        Err(finding) => Finding { item, ..finding },
    };
    let findings = |(item, check): (_, Check)| check(&patient).into_iter().map(move |checked| finding(item, checked));
    CHECKS.into_iter().flat_map(findings).collect()
}

/// The overall state.
pub(crate) fn worst(found: &[Finding]) -> Level {
    found.iter().map(|finding| finding.level).max().unwrap_or(Level::Ok)
}
