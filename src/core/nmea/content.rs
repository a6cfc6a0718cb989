//! The content of a line: checksum, type, time, date, validity. Strict: a time or date that does not exist is refused.

use nmea::SentenceType;

use super::line::Byte;
use super::{Kind, LeapSeconds, Refusal, Sentence, TimeOfDay, Validity};
use crate::core::time::Date;

/// Checks `$...*hh`, where `hh` is the exclusive or of all bytes between `$` and `*`, followed by nothing but blanks.
pub(super) fn check(line: &str) -> Result<(), Refusal> {
    let (body, sum) = line.strip_prefix('$').and_then(|rest| rest.rsplit_once('*')).ok_or(Refusal::NoChecksum)?;
    let hex = sum.trim_end_matches(' ');
    let is_hex = hex.len() == 2 && hex.bytes().all(|b| b.is_ascii_hexdigit());
    let said = u8::from_str_radix(hex, 16).ok().filter(|_| is_hex).ok_or(Refusal::NoChecksum)?;
    let computed = body.bytes().fold(0, |sum, byte| sum ^ byte);
    if said == computed { Ok(()) } else { Err(Refusal::WrongChecksum { said, computed }) }
}

/// Parses a line with a correct checksum, whose first byte is `first`.
pub(super) fn read(line: &str, first: Byte) -> Result<Sentence, Refusal> {
    let mut leap_seconds = None;
    let (kind, time, date, validity) = if let Some(fields) = line.strip_prefix("$PUBX,04,") {
        // u-blox interface descriptions: time, date, second of week, week, leap seconds, ...
        let field = |n: usize| fields.split([',', '*']).nth(n).unwrap_or_default();
        leap_seconds = read_leap_seconds(field(4));
        (Kind::Clock, field(0), two_digit_year(field(1)), Validity::Unsaid)
    } else {
        let sentence = nmea::parse_nmea_sentence(line).ok();
        let field = |n: usize| sentence.as_ref().and_then(|of| of.data.split(',').nth(n)).unwrap_or_default();
        match sentence.as_ref().map(|sentence| sentence.message_id) {
            Some(SentenceType::RMC) => (Kind::Rmc, field(0), two_digit_year(field(8)), status(field(1), field(11))),
            Some(SentenceType::GGA) => (Kind::Gga, field(0), Ok(None), quality(field(5))),
            Some(SentenceType::GNS) => (Kind::Gns, field(0), Ok(None), modes(field(5))),
            Some(SentenceType::GLL) => (Kind::Gll, field(4), Ok(None), status(field(5), field(6))),
            Some(SentenceType::ZDA) => {
                (Kind::Zda, field(0), four_digit_year(field(1), field(2), field(3)), Validity::Unsaid)
            }
            _ => (Kind::Other, "", Ok(None), Validity::Unsaid),
        }
    };
    let (time, Byte { start: first_byte, read_at, read, .. }) = (time_of_day(time)?, first);
    Ok(Sentence { kind, time, date: date?, validity, leap_seconds, first_byte, read_at, read })
}

/// Leap seconds of PUBX,04: the number ends in D while it is the firmware's default.
fn read_leap_seconds(field: &str) -> Option<LeapSeconds> {
    let digits = field.strip_suffix('D').unwrap_or(field);
    let is_number = matches!(digits.len(), 1..=3) && digits.bytes().all(|b| b.is_ascii_digit());
    let seconds = digits.parse().ok().filter(|_| is_number)?;
    Some(if digits == field { LeapSeconds::Received(seconds) } else { LeapSeconds::Default(seconds) })
}

/// Status A, and a mode that means satellites. There is no mode field before NMEA 2.3.
fn status(status: &str, mode: &str) -> Validity {
    let mode_is_good = mode.is_empty() || (mode.len() == 1 && mode.chars().all(mode_is_valid));
    Validity::valid_if(status == "A" && mode_is_good)
}

/// GGA's quality: fix, differential, PPS, fixed RTK, float RTK; 9 is NovAtel's for a fix with SBAS corrections. The number
/// of satellites is ignored: some receivers leave it at 00 with a fix (Garmin GPS 25, Furuno, Hemisphere).
fn quality(quality: &str) -> Validity {
    Validity::valid_if(matches!(quality, "1" | "2" | "3" | "4" | "5" | "9"))
}

/// One mode per system; one valid mode is enough. Trimble sends GNGNS with all modes, then GPGNS and GLGNS
/// without any.
fn modes(modes: &str) -> Validity {
    if modes.is_empty() { Validity::Unsaid } else { Validity::valid_if(modes.chars().any(mode_is_valid)) }
}

/// Autonomous, differential, float RTK, fixed RTK, precise. Not: none, estimated, manual, simulated.
fn mode_is_valid(mode: char) -> bool {
    matches!(mode, 'A' | 'D' | 'F' | 'R' | 'P')
}

/// `hhmmss` with an optional point and one to nine digits. An empty field means no time; anything else is malformed.
fn time_of_day(field: &str) -> Result<Option<TimeOfDay>, Refusal> {
    if field.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = field.split_once('.').unwrap_or((field, "0"));
    let fraction_is_fine = matches!(fraction.len(), 1..=9) && fraction.bytes().all(|b| b.is_ascii_digit());
    let [hour, minute, second] = pairs(whole).filter(|_| fraction_is_fine).ok_or(Refusal::Time)?;
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
    let [day, month, year] = pairs(field).ok_or(Refusal::Date)?;
    let year = if year >= 80 { 1900 + year } else { 2000 + year };
    Date::new(year as i32, month as u8, day as u8).map(Some).ok_or(Refusal::Date)
}

/// Day, month, and four-digit year, each in its own field.
fn four_digit_year(day: &str, month: &str, year: &str) -> Result<Option<Date>, Refusal> {
    if [day, month, year] == [""; 3] {
        return Ok(None);
    }
    let [[day], [month]] = [pairs(day).ok_or(Refusal::Date)?, pairs(month).ok_or(Refusal::Date)?];
    let [century, year] = pairs(year).ok_or(Refusal::Date)?;
    Date::new((century * 100 + year) as i32, month as u8, day as u8).map(Some).ok_or(Refusal::Date)
}

/// The numbers that exactly `N` pairs of digits represent.
fn pairs<const N: usize>(text: &str) -> Option<[u32; N]> {
    let is_pairs = text.len() == 2 * N && text.bytes().all(|b| b.is_ascii_digit());
    let mut digits = text.bytes().map(|digit| u32::from(digit.wrapping_sub(b'0')));
    is_pairs.then(|| [(); N].map(|()| digits.next().unwrap_or(0) * 10 + digits.next().unwrap_or(0)))
}
