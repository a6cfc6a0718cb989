//! The reading end: shows the content of a segment without consuming it, and what chronyd would do with it.
//!
//! Facts from chrony's `refclock_shm.c` (mode, count, valid, nanoseconds), `refclock.c` (leap; age from 0 to
//! 2^(poll+1) s) and `util.c` (`UTI_IsTimeOffsetSane`), the same in 4.3 and 4.8.

use std::io;
use std::sync::atomic::{Ordering, fence};
use std::thread;
use std::time::Duration;

use super::{Status, failed};
use crate::core::time::{Instant, NANOS, Span, Sys};
use crate::sys::error::OpenError;
use crate::sys::sysv_shm::{Attachment, Fields, ReadOnly, Segment};

/// Number of read attempts and the pause between them. A write takes less than a microsecond.
const TRIES: u32 = 20;
const PAUSE: Duration = Duration::from_millis(1);

/// A read-only attachment: it cannot clear `valid`, so chronyd misses nothing.
#[derive(Debug)]
pub(crate) struct ShmReader {
    segment: Segment,
    found: Status,
    memory: Attachment<ReadOnly>,
}

/// One consistent reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Incremented by two for each sample.
    pub count: i32,
    /// 1 until a reader takes the sample.
    pub valid: i32,
    /// The sample.
    pub fields: Fields,
}

impl ShmReader {
    /// Attaches the unit's segment for reading, regardless of its owner.
    pub(crate) fn open(unit: u8) -> Result<Self, OpenError> {
        let open = || {
            let segment = Segment::find(unit)?;
            Ok(Self { segment, found: segment.status()?, memory: segment.attach_read_only()? })
        };
        open().map_err(|error| failed(unit, &error))
    }

    /// The segment as it was before this reader attached, which itself changes `lpid` and `nattch`.
    pub(crate) fn found(&self) -> &Status {
        &self.found
    }

    /// The segment now, including this reader.
    pub(crate) fn status(&self) -> io::Result<Status> {
        self.segment.status()
    }

    /// Reads the segment, and retries while a writer interferes, for at most 20 ms. `None` if one interfered each time.
    ///
    /// With `valid` 0, a write may be in progress, so the next reading after the pause must be the same. Only a write
    /// that lasts longer than the pause gives a mixed reading, and then `valid` is 0.
    pub(crate) fn contents(&self) -> Option<Contents> {
        let mut last = None;
        for _ in 0..TRIES {
            let now = self.read_once();
            if now.is_some_and(|contents| contents.valid != 0 || last == now) {
                return now;
            }
            last = now;
            thread::sleep(PAUSE);
        }
        None
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
    fn has_nanoseconds(&self) -> bool {
        let f = &self.fields;
        f.clock_nsec / 1_000 == f.clock_usec && f.receive_nsec / 1_000 == f.receive_usec
    }

    /// The receive timestamp as chrony reads it: the system clock at the pulse.
    pub(crate) fn receive(&self) -> Instant<Sys> {
        let f = &self.fields;
        let nsec = if self.has_nanoseconds() { f.receive_nsec as i64 } else { f.receive_usec as i64 * 1_000 };
        Instant::from_parts(f.receive_sec, nsec)
    }

    /// The clock timestamp as chrony reads it, in nanoseconds of UTC since 1970.
    pub(crate) fn clock_nanos(&self) -> i64 {
        let f = &self.fields;
        let nsec = if self.has_nanoseconds() { f.clock_nsec as i64 } else { f.clock_usec as i64 * 1_000 };
        f.clock_sec.saturating_mul(NANOS).saturating_add(nsec)
    }

    /// Clock minus receive timestamp: how far UTC is ahead of the system clock.
    pub(crate) fn offset(&self) -> Span {
        Instant::<Sys>::from_nanos(self.clock_nanos()) - self.receive()
    }

    /// The rules of chrony that concern this sample, at system time `now` and for a refclock with that `poll` (the
    /// power of two in seconds of chrony.conf). Empty if chronyd accepts it fully. One reading cannot show that chrony
    /// also drops a sample that is not newer than the last one it has.
    pub(crate) fn findings(&self, now: Instant<Sys>, poll: i8) -> Vec<Finding> {
        let f = &self.fields;
        let age = now - self.receive();
        let limit = power_of_two_seconds(poll.saturating_add(1));
        let apart = f.clock_sec.saturating_sub(f.receive_sec).saturating_abs();
        let rules = [
            (self.valid == 0, Finding::NotValid),
            (!(0..=1).contains(&f.mode), Finding::UnknownMode(f.mode)),
            (!(0..=2).contains(&f.leap), Finding::BadLeap(f.leap)),
            (age < Span::ZERO, Finding::Future(-age)),
            (age > limit, Finding::TooOld(age, limit)),
            (self.clock_nanos() < 0 || apart >= 1 << 32, Finding::Insane),
            (!self.has_nanoseconds(), Finding::Microseconds),
        ];
        rules.into_iter().filter_map(|(applies, finding)| applies.then_some(finding)).collect()
    }
}

/// A rule of chrony that concerns a sample. Displayed as the operator's sentence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Finding {
    /// Dropped: `valid` is 0.
    #[error("valid is 0: it was already taken, or withdrawn")]
    NotValid,
    /// Dropped: neither mode 0 nor 1.
    #[error("mode is {0}; only 0 and 1 are known")]
    UnknownMode(i32),
    /// Dropped: the leap indicator is not 0, 1 or 2.
    #[error("leap is {0}; only 0 to 2 are used")]
    BadLeap(i32),
    /// Dropped: the receive timestamp is that far ahead of the system clock.
    #[error("its receive timestamp is {0} in the future: was the system clock stepped?")]
    Future(Span),
    /// Dropped: the receive timestamp is older than chrony's limit.
    #[error("it is {0} old, and the limit is {1}: is its writer still running?")]
    TooOld(Span, Span),
    /// Dropped: the clock timestamp is before 1970, or 2^32 seconds or more from the receive timestamp.
    #[error("its clock timestamp is before 1970, or at least 136 years from the system clock")]
    Insane,
    /// Taken, but only to the microsecond: a nanosecond field does not match its microsecond field.
    #[error("a nanosecond field does not match its microseconds, so the nanoseconds are ignored")]
    Microseconds,
}

impl Finding {
    /// Whether chronyd would not use the sample at all.
    pub(crate) fn drops(self) -> bool {
        self != Self::Microseconds
    }
}

/// As chrony's `UTI_Log2ToDouble`, which ends at 31 on both sides.
fn power_of_two_seconds(power: i8) -> Span {
    match power.clamp(-31, 31) {
        up @ 0.. => Span::from_secs(1 << up),
        down => Span::from_nanos(NANOS >> down.unsigned_abs()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Instant<Sys> = Instant::from_parts(1_800_000_000, 0);

    /// A sample half a second old that chronyd would take.
    fn good() -> Contents {
        let fields = Fields {
            mode: 1,
            clock_sec: 1_800_000_000,
            receive_sec: 1_799_999_999,
            receive_usec: 500_001,
            receive_nsec: 500_001_002,
            ..Fields::default()
        };
        Contents { count: 2, valid: 1, fields }
    }

    #[test]
    fn each_of_chronys_rules_is_found_alone() {
        type Change = fn(&mut Contents);
        let cases: [(Change, Vec<Finding>); 11] = [
            (|_| (), vec![]),
            (|c| c.valid = 0, vec![Finding::NotValid]),
            (|c| c.fields.mode = 2, vec![Finding::UnknownMode(2)]),
            (|c| c.fields.mode = 0, vec![]),
            (|c| c.fields.leap = 2, vec![]),
            (|c| c.fields.leap = 3, vec![Finding::BadLeap(3)]),
            (|c| c.fields.leap = -1, vec![Finding::BadLeap(-1)]),
            (|c| c.fields.receive_sec += 1, vec![Finding::Future(Span::from_nanos(500_001_002))]),
            (|c| c.fields.clock_sec += 1 << 32, vec![Finding::Insane]),
            (|c| c.fields.receive_usec += 1, vec![Finding::Microseconds]),
            (|c| c.fields.clock_nsec = 1_000, vec![Finding::Microseconds]),
        ];
        for (i, (change, expected)) in cases.into_iter().enumerate() {
            let mut contents = good();
            change(&mut contents);
            assert_eq!(contents.findings(NOW, 2), expected, "case {i}");
        }
    }

    #[test]
    fn the_oldest_sample_taken_is_two_to_the_poll_plus_one() {
        for (poll, limit) in [(0, 2 * NANOS), (4, 32 * NANOS), (-2, NANOS / 2), (-1, NANOS), (127, NANOS << 31)] {
            let mut contents = good();
            let at = |age| Instant::<Sys>::from_nanos(contents.receive().nanos() + age);
            let (just, over) = (at(limit), at(limit + 1));
            assert_eq!(contents.findings(just, poll), [], "poll {poll}");
            let expected = Finding::TooOld(Span::from_nanos(limit + 1), Span::from_nanos(limit));
            assert_eq!(contents.findings(over, poll), [expected], "poll {poll}");
            contents.fields.leap = 3;
            assert_eq!(contents.findings(over, poll).len(), 2);
        }
    }

    #[test]
    fn without_fitting_nanoseconds_chrony_reads_microseconds() {
        let mut contents = good();
        assert_eq!(contents.offset(), Span::from_nanos(499_998_998));
        contents.fields.receive_nsec = 0;
        assert_eq!(contents.offset(), Span::from_nanos(499_999_000));
        assert_eq!(contents.clock_nanos(), 1_800_000_000 * NANOS);
    }

    #[test]
    fn contents_at_the_ends_of_their_range_are_judged_not_overflowed() {
        let mut contents = good();
        contents.fields.clock_sec = i64::MIN;
        contents.fields.receive_sec = i64::MAX;
        contents.fields.receive_usec = i32::MIN;
        contents.fields.receive_nsec = i32::MIN;
        assert!(contents.findings(NOW, 2).contains(&Finding::Insane));
    }
}
