//! Service account and its permissions: the unit's files, /etc/passwd, /etc/group.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use super::system::{Node, System, fits};
use super::{Finding, Instance};
use crate::sys::trusted::{SERVICE, user};

const ITEM: &str = "service user";
const UNIT: &str = "gnss2shm@.service";
/// Directories of units in systemd's order of precedence, systemd.unit(5).
const UNIT_DIRS: [&str; 3] = ["/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system"];
/// Settings that no unit of ours may have.
const TRAPS: [(&str, &str); 3] = [
    ("DynamicUser", "removes the segment at every stop, while chronyd has it attached"),
    ("RemoveIPC", "removes the segment at every stop, while chronyd has it attached"),
    ("PrivateIPC", "gives the service a segment that chronyd never sees"),
];
/// Permission to read a file.
pub(super) const READ: u32 = 0o4;
/// Permission to read and write it.
pub(super) const READ_WRITE: u32 = 0o6;

/// Text of the unit and of its drop-ins; empty where it is not installed.
#[derive(Debug)]
pub(super) struct Unit(String);

impl Unit {
    pub(super) fn read(system: &System, instance: &Instance) -> Self {
        let installed = UNIT_DIRS.iter().find_map(|dir| system.text(Path::new(dir).join(UNIT)).ok());
        let Some(mut text) = installed else { return Self(String::new()) };
        let drop_ins = [format!("{UNIT}.d"), format!("gnss2shm@{}.service.d", instance.name)];
        for dir in UNIT_DIRS.iter().flat_map(|dir| drop_ins.iter().map(|name| Path::new(*dir).join(name))) {
            let files = system.names(&dir).into_iter().filter(|name| fits("*.conf", name));
            text.extend(
                files.filter_map(|name| system.text(dir.join(name)).ok()).map(|drop_in| format!("\n{drop_in}")),
            );
        }
        Self(text)
    }

    pub(super) const fn is_installed(&self) -> bool {
        !self.0.is_empty()
    }

    /// The values of a key, in order.
    fn values(&self, key: &str) -> impl Iterator<Item = &str> {
        let lines = self.0.lines().filter_map(|line| line.split_once('='));
        lines.filter(move |(found, _)| found.trim() == key).map(|(_, value)| value.trim())
    }

    /// The words of a key that is a list; an empty value clears it.
    fn words(&self, key: &str) -> Vec<&str> {
        let mut words = vec![];
        for value in self.values(key) {
            if value.is_empty() {
                words.clear();
            }
            words.extend(value.split_ascii_whitespace());
        }
        words
    }

    /// Whether it allows devices that have one of these names in /proc/devices.
    pub(super) fn allows(&self, drivers: &[String]) -> bool {
        let is_closed = matches!(self.values("DevicePolicy").last(), Some("closed" | "strict"));
        let allowed = self.words("DeviceAllow");
        let is_listed = |driver: &String| allowed.iter().any(|allow| fits(allow, &format!("char-{driver}")));
        !is_closed || drivers.is_empty() || drivers.iter().any(is_listed)
    }
}

/// The user that the service runs as.
#[derive(Clone, Debug)]
pub(super) struct Account {
    pub(super) name: String,
    pub(super) uid: u32,
    /// Its groups, those of the unit included.
    pub(super) gids: Vec<u32>,
}

/// The service's user, if it exists, and what is wrong with it.
pub(super) fn check(system: &System, unit: &Unit) -> (Option<Account>, Vec<Finding>) {
    let name = unit.values("User").last().unwrap_or(SERVICE);
    let is_set = |key| matches!(unit.values(key).last(), Some("yes" | "true" | "on" | "1"));
    let trap = |(key, does)| {
        let cure = format!("remove it with `systemctl edit {UNIT}`, then restart the service");
        Finding::failure(ITEM, format!("{key}= of {UNIT} {does}"), cure)
    };
    let mut found: Vec<_> = TRAPS.into_iter().filter(|(key, _)| is_set(key)).map(trap).collect();
    if !unit.is_installed() {
        let cure = "install the package, or start `gnss2shm run` yourself as root";
        found.push(Finding::warning(ITEM, format!("{UNIT} is not installed"), cure));
    }
    let Some((uid, own)) = user(&system.text("/etc/passwd").unwrap_or_default(), name) else {
        if unit.is_installed() {
            let cure = "run `systemd-sysusers gnss2shm.conf`, or install the package, which does so";
            found.push(Finding::failure(ITEM, format!("there is no user {name}"), cure));
        }
        return (None, found);
    };
    let wanted = if unit.is_installed() { unit.words("SupplementaryGroups") } else { vec!["dialout", "clock"] };
    let groups = groups(system);
    for group in wanted.iter().filter(|wanted| !groups.iter().any(|(name, ..)| name == *wanted)) {
        found.push(Finding::failure(
            ITEM,
            format!("there is no group {group}, without which the service does not start"),
            format!("run `systemd-sysusers gnss2shm.conf`, or `groupadd --system {group}`"),
        ));
    }
    let has = |(group, gid, members): &&(String, u32, Vec<String>)| {
        *gid == own || members.iter().any(|member| member == name) || wanted.contains(&group.as_str())
    };
    let (gids, names): (_, Vec<_>) = groups.iter().filter(has).map(|(name, gid, _)| (*gid, name.as_str())).unzip();
    let found = super::or_ok(found, ITEM, format!("{name} (uid {uid}), groups {}", names.join(", ")));
    (Some(Account { name: name.to_owned(), uid, gids }), found)
}

impl Account {
    /// Whether it may do this (4 read, 2 write) with a file.
    pub(super) fn may(&self, what: u32, uid: u32, gid: u32, mode: u32) -> bool {
        let bits = match () {
            () if self.uid == 0 => 0o7,
            () if self.uid == uid => mode >> 6,
            () if self.gids.contains(&gid) => mode >> 3,
            () => mode,
        };
        bits & what == what
    }

    /// A failure where it may not do this with a file, with `cure` to give its group the permission.
    pub(super) fn check(
        &self,
        system: &System,
        item: &'static str,
        what: u32,
        node: &Node,
        cure: &str,
    ) -> Option<Finding> {
        let (uid, gid, mode) = (node.meta.uid(), node.meta.gid(), node.meta.mode() & 0o777);
        if self.may(what, uid, gid, mode) {
            return None;
        }
        let group = groups(system).into_iter().find(|group| group.1 == gid).map_or(gid.to_string(), |group| group.0);
        let does = if what == READ { "read" } else { "read and write" };
        let (name, path) = (&self.name, node.path.display());
        let says = format!("{name} may not {does} {path} (owner uid {uid}, group {group}, mode {mode:04o})");
        let is_open_to_group = (mode >> 3) & what == what && gid != 0;
        let join = format!("add SupplementaryGroups={group} with `systemctl edit {UNIT}`");
        Some(Finding::failure(item, says, if is_open_to_group { &join } else { cure }))
    }
}

/// Name, number and members of each group.
fn groups(system: &System) -> Vec<(String, u32, Vec<String>)> {
    let text = system.text("/etc/group").unwrap_or_default();
    let group = |line: &str| {
        let mut field = line.split(':');
        let (name, gid) = (field.next()?.to_owned(), field.nth(1)?.parse().ok()?);
        let members = field.next().unwrap_or_default().split(',').map(str::to_owned).collect();
        Some((name, gid, members))
    };
    text.lines().filter_map(group).collect()
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
            assert_eq!(account(me).may(6, uid, gid, mode), may, "{me} {uid} {gid} {mode:o}");
        }
    }

    #[test]
    fn a_later_drop_in_overrides_and_an_empty_value_clears_a_list() {
        let unit = "User=a\nDeviceAllow=char-ptp rw\nDeviceAllow=\nDeviceAllow = char-ttyS* rw\nDevicePolicy=closed\n\
                    User=b\n#User=c";
        let unit = Unit(unit.into());
        assert_eq!(unit.values("User").last(), Some("b"));
        assert!(unit.allows(&["tty".into(), "ttyS".into()]) && !unit.allows(&["ptp".into()]));
        assert!(Unit(String::new()).allows(&["ptp".into()]));
    }
}
