//! chrony's SHM refclock: one sample at a time in a System V segment that chronyd reads.
//!
//! [`ShmSink`] writes (the daemon), [`ShmReader`] reads without consuming (the verb `shm`, tests). Neither ever removes
//! a segment: an attached chronyd would keep reading the orphan. Sources: chrony's `refclock_shm.c`, shmget(2).

mod reader;

use std::io::{self, ErrorKind};
use std::sync::atomic::Ordering::{Relaxed, Release};
use std::sync::atomic::fence;

use tracing::warn;

use super::Sink;
use crate::core::event::{Reason, Sample};
use crate::core::time::{NANOS, Span};
use crate::sys::claim::{Claim, Trusted};
use crate::sys::error::{OpenError, Problem};
use crate::sys::sysv_shm::{Attachment, ReadWrite, Segment, ShmTime};

pub(crate) use crate::sys::sysv_shm::{SIZE, Status, key};
pub(crate) use reader::{Contents, Finding, ShmReader};

/// The writing end of a unit's segment. Dropping it withdraws the last sample.
#[derive(Debug)]
pub(crate) struct ShmSink {
    unit: u8,
    world_writable: bool,
    segment: Segment,
    memory: Attachment<ReadWrite>,
    /// Why the segment is lost after another program removed it; as last logged.
    orphaned: Option<String>,
    /// Two writers would alternate, and chronyd cannot tell them apart.
    _claim: Claim,
}

impl ShmSink {
    /// Attaches the unit's segment, creating it if there is none, and withdraws an earlier writer's sample.
    ///
    /// A new segment has mode 0600 and is given to root: chronyd attaches it as root and may lack `CAP_IPC_OWNER`,
    /// while the creator keeps the owner's rights. An existing segment is accepted if it is large enough, writable by
    /// this process, created and owned by [trusted](Trusted) users, and not writable by others.
    pub(crate) fn open(unit: u8) -> Result<Self, OpenError> {
        Self::open_with(unit, false)
    }

    /// The same; `world_writable` accepts an existing segment that other users can write to.
    pub(crate) fn open_with(unit: u8, world_writable: bool) -> Result<Self, OpenError> {
        let claim = Claim::take(&format!("shm-unit-{unit}"), |rival| taken(unit, rival))?;
        let (segment, memory) = attach(unit, world_writable)?;
        let mut sink = Self { unit, world_writable, segment, memory, orphaned: None, _claim: claim };
        sink.withdraw();
        Ok(sink)
    }

    /// Owner, mode, size, and users of the segment. After [`Status::is_removed`], chronyd will find another one at its
    /// next start.
    pub(crate) fn status(&self) -> io::Result<Status> {
        self.segment.status()
    }

    /// Replaces a segment that another program removed: a chronyd that starts from now on would not find it.
    fn renew(&mut self) -> Result<(), OpenError> {
        let status = self.status().map_err(|error| failed(self.unit, &error))?;
        if status.is_removed() {
            (self.segment, self.memory) = attach(self.unit, self.world_writable)?;
            self.withdraw();
            warn!("the segment of SHM unit {} was removed and has been created again: restart chronyd", self.unit);
        }
        Ok(())
    }
}

impl Sink for ShmSink {
    /// Writes the sample into the segment, overwriting one that has not been taken yet.
    ///
    /// The clock timestamp is the label (a whole second), the receive timestamp `sample.at`. The order is that of mode 1:
    /// a reader that finds the same `count` before and after its copy, and `valid` in the copy, has a complete sample.
    fn publish(&mut self, sample: &Sample) {
        let memory = self.memory.writable();
        memory.valid.store(0, Relaxed);
        // A reader that sees the incremented count must not see the old valid after it.
        fence(Release);
        memory.count.store(memory.count.load(Relaxed).wrapping_add(1), Relaxed);
        fence(Release);
        store(memory, sample);
        fence(Release);
        memory.count.store(memory.count.load(Relaxed).wrapping_add(1), Relaxed);
        fence(Release);
        memory.valid.store(1, Relaxed);
    }

    fn tick(&mut self) {
        let orphaned = self.renew().err().map(|error| error.to_string());
        if orphaned != self.orphaned
            && let Some(why) = &orphaned
        {
            warn!("the segment was removed, and its replacement cannot be used: {why}");
        }
        self.orphaned = orphaned;
    }

    fn withdraw(&mut self) {
        self.memory.writable().valid.store(0, Relaxed);
    }

    fn lost(&self) -> Option<Reason> {
        self.orphaned.as_ref().map(|_| Reason::SegmentLost)
    }
}

impl Drop for ShmSink {
    fn drop(&mut self) {
        self.withdraw();
    }
}

/// Attaches the unit's segment if all checks pass.
fn attach(unit: u8, world_writable: bool) -> Result<(Segment, Attachment<ReadWrite>), OpenError> {
    let failed = |error| failed(unit, &error);
    let segment = match Segment::find(unit) {
        Err(error) if error.kind() == ErrorKind::NotFound => Segment::find_or_create(unit),
        found => found,
    };
    let segment = segment.map_err(failed)?;
    let status = segment.status().map_err(failed)?;
    judge(unit, &status, Trusted::now(), world_writable)?;
    let memory = segment.attach().map_err(failed)?;
    // Not only a new segment: an earlier start may have ended between creating it and giving it away.
    if status.uid != 0 {
        segment.give_to(0).map_err(failed)?;
    }
    Ok((segment, memory))
}

/// Stores all fields but `count` and `valid`, in no particular order among each other.
fn store(memory: &ShmTime, sample: &Sample) {
    let (sec, nsec) = sample.at.parts();
    memory.mode.store(1, Relaxed);
    memory.clock_sec.store(sample.label.posix(), Relaxed);
    memory.clock_usec.store(0, Relaxed);
    memory.clock_nsec.store(0, Relaxed);
    memory.receive_sec.store(sec, Relaxed);
    memory.receive_usec.store((nsec / 1_000) as i32, Relaxed);
    memory.receive_nsec.store(nsec as i32, Relaxed);
    memory.leap.store(sample.leap as i32, Relaxed);
    memory.precision.store(precision(sample.error), Relaxed);
    memory.nsamples.store(1, Relaxed);
}

/// The smallest power of two, in seconds, that is not below the error: -30 (a nanosecond) to 0.
fn precision(error: Span) -> i32 {
    (-30..0).find(|&p: &i32| error.nanos() <= NANOS >> p.unsigned_abs()).unwrap_or(0)
}

/// Refuses a segment through which an untrusted user could set the clock.
pub(crate) fn judge(unit: u8, status: &Status, trusted: Trusted, world_writable: bool) -> Result<(), OpenError> {
    let (key, segment) = (key(unit), format!("the segment ({status})"));
    if let Some(stranger) = stranger(status, trusted) {
        let says = format!("{segment} was created by or belongs to uid {stranger}, who could feed chronyd at any time");
        let cure = format!(
            "stop chronyd and the process that created it (pid {}), then remove it with `ipcrm -M {key:#x}`, or use \
             another unit with --shm",
            status.cpid
        );
        return Err(refused(unit, Problem::Unsupported, &says, cure));
    }
    // As with chrony's `perm=0666` and gpsd's units from 2 upward.
    if status.mode & 0o022 != 0 && !world_writable {
        let says = format!("other users can write to {segment} and thereby set the clock");
        let cure = format!(
            "remove `perm=` from chrony.conf, stop chronyd, and remove the segment with `ipcrm -M {key:#x}` (gpsd \
             creates such segments at units 2 to 11); or allow it with --shm-world-writable"
        );
        return Err(refused(unit, Problem::Unsupported, &says, cure));
    }
    if status.size < SIZE { Err(too_small(unit, &segment)) } else { Ok(()) }
}

fn too_small(unit: u8, segment: &str) -> OpenError {
    let says = format!("{segment} is smaller than the {SIZE} bytes of a refclock, and chronyd would not start with it");
    let cure = format!("stop the process that created it, then remove it with `ipcrm -M {:#x}`", key(unit));
    refused(unit, Problem::Unsupported, &says, cure)
}

/// The creator or the owner, if that user is not trusted. The creator keeps the owner's rights even after giving the
/// segment away, so both are checked; the creator first, because the creator chose the owner.
fn stranger(status: &Status, trusted: Trusted) -> Option<u32> {
    [status.cuid, status.uid].into_iter().find(|uid| !trusted.has(*uid))
}

/// A system call on the unit's segment failed.
fn failed(unit: u8, error: &io::Error) -> OpenError {
    let (key, uid) = (key(unit), rustix::process::geteuid());
    // Every user may see this.
    let segment = Segment::find(unit).and_then(Segment::public_status);
    let segment = segment.map_or("the segment".into(), |status| format!("the segment ({status})"));
    match error.kind() {
        ErrorKind::NotFound => {
            let cure = "start gnss2shm or chronyd with this unit, or check the number";
            refused(unit, Problem::NotThere, "there is no such segment", cure)
        }
        ErrorKind::PermissionDenied => {
            let cure = format!(
                "view it as root; to write to it, start gnss2shm before chronyd, so that gnss2shm creates it; if it \
                 already exists, stop chronyd, remove the segment with `ipcrm -M {key:#x}`, and start gnss2shm, then \
                 chronyd; or use another unit with --shm, here and in chrony.conf"
            );
            refused(unit, Problem::Denied, &format!("uid {uid} may not read or write {segment}"), cure)
        }
        ErrorKind::InvalidData => too_small(unit, &segment),
        _ => {
            let cure = "check the limits that `ipcs -l` shows and that the kernel has SysV IPC";
            refused(unit, Problem::Failed, &error.to_string(), cure)
        }
    }
}

/// Another process has claimed the unit.
fn taken(unit: u8, rival: &str) -> String {
    format!(
        "{}: {rival} writes to it, and chronyd would take the samples of both: stop that program, or use another \
         unit with --shm",
        named(unit)
    )
}

fn refused(unit: u8, problem: Problem, says: &str, cure: impl Into<String>) -> OpenError {
    OpenError::cured(problem, format!("{}: {says}", named(unit)), cure)
}

/// A unit, as sentences name it.
fn named(unit: u8) -> String {
    format!("SHM unit {unit} (key {:#x})", key(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Leap;
    use crate::core::time::{Instant, UtcSecond};
    use crate::sys::claim::rival;
    use std::sync::atomic::AtomicI32;

    #[test]
    fn precision_is_the_next_power_of_two() {
        for (ns, power) in
            [(0, -30), (1, -29), (100, -23), (1_000, -19), (976_562, -10), (976_563, -9), (NANOS, 0), (9 * NANOS, 0)]
        {
            assert_eq!(precision(Span::from_nanos(ns)), power, "{ns} ns");
        }
    }

    #[test]
    fn timestamps_keep_nanoseconds_and_microseconds_in_step() {
        for (ns, sec, nsec) in [(-1, -1, 999_999_999), (1_999, 0, 1_999), (-NANOS, -1, 0), (5 * NANOS + 7, 5, 7)] {
            let sample = Sample {
                label: UtcSecond::from_posix(3),
                at: Instant::from_nanos(ns),
                error: Span::from_nanos(50),
                leap: Leap::Delete,
            };
            let memory = ShmTime::default();
            store(&memory, &sample);
            let of = |field: &AtomicI32| field.load(Relaxed);
            let receive = (memory.receive_sec.load(Relaxed), of(&memory.receive_nsec), of(&memory.receive_usec));
            assert_eq!(receive, (sec, nsec, nsec / 1_000));
            assert_eq!((memory.clock_sec.load(Relaxed), of(&memory.clock_nsec), of(&memory.clock_usec)), (3, 0, 0));
            assert_eq!((of(&memory.leap), of(&memory.mode)), (2, 1));
        }
    }

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
