//! The sinks: the SHM segment, from /proc/sysvipc/shm, which all users can read, and the SOCK socket, which chronyd or
//! ntpd-rs creates. Here, the reader is chronyd or the daemon that takes its place.

use std::path::Path;

use super::{Checked, Finding, Patient, READ_WRITE};
use crate::config::GPSD_UNITS;
use crate::sink::shm::{Status, judge, key};
use crate::sys::claim::Trusted;
use crate::sys::processes::Process;

/// Owner, permissions, and users of the segment: the service must be able to write to it, and only the reader may have
/// it attached as well.
pub(super) fn shm(patient: &Patient<'_>, unit: u8) -> Checked {
    let key = key(unit);
    let status = listed(&patient.system.text("/proc/sysvipc/shm"), key).ok_or_else(|| {
        let says = format!("unit {unit} (key {key:#x}) has no segment yet");
        Finding::warning(says, "start gnss2shm, then chronyd: the first one creates it")
    })?;
    let Status { id, uid, gid, cuid, cgid, mode, .. } = status;
    if let Ok(account) = &patient.account {
        judge(unit, &status, Trusted { me: account.uid, service: None }, patient.settings.world_writable)?;
        if !account.may(READ_WRITE, &[uid, cuid], &[gid, cgid], mode) {
            let says = format!("unit {unit} is not writable by {} ({status})", account.name);
            let remove = format!("stop chronyd, run `ipcrm -M {key:#x}`, start gnss2shm, then chronyd");
            let cure = format!("start gnss2shm before chronyd, as its unit does: {remove}");
            return Err(Finding::failure(says, cure));
        }
    }
    // chronyd's helper process inherits its attachments.
    let reader = patient.reader();
    let is_ours = |pid| reader.is_some_and(|reader| reader.pid == pid);
    let mut users = patient.processes.iter().filter(|process| process.has_attached(id) == Some(true));
    let stranger = |user: &&Process| user.name != "gnss2shm" && !is_ours(user.pid) && !is_ours(user.parent);
    if let Some(process) = users.find(stranger) {
        let says = format!("{process} also has unit {unit} attached: it takes samples from chronyd, or adds its own");
        let cure = format!("stop it, or use another unit in [shm] and in chrony.conf (gpsd: from {GPSD_UNITS} up)");
        return Err(Finding::failure(says, cure));
    }
    if let Some(reader) = reader.filter(|reader| reader.has_attached(id) == Some(false)) {
        let says = format!("{reader} does not have unit {unit} attached; it may have a segment that was removed");
        return Err(Finding::failure(says, "run `systemctl restart chrony` (elsewhere: chronyd; ntpsec)"));
    }
    Ok(format!("unit {unit} (key {key:#x}): {status}"))
}

/// The segment with this key in the text of /proc/sysvipc/shm: a header, then one segment per line, `proc_sysvipc(5)`.
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

pub(super) fn sock(patient: &Patient<'_>, path: &Path) -> Checked {
    let shown = path.display().to_string();
    let (absent, denied) = if patient.consumer.is_some() {
        (
            "restart ntpd-rs: it creates the socket".to_owned(),
            "write `UMask=0007` below [Service] in `systemctl edit ntpd-rs` and `SupplementaryGroups=ntpd-rs` in \
             `systemctl edit gnss2shm@.service`, and restart both",
        )
    } else {
        (
            format!("restart chronyd with `refclock SOCK {shown}` (AppArmor may allow only /run/chrony.NAME.sock)"),
            "add `ExecStartPost=+chmod 0666` and its path below [Service] in `systemctl edit chrony`",
        )
    };
    patient.may_use(path, READ_WRITE, &absent, denied)?;
    Ok(shown)
}

#[cfg(test)]
mod tests {
    use super::*;

    // Output of Linux 6.18.
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
