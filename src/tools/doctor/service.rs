//! The service: its configuration and account, and whether it is running, is the installed version, and publishes.

use std::fs;
use std::path::{Path, PathBuf};

use super::{Checked, Finding, Level, Patient, System};
use crate::config::{File, Given, INSTANCES, Settings, instances};
use crate::core::event::Reason;
use crate::daemon::status::SOCKETS;
use crate::sys::claim::user;

/// An instance of the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Instance {
    /// Its name, as in `gnss2shm@NAME.service`.
    pub name: String,
    /// Path of its configuration.
    pub config: PathBuf,
}

impl Instance {
    /// The instance with this name, or with this configuration, or the only one, or the package's.
    ///
    /// # Errors
    /// There are several to choose from: a sentence with their names.
    pub(crate) fn find(system: &System, name: Option<&str>, config: Option<PathBuf>) -> Result<Self, String> {
        let stem = || Some(config.as_ref()?.file_stem()?.to_string_lossy().into_owned());
        let name = match (name.map(str::to_owned).or_else(stem), names(system).as_slice()) {
            (Some(name), _) => name,
            (None, [only]) => only.clone(),
            (None, []) => "default".to_owned(),
            (None, several) => {
                return Err(format!("there are several instances; name one of them: {}", several.join(", ")));
            }
        };
        Ok(Self { config: config.unwrap_or_else(|| Path::new(INSTANCES).join(format!("{name}.toml"))), name })
    }

    /// The settings, or why there are none.
    pub(super) fn settings(&self, system: &System) -> Result<Settings, Finding> {
        let bytes = fs::read(system.at(&self.config)).map_err(|error| {
            let cure = "install the package, or create one with `gnss2shm probe --write FILE`";
            let cure = format!("{cure}; {INSTANCES} has [{}]", names(system).join(", "));
            Finding::unreadable(&self.config, &error, &cure)
        })?;
        let file = File::from_bytes(&self.config.display().to_string(), &bytes);
        file.and_then(|file| Settings::new(Given::default(), Some(&file))).map_err(|error| {
            let cure = "correct it, see gnss2shm.toml(5), and check again: the other items depend on it";
            Finding::failure(error.to_string(), cure)
        })
    }
}

/// The instances that have a configuration.
fn names(system: &System) -> Vec<String> {
    instances(&system.at(INSTANCES))
}

/// The user that the service runs as.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    /// Its groups, including those of the unit.
    gids: Vec<u32>,
}

/// The service's user; otherwise why the service cannot run properly.
pub(super) fn account(system: &System, instance: &str) -> Result<Account, Finding> {
    let unit = format!("gnss2shm@{instance}.service");
    let unit = (system.run)(system, "systemctl", &["show", &unit]).unwrap_or_default();
    let value = |key| unit.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix('=')).unwrap_or_default();
    if value("LoadState") != "loaded" {
        let cure = "install the package, or start `gnss2shm run` yourself as root";
        return Err(Finding::warning("gnss2shm@.service is not installed", cure));
    }
    let lacks = |what: String| {
        let cure = "run `systemd-sysusers gnss2shm.conf`, or install the package, which does so";
        Finding::failure(format!("there is no {what}, so the service cannot start"), cure)
    };
    let name = Some(value("User")).filter(|name| !name.is_empty()).unwrap_or("root");
    let (uid, own) = user(&system.text("/etc/passwd"), name).ok_or_else(|| lacks(format!("user {name}")))?;
    let mut wanted: Vec<_> = value("SupplementaryGroups").split_whitespace().collect();
    let mut gids = vec![own];
    // The name, a password, the number, the members: group(5).
    for line in system.text("/etc/group").lines() {
        let [group, _, gid, members] = line.split(':').collect::<Vec<_>>()[..] else { continue };
        if wanted.contains(&group) || members.split(',').any(|member| member == name) {
            wanted.retain(|wanted| *wanted != group);
            gids.extend(gid.parse::<u32>());
        }
    }
    match wanted.first() {
        Some(group) => Err(lacks(format!("group {group}"))),
        None => Ok(Account { name: name.to_owned(), uid, gids }),
    }
}

impl Account {
    /// Whether it has this access (4 read, 2 write) to a file, or to a segment, which has a creator besides its owner.
    pub(super) fn may(&self, what: u32, uids: &[u32], gids: &[u32], mode: u32) -> bool {
        let bits = match () {
            () if self.uid == 0 => 0o7,
            () if uids.contains(&self.uid) => mode >> 6,
            () if gids.iter().any(|gid| self.gids.contains(gid)) => mode >> 3,
            () => mode,
        };
        bits & what == what
    }
}

/// Whether it is running and publishes.
pub(super) fn check(patient: &Patient<'_>) -> Checked {
    let (system, Instance { name, config }) = (patient.system, patient.instance);
    let of_unit = Path::new(SOCKETS).join(format!("{name}.sock"));
    // The unit's command line overrides the configuration.
    let socket = patient.settings.status.clone().filter(|_| !system.at(&of_unit).exists()).unwrap_or(of_unit);
    if !system.at(&socket).exists() {
        let (config, socket) = (config.display(), socket.display());
        let unit =
            format!("run `systemctl enable --now gnss2shm@{name}` (`journalctl -u gnss2shm@{name}` shows why it ends)");
        let cure = format!("{unit}, or start `gnss2shm run --config {config} --status {socket}`");
        return Err(Finding::failure(format!("it is not running: there is no {socket}"), cure));
    }
    let restart = format!("run `systemctl restart gnss2shm@{name}`");
    let now = (system.status)(&system.at(&socket)).map_err(|why| Finding::failure(why, &restart))?;
    let installed = env!("CARGO_PKG_VERSION");
    if now.version != installed {
        let says = format!("version {} is running, but {installed} is installed", now.version);
        return Err(Finding::warning(says, restart));
    }
    let sentence = now.sentence.unwrap_or_else(|| format!("{} samples since {}", now.samples, now.since));
    let says = format!("{}: {sentence}", now.state);
    if now.sync == "LOCKED" {
        return Ok(says);
    }
    let passes = now.sync == "HOLDOVER" || now.reason.is_none_or(|reason| reason == Reason::Starting.key());
    let cure = format!("check again in a minute; `gnss2shm status {name} --follow` shows when it is over");
    Err(Finding::new(if passes { Level::Warning } else { Level::Failure }, says, cure))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permissions_are_those_of_the_first_matching_class() {
        let account = |uid| Account { name: "x".into(), uid, gids: vec![20] };
        for (me, uid, gid, mode, may) in [
            (997, 0, 20, 0o660, true),
            (997, 0, 20, 0o640, false),
            (997, 0, 0, 0o660, false),
            (997, 0, 0, 0o666, true),
            (997, 997, 0, 0o600, true),
            (997, 0, 20, 0o606, false), // the group's bits count, though others may
            (0, 5, 5, 0o000, true),
        ] {
            assert_eq!(account(me).may(6, &[uid], &[gid], mode), may, "{me} {uid} {gid} {mode:o}");
        }
    }
}
