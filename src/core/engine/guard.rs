//! The last gate before a sample: the system clock as a witness, and what is announced of leap seconds. Which dates are
//! possible is told in `dates`, when a leap second may come in `leap_window`.

mod dates;
mod leap_window;

pub use dates::{Rollover, possible};
pub use leap_window::{REACH, in_leap_window, is_past_leap_window};

use crate::core::event::{Announced, Contradiction, Leap, Reason, Witness};
use crate::core::time::{Instant, Raw, Span, Sys, UtcSecond};

/// A synchronized clock that may be off by more than this is not a witness. It may have to choose between edges 450 ms apart:
/// only one of them may agree with it.
const WITNESS_WORTH: Span = Span::from_millis(200);
/// What was said of the system clock longer ago than this does not count. The kernel is asked every 8 s.
const WITNESS_FOR: Span = Span::from_secs(30);
/// No two clocks agree better than this for certain.
const WITNESS_FLOOR: Span = Span::from_millis(1);

/// What is done when the system clock disagrees with the first label.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum WitnessMode {
    /// Nothing is published.
    #[default]
    Block,
    /// It is said.
    Warn,
    /// It is not asked.
    Off,
}

/// What is done about the two conventions that no wire can contradict.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Conventions {
    /// They are assumed, unless the witness disagrees.
    #[default]
    Assume,
    /// They must be configured, or the witness must agree.
    Confirm,
}

/// What stands at the gate.
#[derive(Clone, Debug, Default)]
pub struct Guard {
    mode: WitnessMode,
    conventions: Conventions,
    /// What the kernel says of the system clock.
    pub(super) witness: Option<Witness>,
    /// The next leap second by the system's table.
    pub(super) announced: Option<Announced>,
    /// The same by the receiver.
    pub(super) announced_by_receiver: Option<Announced>,
    /// A sample came: the system clock follows us and is no longer a witness.
    has_published: bool,
    /// Why the last pulse was held back, if it was, and the figures of that.
    pub(super) held: Option<(Reason, Option<Contradiction>)>,
}

impl Guard {
    /// A gate that has seen nothing.
    pub fn new(mode: WitnessMode, conventions: Conventions) -> Self {
        Self { mode, conventions, ..Self::default() }
    }

    /// How far the system clock may be off, if it is an independent witness at `now`.
    pub fn witness(&self, now: Instant<Raw>) -> Option<Span> {
        let witness = self.witness.filter(|witness| now - witness.raw <= WITNESS_FOR)?;
        let max_error = witness.max_error.filter(|&error| error <= WITNESS_WORTH)?;
        (!self.has_published && self.mode != WitnessMode::Off).then_some(max_error.max(WITNESS_FLOOR))
    }

    /// What is announced for the end of this second's day, or of one of so many days before it. Where the table announces
    /// a leap second, the receiver is not asked: the table is the Earth rotation service's own. Where it announces none it
    /// may be old or missing.
    pub fn leap(&self, utc: UtcSecond, days_before: i64) -> Leap {
        let is_near = |of: &Announced| (0..=days_before).contains(&(utc.date().days() - of.day.days()));
        self.announced.or(self.announced_by_receiver).filter(is_near).map_or(Leap::None, |announced| announced.leap)
    }

    /// Asks for passage for the pulse of that second, which came at that system time. `configured` says whether both
    /// conventions are settled by settings. A pulse that passes counts as published; how far the witness disagrees with it,
    /// where it is overruled.
    pub fn pass(
        &mut self,
        now: Instant<Raw>,
        utc: UtcSecond,
        at: Instant<Sys>,
        configured: bool,
    ) -> Result<Option<Span>, Reason> {
        let offset = Instant::<Sys>::from_parts(utc.posix(), 0) - at;
        let witness = self.witness(now);
        let disagrees = witness.filter(|max_error| offset.abs() > *max_error);
        let is_confirmed = self.has_published || configured || witness.is_some();
        self.held = match disagrees {
            Some(max_error) if self.mode == WitnessMode::Block => {
                Some((Reason::WitnessDisagrees, Some(Contradiction::Witness { named: utc, sys: at, max_error })))
            }
            _ if self.conventions == Conventions::Confirm && !is_confirmed => Some((Reason::Unconfirmed, None)),
            _ => None,
        };
        self.held.map_or(Ok(()), |(reason, _)| Err(reason))?;
        self.has_published = true;
        Ok(disagrees.map(|_| offset))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Date;

    fn utc(year: i32, month: u8, day: u8, second: u32) -> UtcSecond {
        UtcSecond::from_civil(Date::new(year, month, day).unwrap(), second)
    }

    #[test]
    fn the_table_goes_before_the_receiver() {
        let mut guard = Guard::new(WitnessMode::Block, Conventions::Assume);
        let (day, noon) = (Date::new(2026, 12, 31).unwrap(), utc(2026, 12, 31, 43_200));
        let announced = |leap| Some(Announced { day, leap });
        guard.announced_by_receiver = announced(Leap::Insert);
        assert_eq!((guard.leap(noon, 0), guard.leap(noon, 1)), (Leap::Insert, Leap::Insert), "the table says nothing");
        guard.announced = announced(Leap::Delete);
        assert_eq!((guard.leap(noon, 0), guard.leap(noon, 1)), (Leap::Delete, Leap::Delete));
        (guard.announced, guard.announced_by_receiver) = (None, None);
        assert_eq!((guard.leap(noon, 0), guard.leap(noon, 1)), (Leap::None, Leap::None));
    }

    #[test]
    fn the_witness_counts_only_while_it_is_fresh_good_and_independent() {
        let second = |s| Instant::from_parts(s, 0);
        let mut guard = Guard::new(WitnessMode::Block, Conventions::Assume);
        assert_eq!(guard.witness(second(0)), None);
        guard.witness = Some(Witness { raw: second(0), max_error: Some(Span::from_millis(50)) });
        assert_eq!(guard.witness(second(10)), Some(Span::from_millis(50)));
        assert_eq!(guard.witness(second(31)), None, "too old");
        guard.witness = Some(Witness { raw: second(0), max_error: Some(Span::from_millis(201)) });
        assert_eq!(guard.witness(second(1)), None, "too vague");
        guard.witness = Some(Witness { raw: second(0), max_error: Some(Span::from_millis(50)) });
        let label = utc(2026, 11, 20, 0);
        let right = Instant::from_parts(label.posix(), 0);
        let late = right + Span::from_millis(51);
        assert_eq!(guard.pass(second(1), label, late, false), Err(Reason::WitnessDisagrees));
        assert_eq!(guard.pass(second(1), label, right, false), Ok(None));
        assert_eq!(guard.pass(second(1), label, late, false), Ok(None), "it follows us now");
    }
}
