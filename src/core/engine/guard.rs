//! The last gate before a sample: the system-clock check, and announced leap seconds. Also which dates are possible,
//! and when a leap second may occur: at the end of any month, in UTC (ITU-R TF.460-6, section 2.1: preferably June and
//! December).

use crate::core::engine::Refusal;
use crate::core::engine::config::{Config, Conventions, ROLLOVER_WEEKS, Rollover, WitnessMode};
use crate::core::event::{Announced, Contradiction, Leap, Reason, Witness};
use crate::core::time::{DAY, Instant, Raw, Span, Sys, UtcSecond, WEEK};

/// A synchronized clock whose error may exceed this is not used as a check. It may have to choose between edges 450 ms
/// apart, so only one of them may agree with it.
const WITNESS_WORTH: Span = Span::from_millis(200);
/// A kernel report on the system clock that is older than this does not count. The kernel is queried every 8 s.
const WITNESS_FOR: Span = Span::from_secs(30);
/// No two clocks can be assumed to agree better than this.
const WITNESS_FLOOR: Span = Span::from_millis(1);

/// How close to midnight a leap window reaches, in seconds.
pub(crate) const REACH: i64 = 5;

/// The gate.
#[derive(Clone, Debug, Default)]
pub(crate) struct Guard {
    mode: WitnessMode,
    conventions: Conventions,
    /// The kernel's last report on the system clock.
    pub(super) witness: Option<Witness>,
    /// The next leap second according to the system's table.
    pub(super) announced: Option<Announced>,
    /// The same according to the receiver.
    pub(super) announced_by_receiver: Option<Announced>,
    /// There was a sample: the system clock follows gnss2shm and is no longer independent.
    has_published: bool,
    /// Why the last pulse was held back, if it was, and the figures.
    pub(super) held: Option<Refusal>,
}

impl Guard {
    /// A gate without any input yet.
    pub(crate) fn new(mode: WitnessMode, conventions: Conventions) -> Self {
        Self { mode, conventions, ..Self::default() }
    }

    /// How far the system clock may be off, if it is an independent check at `now`.
    pub(crate) fn system_error(&self, now: Instant<Raw>) -> Option<Span> {
        let witness = self.witness.filter(|witness| now - witness.raw <= WITNESS_FOR)?;
        let max_error = witness.max_error.filter(|&error| error <= WITNESS_WORTH)?;
        (!self.has_published && self.mode != WitnessMode::Off).then_some(max_error.max(WITNESS_FLOOR))
    }

    /// The leap second announced for the end of this second's day, or of one of the `days_before` days before it. A
    /// leap second in the table overrides the receiver: the table is the Earth rotation service's own. If the table has
    /// none, it may be old or missing.
    pub(crate) fn leap(&self, utc: UtcSecond, days_before: i64) -> Leap {
        let is_near = |of: &Announced| (0..=days_before).contains(&(utc.date().days() - of.day.days()));
        self.announced.or(self.announced_by_receiver).filter(is_near).map_or(Leap::None, |announced| announced.leap)
    }

    /// Passes the pulse of this second, which arrived at this system time, or returns why not. `configured`: whether
    /// settings confirm both conventions. A pulse that passes counts as published. Returns how far the system clock
    /// disagrees, if it is overruled.
    pub(crate) fn pass(
        &mut self,
        now: Instant<Raw>,
        utc: UtcSecond,
        at: Instant<Sys>,
        configured: bool,
    ) -> Result<Option<Span>, Reason> {
        let offset = Instant::<Sys>::from_parts(utc.posix(), 0) - at;
        let system_error = self.system_error(now);
        let disagrees = system_error.filter(|max_error| offset.abs() > *max_error);
        let is_confirmed = self.has_published || configured || system_error.is_some();
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

/// `utc`, if its date is possible; with [`Rollover::Correct`], moved to a possible date. Also by how many weeks.
pub(crate) fn possible(utc: UtcSecond, config: &Config) -> Result<(UtcSecond, i64), Reason> {
    let floor = UtcSecond::from_civil(config.date_floor, 0);
    let weeks = match config.rollover {
        _ if utc >= floor => 0,
        Rollover::Refuse => return Err(Reason::DateTooEarly),
        Rollover::Correct => {
            let short = floor.since(utc);
            (short.saturating_add(ROLLOVER_WEEKS * WEEK - 1) / (ROLLOVER_WEEKS * WEEK)) * ROLLOVER_WEEKS
        }
    };
    let utc = utc.plus(weeks.saturating_mul(WEEK));
    if utc.date() < config.date_ceiling { Ok((utc, weeks)) } else { Err(Reason::DateTooLate) }
}

/// Whether a leap second may be near: within five seconds of the end of a month.
pub(crate) fn in_leap_window(utc: UtcSecond) -> bool {
    let second = i64::from(utc.second_of_day());
    second >= DAY - REACH && utc.plus(REACH).date().ymd().2 == 1 || second <= REACH && utc.date().ymd().2 == 1
}

/// Whether the end of a month lies between these two seconds.
pub(crate) fn is_past_leap_window(earlier: UtcSecond, later: UtcSecond) -> bool {
    let [(year, month, _), later] = [earlier, later].map(|utc| utc.date().ymd());
    (year, month) != (later.0, later.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::engine::{DATE_CEILING, DATE_FLOOR};
    use crate::core::time::Date;

    fn utc(year: i32, month: u8, day: u8, second: u32) -> UtcSecond {
        UtcSecond::from_civil(Date::new(year, month, day).unwrap(), second)
    }

    #[test]
    fn the_table_overrides_the_receiver() {
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
    fn the_system_clock_counts_only_while_it_is_fresh_good_and_independent() {
        let second = |s| Instant::from_parts(s, 0);
        let mut guard = Guard::new(WitnessMode::Block, Conventions::Assume);
        assert_eq!(guard.system_error(second(0)), None);
        guard.witness = Some(Witness { raw: second(0), max_error: Some(Span::from_millis(50)), tai_offset: None });
        assert_eq!(guard.system_error(second(10)), Some(Span::from_millis(50)));
        assert_eq!(guard.system_error(second(31)), None, "too old");
        guard.witness = Some(Witness { raw: second(0), max_error: Some(Span::from_millis(201)), tai_offset: None });
        assert_eq!(guard.system_error(second(1)), None, "too vague");
        guard.witness = Some(Witness { raw: second(0), max_error: Some(Span::from_millis(50)), tai_offset: None });
        let label = utc(2026, 11, 20, 0);
        let right = Instant::from_parts(label.posix(), 0);
        let late = right + Span::from_millis(51);
        assert_eq!(guard.pass(second(1), label, late, false), Err(Reason::WitnessDisagrees));
        assert_eq!(guard.pass(second(1), label, right, false), Ok(None));
        assert_eq!(guard.pass(second(1), label, late, false), Ok(None), "it follows us now");
    }

    fn config(rollover: Rollover) -> Config {
        Config { rollover, ..Config::default() }
    }

    #[test]
    fn dates_outside_the_possible_are_refused() {
        let (refuse, correct) = (config(Rollover::Refuse), config(Rollover::Correct));
        assert_eq!(possible(utc(1980, 1, 6, 0), &refuse), Err(Reason::DateTooEarly));
        assert_eq!(possible(utc(2079, 1, 1, 0), &correct), Err(Reason::DateTooLate));
        let floor = UtcSecond::from_civil(DATE_FLOOR, 0);
        assert_eq!(possible(floor.plus(-1), &refuse), Err(Reason::DateTooEarly));
        assert_eq!(possible(floor, &refuse), Ok((floor, 0)));
        let ceiling = UtcSecond::from_civil(DATE_CEILING, 0);
        assert_eq!(possible(ceiling.plus(-1), &refuse), Ok((ceiling.plus(-1), 0)));
        assert_eq!(possible(ceiling, &refuse), Err(Reason::DateTooLate));
    }

    #[test]
    fn the_dates_that_are_possible_are_those_of_the_configuration_and_not_of_the_build() {
        let [floor, ceiling] = [2010, 2012].map(|year| Date::new(year, 1, 1).unwrap());
        let old = Config { date_floor: floor, date_ceiling: ceiling, ..config(Rollover::Refuse) };
        assert_eq!(possible(utc(2011, 5, 5, 5), &old), Ok((utc(2011, 5, 5, 5), 0)));
        assert_eq!(possible(utc(2026, 11, 20, 5), &old), Err(Reason::DateTooLate));
        assert_eq!(possible(utc(2009, 12, 31, 5), &old), Err(Reason::DateTooEarly));
        // Corrected, it would lie behind the ceiling.
        let correct = Config { rollover: Rollover::Correct, ..old };
        assert_eq!(possible(utc(2009, 12, 31, 5), &correct), Err(Reason::DateTooLate));
    }

    #[test]
    fn a_rollover_is_corrected_by_whole_multiples_of_1024_weeks() {
        for lost in [1, 2] {
            let shown = utc(2027, 3, 4, 55).plus(-lost * ROLLOVER_WEEKS * WEEK);
            let corrected = Ok((utc(2027, 3, 4, 55), lost * ROLLOVER_WEEKS));
            assert_eq!(possible(shown, &config(Rollover::Correct)), corrected);
        }
    }

    #[test]
    fn the_leap_window_is_ten_seconds_wide() {
        for (at, inside) in [
            (utc(2026, 12, 31, 86_394), false),
            (utc(2026, 12, 31, 86_395), true),
            (utc(2027, 1, 1, 5), true),
            (utc(2027, 1, 1, 6), false),
            (utc(2027, 6, 30, 86_399), true),
            (utc(2027, 7, 1, 0), true),
            (utc(2027, 3, 31, 86_399), true),
            (utc(2028, 2, 29, 86_396), true),
            (utc(2028, 2, 28, 86_399), false),
            (utc(2027, 3, 30, 86_399), false),
            (utc(2027, 4, 2, 0), false),
        ] {
            assert_eq!(in_leap_window(at), inside, "{at}");
        }
    }

    #[test]
    fn the_end_of_a_month_that_nobody_saw_is_noticed() {
        for (earlier, later, is_past) in [
            (utc(2026, 12, 31, 86_390), utc(2026, 12, 31, 86_399), false),
            (utc(2026, 12, 31, 86_390), utc(2027, 1, 1, 30), true),
            (utc(2027, 6, 30, 86_390), utc(2027, 7, 1, 6), true),
            (utc(2027, 7, 1, 0), utc(2027, 7, 1, 6), false),
            (utc(2027, 9, 30, 86_390), utc(2027, 10, 1, 30), true),
        ] {
            assert_eq!(is_past_leap_window(earlier, later), is_past, "{earlier} to {later}");
        }
    }
}
