//! The kernel's version and the tables of leap seconds.

use std::path::Path;

use super::chrony_conf::ChronyConf;
use super::{Finding, System};
use crate::core::time::{DAY, Date};
use crate::source::witness::TABLE;

/// From this version on every descriptor of a PHC has an event queue of its own.
pub(super) const OWN_QUEUES: (u32, u32) = (6, 7);
/// What newer kernels do better.
const FEATURES: [((u32, u32), &str); 4] = [
    ((5, 0), "cross timestamps of PHC and system clock (without them errors are larger)"),
    (OWN_QUEUES, "a queue for each reader of a PHC (masks)"),
    ((6, 12), "cross timestamps against the raw clock (clockid)"),
    ((6, 15), "pins that only a writer sets (write check)"),
];
/// From 1900, the epoch of NTP, to 1970, in seconds.
const NTP_EPOCH: i64 = 2_208_988_800;

/// The version, and which features it lacks.
pub(super) fn kernel(system: &System) -> (Option<(u32, u32)>, Finding) {
    const ITEM: &str = "kernel";
    let release = system.value("/proc/sys/kernel/osrelease").unwrap_or_default();
    let Some(version) = version(&release) else {
        return (None, Finding::warning(ITEM, format!("{release:?} is not a version"), "see that /proc is mounted"));
    };
    let lacks = FEATURES.iter().filter(|(since, _)| version < *since);
    let lacks: Vec<_> = lacks.map(|((major, minor), what)| format!("{what}, {major}.{minor}")).collect();
    let says = format!("{release} lacks {}", lacks.join("; "));
    let finding = match lacks.len() {
        0 => Finding::ok(ITEM, format!("{release} has all that helps")),
        4 => Finding::warning(ITEM, says, "boot a newer kernel"),
        _ => Finding::ok(ITEM, says),
    };
    (Some(version), finding)
}

fn version(release: &str) -> Option<(u32, u32)> {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The tables that we and chronyd read leap seconds from.
pub(super) fn leap_seconds(system: &System, chrony: &ChronyConf) -> Vec<Finding> {
    const ITEM: &str = "leap seconds";
    let (mut found, mut until) = (vec![], String::new());
    for path in [Some(TABLE), chrony.leap_list.as_deref().filter(|path| *path != TABLE)].into_iter().flatten() {
        let says = match expiry(system, path) {
            Some((end, date)) if end > system.now => {
                until = format!("{path} is good until {date}");
                continue;
            }
            Some((_, date)) => format!("{path} expired on {date}: later leap seconds are not announced to chronyd"),
            None => format!("{path} cannot be read: leap seconds are not announced to chronyd"),
        };
        found.push(Finding::warning(ITEM, says, "install or update the package tzdata"));
    }
    if let Some(zone) = &chrony.leap_zone
        && !system.has(Path::new("/usr/share/zoneinfo").join(zone))
    {
        let says = format!("chrony's `leapsectz {zone}` names a time zone that is not installed");
        let cure = format!("install the package tzdata-legacy, or write `leapseclist {TABLE}` instead");
        found.push(Finding::warning(ITEM, says, cure));
    }
    super::or_ok(found, ITEM, until)
}

/// When a table expires, from its line `#@`, in POSIX seconds and as a date.
fn expiry(system: &System, path: &str) -> Option<(i64, Date)> {
    let text = system.text(path).ok()?;
    let end: i64 = text.lines().find_map(|line| line.strip_prefix("#@"))?.split_whitespace().next()?.parse().ok()?;
    let posix = end.checked_sub(NTP_EPOCH)?;
    Some((posix, Date::from_days(posix.div_euclid(DAY))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        assert_eq!(version("6.1.0-56-amd64"), Some((6, 1)));
        assert_eq!(version("6.12-rc1"), Some((6, 12)));
        assert!(version("6.1") < version("6.7") && version("10.0") > version("9.9"));
        assert_eq!((version(""), version("linux")), (None, None));
    }
}
