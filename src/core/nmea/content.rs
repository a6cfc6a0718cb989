//! One line to what it says: checksum, kind, time, date, validity. Strict: a time or date that does not exist is
//! refused.

use nmea::SentenceType;

use super::{Kind, LeapSeconds, Refusal, TimeOfDay, Validity};
use crate::core::time::Date;

/// What a sentence says, without when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) kind: Kind,
    pub(super) time: Option<TimeOfDay>,
    pub(super) date: Option<Date>,
    pub(super) validity: Validity,
}

/// `$...*hh`, where `hh` is the exclusive or of all bytes between `$` and `*`, and nothing but blanks follows it.
pub(super) fn check(line: &str) -> Result<(), Refusal> {
    let (body, sum) = line.strip_prefix('$').and_then(|rest| rest.rsplit_once('*')).ok_or(Refusal::NoChecksum)?;
    let hex = sum.trim_end_matches(' ');
    let is_hex = hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let said = u8::from_str_radix(hex, 16).ok().filter(|_| is_hex).ok_or(Refusal::NoChecksum)?;
    let computed = body.bytes().fold(0, |sum, byte| sum ^ byte);
    if said == computed { Ok(()) } else { Err(Refusal::WrongChecksum { said, computed }) }
}

/// What a line with a right checksum says.
pub(super) fn read(line: &str) -> Result<Content, Refusal> {
    let other = Content { kind: Kind::Other, time: None, date: None, validity: Validity::Unsaid };
    if let Some(fields) = line.strip_prefix("$PUBX,04,") {
        return clock(fields);
    }
    let Ok(sentence) = nmea::parse_nmea_sentence(line) else { return Ok(other) };
    let field = |n: usize| sentence.data.split(',').nth(n).unwrap_or_default();
    match sentence.message_id {
        SentenceType::RMC => Ok(Content {
            kind: Kind::Rmc,
            time: time_of_day(field(0))?,
            date: two_digit_year(field(8))?,
            validity: status(field(1), field(11)),
        }),
        SentenceType::GGA => {
            Ok(Content { kind: Kind::Gga, time: time_of_day(field(0))?, date: None, validity: quality(field(5)) })
        }
        SentenceType::GNS => {
            Ok(Content { kind: Kind::Gns, time: time_of_day(field(0))?, date: None, validity: modes(field(5)) })
        }
        SentenceType::GLL => Ok(Content {
            kind: Kind::Gll,
            time: time_of_day(field(4))?,
            date: None,
            validity: status(field(5), field(6)),
        }),
        SentenceType::ZDA => Ok(Content {
            kind: Kind::Zda,
            time: time_of_day(field(0))?,
            date: four_digit_year(field(1), field(2), field(3))?,
            validity: Validity::Unsaid,
        }),
        _ => Ok(other),
    }
}

/// `$PUBX,04,time,date,utcTow,utcWk,leapSec,clkBias,clkDrift,tpGran,*cs` of u-blox's interface descriptions. The number
/// of leap seconds ends in D while it is the firmware's default.
fn clock(fields: &str) -> Result<Content, Refusal> {
    let mut fields = fields.split([',', '*']);
    let mut field = || fields.next().unwrap_or_default();
    let (time, date) = (time_of_day(field())?, two_digit_year(field())?);
    let (_week_second, _week, leap_seconds) = (field(), field(), field());
    let digits = leap_seconds.strip_suffix('D').unwrap_or(leap_seconds);
    let is_number = matches!(digits.len(), 1..=3) && digits.bytes().all(|b| b.is_ascii_digit());
    let leap_seconds = digits.parse().ok().filter(|_| is_number).map(|seconds| {
        if digits == leap_seconds { LeapSeconds::Received(seconds) } else { LeapSeconds::Default(seconds) }
    });
    Ok(Content { kind: Kind::Clock(leap_seconds), time, date, validity: Validity::Unsaid })
}

/// Status A, and a mode that stands for satellites (NMEA 2.3 and later; before, there is no mode field).
fn status(status: &str, mode: &str) -> Validity {
    let mode_is_good = mode.is_empty() || (mode.len() == 1 && mode.chars().all(mode_is_valid));
    if status == "A" && mode_is_good { Validity::Valid } else { Validity::Invalid }
}

/// GGA's quality: fix, differential, PPS, fixed RTK, float RTK; 9 is NovAtel's for a fix with SBAS corrections. The number of
/// satellites is not looked at: receivers that leave it at 00 in a fix exist (Garmin GPS 25, Furuno, Hemisphere).
fn quality(quality: &str) -> Validity {
    if matches!(quality, "1" | "2" | "3" | "4" | "5" | "9") { Validity::Valid } else { Validity::Invalid }
}

/// A mode for each system, of which one is enough. Trimble's GPGNS and GLGNS have none: the GNGNS before them has all.
fn modes(modes: &str) -> Validity {
    match modes {
        "" => Validity::Unsaid,
        modes if modes.chars().any(mode_is_valid) => Validity::Valid,
        _ => Validity::Invalid,
    }
}

/// Autonomous, differential, float RTK, fixed RTK, precise. Not: none, estimated, manual, simulated.
fn mode_is_valid(mode: char) -> bool {
    matches!(mode, 'A' | 'D' | 'F' | 'R' | 'P')
}

/// `hhmmss` and, after a point, one to nine digits. An empty field is not a time; anything else is malformed.
fn time_of_day(field: &str) -> Result<Option<TimeOfDay>, Refusal> {
    if field.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = field.split_once('.').unwrap_or((field, "0"));
    let fraction_is_fine = matches!(fraction.len(), 1..=9) && fraction.bytes().all(|b| b.is_ascii_digit());
    let [Some(hour), Some(minute), Some(second)] = pairs(whole) else { return Err(Refusal::Time) };
    if !fraction_is_fine {
        return Err(Refusal::Time);
    }
    let is_whole = fraction.bytes().all(|b| b == b'0');
    match (hour, minute, second) {
        (0..=23, 0..=59, 0..=59) if is_whole => Ok(Some(TimeOfDay::Whole(hour * 3600 + minute * 60 + second))),
        (23, 59, 60) if is_whole => Ok(Some(TimeOfDay::LeapSecond)),
        (0..=23, 0..=59, 0..=59) | (23, 59, 60) => Ok(Some(TimeOfDay::Fraction)),
        _ => Err(Refusal::Time),
    }
}

/// `ddmmyy`. Years 80 to 99 belong to the last century: GPS began in 1980.
pub(super) fn two_digit_year(field: &str) -> Result<Option<Date>, Refusal> {
    if field.is_empty() {
        return Ok(None);
    }
    let [Some(day), Some(month), Some(year)] = pairs(field) else { return Err(Refusal::Date) };
    let year = if year >= 80 { 1900 + year } else { 2000 + year };
    Date::new(year as i32, month as u8, day as u8).map(Some).ok_or(Refusal::Date)
}

/// Day, month and four digits of the year, each in a field of its own.
fn four_digit_year(day: &str, month: &str, year: &str) -> Result<Option<Date>, Refusal> {
    if day.is_empty() && month.is_empty() && year.is_empty() {
        return Ok(None);
    }
    let ([Some(day)], [Some(month)], [Some(century), Some(year)]) = (pairs(day), pairs(month), pairs(year)) else {
        return Err(Refusal::Date);
    };
    Date::new((century * 100 + year) as i32, month as u8, day as u8).map(Some).ok_or(Refusal::Date)
}

/// The numbers that exactly `N` pairs of digits stand for; all `None` where the text is anything else.
fn pairs<const N: usize>(text: &str) -> [Option<u32>; N] {
    let mut numbers = [None; N];
    if text.len() == 2 * N && text.bytes().all(|b| b.is_ascii_digit()) {
        for (number, pair) in numbers.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
            *number = Some(pair.iter().fold(0, |n, digit| n * 10 + u32::from(digit - b'0')));
        }
    }
    numbers
}
