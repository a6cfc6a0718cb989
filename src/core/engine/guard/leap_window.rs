//! When a leap second may come: around the end of any month, in UTC (ITU-R TF.460-6, section 2.1: preferably at the end of
//! June and December, but any month's end may be chosen).

use crate::core::time::{DAY, UtcSecond};

/// On either side of midnight, in seconds.
pub const REACH: i64 = 5;

/// Whether a leap second may be near: five seconds around the end of a month, in UTC.
pub fn in_leap_window(utc: UtcSecond) -> bool {
    let second = i64::from(utc.second_of_day());
    second >= DAY - REACH && utc.plus(REACH).date().ymd().2 == 1 || second <= REACH && utc.date().ymd().2 == 1
}

/// Whether the end of a month lies between these seconds.
pub fn is_past_leap_window(earlier: UtcSecond, later: UtcSecond) -> bool {
    let [(year, month, _), later] = [earlier, later].map(|utc| utc.date().ymd());
    (year, month) != (later.0, later.1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Date;

    fn utc(year: i32, month: u8, day: u8, second: u32) -> UtcSecond {
        UtcSecond::from_civil(Date::new(year, month, day).unwrap(), second)
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
