//! What chronyd would do with a sample: the rules by which it drops one without a message.
//!
//! Facts from chrony's `refclock_shm.c` (mode, count, valid, nanoseconds), `refclock.c` (leap; age from 0 to
//! 2^(poll+1) s) and `util.c` (`UTI_IsTimeOffsetSane`), the same in 4.3 and 4.8.

use super::reader::{Contents, Snapshot};
use crate::core::time::{Instant, NANOS, Span, Sys};

/// A rule of chrony that concerns a sample. Displayed: the sentence for the operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Finding {
    /// Dropped: `count` changed while it was copied.
    #[error("a writer was changing it at every look: do two programs write to this unit?")]
    Torn,
    /// Dropped: `valid` is 0.
    #[error("valid is 0: it was taken already, or withdrawn")]
    NotValid,
    /// Dropped: neither mode 0 nor 1.
    #[error("mode is {0}, only 0 and 1 are known")]
    UnknownMode(i32),
    /// Dropped: the leap indicator is not 0, 1 or 2.
    #[error("leap is {0}, only 0 to 2 are used")]
    BadLeap(i32),
    /// Dropped: the receive timestamp is that far ahead of the system clock.
    #[error("its receive timestamp is {0} in the future: was the system clock stepped?")]
    Future(Span),
    /// Dropped: the receive timestamp is older than chrony's limit.
    #[error("it is {age} old, and more than {limit} is too old: does its writer still run?")]
    TooOld {
        /// Age.
        age: Span,
        /// What chrony allows.
        limit: Span,
    },
    /// Dropped: the clock timestamp is before 1970, or 2^32 seconds or more from the receive timestamp.
    #[error("its clock timestamp is before 1970, or 136 years from the system clock")]
    Insane,
    /// Taken, but only to the microsecond: a nanosecond field does not match its microsecond field.
    #[error("a nanosecond field does not match its microseconds, so the nanoseconds are ignored")]
    Microseconds,
}

impl Snapshot {
    /// The rules of chrony that concern this sample, at system time `now` and for a refclock with that `poll` (the
    /// power of two in seconds of chrony.conf). Empty if chronyd takes it as it is. Not seen from a snapshot: chrony
    /// also drops a sample that is not newer than the last one it holds.
    pub fn findings(&self, now: Instant<Sys>, poll: i8) -> Vec<Finding> {
        match self {
            Self::Whole(contents) => contents.findings(now, poll),
            Self::Torn => vec![Finding::Torn],
        }
    }
}

impl Contents {
    fn findings(&self, now: Instant<Sys>, poll: i8) -> Vec<Finding> {
        let f = &self.fields;
        let age = now - self.receive();
        let limit = power_of_two_seconds(poll.saturating_add(1));
        let apart = f.clock_sec.saturating_sub(f.receive_sec).saturating_abs();
        let rules = [
            (self.valid == 0, Finding::NotValid),
            (!(0..=1).contains(&f.mode), Finding::UnknownMode(f.mode)),
            (!(0..=2).contains(&f.leap), Finding::BadLeap(f.leap)),
            (age < Span::ZERO, Finding::Future(-age)),
            (age > limit, Finding::TooOld { age, limit }),
            (self.clock_nanos() < 0 || apart >= 1 << 32, Finding::Insane),
            (!self.has_nanoseconds(), Finding::Microseconds),
        ];
        rules.into_iter().filter_map(|(applies, finding)| applies.then_some(finding)).collect()
    }
}

impl Finding {
    /// Whether chronyd would not use the sample at all.
    pub fn drops(self) -> bool {
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
    use crate::sys::sysv_shm::Fields;

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
            assert_eq!(Snapshot::Whole(contents).findings(NOW, 2), expected, "case {i}");
        }
        assert_eq!(Snapshot::Torn.findings(NOW, 2), [Finding::Torn]);
    }

    #[test]
    fn the_oldest_sample_taken_is_two_to_the_poll_plus_one() {
        for (poll, limit) in [(0, 2 * NANOS), (4, 32 * NANOS), (-2, NANOS / 2), (-1, NANOS), (127, NANOS << 31)] {
            let mut contents = good();
            let at = |age| Instant::<Sys>::from_nanos(contents.receive().nanos() + age);
            let (just, over) = (at(limit), at(limit + 1));
            assert_eq!(contents.findings(just, poll), [], "poll {poll}");
            let expected = Finding::TooOld { age: Span::from_nanos(limit + 1), limit: Span::from_nanos(limit) };
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
