//! One line of output for each message about time: columns for people, or JSON whose keys are always the same.

use serde::Serialize;

use crate::core::engine::{DATE_CEILING, DATE_FLOOR};
use crate::core::event::{Leap, Reason};
use crate::core::nmea::{Kind, LeapSeconds, Line, Sentence, TimeOfDay, Validity};
use crate::core::time::{Date, Instant, Raw, Span};
use crate::core::ubx::{Frame, LeapCount, Message, TimTp, TimeBase, TimeLs, TimeUtc};

/// What is said of a sentence that names a second and vouches for it.
pub(super) const VALID: &str = "valid";

/// What is said of a receiver that uses leap seconds that no satellite told it.
const UTC_UNKNOWN: &str = "UTC not known yet: leap seconds are the firmware's";

/// u-blox's own sentence that names a time.
const CLOCK: &str = "PUBX,04";

/// A message about time. The fields are the keys of its JSON object; those that do not apply are null.
#[derive(Serialize)]
pub(super) struct Row<'a> {
    file: Option<&'a str>,
    byte: i64,
    kind: &'static str,
    message: &'a str,
    /// Date and time as far as they are named, with the fraction as written.
    pub(super) utc: Option<String>,
    validity: Option<&'static str>,
    /// Why `run` would not believe the date.
    date_refused: Option<&'static str>,
    /// Why the line is not used at all.
    refused: Option<&'static str>,
    remark: String,
    text: Option<&'a str>,
    /// The remark without its figures; none of a line that is not used.
    #[serde(skip)]
    pub(super) worth: Option<&'static str>,
}

impl<'a> Row<'a> {
    /// Nothing where the line is not, and would not have been, about time.
    pub(super) fn of_line(file: Option<&'a str>, line: &Line<'a>) -> Option<Self> {
        let Line { text, first_byte, .. } = *line;
        let id = id(text);
        let is_about_time = id == CLOCK || matches!(id.get(2..), Some("RMC" | "GGA" | "GNS" | "GLL" | "ZDA"));
        let row = Self { text: Some(text), ..Self::empty(file, first_byte, "sentence", id) };
        is_about_time.then(|| match &line.read {
            Ok(sentence) => {
                let detail = match sentence.kind {
                    Kind::Clock(Some(LeapSeconds::Default(n) | LeapSeconds::Received(n))) => format!(" ({n})"),
                    _ => String::new(),
                };
                row.saying(sentence, written(text, sentence), remark(sentence), &detail)
            }
            Err(refusal) => Self { refused: Some(refusal.key()), remark: refusal.to_string(), ..row },
        })
    }

    /// Nothing where the frame is not about time.
    pub(super) fn of_frame(file: Option<&'a str>, frame: &Frame) -> Option<Self> {
        let row = |id| Self::empty(file, frame.first_byte, "frame", id);
        let about = |id, worth: &'static str, detail: String| {
            Some(Self { worth: Some(worth), remark: format!("{worth}{detail}"), ..row(id) })
        };
        match &frame.message {
            Message::TimeUtc(time) | Message::Pvt(time) => {
                let sentence = frame.sentence();
                let id = if sentence.kind == Kind::Pvt { "NAV-PVT" } else { "NAV-TIMEUTC" };
                let is_unknown = !time.knows_utc && time.validity != Validity::Invalid;
                let worth = if is_unknown { UTC_UNKNOWN } else { remark(&sentence) };
                Some(row(id).saying(&sentence, fraction(time), worth, ""))
            }
            Message::TimeLs(TimeLs { count, next }) => {
                let next = next.map_or(String::new(), |next| match next.leap {
                    Leap::Delete => format!("; one less after {}", next.day),
                    Leap::Insert | Leap::None => format!("; one more after {}", next.day),
                });
                match count {
                    LeapCount::Told(count) => about("NAV-TIMELS", "leap seconds known", format!(" ({count}){next}")),
                    LeapCount::Unsourced(count) => {
                        about("NAV-TIMELS", "leap seconds valid, their source not named", format!(" ({count}){next}"))
                    }
                    LeapCount::Default => about("NAV-TIMELS", UTC_UNKNOWN, next),
                }
            }
            Message::TimTp(TimTp { base, second_of_week, correction }) => {
                let base = match base {
                    TimeBase::Utc => " of UTC's week",
                    TimeBase::Gps => " of GPS's week",
                    TimeBase::Other => " of the week of a time that is not used",
                };
                let second = second_of_week.map_or("none".into(), |second| second.to_string());
                match correction {
                    Some(correction) => {
                        let detail = format!(": second {second}{base}, {:+} ns", correction.nanos());
                        about("TIM-TP", "the next pulse's correction", detail)
                    }
                    None => about("TIM-TP", "the next pulse, without a correction", format!(": second {second}{base}")),
                }
            }
            Message::Other => None,
        }
    }

    /// Place, message, time and remark in columns.
    pub(super) fn plain(&self) -> String {
        let Self { byte, message, remark, .. } = self;
        match (self.refused, self.text) {
            (Some(_), Some(text)) => format!("{byte:>8} {message:<6} {:>20} {remark}: {text}", "refused"),
            _ => format!("{byte:>8} {message:<6} {:>20} {remark}", self.utc.as_deref().unwrap_or_default()),
        }
    }

    /// The second that is named, without fraction and date.
    pub(super) fn second(&self) -> Option<&str> {
        let time = self.utc.as_deref()?;
        let time = time.split_once('T').map_or(time, |(_, time)| time);
        time.get(..8).filter(|time| time.contains(':'))
    }

    fn empty(file: Option<&'a str>, first_byte: Instant<Raw>, kind: &'static str, message: &'a str) -> Self {
        Self {
            file,
            byte: first_byte.nanos(),
            kind,
            message,
            utc: None,
            validity: None,
            date_refused: None,
            refused: None,
            remark: String::new(),
            text: None,
            worth: None,
        }
    }

    fn saying(self, sentence: &Sentence, fraction: Option<String>, worth: &'static str, detail: &str) -> Self {
        let is_used = sentence.validity != Validity::Invalid;
        let date_refused = sentence.date.filter(|_| is_used).and_then(refused);
        let mark = match date_refused {
            Some(Reason::DateTooEarly) => format!("; run refuses dates before {DATE_FLOOR}"),
            Some(_) => format!("; run refuses dates from {DATE_CEILING} on"),
            None => String::new(),
        };
        let validity = match sentence.validity {
            Validity::Valid => "valid",
            Validity::Invalid => "invalid",
            Validity::Unsaid => "unsaid",
        };
        Self {
            utc: utc(sentence, fraction),
            validity: Some(validity),
            date_refused: date_refused.map(Reason::key),
            remark: format!("{worth}{detail}{mark}"),
            worth: Some(worth),
            ..self
        }
    }
}

/// Talker and type: `GNRMC`.
fn id(text: &str) -> &str {
    if text.starts_with("$PUBX,04,") {
        return CLOCK;
    }
    text.trim_start_matches('$').split([',', '*']).next().unwrap_or_default()
}

fn remark(sentence: &Sentence) -> &'static str {
    match (sentence.validity, sentence.time) {
        _ if let Kind::Clock(leap_seconds) = sentence.kind => match leap_seconds {
            Some(LeapSeconds::Default(_)) => UTC_UNKNOWN,
            Some(LeapSeconds::Received(_)) => "leap seconds known",
            None => "leap seconds not told",
        },
        (Validity::Invalid, _) => "no fix",
        (_, None) => "no time",
        (_, Some(TimeOfDay::Fraction)) => "between two seconds",
        (Validity::Valid, Some(TimeOfDay::Whole(_) | TimeOfDay::LeapSecond)) => VALID,
        (Validity::Unsaid, Some(TimeOfDay::Whole(_) | TimeOfDay::LeapSecond)) => "does not say whether it is valid",
    }
}

/// Why `run` does not believe this date, unless its rollover is to be corrected.
fn refused(date: Date) -> Option<Reason> {
    match date {
        date if date < DATE_FLOOR => Some(Reason::DateTooEarly),
        date if date >= DATE_CEILING => Some(Reason::DateTooLate),
        _ => None,
    }
}

/// Date and time of day, as far as the message names them; `fraction` is the time where it is no whole second.
fn utc(sentence: &Sentence, fraction: Option<String>) -> Option<String> {
    let time = match sentence.time {
        Some(TimeOfDay::Whole(s)) => Some(format!("{:02}:{:02}:{:02}Z", s / 3_600, s / 60 % 60, s % 60)),
        Some(TimeOfDay::LeapSecond) => Some("23:59:60Z".into()),
        Some(TimeOfDay::Fraction) => fraction,
        None => None,
    };
    match (sentence.date, time) {
        (Some(date), Some(time)) => Some(format!("{date}T{time}")),
        (Some(date), None) => Some(date.to_string()),
        (None, time) => time,
    }
}

/// The sentence's own digits: `115955.949` is 11:59:55.949Z.
fn written(text: &str, sentence: &Sentence) -> Option<String> {
    let place = match sentence.kind {
        Kind::Gll => 5,
        Kind::Clock(_) => 2,
        _ => 1,
    };
    let (hour, rest) = text.split(',').nth(place)?.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    Some(format!("{hour}:{minute}:{second}Z"))
}

/// To the millisecond: what a frame says to the nanosecond is its solution's error.
fn fraction(time: &TimeUtc) -> Option<String> {
    let (ms, _) = time.since_midnight?.nearest(Span::from_millis(1));
    let ms = ms.max(0);
    // Second 60 is the day's last minute's.
    let (minutes, ms) = if ms >= 86_400_000 { (1_439, ms - 86_340_000) } else { (ms / 60_000, ms % 60_000) };
    Some(format!("{:02}:{:02}:{:02}.{:03}Z", minutes / 60, minutes % 60, ms / 1_000, ms % 1_000))
}
