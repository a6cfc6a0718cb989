//! Other knowledge of this machine about time: whether the system clock is synchronized, which leap second is
//! announced, and TAI - UTC.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tracing::{debug, info};

use crate::core::event::{Announced, Event, Leap, Witness};
use crate::core::time::{DAY, Date, UtcSecond};
use crate::sys::clock::max_error;
use crate::sys::clock::{raw_now, sys_now};
use crate::sys::wait::Alarm;

/// The interval between queries to the kernel; the engine discards a result after 30 s.
const ASK: Duration = Duration::from_secs(8);
/// The table is read again after this many queries: six hours.
const READ_TABLE_EVERY: u64 = 2_700;
/// The table as Debian and Fedora (tzdata) ship it: the list of the IERS, in NTP seconds since 1900.
pub(crate) const TABLE: &str = "/usr/share/zoneinfo/leap-seconds.list";
/// Days from 1900-01-01 to 1970-01-01.
const NTP_EPOCH_DAYS: i64 = 25_567;

/// Sends its findings to the engine until the channel is closed.
pub(crate) async fn run(events: Sender<Event>) {
    let mut alarm = Alarm::default();
    for asked in 0_u64.. {
        let is_due = asked.is_multiple_of(READ_TABLE_EVERY);
        let table = is_due.then(|| Event::LeapTable { raw: raw_now(), next: read_table(TABLE) });
        let witness = max_error()
            .inspect_err(|error| debug!("adjtimex: {error}: it is not known whether the system clock is synchronized"))
            .map(|max_error| Event::Witness(Witness { raw: raw_now(), max_error }));
        for event in table.into_iter().chain(witness.ok()) {
            if events.send(event).await.is_err() {
                return;
            }
        }
        alarm.sleep(ASK).await;
    }
}

fn read_table(path: &str) -> Option<Announced> {
    let table = std::fs::read_to_string(path).inspect_err(|error| debug!("{path}: {error}")).ok()?;
    let next = next_leap(&table, sys_now().parts().0.div_euclid(DAY));
    if let Some(Announced { day, leap }) = next {
        info!("{path} announces a leap second for the end of {day} ({leap:?})");
    }
    next
}

/// TAI - UTC in seconds at this second, from the table of this path. None if it has expired, or cannot be read.
pub(crate) fn table_tai_offset(path: &str, at: UtcSecond) -> Option<i64> {
    offset_at(&std::fs::read_to_string(path).ok()?, at)
}

/// The value of the last line that begins by then, unless the table expires first (`#@`); a table without an expiry does
/// not count.
fn offset_at(table: &str, at: UtcSecond) -> Option<i64> {
    let at = at.posix().saturating_add(NTP_EPOCH_DAYS * DAY);
    let expires = table.lines().find_map(|line| line.strip_prefix("#@")?.trim().parse::<i64>().ok())?;
    let last = table.lines().filter_map(entry).rfind(|(from, _)| *from <= at);
    last.filter(|_| at < expires).map(|(_, offset)| offset)
}

/// The NTP second from which TAI - UTC has a new value, and that value; `#` begins a comment.
fn entry(line: &str) -> Option<(i64, i64)> {
    let mut fields = line.split('#').next()?.split_ascii_whitespace().map(str::parse::<i64>);
    Some((fields.next()?.ok()?, fields.next()?.ok()?))
}

/// The first leap second at the end of that day (since 1970) or later.
fn next_leap(table: &str, today: i64) -> Option<Announced> {
    let last_day = |from: i64| from.div_euclid(DAY) - NTP_EPOCH_DAYS - 1;
    let lines: Vec<_> = table.lines().filter_map(entry).map(|(from, offset)| (last_day(from), offset)).collect();
    let changes = lines.iter().zip(lines.iter().skip(1));
    let mut leaps = changes.filter_map(|((_, before), (last_day, after))| match after.saturating_sub(*before) {
        1 => Some((*last_day, Leap::Insert)),
        -1 => Some((*last_day, Leap::Delete)),
        _ => None,
    });
    let (last_day, leap) = leaps.find(|(last_day, _)| *last_day >= today)?;
    Some(Announced { day: Date::from_days(last_day), leap })
}

#[cfg(test)]
mod tests {
    use super::*;

    // 3692217600 is 2017-01-01, 4007491200 would be 2026-12-29 (no leap second comes then; the arithmetic is the same).
    const TABLE: &str =
        "#$ 3676924800\n2272060800 10 # 1 Jan 1972\n3644697600 36\n3692217600 37 # 1 Jan 2017\n\n#h x\n";

    fn day(year: i32, month: u8, day: u8) -> Date {
        Date::new(year, month, day).unwrap()
    }

    #[test]
    fn the_next_leap_second_is_at_the_end_of_the_day_before_its_line() {
        let insert = Some(Announced { day: day(2016, 12, 31), leap: Leap::Insert });
        assert_eq!(next_leap(TABLE, day(2016, 12, 31).days()), insert);
        assert_eq!(next_leap(TABLE, day(2016, 7, 1).days()), insert);
        assert_eq!(next_leap(TABLE, day(2017, 1, 1).days()), None);
    }

    #[test]
    fn a_deletion_is_told_from_an_insertion() {
        let table = format!("{TABLE}4007491200 36\n");
        let announced = next_leap(&table, day(2020, 1, 1).days()).unwrap();
        assert_eq!(announced.leap, Leap::Delete);
    }

    #[test]
    fn the_offset_is_that_of_the_second_and_an_expired_table_has_none() {
        let table = format!("#@ 4007491200\n{TABLE}");
        let at = |date: Date, second| offset_at(&table, UtcSecond::from_civil(date, second));
        assert_eq!(at(day(2016, 12, 31), 86_399), Some(36));
        assert_eq!(at(day(2017, 1, 1), 0), Some(37));
        assert_eq!(at(day(2026, 12, 28), 86_399), Some(37));
        assert_eq!(at(day(2026, 12, 29), 0), None, "expired");
        assert_eq!(at(day(1971, 12, 31), 86_399), None, "before the first line");
        assert_eq!(offset_at(TABLE, UtcSecond::from_civil(day(2020, 1, 1), 0)), None, "without an expiry");
        assert_eq!(table_tai_offset("/nonexistent", UtcSecond::from_posix(0)), None);
    }

    #[test]
    fn damaged_tables_announce_nothing() {
        for table in ["", "x y", "3692217600", "99999999999999999999 1", "9223372036854775807 1\n9223372036854775807 2"]
        {
            let _ = next_leap(table, 0);
        }
        assert_eq!(next_leap("3692217600 37", 0), None, "without a line before it, its size is not known");
    }
}
