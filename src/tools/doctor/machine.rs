//! The kernel's version and the tables of leap seconds.

use std::path::Path;

use super::chrony_conf::ChronyConf;
use super::{Finding, System};
use crate::core::time::{DAY, Date};
use crate::source::witness::TABLE;

/// Linux 5.0 can read PHC and system clock together (`PTP_SYS_OFFSET_EXTENDED`).
const CROSS_TIMESTAMPS: (u32, u32) = (5, 0);
/// Since Linux 6.7 every descriptor of a PHC has an event queue of its own.
pub(super) const OWN_QUEUES: (u32, u32) = (6, 7);
/// From 1900, the epoch of NTP, to 1970, in seconds.
const NTP_EPOCH: i64 = 2_208_988_800;

/// The version, 0.0 where it is not known.
pub(super) fn kernel(system: &System) -> ((u32, u32), Finding) {
    const ITEM: &str = "kernel";
    let release = system.value("/proc/sys/kernel/osrelease").unwrap_or_default();
    let version = version(&release).unwrap_or_default();
    if version >= CROSS_TIMESTAMPS {
        return (version, Finding::ok(ITEM, release));
    }
    let says =
        format!("{release}: errors are larger, as PHC and system clock cannot be read together before Linux 5.0");
    (version, Finding::warning(ITEM, says, "boot a newer kernel"))
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
