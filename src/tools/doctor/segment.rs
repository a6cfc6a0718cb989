//! The SHM segment, from /proc/sysvipc/shm, which everybody may read: owner, permissions, attached processes.

use super::account::READ_WRITE;
use super::chrony_conf::Refclock;
use super::{Finding, Patient};
use crate::config::GPSD_UNITS;
use crate::sink::shm::{SIZE, Status, is_writable_by_others, key, stranger};
use crate::sys::processes::Process;
use crate::sys::trusted::Trusted;

const ITEM: &str = "SHM segment";
/// A gpsd before 3.24 attaches all units below this, a later one all below [`GPSD_UNITS`].
const UNITS_OF_OLD_GPSD: u8 = 8;

pub(super) fn check(patient: &Patient<'_>, unit: u8, world_writable: bool) -> Vec<Finding> {
    let key = key(unit);
    let status = listed(&patient.system.text("/proc/sysvipc/shm").unwrap_or_default(), key);
    let mut found: Vec<_> = gpsd(patient, unit, status.as_ref()).into_iter().collect();
    let Some(status) = status else {
        let says = format!("unit {unit} (key {key:#x}) has no segment yet");
        found.push(Finding::warning(ITEM, says, "start gnss2shm, then chronyd: the first one creates it"));
        return found;
    };
    found.extend(rights(patient, unit, &status, world_writable));
    found.extend(attached(patient, unit, &status));
    let Status { uid, mode, size, nattch, .. } = status;
    let mode = mode & 0o777;
    let says = format!("unit {unit} (key {key:#x}): owner uid {uid}, mode {mode:04o}, {size} bytes, {nattch} attached");
    super::or_ok(found, ITEM, says)
}

/// The segment with this key in the text of /proc/sysvipc/shm: a header, then one segment a line, `proc_sysvipc(5)`.
fn listed(listing: &str, key: i32) -> Option<Status> {
    let wanted = |line: &&str| line.split_whitespace().next().is_some_and(|k| k.parse() == Ok(key));
    let mut column = listing.lines().find(wanted)?.split_whitespace().skip(1);
    Some(Status {
        id: column.next()?.parse().ok()?,
        mode: u32::from_str_radix(column.next()?, 8).ok()?,
        size: column.next()?.parse().ok()?,
        cpid: column.next()?.parse().ok()?,
        lpid: column.next()?.parse().ok()?,
        nattch: column.next()?.parse().ok()?,
        uid: column.next()?.parse().ok()?,
        gid: column.next()?.parse().ok()?,
        cuid: column.next()?.parse().ok()?,
        cgid: column.next()?.parse().ok()?,
    })
}

/// Whether the service can write to it, and whether another user can.
fn rights(patient: &Patient<'_>, unit: u8, status: &Status, world_writable: bool) -> Option<Finding> {
    let Status { uid, gid, cuid, cgid, mode, size, cpid, .. } = *status;
    let (mode, key) = (mode & 0o777, key(unit));
    let remove = format!("stop chronyd, run `ipcrm -M {key:#x}`, start gnss2shm, then chronyd");
    if size < SIZE {
        let says = format!("unit {unit} has a segment of {size} bytes, and chronyd needs {SIZE} to start");
        return Some(Finding::failure(ITEM, says, format!("stop the program that created it (pid {cpid}); {remove}")));
    }
    let account = patient.account.as_ref()?;
    if let Some(stranger) = stranger(status, Trusted { me: account.uid, service: None }) {
        let says =
            format!("unit {unit} was created by, or belongs to, uid {stranger}, who could feed chronyd any time");
        let cure = format!("use another unit, or stop the program that created it (pid {cpid}); {remove}");
        return Some(Finding::failure(ITEM, says, cure));
    }
    // The creator keeps the owner's permissions.
    let owner = if cuid == account.uid { cuid } else { uid };
    let group = if account.gids.contains(&cgid) { cgid } else { gid };
    if !account.may(READ_WRITE, owner, group, mode) {
        let name = &account.name;
        let says = format!("unit {unit} may not be written to by {name} (owner uid {uid}, mode {mode:04o})");
        let cure = format!("have gnss2shm start before chronyd, as its unit does: {remove}");
        return Some(Finding::failure(ITEM, says, cure));
    }
    is_writable_by_others(status).then(|| {
        let says = format!("unit {unit} has mode {mode:04o}: local users can write to it, and set the clock");
        let cure = format!("remove `:perm=` from chrony.conf; {remove}");
        if world_writable { Finding::warning(ITEM, says, cure) } else { Finding::failure(ITEM, says, cure) }
    })
}

/// Who has it attached: chronyd has to, and no other writer may.
fn attached(patient: &Patient<'_>, unit: u8, status: &Status) -> Vec<Finding> {
    let chronyd = patient.processes.chronyd();
    // The helper of chronyd has what chronyd has; gpsd attaches all of its units and uses some.
    let is_other = |process: &&Process| {
        !["gnss2shm", "gpsd"].contains(&process.name.as_str())
            && chronyd.is_none_or(|chronyd| ![process.pid, process.parent].contains(&chronyd.pid))
            && process.has_attached(status.id) == Some(true)
    };
    let other = |process| {
        let says = format!("{process} has unit {unit} attached, too: it takes samples from chronyd, or adds its own");
        Finding::failure(ITEM, says, "stop it, or give gnss2shm and chronyd another unit")
    };
    let mut found: Vec<_> = patient.processes.seen.iter().filter(is_other).map(other).collect();
    let is_ours = |line: &Refclock| line.driver == "SHM" && line.parameter == unit.to_string();
    if let Some(chronyd) = chronyd.filter(|_| patient.chrony.refclocks.iter().any(is_ours)) {
        match chronyd.has_attached(status.id) {
            Some(true) => {}
            Some(false) => {
                let says = format!("{chronyd} does not have unit {unit} attached, but a removed or another segment");
                found.push(Finding::failure(ITEM, says, "run `systemctl restart chrony` (elsewhere: chronyd)"));
            }
            None => found.push(Finding::unseen(ITEM, format!("who has unit {unit} attached"))),
        }
    }
    found
}

/// A gpsd that runs and may write to this unit: one that has none of the later units attached is an old one.
fn gpsd(patient: &Patient<'_>, unit: u8, segment: Option<&Status>) -> Option<Finding> {
    let may_write = |gpsd: &&Process| {
        let has = segment.map_or(Some(false), |status| gpsd.has_attached(status.id));
        unit < UNITS_OF_OLD_GPSD || unit < GPSD_UNITS && has != Some(false)
    };
    let gpsd = patient.processes.named("gpsd").find(may_write)?;
    let last = GPSD_UNITS - 1;
    let says = format!("{gpsd} may write to unit {unit}, too: it uses 0 to {last} (before 3.24, 0 to 7)");
    let cure = format!("take a unit from {GPSD_UNITS} up, in [shm] and in chrony.conf");
    // Without a device it has nothing to write, until udev gives it one.
    let is_idle = !gpsd.args().iter().any(|arg| arg.starts_with("/dev/") || arg.contains("://"));
    Some(if is_idle { Finding::warning(ITEM, says, cure) } else { Finding::failure(ITEM, says, cure) })
}

#[cfg(test)]
mod tests {
    use super::*;

    // As Linux 6.18 prints it.
    const LISTING: &str = "\
       key      shmid perms                  size  cpid  lpid nattch   uid   gid  cuid  cgid      atime      dtime      ctime                   rss                  swap
         0         11   600                    96     1     1      0     0     0     0     0          0          0          0                     0                     0
1314148400         12   640                    96   812   900      2     0     4   998   997 1792000000 1792000000 1792000000                  4096                     0
";

    #[test]
    fn a_segment_is_found_in_the_listing_by_its_key() {
        let status = listed(LISTING, key(0)).unwrap();
        assert_eq!((status.id, status.mode, status.size, status.nattch), (12, 0o640, 96, 2));
        assert_eq!((status.uid, status.gid, status.cuid, status.cgid), (0, 4, 998, 997));
        assert_eq!((status.cpid, status.lpid), (812, 900));
        assert_eq!(listed(LISTING, key(1)), None);
        assert_eq!(listed("garbage\n1314148400 x", key(0)), None);
    }
}
