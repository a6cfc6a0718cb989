//! Which sentences and frames of a log name a time, and where they stand in it. Read here anew and simply, so that a
//! truth found this way is not the engine's own.

use gnss2shm::core::event::Bytes;
use gnss2shm::core::nmea::{Found, Framer, Validity};
use gnss2shm::core::time::{DAY, Date, Instant, NANOS, Span};
use gnss2shm::core::ubx::Message;

/// A sentence or frame that names a time, or has the field for it.
pub(crate) struct Named {
    /// Where its first byte stands.
    pub(crate) at: usize,
    /// The last three letters of a sentence's name; TIMEUTC and PVT of u-blox's frames.
    pub(crate) key: String,
    /// Time of day in ms.
    pub(crate) time: Option<i64>,
    pub(crate) date: Option<Date>,
    pub(crate) is_valid: bool,
}

impl Named {
    /// In ms since 1970.
    pub(crate) fn absolute(&self) -> Option<i64> {
        Some(self.date?.days() * DAY * 1_000 + self.time?)
    }
}

pub(crate) fn named(log: &[u8]) -> Vec<Named> {
    let (mut framer, mut all) = (Framer::default(), Vec::new());
    // One byte a read, a nanosecond apart: so the time of a first byte is its place.
    for (place, &byte) in (0..).zip(log) {
        let bytes = Bytes { read_at: Instant::from_nanos(place), byte_time: Span::ZERO, data: [byte].into() };
        framer.push_all(&bytes, |found| match found {
            Found::Line(line) => {
                if line.read.is_ok() {
                    all.extend(sentence(line.text, line.first_byte.nanos() as usize));
                }
            }
            Found::Frame(frame, _) => {
                let (key, said) = match frame.message {
                    Message::Pvt(said) => ("PVT", said),
                    Message::TimeUtc(said) => ("TIMEUTC", said),
                    _ => return,
                };
                let time = said.since_midnight.map(|span| span.nearest(Span::from_millis(1)).0);
                let (at, is_valid) = (frame.first_byte.nanos() as usize, said.validity == Validity::Valid);
                all.push(Named { at, key: key.into(), time, date: said.date, is_valid });
            }
        });
    }
    all.sort_by_key(|named| named.at);
    all
}

/// Where each sentence has its time, its status, and what it shows for none.
fn sentence(text: &str, at: usize) -> Option<Named> {
    let fields: Vec<&str> = text.split('*').next()?.split(',').collect();
    let field = |n: usize| fields.get(n).copied().unwrap_or_default();
    let name = field(0).trim_start_matches('$');
    if name.len() != 5 || name.starts_with('P') {
        return None;
    }
    let key = name.get(2..)?;
    let (time, date, is_valid) = match key {
        "RMC" => (field(1), day(field(9)), field(2) == "A" && !["N", "E", "S", "M"].contains(&field(12))),
        "GGA" | "GNS" => (field(1), None, !["", "0", "N", "6", "7", "8"].contains(&field(6))),
        "GLL" => (field(5), None, field(6) == "A"),
        "ZDA" => (field(1), four_digit_day(field(2), field(3), field(4)), true),
        _ => return None,
    };
    Some(Named { at, key: key.into(), time: millis(time), date, is_valid })
}

fn millis(time: &str) -> Option<i64> {
    let (whole, fraction) = time.split_once('.').unwrap_or((time, "0"));
    let [hour, minute, second] = [0, 2, 4].map(|at| whole.get(at..at + 2).and_then(|two| two.parse::<i64>().ok()));
    let fraction: i64 = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some((hour? * 3_600 + minute? * 60 + second?) * 1_000 + fraction / (NANOS / 1_000))
}

fn day(ddmmyy: &str) -> Option<Date> {
    let [day, month, year] = [0, 2, 4].map(|at| ddmmyy.get(at..at + 2).and_then(|two| two.parse::<i32>().ok()));
    let year = year?;
    Date::new(if year < 80 { 2000 + year } else { 1900 + year }, u8::try_from(month?).ok()?, u8::try_from(day?).ok()?)
}

fn four_digit_day(day: &str, month: &str, year: &str) -> Option<Date> {
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}
