//! One line of output for each message about time: columns for people, or JSON whose keys are always the same.

use serde::Serialize;

use crate::core::engine::{DATE_CEILING, DATE_FLOOR};
use crate::core::event::{Leap, Reason};
use crate::core::nmea::{Kind, LeapSeconds, Line, Sentence, TimeOfDay, Validity};
use crate::core::time::Span;
use crate::core::ubx::{Frame, LeapCount, Message, TimTp, TimeBase, TimeLs, TimeUtc};

/// What a sentence is worth that names a second and calls it valid.
pub(super) const VALID: &str = "valid";

/// The receiver uses leap seconds that no satellite told it.
const UTC_UNKNOWN: &str = "UTC not known yet: leap seconds are the firmware's";

/// u-blox's own sentence that names a time.
const CLOCK: &str = "PUBX,04";

/// A message about time. The fields are the keys of its JSON object; those that do not apply are null.
#[derive(Default, Serialize)]
pub(super) struct Row<'a> {
    pub(super) file: Option<&'a str>,
    byte: i64,
    kind: &'static str,
    message: &'a str,
    /// Date and time as far as they are named, with the fraction as written.
    utc: Option<String>,
    validity: Option<&'static str>,
    /// Why `run` would not believe the date.
    date_refused: Option<&'static str>,
    /// Why the line is not used at all.
    refused: Option<&'static str>,
    remark: String,
    text: Option<&'a str>,
    /// The remark without its figures; `None` for a line that is not used.
    #[serde(skip)]
    pub(super) worth: Option<&'static str>,
}

impl<'a> Row<'a> {
    /// `None` if the line is not about time, and would not have been.
    pub(super) fn of_line(line: &Line<'a>) -> Option<Self> {
        let (text, byte, message) = (line.text, line.first_byte.nanos(), id(line.text));
        let is_about_time = message == CLOCK || matches!(message.get(2..), Some("RMC" | "GGA" | "GNS" | "GLL" | "ZDA"));
        let row = Self { byte, kind: "sentence", message, text: Some(text), ..Self::default() };
        is_about_time.then(|| match &line.read {
            Ok(sentence) => {
                let detail = match sentence.leap_seconds {
                    Some(LeapSeconds::Default(n) | LeapSeconds::Received(n)) => format!(" ({n})"),
                    None => String::new(),
                };
                row.naming(sentence, written(text, sentence), worth(sentence), &detail)
            }
            Err(refusal) => Self { refused: Some(refusal.key()), remark: refusal.to_string(), ..row },
        })
    }

    /// `None` if the frame is not about time.
    pub(super) fn of_frame(frame: &Frame) -> Option<Self> {
        let row = |message| Self { byte: frame.first_byte.nanos(), kind: "frame", message, ..Self::default() };
        let (message, worth, detail) = match &frame.message {
            Message::TimeUtc(time) | Message::Pvt(time) => {
                let sentence = frame.sentence();
                let message = if sentence.kind == Kind::Pvt { "NAV-PVT" } else { "NAV-TIMEUTC" };
                let is_unknown = !time.knows_utc && time.validity != Validity::Invalid;
                let worth = if is_unknown { UTC_UNKNOWN } else { worth(&sentence) };
                return Some(row(message).naming(&sentence, fraction(time), worth, ""));
            }
            Message::TimeLs(TimeLs { count, next }) => {
                let (worth, count) = match count {
                    LeapCount::Told(count) => ("leap seconds known", format!(" ({count})")),
                    LeapCount::Unsourced(count) => {
                        ("leap seconds valid, their source not named", format!(" ({count})"))
                    }
                    LeapCount::Default => (UTC_UNKNOWN, String::new()),
                };
                let next = next.map_or(String::new(), |next| {
                    let change = if next.leap == Leap::Delete { "less" } else { "more" };
                    format!("; one {change} after {}", next.day)
                });
                ("NAV-TIMELS", worth, count + &next)
            }
            Message::TimTp(TimTp { base, second_of_week, correction }) => {
                let base = match base {
                    TimeBase::Utc => "UTC's week",
                    TimeBase::Gps => "GPS's week",
                    TimeBase::Other => "the week of a time that is not used",
                };
                let second = second_of_week.map_or("none".into(), |second| second.to_string());
                let (worth, correction) = match correction {
                    Some(correction) => ("the next pulse's correction", format!(", {:+} ns", correction.nanos())),
                    None => ("the next pulse, without a correction", String::new()),
                };
                ("TIM-TP", worth, format!(": second {second} of {base}{correction}"))
            }
            Message::Other => return None,
        };
        Some(Self { worth: Some(worth), remark: format!("{worth}{detail}"), ..row(message) })
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
        let time = self.utc.as_deref()?.rsplit('T').next()?;
        time.get(..8).filter(|time| time.contains(':'))
    }

    fn naming(self, sentence: &Sentence, fraction: Option<String>, worth: &'static str, detail: &str) -> Self {
        let date = sentence.date.filter(|_| sentence.validity != Validity::Invalid);
        let (date_refused, mark) = match date {
            Some(date) if date < DATE_FLOOR => {
                (Some(Reason::DateTooEarly.key()), format!("; run refuses dates before {DATE_FLOOR}"))
            }
            Some(date) if date >= DATE_CEILING => {
                (Some(Reason::DateTooLate.key()), format!("; run refuses dates from {DATE_CEILING} on"))
            }
            _ => (None, String::new()),
        };
        let validity = match sentence.validity {
            Validity::Valid => "valid",
            Validity::Invalid => "invalid",
            Validity::Unsaid => "unsaid",
        };
        Self {
            utc: utc(sentence, fraction),
            validity: Some(validity),
            date_refused,
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

/// What a message about time is worth.
fn worth(sentence: &Sentence) -> &'static str {
    match (sentence.validity, sentence.time) {
        _ if sentence.kind == Kind::Clock => match sentence.leap_seconds {
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

/// Date and time of day, as far as the message names them; `fraction` is the time if it is not a whole second.
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
        Kind::Clock => 2,
        _ => 1,
    };
    let (hour, rest) = text.split(',').nth(place)?.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    Some(format!("{hour}:{minute}:{second}Z"))
}

/// To the millisecond: the nanoseconds of a frame are the error of its solution.
fn fraction(time: &TimeUtc) -> Option<String> {
    let (ms, _) = time.since_midnight?.nearest(Span::from_millis(1));
    let ms = ms.max(0);
    // Second 60 is the day's last minute's.
    let (minutes, ms) = if ms >= 86_400_000 { (1_439, ms - 86_340_000) } else { (ms / 60_000, ms % 60_000) };
    Some(format!("{:02}:{:02}:{:02}.{:03}Z", minutes / 60, minutes % 60, ms / 1_000, ms % 1_000))
}
