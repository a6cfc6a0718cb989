//! chrony's SHM refclock: one sample at a time in a System V segment that chronyd reads.
//!
//! [`ShmSink`] writes (the daemon), [`ShmReader`] reads without consuming (the verb `shm`, tests). Neither ever removes
//! a segment: a chronyd that is attached would keep reading the orphan. Sources: chrony's `refclock_shm.c`, shmget(2).

mod reader;
mod refusal;

use std::io::{self, ErrorKind};
use std::sync::atomic::{Ordering, fence};

use tracing::warn;

use super::Sink;
use crate::core::event::{Reason, Sample};
use crate::core::time::{NANOS, Span};
use crate::sys::claim::{Claim, Trusted};
use crate::sys::error::OpenError;
use crate::sys::sysv_shm::{Attachment, Fields, ReadWrite, Segment};

pub use crate::sys::sysv_shm::{SIZE, Status, key};
pub use reader::{Contents, Finding, ShmReader};
pub(crate) use refusal::judge;

use refusal::failed;

/// The writing end of a unit's segment. Dropping it withdraws the last sample.
#[derive(Debug)]
pub struct ShmSink {
    unit: u8,
    world_writable: bool,
    segment: Segment,
    memory: Attachment<ReadWrite>,
    /// Why there is no segment to write to, if another program removed ours; as last logged.
    orphaned: Option<String>,
    /// Two writers would alternate, and chronyd cannot tell them apart.
    _claim: Claim,
}

impl ShmSink {
    /// Attaches the unit's segment, creating it if there is none, and withdraws what an earlier writer left in it.
    ///
    /// A new segment has mode 0600 and is given to root: chronyd attaches it as root and may lack `CAP_IPC_OWNER`,
    /// while the creator keeps the owner's rights. An existing segment is accepted if it is large enough, writable to us,
    /// created and owned by [trusted](Trusted) users, and writable to nobody else.
    pub fn open(unit: u8) -> Result<Self, OpenError> {
        Self::open_with(unit, false)
    }

    /// The same; `world_writable` accepts an existing segment that other users can write to.
    pub fn open_with(unit: u8, world_writable: bool) -> Result<Self, OpenError> {
        let claim = Claim::take(&format!("shm-unit-{unit}"), |rival| refusal::taken(unit, rival))?;
        let (segment, memory) = attach(unit, world_writable)?;
        let mut sink = Self { unit, world_writable, segment, memory, orphaned: None, _claim: claim };
        sink.withdraw();
        Ok(sink)
    }

    /// Owner, mode, size and users of the segment now. After [`Status::is_removed`], chronyd will find another one at its
    /// next start.
    pub fn status(&self) -> io::Result<Status> {
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
    /// Writes the sample into the segment, over one that nobody has taken yet.
    ///
    /// The clock timestamp is the label (a whole second), the receive timestamp `sample.at`. The order is that of mode 1:
    /// a reader that finds the same `count` before and after its copy, and `valid` in the copy, has a whole sample.
    fn publish(&mut self, sample: &Sample) {
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

    fn tick(&mut self) {
        let orphaned = self.renew().err().map(|error| error.to_string());
        if orphaned != self.orphaned
            && let Some(why) = &orphaned
        {
            warn!("the segment was removed, and the one in its place cannot be used: {why}");
        }
        self.orphaned = orphaned;
    }

    fn withdraw(&mut self) {
        self.memory.set_valid(0);
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

/// The unit's segment, attached if every guard accepts it.
fn attach(unit: u8, world_writable: bool) -> Result<(Segment, Attachment<ReadWrite>), OpenError> {
    let failed = |error| failed(unit, &error);
    let segment = match Segment::find(unit) {
        Err(error) if error.kind() == ErrorKind::NotFound => Segment::find_or_create(unit),
        found => found,
    };
    let segment = segment.map_err(failed)?;
    let status = segment.status().map_err(failed)?;
    refusal::judge(unit, &status, Trusted::now(), world_writable)?;
    let memory = segment.attach().map_err(failed)?;
    // Not only a new segment: an earlier start may have ended between creating it and giving it away.
    if status.uid != 0 {
        segment.give_to(0).map_err(failed)?;
    }
    Ok((segment, memory))
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
    fn timestamps_keep_nanoseconds_and_microseconds_in_step() {
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
