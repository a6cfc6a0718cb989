//! Which sentences and frames of a log name a time, and their offsets. A separate, simple parser, so that the truth
//! does not depend on the engine's.

use gnss2shm::time::{DAY, Date, NANOS};

/// A sentence or frame that names a time, or has the field for it.
pub(crate) struct Named {
    /// Offset of its first byte.
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
    let (mut at, mut all) = (0, Vec::new());
    while let Some(rest) = log.get(at..).filter(|rest| !rest.is_empty()) {
        let (length, named) = match (line(rest), frame(rest)) {
            (Some(line), _) => (line.len(), sentence(line, at)),
            (None, Some(frame)) => (frame.len(), solution(frame, at)),
            (None, None) => (1, None),
        };
        all.extend(named);
        at += length;
    }
    all
}

/// A sentence with a correct checksum at this offset.
fn line(log: &[u8]) -> Option<&str> {
    let line = log.strip_prefix(b"$")?.split(|byte| !(b' '..=b'~').contains(byte)).next()?;
    let text = str::from_utf8(log.get(..=line.len())?).ok()?;
    let (body, sum) = text.strip_prefix('$')?.split_once('*')?;
    let right = body.bytes().fold(0, |sum, byte| sum ^ byte);
    (u8::from_str_radix(sum, 16) == Ok(right)).then_some(text)
}

/// A u-blox frame with a correct checksum at this offset.
fn frame(log: &[u8]) -> Option<&[u8]> {
    let [low, high] = *log.strip_prefix(&[0xB5, 0x62])?.get(2..)?.first_chunk()?;
    let frame = log.get(..usize::from(u16::from_le_bytes([low, high])) + 8)?;
    let (covered, sums) = frame.get(2..)?.split_last_chunk::<2>()?;
    let right = covered.iter().fold([0_u8; 2], |[a, b], byte| {
        let a = a.wrapping_add(*byte);
        [a, b.wrapping_add(a)]
    });
    (*sums == right).then_some(frame)
}

/// NAV-PVT and NAV-TIMEUTC have the same fields in other places: accuracy and nanoseconds, and the date with what is valid.
fn solution(frame: &[u8], at: usize) -> Option<Named> {
    let (class, payload) = frame.get(2..)?.split_first_chunk::<4>()?;
    let (key, accuracy, date, valid, has_fix) = match class {
        [0x01, 0x07, ..] => ("PVT", 12, 4, 0b111, matches!(payload.get(20..22)?, [2..=5, flags] if flags & 1 == 1)),
        [0x01, 0x21, ..] => ("TIMEUTC", 4, 12, 0b011, true),
        _ => return None,
    };
    let number = |at: usize| Some(i32::from_le_bytes(*payload.get(at..)?.first_chunk()?));
    let (accuracy, nanos) = (number(accuracy)?, i64::from(number(accuracy + 4)?));
    let [low, high, month, day, hour, minute, second, flags] = *payload.get(date..)?.first_chunk()?;
    let date = Date::new(u16::from_le_bytes([low, high]).into(), month, day);
    let is_valid = has_fix && flags & valid == valid && (0..=1_000_000).contains(&accuracy) && date.is_some();
    let second = (i64::from(hour) * 60 + i64::from(minute)) * 60 + i64::from(second);
    let time = (second * NANOS + nanos + 500_000).div_euclid(1_000_000);
    Some(Named { at, key: key.into(), time: Some(time), date, is_valid })
}

/// The fields of each sentence's time and status, and its values for an invalid one.
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
