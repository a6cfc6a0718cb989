//! The SHM segment, as /proc/sysvipc/shm lists it for everybody: whose it is, who can write to it, who is attached.

use super::{Finding, Patient};
use crate::config::GPSD_UNITS;
use crate::sink::shm::{SIZE, Status, is_writable_by_others, key, stranger};
use crate::sys::processes::Process;
use crate::sys::trusted::Trusted;

const ITEM: &str = "SHM segment";
/// A gpsd before 3.24 attaches every unit below this, a later one more.
const UNITS_OF_OLD_GPSD: u8 = 8;

pub(super) fn check(patient: &Patient<'_>, unit: u8, world_writable: bool) -> Vec<Finding> {
    const LISTING: &str = "/proc/sysvipc/shm";
    let key = key(unit);
    let text = match patient.system.text(LISTING) {
        Ok(text) => text,
        Err(error) => {
            let says = format!("{LISTING} cannot be read ({error})");
            return vec![Finding::failure(ITEM, says, "boot a kernel that has System V IPC, or use [sock]")];
        }
    };
    let Some(status) = listed(&text, key) else {
        let mut found = vec![Finding::warning(
            ITEM,
            format!("unit {unit} (key {key:#x}) has no segment yet"),
            "start gnss2shm, and after it chronyd: whoever is first makes it",
        )];
        found.extend(gpsd(patient, unit, None));
        return found;
    };
    let mut found = rights(patient, unit, &status, world_writable);
    found.extend(attached(patient, unit, &status));
    found.extend(gpsd(patient, unit, Some(&status)));
    let Status { uid, mode, size, nattch, .. } = status;
    let says = format!(
        "unit {unit} (key {key:#x}): owner uid {uid}, mode {:04o}, {size} bytes, {nattch} attached",
        mode & 0o777
    );
    super::or_ok(found, ITEM, says)
}

/// The segment with this key in the text of /proc/sysvipc/shm, a header and one segment a line, `proc_sysvipc(5)`.
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

/// Whether the service can write to it, and whether somebody else can.
fn rights(patient: &Patient<'_>, unit: u8, status: &Status, world_writable: bool) -> Vec<Finding> {
    let Status { uid, gid, cuid, cgid, mode, size, cpid, .. } = *status;
    let key = key(unit);
    let remove = format!("stop chronyd, run `ipcrm -M {key:#x}`, start gnss2shm, then chronyd");
    if size < SIZE {
        let says = format!(
            "unit {unit} has a segment of {size} bytes, and a refclock's has {SIZE}: chronyd does not start with it"
        );
        return vec![Finding::failure(ITEM, says, format!("stop what made it (pid {cpid}); {remove}"))];
    }
    let Some(account) = &patient.account else { return vec![] };
    if let Some(stranger) = stranger(status, Trusted { me: account.uid, service: None }) {
        let says = format!("unit {unit} was made by, or belongs to, uid {stranger}, who could feed chronyd any time");
        return vec![Finding::failure(
            ITEM,
            says,
            format!("take another unit, or stop what made it (pid {cpid}); {remove}"),
        )];
    }
    // The creator has the owner's rights for ever.
    let owner = if cuid == account.uid { cuid } else { uid };
    let group = if account.groups.iter().any(|(his, _)| *his == cgid) { cgid } else { gid };
    if !account.may(super::account::READ_WRITE, owner, group, mode) {
        let says = format!(
            "unit {unit} may not be written to by {} (owner uid {uid}, mode {:04o}): chronyd was there first",
            account.name,
            mode & 0o777
        );
        let cure = format!("have gnss2shm start before chronyd, as its unit does, and remove this one: {remove}");
        return vec![Finding::failure(ITEM, says, cure)];
    }
    if is_writable_by_others(status) {
        let says = format!("unit {unit} has mode {:04o}: local users can write to it, and set the clock", mode & 0o777);
        let cure = format!("take `:perm=` out of chrony.conf; {remove}");
        let finding = if world_writable { Finding::warning } else { Finding::failure };
        return vec![finding(ITEM, says, cure)];
    }
    vec![]
}

/// Who has it attached: chronyd has to, and no other writer may.
fn attached(patient: &Patient<'_>, unit: u8, status: &Status) -> Vec<Finding> {
    let has = |process: &Process| process.has_attached(status.id);
    let mut found = vec![];
    // chronyd's helper has what chronyd has; gpsd attaches all of its units and uses some, it is judged below.
    let ours: Vec<_> = patient.processes.chronyd().iter().map(|chronyd| chronyd.pid).collect();
    let is_other = |process: &&Process| {
        !["gnss2shm", "gpsd"].contains(&process.name.as_str())
            && !ours.contains(&process.pid)
            && !ours.contains(&process.parent)
    };
    for process in patient.processes.seen.iter().filter(is_other).filter(|process| has(process) == Some(true)) {
        let does = if process.name == "chronyd" { "loses samples to it" } else { "would take the samples of both" };
        found.push(Finding::failure(
            ITEM,
            format!("{process} has unit {unit} attached, too, and chronyd {does}"),
            format!("end it (`kill {}`), or give gnss2shm and chronyd another unit", process.pid),
        ));
    }
    let is_read = |unit: u8| move |clock: &super::chrony_conf::Refclock| clock.reads_unit(unit);
    if !patient.chrony.refclocks.iter().any(is_read(unit)) {
        return found; // which is said of chrony.conf
    }
    match patient.processes.chronyd().map(|chronyd| (chronyd, has(chronyd))) {
        Some((chronyd, Some(false))) => found.push(Finding::failure(
            ITEM,
            format!(
                "{chronyd} does not have unit {unit} attached: it reads a segment that was removed, or an old \
                 chrony.conf"
            ),
            "run `systemctl restart chrony` (elsewhere: chronyd)",
        )),
        Some((_, None)) => found.push(Finding::unseen(ITEM, format!("who has unit {unit} attached"))),
        Some((_, Some(true))) | None => {}
    }
    found
}

/// A gpsd that runs, which writes to some of its units. Above an old one's it has attached what is its own.
fn gpsd(patient: &Patient<'_>, unit: u8, segment: Option<&Status>) -> Option<Finding> {
    let may_write = |gpsd: &&Process| {
        let has = segment.map_or(Some(false), |status| gpsd.has_attached(status.id));
        unit < UNITS_OF_OLD_GPSD || unit < GPSD_UNITS && has != Some(false)
    };
    let gpsd = patient.processes.named("gpsd").find(may_write)?;
    // Given no device, it has nothing to write, until udev gives it one.
    let is_idle = !gpsd.args().iter().any(|arg| arg.starts_with("/dev/") || arg.contains("://"));
    let last = GPSD_UNITS - 1;
    let says = format!("{gpsd} may write to unit {unit}, too: it uses 0 to {last} (before 3.24, 0 to 7)");
    let cure = format!("take a unit from {GPSD_UNITS} up, in [shm] and in chrony.conf");
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
