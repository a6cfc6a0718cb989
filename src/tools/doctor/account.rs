//! Whom the service runs as, and what he may use: the unit's files, /etc/passwd, /etc/group.

use std::path::PathBuf;

use super::system::{Node, System, fits};
use super::{Finding, Instance};
use crate::sys::trusted::{SERVICE, user};

/// The unit of the service.
const UNIT: &str = "gnss2shm@.service";
/// Where systemd looks for units, the first before the others.
const UNIT_DIRS: [&str; 5] = [
    "/etc/systemd/system",
    "/run/systemd/system",
    "/usr/local/lib/systemd/system",
    "/usr/lib/systemd/system",
    "/lib/systemd/system",
];
const ITEM: &str = "service user";
const USER_CURE: &str = "run `systemd-sysusers gnss2shm.conf`, or install the package, which does so";
/// To read a file.
pub(super) const READ: u32 = 0o4;
/// To read and write it.
pub(super) const READ_WRITE: u32 = 0o6;

/// What the unit says, its drop-ins included: key and value, in order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Unit {
    is_installed: bool,
    lines: Vec<(String, String)>,
}

impl Unit {
    /// Reads the unit of this instance and its drop-ins.
    pub(super) fn read(system: &System, instance: &Instance) -> Self {
        let unit = UNIT_DIRS.iter().find_map(|dir| system.text(PathBuf::from(dir).join(UNIT)).ok());
        let mut texts: Vec<_> = unit.iter().cloned().collect();
        for dir in UNIT_DIRS {
            for of in [UNIT.to_owned(), format!("gnss2shm@{}.service", instance.name)] {
                let dir = PathBuf::from(dir).join(of + ".d");
                let drop_ins = system.names(&dir).into_iter().filter(|name| fits("*.conf", name));
                texts.extend(drop_ins.filter_map(|name| system.text(dir.join(name)).ok()));
            }
        }
        let lines = texts.iter().flat_map(|text| text.lines()).filter_map(|line| line.split_once('='));
        let lines = lines.map(|(key, value)| (key.trim().to_owned(), value.trim().to_owned()));
        Self { is_installed: unit.is_some(), lines: lines.filter(|(key, _)| !key.starts_with(['#', ';'])).collect() }
    }

    /// The last value of a key.
    fn last(&self, key: &str) -> Option<&str> {
        self.lines.iter().rev().find(|(found, _)| found == key).map(|(_, value)| value.as_str())
    }

    /// The words of a key that gathers them; an empty value begins anew.
    fn words(&self, key: &str) -> Vec<&str> {
        let mut words = vec![];
        for (_, value) in self.lines.iter().filter(|(found, _)| found == key) {
            if value.is_empty() {
                words.clear();
            }
            words.extend(value.split_ascii_whitespace());
        }
        words
    }

    /// Whether the unit lets the service use a device that /proc/devices knows by one of these names.
    pub(super) fn allows(&self, drivers: &[String]) -> bool {
        let is_closed = matches!(self.last("DevicePolicy"), Some("closed" | "strict"));
        let allowed = self.words("DeviceAllow");
        let is_listed = |driver: &String| allowed.iter().any(|allow| fits(allow, &format!("char-{driver}")));
        !is_closed || drivers.is_empty() || drivers.iter().any(is_listed)
    }
}

/// A user with the groups that the service has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// His name.
    pub name: String,
    /// His number.
    pub uid: u32,
    /// Number and name of his groups.
    pub groups: Vec<(u32, String)>,
}

/// The user whom the service runs as, if there is such a user, and what is wrong with him.
pub(super) fn check(system: &System, unit: &Unit) -> (Option<Account>, Vec<Finding>) {
    let name = unit.last("User").unwrap_or(SERVICE);
    let mut found = traps(unit);
    let user = user(&system.text("/etc/passwd").unwrap_or_default(), name);
    match (unit.is_installed, user) {
        (true, _) => {}
        (false, Some(_)) => found.push(Finding::warning(
            ITEM,
            format!("{UNIT} is not installed"),
            "install the package, or copy the unit to /etc/systemd/system",
        )),
        // As in a checkout: one thing is missing, not two.
        (false, None) => {
            found.push(Finding::warning(
                ITEM,
                format!(
                    "there is neither {UNIT} nor a user {name}, so whether a service may use the devices is not \
                     looked at"
                ),
                "install the package, or start `gnss2shm run` yourself as root",
            ));
            return (None, found);
        }
    }
    let Some((uid, own)) = user else {
        found.push(Finding::failure(ITEM, format!("there is no user {name}"), USER_CURE));
        return (None, found);
    };
    let wanted = if unit.is_installed { unit.words("SupplementaryGroups") } else { vec!["dialout", "clock"] };
    let all = groups(system);
    for group in wanted.iter().filter(|wanted| !all.iter().any(|group| group.name == **wanted)) {
        found.push(Finding::failure(
            ITEM,
            format!("there is no group {group}, without which the service does not start"),
            format!("run `systemd-sysusers gnss2shm.conf`, or `groupadd --system {group}`"),
        ));
    }
    let is_his = |group: &Group| {
        group.gid == own || group.members.iter().any(|m| m == name) || wanted.contains(&group.name.as_str())
    };
    let groups: Vec<_> = all.iter().filter(|group| is_his(group)).map(|g| (g.gid, g.name.clone())).collect();
    let account = Account { name: name.to_owned(), uid, groups };
    if found.is_empty() {
        let names: Vec<_> = account.groups.iter().map(|(_, name)| name.as_str()).collect();
        found.push(Finding::ok(ITEM, format!("{name} (uid {uid}), groups {}", names.join(", "))));
    }
    (Some(account), found)
}

/// Settings of a unit that take the segment away.
fn traps(unit: &Unit) -> Vec<Finding> {
    let is_set = |key| matches!(unit.last(key), Some("yes" | "true" | "on" | "1"));
    [
        ("DynamicUser", "removes the segment from under chronyd at every stop"),
        ("RemoveIPC", "removes the segment from under chronyd at every stop"),
        ("PrivateIPC", "gives the service a segment that chronyd never sees"),
    ]
    .into_iter()
    .filter(|(key, _)| is_set(key))
    .map(|(key, does)| {
        let cure = format!("take it out with `systemctl edit {UNIT}`, then restart the service");
        Finding::failure(ITEM, format!("{key}= of {UNIT} {does}"), cure)
    })
    .collect()
}

impl Account {
    /// Whether he may do this (4 read, 2 write) with a file.
    pub(super) fn may(&self, what: u32, uid: u32, gid: u32, mode: u32) -> bool {
        let bits = if self.uid == 0 {
            0o7
        } else if self.uid == uid {
            mode >> 6
        } else if self.groups.iter().any(|(his, _)| *his == gid) {
            mode >> 3
        } else {
            mode
        };
        bits & what == what
    }

    /// What is wrong where he may not read (and write, where `what` is 6) a node; `cure` is what makes it his group's.
    pub(super) fn check(
        &self,
        system: &System,
        item: &'static str,
        what: u32,
        node: &Node,
        cure: &str,
    ) -> Option<Finding> {
        let Node { path, uid, gid, mode, .. } = node;
        if self.may(what, *uid, *gid, *mode) {
            return None;
        }
        let group = groups(system).into_iter().find(|group| group.gid == *gid);
        let group = group.map_or_else(|| gid.to_string(), |group| group.name);
        let does = if what == READ { "read" } else { "read and write" };
        let says = format!(
            "{} may not {does} {} (owner uid {uid}, group {group}, mode {mode:04o})",
            self.name,
            path.display()
        );
        let cure = if (mode >> 3) & what == what && *gid != 0 {
            format!("add SupplementaryGroups={group} with `systemctl edit {UNIT}`")
        } else {
            cure.to_owned()
        };
        Some(Finding::failure(item, says, cure))
    }
}

struct Group {
    name: String,
    gid: u32,
    members: Vec<String>,
}

fn groups(system: &System) -> Vec<Group> {
    let text = system.text("/etc/group").unwrap_or_default();
    let group = |line: &str| {
        let mut field = line.split(':');
        let (name, gid) = (field.next()?.to_owned(), field.nth(1)?.parse().ok()?);
        let members = field.next().unwrap_or_default().split(',').map(str::to_owned).collect();
        Some(Group { name, gid, members })
    };
    text.lines().filter_map(group).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_is_judged_by_the_first_class_that_fits() {
        let account = |uid| Account { name: "x".into(), uid, groups: vec![(20, "dialout".into())] };
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
    fn a_later_drop_in_goes_before_and_an_empty_list_begins_anew() {
        let lines = [
            ("User", "a"),
            ("DeviceAllow", "char-ptp rw"),
            ("DeviceAllow", ""),
            ("DeviceAllow", "char-ttyS* rw"),
            ("DevicePolicy", "closed"),
            ("User", "b"),
        ];
        let lines = lines.map(|(key, value)| (key.to_owned(), value.to_owned())).to_vec();
        let unit = Unit { is_installed: true, lines };
        assert_eq!(unit.last("User"), Some("b"));
        assert!(unit.allows(&["tty".into(), "ttyS".into()]) && !unit.allows(&["ptp".into()]));
        assert!(Unit::default().allows(&["ptp".into()]));
    }
}
