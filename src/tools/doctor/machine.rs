//! The kernel's version and the tables of leap seconds.

use std::fmt;
use std::path::Path;

use super::chrony_conf::ChronyConf;
use super::{Finding, System};
use crate::core::time::{DAY, Date};
use crate::source::witness::TABLE;

/// From 1900, where NTP's seconds begin, to 1970.
const NTP_EPOCH: i64 = 2_208_988_800;

/// A version of the kernel: major and minor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kernel(pub u32, pub u32);

impl Kernel {
    /// From then on each descriptor of a PHC has a queue of its own, with its mask.
    pub const OWN_QUEUES: Self = Self(6, 7);
    /// From then on a cross timestamp can be taken against `CLOCK_MONOTONIC_RAW` (clockid).
    pub const RAW_CROSS: Self = Self(6, 12);
    /// From then on pins are set through a descriptor that is open for writing only.
    pub const WRITE_CHECK: Self = Self(6, 15);
    /// Before it, there is no reading of system, PHC and system clock at once.
    pub const EXTENDED_CROSS: Self = Self(5, 0);

    fn parse(release: &str) -> Option<Self> {
        let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
        Some(Self(numbers.next()?.ok()?, numbers.next()?.ok()?))
    }
}

impl fmt::Display for Kernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.0, self.1)
    }
}

/// What the kernel has, and lacks.
pub(super) fn kernel(system: &System) -> (Option<Kernel>, Vec<Finding>) {
    const ITEM: &str = "kernel";
    let release = system.value("/proc/sys/kernel/osrelease").unwrap_or_default();
    let Some(kernel) = Kernel::parse(&release) else {
        let says = format!("its version cannot be told from {release:?}");
        return (None, vec![Finding::warning(ITEM, says, "see that /proc is mounted")]);
    };
    if kernel < Kernel::EXTENDED_CROSS {
        let says =
            format!("{release}: PHC and system clock cannot be read together before Linux 5.0, so errors are larger");
        return (Some(kernel), vec![Finding::warning(ITEM, says, "boot a newer kernel")]);
    }
    let came = [
        (Kernel::OWN_QUEUES, "a queue for each reader of a PHC (masks)"),
        (Kernel::RAW_CROSS, "cross timestamps against the raw clock (clockid)"),
        (Kernel::WRITE_CHECK, "pins that only a writer sets (write check)"),
    ];
    let lacks: Vec<_> =
        came.iter().filter(|(since, _)| kernel < *since).map(|(v, what)| format!("{what}, {v}")).collect();
    let lacks = lacks.join("; ");
    let says = if lacks.is_empty() {
        format!("{release} has all that helps")
    } else {
        format!("{release} does, without what came later: {lacks}")
    };
    (Some(kernel), vec![Finding::ok(ITEM, says)])
}

/// The tables that we and chronyd read leap seconds from.
pub(super) fn leap_seconds(system: &System, chrony: &ChronyConf) -> Vec<Finding> {
    const ITEM: &str = "leap seconds";
    let mut found = vec![];
    let mut lists = vec![TABLE.to_owned()];
    lists.extend(chrony.leap_list.iter().filter(|path| *path != TABLE).cloned());
    let mut until = String::new();
    for path in &lists {
        match expiry(system, path) {
            Ok(end) if end > system.now => until = format!("{path} is good until {}", date(end)),
            Ok(end) => found.push(Finding::warning(
                ITEM,
                format!("{path} expired on {}: a leap second after that is not announced to chronyd", date(end)),
                "update the package tzdata",
            )),
            Err(why) => found.push(Finding::warning(
                ITEM,
                format!("{path} {why}: leap seconds are not announced to chronyd before they come"),
                "install the package tzdata",
            )),
        }
    }
    if let Some(zone) =
        chrony.leap_zone.as_ref().filter(|zone| !system.has(Path::new("/usr/share/zoneinfo").join(zone)))
    {
        found.push(Finding::warning(
            ITEM,
            format!("chrony's `leapsectz {zone}` names a time zone that is not installed"),
            format!("install the package tzdata-legacy, or write `leapseclist {TABLE}` instead"),
        ));
    }
    super::or_ok(found, ITEM, until)
}

/// When a table expires, POSIX seconds: its line `#@`.
fn expiry(system: &System, path: &str) -> Result<i64, &'static str> {
    let text = system.text(path).map_err(|_| "cannot be read")?;
    let line = text.lines().find_map(|line| line.strip_prefix("#@"));
    let end = line.and_then(|end| end.split_ascii_whitespace().next()?.parse::<i64>().ok());
    end.and_then(|end| end.checked_sub(NTP_EPOCH)).ok_or("does not say when it expires")
}

fn date(posix: i64) -> Date {
    Date::from_days(posix.div_euclid(DAY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_compared_as_numbers() {
        assert_eq!(Kernel::parse("6.1.0-56-amd64"), Some(Kernel(6, 1)));
        assert_eq!(Kernel::parse("6.12-rc1"), Some(Kernel(6, 12)));
        assert!(
            Kernel(6, 1) < Kernel::OWN_QUEUES && Kernel(6, 12) > Kernel::OWN_QUEUES && Kernel(10, 0) > Kernel(9, 9)
        );
        assert_eq!(Kernel::parse(""), None);
        assert_eq!(Kernel::parse("linux"), None);
    }
}
