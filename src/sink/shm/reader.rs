//! The reading end: the content of a segment, without consuming it.

use std::io;
use std::sync::atomic::{Ordering, fence};
use std::thread;
use std::time::Duration;

use super::refusal::{Access, failed, too_small};
use super::{SIZE, Status};
use crate::core::time::{Instant, NANOS, Span, Sys};
use crate::sys::error::OpenError;
use crate::sys::sysv_shm::{Attachment, Fields, ReadOnly, Segment};

/// Attempts at a snapshot, and the pause between two of them. A writer needs less than a microsecond.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// A read-only attachment: it cannot clear `valid`, so chronyd misses nothing.
#[derive(Debug)]
pub struct ShmReader {
    segment: Segment,
    found: Status,
    memory: Attachment<ReadOnly>,
}

/// The content of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Snapshot {
    /// No writer interfered.
    Whole(Contents),
    /// A writer interfered at every attempt.
    Torn,
}

/// One whole reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Contents {
    /// Raised by two for each sample.
    pub count: i32,
    /// 1 until a reader takes the sample.
    pub valid: i32,
    /// The sample.
    pub fields: Fields,
}

impl ShmReader {
    /// Attaches the unit's segment for reading, regardless of its owner.
    pub fn open(unit: u8) -> Result<Self, OpenError> {
        let failed = |call| move |error| failed(unit, Access::Read, call, &error);
        let segment = Segment::find(unit).map_err(failed("shmget"))?;
        let found = segment.status().map_err(failed("shmctl(IPC_STAT)"))?;
        if found.size < SIZE {
            return Err(too_small(unit, &found));
        }
        let memory = segment.attach_read_only().map_err(failed("shmat"))?;
        Ok(Self { segment, found, memory })
    }

    /// The segment as it was before this reader attached, which itself changes `lpid` and `nattch`.
    pub fn found(&self) -> &Status {
        &self.found
    }

    /// The segment now, this reader included.
    pub fn status(&self) -> io::Result<Status> {
        self.segment.status()
    }

    /// Reads the segment, again while a writer interferes; takes 20 ms at most.
    ///
    /// With `valid` 0 a writer could be halfway through, so such a reading must be the same a pause later. Only a writer
    /// that is delayed for longer than the pause gives a mixed reading, and then `valid` says not to use it.
    pub fn snapshot(&self) -> Snapshot {
        let mut last = None;
        for _ in 0..TRIES {
            let now = self.read_once();
            match now {
                Some(contents) if contents.valid != 0 || last == now => return Snapshot::Whole(contents),
                Some(_) | None => last = now,
            }
            thread::sleep(PAUSE);
        }
        Snapshot::Torn
    }

    fn read_once(&self) -> Option<Contents> {
        let count = self.memory.count();
        fence(Ordering::Acquire);
        let fields = self.memory.fields();
        fence(Ordering::Acquire);
        let valid = self.memory.valid();
        fence(Ordering::Acquire);
        (self.memory.count() == count).then_some(Contents { count, valid, fields })
    }
}

impl Contents {
    /// Whether chrony uses the nanoseconds: both must match their microseconds.
    pub(super) fn has_nanoseconds(&self) -> bool {
        let f = &self.fields;
        f.clock_nsec / 1_000 == f.clock_usec && f.receive_nsec / 1_000 == f.receive_usec
    }

    /// The receive timestamp as chrony reads it: the system clock at the pulse.
    pub fn receive(&self) -> Instant<Sys> {
        let f = &self.fields;
        let nsec = if self.has_nanoseconds() { f.receive_nsec as i64 } else { f.receive_usec as i64 * 1_000 };
        Instant::from_parts(f.receive_sec, nsec)
    }

    /// The clock timestamp as chrony reads it, in nanoseconds of UTC since 1970.
    pub fn clock_nanos(&self) -> i64 {
        let f = &self.fields;
        let nsec = if self.has_nanoseconds() { f.clock_nsec as i64 } else { f.clock_usec as i64 * 1_000 };
        f.clock_sec.saturating_mul(NANOS).saturating_add(nsec)
    }

    /// Clock minus receive timestamp: how far UTC is ahead of the system clock.
    pub fn offset(&self) -> Span {
        Instant::<Sys>::from_nanos(self.clock_nanos()) - self.receive()
    }
}
