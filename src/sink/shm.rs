//! chrony's SHM refclock: one sample at a time in a System V segment that chronyd reads.
//!
//! [`ShmSink`] writes (the daemon), [`ShmReader`] looks without consuming (the verb `shm`, tests). Neither ever removes
//! a segment: a chronyd that is attached would go on reading the orphan. Sources: chrony's `refclock_shm.c`, shmget(2).

mod error;
mod reader;
mod rules;
mod trust;

use std::io::{self, ErrorKind};
use std::sync::atomic::{Ordering, fence};

use crate::core::event::Sample;
use crate::core::time::{NANOS, Span};
use crate::sys::claim::{Claim, ClaimError};
use crate::sys::sysv_shm::{self, Attachment, Fields, ReadWrite, Segment};
use crate::sys::trusted::Trusted;

pub use crate::sys::sysv_shm::{LAYOUT, SIZE, Status};
pub use error::{Access, ShmError};
pub use reader::{Contents, ShmReader, Snapshot};
pub use rules::Finding;
pub use trust::{is_writable_by_others, stranger};

/// The key of a unit's segment, `0x4e545030 + unit`.
pub const fn key(unit: u8) -> i32 {
    sysv_shm::key(unit)
}

/// The writing end of a unit's segment. What it published last is withdrawn when it is dropped.
#[derive(Debug)]
pub struct ShmSink {
    unit: u8,
    world_writable: bool,
    segment: Segment,
    memory: Attachment<ReadWrite>,
    /// Held while the unit is ours: two writers would take turns, and chronyd cannot tell them apart.
    _claim: Claim,
}

impl ShmSink {
    /// Attaches the unit's segment, creates it where there is none, and withdraws what an earlier writer left in it.
    ///
    /// A new segment has mode 0600 and belongs to root, whoever we are: chronyd attaches it as root and may lack
    /// `CAP_IPC_OWNER`, and we keep our rights as its creator. An existing one is taken if it is large enough, we may
    /// write to it, only the [trusted](crate::sys::trusted) stand behind it, and nobody else may write to it.
    pub fn open(unit: u8) -> Result<Self, ShmError> {
        Self::open_with(unit, false)
    }

    /// The same; but an existing segment may be one that others can write to, where `world_writable` allows that.
    pub fn open_with(unit: u8, world_writable: bool) -> Result<Self, ShmError> {
        let claim = Claim::take(&format!("shm-unit-{unit}")).map_err(|error| match error {
            ClaimError::Taken(rival) => ShmError::Taken { unit, rival },
            ClaimError::Os(source) => ShmError::Os { unit, call: "flock", source },
        })?;
        let (segment, memory) = take(unit, world_writable)?;
        let mut sink = Self { unit, world_writable, segment, memory, _claim: claim };
        sink.invalidate();
        Ok(sink)
    }

    /// Takes a new segment where somebody removed the one we write to: no chronyd that starts from now on would find
    /// it. Says whether that was so.
    pub fn renew(&mut self) -> Result<bool, ShmError> {
        if !self.status()?.is_removed() {
            return Ok(false);
        }
        (self.segment, self.memory) = take(self.unit, self.world_writable)?;
        self.invalidate();
        Ok(true)
    }

    /// Puts the sample into the segment, over one that nobody took yet.
    ///
    /// The clock stamp is the label (a whole second), the receive stamp `sample.at`. The order is that of mode 1: a
    /// reader that finds the same `count` before and after its copy, and `valid` in the copy, has a whole sample.
    pub fn publish(&mut self, sample: &Sample) {
        let fields = fields_of(sample);
        self.memory.set_valid(0);
        // A reader that sees the raised count must not see the old valid after it.
        fence(Ordering::Release);
        self.memory.set_count(self.memory.count().wrapping_add(1));
        fence(Ordering::Release);
        self.memory.set_fields(&fields);
        fence(Ordering::Release);
        self.memory.set_count(self.memory.count().wrapping_add(1));
        fence(Ordering::Release);
        self.memory.set_valid(1);
    }

    /// Withdraws the sample, if chronyd has not taken it yet.
    pub fn invalidate(&mut self) {
        self.memory.set_valid(0);
    }

    /// The unit.
    pub fn unit(&self) -> u8 {
        self.unit
    }

    /// Owner, mode, size and users of the segment now. [`Status::is_removed`] tells that chronyd will find another one
    /// at its next start.
    pub fn status(&self) -> Result<Status, ShmError> {
        self.segment.status().map_err(|source| ShmError::Os { unit: self.unit, call: "shmctl(IPC_STAT)", source })
    }
}

impl Drop for ShmSink {
    fn drop(&mut self) {
        self.invalidate();
    }
}

/// The unit's segment, if it is ours to write to.
fn take(unit: u8, world_writable: bool) -> Result<(Segment, Attachment<ReadWrite>), ShmError> {
    let os = |call| move |source| ShmError::Os { unit, call, source };
    let segment = find_or_create(unit).map_err(os("shmget"))?;
    let denied = |error: io::Error, call| match error.kind() {
        ErrorKind::PermissionDenied => ShmError::denied(unit, Access::Write),
        _ => os(call)(error),
    };
    let status = segment.status().map_err(|e| denied(e, "shmctl(IPC_STAT)"))?;
    if status.size < SIZE {
        return Err(ShmError::TooSmall { unit, status });
    }
    if let Some(stranger) = stranger(&status, Trusted::now()) {
        return Err(ShmError::Stranger { unit, stranger, status });
    }
    if is_writable_by_others(&status) && !world_writable {
        return Err(ShmError::WorldWritable { unit, status });
    }
    // Not only a new one: an earlier start may have ended between creating it and giving it away.
    if status.uid != 0 {
        segment.give_to(0).map_err(os("shmctl(IPC_SET)"))?;
    }
    let memory = segment.attach().map_err(|e| denied(e, "shmat"))?;
    Ok((segment, memory))
}

/// chronyd may create the segment, or somebody remove it, between the two calls. Twice in a row is a quarrel to report.
fn find_or_create(unit: u8) -> io::Result<Segment> {
    match Segment::find(unit) {
        Err(e) if e.kind() == ErrorKind::NotFound => match Segment::create(unit) {
            Err(e) if e.kind() == ErrorKind::AlreadyExists => Segment::find(unit),
            created => created,
        },
        found => found,
    }
}

fn fields_of(sample: &Sample) -> Fields {
    let (sec, nsec) = sample.at.parts();
    Fields {
        mode: 1,
        clock_sec: sample.label.posix(),
        clock_usec: 0,
        receive_sec: sec,
        receive_usec: (nsec / 1_000) as i32,
        leap: sample.leap as i32,
        precision: precision(sample.error),
        nsamples: 1,
        clock_nsec: 0,
        receive_nsec: nsec as i32,
    }
}

/// The smallest power of two, in seconds, that is not below the error: -30 (a nanosecond) to 0.
fn precision(error: Span) -> i32 {
    (-30..0).find(|&p: &i32| error.nanos() <= NANOS >> p.unsigned_abs()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Leap;
    use crate::core::time::{Instant, UtcSecond};

    #[test]
    fn precision_is_the_next_power_of_two() {
        for (ns, power) in
            [(0, -30), (1, -29), (100, -23), (1_000, -19), (976_562, -10), (976_563, -9), (NANOS, 0), (9 * NANOS, 0)]
        {
            assert_eq!(precision(Span::from_nanos(ns)), power, "{ns} ns");
        }
    }

    #[test]
    fn stamps_keep_nanoseconds_and_microseconds_in_step() {
        for (ns, sec, nsec) in [(-1, -1, 999_999_999), (1_999, 0, 1_999), (-NANOS, -1, 0), (5 * NANOS + 7, 5, 7)] {
            let sample = Sample {
                label: UtcSecond::from_posix(3),
                at: Instant::from_nanos(ns),
                error: Span::from_nanos(50),
                leap: Leap::Delete,
            };
            let f = fields_of(&sample);
            assert_eq!((f.receive_sec, f.receive_nsec, f.receive_usec), (sec, nsec, nsec / 1_000));
            assert_eq!((f.clock_sec, f.clock_nsec, f.clock_usec, f.leap, f.mode), (3, 0, 0, 2, 1));
        }
    }
}
