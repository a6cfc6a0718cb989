//! Which segments are refused, and every sentence about one that cannot be used: what is wrong, where, what to do.

use std::io::{self, ErrorKind};

use super::{SIZE, Status, key};
use crate::sys::claim::Trusted;
use crate::sys::error::{OpenError, Problem};
use crate::sys::sysv_shm::Segment;

/// Refuses a segment through which an untrusted user could set the clock.
pub(crate) fn judge(unit: u8, status: &Status, trusted: Trusted, world_writable: bool) -> Result<(), OpenError> {
    let (key, cpid) = (key(unit), status.cpid);
    let what = if let Some(stranger) = stranger(status, trusted) {
        format!(
            "the segment ({status}) was created by or belongs to uid {stranger}, who could feed chronyd at any time: stop \
             chronyd and the process that created it (pid {cpid}), then remove it with `ipcrm -M {key:#x}`, or give \
             another unit with --shm"
        )
    } else if is_writable_by_others(status) && !world_writable {
        format!(
            "other users may write to the segment ({status}), and so set the clock: take `perm=` out of chrony.conf, stop \
             chronyd, and remove the segment with `ipcrm -M {key:#x}`; gpsd creates such segments at units 2 to 11; or \
             allow it with --shm-world-writable"
        )
    } else if status.size < SIZE {
        too_small(&format!("the segment ({status})"), key)
    } else {
        return Ok(());
    };
    Err(refused(unit, Problem::Unsupported, &what))
}

fn too_small(segment: &str, key: i32) -> String {
    format!(
        "{segment} is smaller than the {SIZE} bytes of a refclock, and chronyd would not start with it: stop the process \
         that created it, then remove it with `ipcrm -M {key:#x}`"
    )
}

/// The creator or the owner, if that user is not trusted. The creator keeps the owner's rights even after giving the
/// segment away, so both are checked; the creator first, because the creator chose the owner.
fn stranger(status: &Status, trusted: Trusted) -> Option<u32> {
    [status.cuid, status.uid].into_iter().find(|uid| !trusted.has(*uid))
}

/// Whether group or everybody may write to it, as with chrony's `perm=0666` and gpsd's units from 2 on.
const fn is_writable_by_others(status: &Status) -> bool {
    status.mode & 0o022 != 0
}

/// A system call on the unit's segment failed.
pub(super) fn failed(unit: u8, error: &io::Error) -> OpenError {
    let (key, uid) = (key(unit), rustix::process::geteuid());
    // The kernel shows it to everybody.
    let segment = Segment::find(unit).and_then(Segment::public_status);
    let segment = segment.map_or("the segment".into(), |status| format!("the segment ({status})"));
    let (problem, what) = match error.kind() {
        ErrorKind::NotFound => (
            Problem::NotThere,
            "there is no such segment: start gnss2shm or chronyd with this unit, or check the number".into(),
        ),
        ErrorKind::PermissionDenied => (
            Problem::Denied,
            format!(
                "uid {uid} may not read or write {segment}: look at it as root; to write to it, start gnss2shm before \
                 chronyd, so that the segment is ours; or, because an existing segment outlives chronyd, stop chronyd, \
                 remove the segment with `ipcrm -M {key:#x}`, and start gnss2shm, then chronyd; or give another unit with \
                 --shm, here and in chrony.conf"
            ),
        ),
        ErrorKind::InvalidData => (Problem::Unsupported, too_small(&segment, key)),
        _ => (
            Problem::Failed,
            format!("{error}: check the limits that `ipcs -l` shows and that the kernel has SysV IPC"),
        ),
    };
    refused(unit, problem, &what)
}

/// Another process has claimed the unit.
pub(super) fn taken(unit: u8, rival: &str) -> String {
    format!(
        "SHM unit {unit} (key {:#x}): {rival} writes to it, and chronyd would take the samples of both: stop that one, or \
         give another unit with --shm",
        key(unit)
    )
}

fn refused(unit: u8, problem: Problem, what: &str) -> OpenError {
    OpenError::new(problem, format!("SHM unit {unit} (key {:#x}): {what}", key(unit)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::claim::rival;

    fn status(uid: u32, cuid: u32) -> Status {
        Status { id: 12, uid, gid: 4, cuid, cgid: 997, mode: 0o600, size: SIZE, cpid: 812, lpid: 900, nattch: 2 }
    }

    #[test]
    fn every_refusal_names_unit_key_and_a_cure() {
        const NOT_OURS: u8 = 99; // no test uses this unit
        let trusted = Trusted { me: 0, service: None };
        let judged = |status| judge(NOT_OURS, &status, trusted, false).unwrap_err();
        let failed = |errno| failed(NOT_OURS, &io::Error::from_raw_os_error(errno));
        for (error, problem, parts) in [
            (failed(libc::ENOENT), Problem::NotThere, ["no such segment", "start gnss2shm"]),
            (failed(libc::EACCES), Problem::Denied, ["may not read or write", "before chronyd"]),
            (failed(libc::EACCES), Problem::Denied, ["ipcrm -M 0x4e545093", "--shm"]),
            (failed(libc::EACCES), Problem::Denied, ["may not read", "as root"]),
            (failed(libc::ENOSPC), Problem::Failed, ["os error 28", "ipcs -l"]),
            (judged(status(0, 998)), Problem::Unsupported, ["uid 998", "ipcrm -M 0x4e545093"]),
            (
                judged(Status { mode: 0o620, ..status(0, 0) }),
                Problem::Unsupported,
                ["other users", "--shm-world-writable"],
            ),
            (
                OpenError::new(Problem::Taken, taken(NOT_OURS, &rival(None))),
                Problem::Taken,
                ["another program writes to it", "--shm"],
            ),
        ] {
            let text = error.to_string();
            assert_eq!(error.problem, problem, "{text}");
            assert!(text.starts_with("SHM unit 99 (key 0x4e545093): ") && !text.ends_with('.'), "{text}");
            for part in parts {
                assert!(text.contains(part), "{part:?} is not in {text:?}");
            }
        }
    }

    #[test]
    fn creator_and_owner_must_both_be_trusted() {
        for (uid, cuid, me, who) in [
            (0, 0, 0, None),
            (0, 0, 998, None),     // chronyd's
            (0, 998, 998, None),   // ours
            (998, 998, 998, None), // ours, not yet given to root
            (0, 998, 0, None),     // our service's, and root uses it
            (998, 998, 0, None),
            (0, 1000, 0, Some(1000)), // planted and given away: the creator keeps the owner's rights
            (0, 1000, 998, Some(1000)),
            (1000, 0, 998, Some(1000)),
            (1000, 1000, 0, Some(1000)),
            (1001, 1000, 0, Some(1000)),
        ] {
            let trusted = Trusted { me, service: Some(998) };
            assert_eq!(stranger(&status(uid, cuid), trusted), who, "owner {uid} creator {cuid} me {me}");
        }
        // Where the package is not installed, there is no service account.
        assert_eq!(stranger(&status(0, 998), Trusted { me: 0, service: None }), Some(998));
    }
}
