//! Possible dates, receivers whose week number rolled over, and when a leap second may come: at the end of any month, in
//! UTC (ITU-R TF.460-6, section 2.1: preferably June and December).

use crate::core::engine::config::{Config, ROLLOVER_WEEKS};
use crate::core::event::Reason;
use crate::core::time::{DAY, UtcSecond, WEEK};

/// What to do with a receiver whose week number rolled over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rollover {
    /// Refuse its dates.
    Refuse,
    /// Add whole multiples of 1024 weeks.
    Correct,
}

/// Whether `utc` is a possible date; with [`Rollover::Correct`], moved to one, and by how many weeks.
pub fn possible(utc: UtcSecond, config: &Config) -> Result<(UtcSecond, i64), Reason> {
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

/// How near to midnight, in seconds.
pub const REACH: i64 = 5;

/// Whether a leap second may be near: within five seconds of the end of a month.
pub fn in_leap_window(utc: UtcSecond) -> bool {
    let second = i64::from(utc.second_of_day());
    second >= DAY - REACH && utc.plus(REACH).date().ymd().2 == 1 || second <= REACH && utc.date().ymd().2 == 1
}

/// Whether the end of a month lies between these two seconds.
pub fn is_past_leap_window(earlier: UtcSecond, later: UtcSecond) -> bool {
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
