//! What this machine knows of time besides: whether the system clock is synchronized, and which leap second is
//! announced.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tracing::{debug, info, warn};

use crate::core::event::{Announced, Event, Leap, Witness};
use crate::core::time::{DAY, Date};
use crate::sys::adjtimex::max_error;
use crate::sys::alarm::Alarm;
use crate::sys::clock::{raw_now, sys_now};

/// The kernel is asked this often; the engine forgets an answer after 30 s.
const ASK: Duration = Duration::from_secs(8);
/// The table is read anew after this many questions: some six hours.
const READ_TABLE_EVERY: u32 = 2_700;
/// The table as Debian and Fedora (tzdata) ship it: the IERS's list, in NTP's seconds since 1900.
pub(crate) const TABLE: &str = "/usr/share/zoneinfo/leap-seconds.list";
/// Days from 1900-01-01 to 1970-01-01.
const NTP_EPOCH_DAYS: i64 = 25_567;

/// Tells the engine what it finds, until the engine is gone.
pub async fn run(events: Sender<Event>) {
    let mut asked: u32 = 0;
    let (mut said, mut alarm) = (false, Alarm::new());
    loop {
        if asked.is_multiple_of(READ_TABLE_EVERY) {
            let next = read_table(TABLE);
            if let Some(Announced { day, leap }) = next {
                info!("{TABLE} announces a leap second for the end of {day} ({leap:?})");
            }
            if events.send(Event::LeapTable { raw: raw_now(), next }).await.is_err() {
                return;
            }
        }
        asked = asked.wrapping_add(1);
        match max_error() {
            Ok(max_error) => {
                if events.send(Event::Witness(Witness { raw: raw_now(), max_error })).await.is_err() {
                    return;
                }
            }
            Err(error) if !said => {
                warn!(
                    "the kernel does not say whether the system clock is synchronized (adjtimex: {error}): it is not a witness"
                );
                said = true;
            }
            Err(_) => {}
        }
        alarm.sleep(ASK).await;
    }
}

fn read_table(path: &str) -> Option<Announced> {
    match std::fs::read_to_string(path) {
        Ok(text) => next_leap(&text, sys_now().parts().0.div_euclid(DAY)),
        Err(error) => {
            debug!("{path}: {error}");
            None
        }
    }
}

/// The first leap second at the end of that day (since 1970) or later. A line is the time from which on TAI - UTC has a
/// new value, and that value; `#` begins a comment.
fn next_leap(table: &str, today: i64) -> Option<Announced> {
    let mut before = None;
    for line in table.lines() {
        let mut fields = line.split('#').next().unwrap_or_default().split_ascii_whitespace();
        let (Some(from), Some(offset)) = (fields.next(), fields.next()) else { continue };
        let (Ok(from), Ok(offset)) = (from.parse::<i64>(), offset.parse::<i64>()) else { continue };
        let last_day = from.div_euclid(DAY) - NTP_EPOCH_DAYS - 1;
        let leap = match before.map(|before: i64| offset.saturating_sub(before)) {
            Some(1) => Leap::Insert,
            Some(-1) => Leap::Delete,
            Some(_) | None => Leap::None,
        };
        before = Some(offset);
        if last_day >= today && leap != Leap::None {
            return Some(Announced { day: Date::from_days(last_day), leap });
        }
    }
    None
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
    fn damaged_tables_announce_nothing() {
        for table in ["", "x y", "3692217600", "99999999999999999999 1", "9223372036854775807 1\n9223372036854775807 2"]
        {
            let _ = next_leap(table, 0);
        }
        assert_eq!(next_leap("3692217600 37", 0), None, "without a line before it, its size is not known");
    }
}
