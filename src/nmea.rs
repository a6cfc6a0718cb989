//! Bytes to frames to [`Sentence`]s, strictly: what passes here has a right checksum and a time and date that exist.
//!
//! The framer dates the first byte of every sentence: the last byte of a read had arrived when the read returned, and
//! each byte before it was on the line one byte time earlier. It also knows where a burst began: after a silence on
//! the line. It never allocates while it runs and never fails: what it cannot use, it counts.
//!
//! Sentences are taken apart by the `nmea` crate. Times and dates are read here, because that crate's reader accepts
//! `nan` and `+8+3+5` for a time and rejects second 60, which is a real one.

use nmea::SentenceType;

use crate::event::Bytes;
use crate::time::{Date, Instant, Raw, Span};

/// Longest line that is looked at, from `$` to checksum. NMEA 0183 allows 82; receivers in the field send up to 100.
const LINE_MAX: usize = nmea::SENTENCE_MAX_LEN;

/// A longer pause than this between two bytes begins a new burst. USB adapters hand bytes over every 16 ms.
const SILENCE: Span = Span::from_millis(30);

/// A sentence with a right checksum.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// What it is.
    pub kind: Kind,
    /// The time of day that it names.
    pub time: Option<TimeOfDay>,
    /// The date that it names.
    pub date: Option<Date>,
    /// What it says of its own worth.
    pub validity: Validity,
    /// When its first byte began on the line.
    pub first_byte: Instant<Raw>,
    /// When the burst that it is part of began; not after `first_byte`.
    pub burst_start: Instant<Raw>,
}

/// The sentences that carry time; all others are `Other`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Recommended minimum: time, date, status.
    Rmc,
    /// Fix data of GPS: time, quality.
    Gga,
    /// Fix data of several systems: time, a mode letter for each.
    Gns,
    /// Position: time, status.
    Gll,
    /// Time and date with four digits of the year, but no status.
    Zda,
    /// Anything else.
    Other,
}

/// A time of day as a sentence names it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TimeOfDay {
    /// The second of the day, 0 to 86,399, with a fraction of zero or none.
    Whole(u32),
    /// 23:59:60.
    LeapSecond,
    /// A time between two seconds: names no pulse.
    Fraction,
}

/// What a sentence says of its own worth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Validity {
    /// A fix by satellites, with the mode that makes its time good.
    Valid,
    /// No fix, or one that is estimated, entered by hand or simulated.
    Invalid,
    /// The sentence has no field for it.
    Unsaid,
}

/// What came of the bytes so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Bytes in all.
    pub bytes: u64,
    /// Lines with a right checksum.
    pub sentences: u64,
    /// Lines whose checksum is missing or wrong.
    pub bad_checksum: u64,
    /// Lines broken off: too long, a byte that is no printable ASCII, or a new `$` in the middle.
    pub broken: u64,
    /// Sentences with a right checksum and a time or date that does not exist.
    pub malformed: u64,
    /// Headers of u-blox's binary protocol (0xB5 0x62).
    pub ubx: u64,
}

/// Cuts bytes into sentences.
#[derive(Clone, Debug)]
pub struct Framer {
    line: [u8; LINE_MAX],
    /// Length of the line so far; `None` outside a line.
    len: Option<usize>,
    first_byte: Instant<Raw>,
    burst_start: Instant<Raw>,
    last_byte: Option<Instant<Raw>>,
    previous: u8,
    counts: LineCounts,
}

impl Default for Framer {
    fn default() -> Self {
        Self {
            line: [0; LINE_MAX],
            len: None,
            first_byte: Instant::default(),
            burst_start: Instant::default(),
            last_byte: None,
            previous: 0,
            counts: LineCounts::default(),
        }
    }
}

impl Framer {
    /// Takes the bytes of one read and hands each sentence that they complete to `found`.
    pub fn push(&mut self, bytes: &Bytes, mut found: impl FnMut(Sentence)) {
        let first = bytes.read_at - bytes.byte_time.times(bytes.data.len() as i64);
        if self.last_byte.is_none_or(|last| first - last > SILENCE) {
            self.burst_start = first;
        }
        for (start, &byte) in (0..).map(|i| first + bytes.byte_time.times(i)).zip(&bytes.data) {
            self.take(byte, start, &mut found);
        }
        if !bytes.data.is_empty() {
            self.last_byte = Some(bytes.read_at);
        }
    }

    /// What came of the bytes so far.
    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    /// Forgets a line begun, as after the device was opened anew.
    pub fn reset(&mut self) {
        *self = Self { counts: self.counts, ..Self::default() };
    }

    fn take(&mut self, byte: u8, start: Instant<Raw>, found: &mut impl FnMut(Sentence)) {
        self.counts.bytes += 1;
        if (self.previous, byte) == (0xB5, 0x62) {
            self.counts.ubx += 1;
        }
        self.previous = byte;
        match (byte, self.len) {
            (b'$', len) => {
                self.counts.broken += u64::from(len.is_some());
                self.len = Some(0);
                self.first_byte = start;
                self.append(byte);
            }
            (b'\r' | b'\n', Some(_)) => self.finish(found),
            (b' '..=b'~', Some(_)) => self.append(byte),
            (_, Some(_)) => self.break_off(),
            (_, None) => {}
        }
    }

    fn append(&mut self, byte: u8) {
        let Some(len) = self.len else { return };
        match self.line.get_mut(len) {
            Some(slot) => {
                *slot = byte;
                self.len = Some(len + 1);
            }
            None => self.break_off(),
        }
    }

    fn break_off(&mut self) {
        self.counts.broken += 1;
        self.len = None;
    }

    fn finish(&mut self, found: &mut impl FnMut(Sentence)) {
        let line = self.len.take().and_then(|len| self.line.get(..len)).unwrap_or_default();
        let Some(text) = std::str::from_utf8(line).ok().filter(|text| checksum_is_right(text)) else {
            self.counts.bad_checksum += 1;
            return;
        };
        self.counts.sentences += 1;
        match read(text) {
            Ok(content) => {
                let Content { kind, time, date, validity } = content;
                let (first_byte, burst_start) = (self.first_byte, self.burst_start);
                found(Sentence { kind, time, date, validity, first_byte, burst_start });
            }
            Err(Malformed) => self.counts.malformed += 1,
        }
    }
}

/// What a sentence says, without when it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Content {
    kind: Kind,
    time: Option<TimeOfDay>,
    date: Option<Date>,
    validity: Validity,
}

/// The sentence's time or date does not exist.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Malformed;

/// `$...*hh`, where `hh` is the exclusive or of all bytes between `$` and `*`, and nothing follows it.
fn checksum_is_right(line: &str) -> bool {
    let Some((body, sum)) = line.strip_prefix('$').and_then(|rest| rest.rsplit_once('*')) else { return false };
    let hex = sum.trim_end_matches(' ');
    hex.len() == 2
        && hex.bytes().all(|b| b.is_ascii_hexdigit())
        && u8::from_str_radix(hex, 16) == Ok(body.bytes().fold(0, |sum, byte| sum ^ byte))
}

fn read(line: &str) -> Result<Content, Malformed> {
    let other = Content { kind: Kind::Other, time: None, date: None, validity: Validity::Unsaid };
    let Ok(sentence) = nmea::parse_nmea_sentence(line) else { return Ok(other) };
    let field = |n: usize| sentence.data.split(',').nth(n).unwrap_or_default();
    match sentence.message_id {
        SentenceType::RMC => Ok(Content {
            kind: Kind::Rmc,
            time: time_of_day(field(0))?,
            date: two_digit_year(field(8))?,
            validity: status(field(1), field(11)),
        }),
        SentenceType::GGA => Ok(Content {
            kind: Kind::Gga,
            time: time_of_day(field(0))?,
            date: None,
            validity: if matches!(field(5), "1" | "2" | "3" | "4" | "5") { Validity::Valid } else { Validity::Invalid },
        }),
        SentenceType::GNS => Ok(Content {
            kind: Kind::Gns,
            time: time_of_day(field(0))?,
            date: None,
            validity: if field(5).chars().any(mode_is_valid) { Validity::Valid } else { Validity::Invalid },
        }),
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

/// Status A, and a mode that stands for satellites (NMEA 2.3 and later; before, there is no mode field).
fn status(status: &str, mode: &str) -> Validity {
    let mode_is_good = mode.is_empty() || (mode.len() == 1 && mode.chars().all(mode_is_valid));
    if status == "A" && mode_is_good { Validity::Valid } else { Validity::Invalid }
}

/// Autonomous, differential, float RTK, fixed RTK, precise. Not: none, estimated, manual, simulated.
fn mode_is_valid(mode: char) -> bool {
    matches!(mode, 'A' | 'D' | 'F' | 'R' | 'P')
}

/// `hhmmss` and, after a point, one to nine digits. An empty field is no time; anything else is malformed.
fn time_of_day(field: &str) -> Result<Option<TimeOfDay>, Malformed> {
    if field.is_empty() {
        return Ok(None);
    }
    let (whole, fraction) = field.split_once('.').unwrap_or((field, "0"));
    let fraction_is_fine = matches!(fraction.len(), 1..=9) && fraction.bytes().all(|b| b.is_ascii_digit());
    let [Some(hour), Some(minute), Some(second)] = pairs(whole) else { return Err(Malformed) };
    if !fraction_is_fine {
        return Err(Malformed);
    }
    let is_whole = fraction.bytes().all(|b| b == b'0');
    match (hour, minute, second) {
        (0..=23, 0..=59, 0..=59) if is_whole => Ok(Some(TimeOfDay::Whole(hour * 3600 + minute * 60 + second))),
        (23, 59, 60) if is_whole => Ok(Some(TimeOfDay::LeapSecond)),
        (0..=23, 0..=59, 0..=59) | (23, 59, 60) => Ok(Some(TimeOfDay::Fraction)),
        _ => Err(Malformed),
    }
}

/// `ddmmyy`. Years 80 to 99 belong to the last century: GPS began in 1980.
fn two_digit_year(field: &str) -> Result<Option<Date>, Malformed> {
    if field.is_empty() {
        return Ok(None);
    }
    let [Some(day), Some(month), Some(year)] = pairs(field) else { return Err(Malformed) };
    let year = if year >= 80 { 1900 + year } else { 2000 + year };
    Date::new(year as i32, month as u8, day as u8).map(Some).ok_or(Malformed)
}

/// Day, month and four digits of the year, each in a field of its own.
fn four_digit_year(day: &str, month: &str, year: &str) -> Result<Option<Date>, Malformed> {
    if day.is_empty() && month.is_empty() && year.is_empty() {
        return Ok(None);
    }
    let ([Some(day)], [Some(month)], [Some(century), Some(year)]) = (pairs(day), pairs(month), pairs(year)) else {
        return Err(Malformed);
    };
    Date::new((century * 100 + year) as i32, month as u8, day as u8).map(Some).ok_or(Malformed)
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

#[cfg(test)]
mod tests;
