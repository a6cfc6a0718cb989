//! One line of output for each message about time: columns for people, or JSON whose keys are always the same.

use serde::Serialize;

use crate::core::engine::{DATE_CEILING, DATE_FLOOR};
use crate::core::event::{Leap, Reason};
use crate::core::nmea::{Kind, LeapSeconds, Line, Sentence, TimeOfDay, Validity};
use crate::core::time::Span;
use crate::core::ubx::{Frame, LeapCount, Message, TimTp, TimeBase, TimeLs, TimeUtc};

/// The remark on a sentence that names a second and marks it valid.
pub(super) const VALID: &str = "valid";

/// The receiver uses leap seconds that it has not received from a satellite.
const UTC_UNKNOWN: &str = "UTC not known yet: leap seconds are the firmware's default";

/// u-blox's own sentence that names a time.
const CLOCK: &str = "PUBX,04";

/// A message about time. The fields are the keys of its JSON object; those that do not apply are null.
#[derive(Default, Serialize)]
pub(super) struct Row<'a> {
    pub(super) file: Option<&'a str>,
    byte: i64,
    kind: &'static str,
    message: &'a str,
    /// Date and time as far as they are given, with the fraction as written.
    utc: Option<String>,
    validity: Option<&'static str>,
    /// Why `run` would refuse the date.
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
    /// `None` if the line is not about time, even if it were valid.
    pub(super) fn of_line(line: &Line<'a>) -> Option<Self> {
        let text = line.text;
        let is_clock = text.starts_with("$PUBX,04,");
        // Talker and type: `GNRMC`.
        let id = text.trim_start_matches('$').split([',', '*']).next().unwrap_or_default();
        let message = if is_clock { CLOCK } else { id };
        let is_about_time = is_clock || matches!(id.get(2..), Some("RMC" | "GGA" | "GNS" | "GLL" | "ZDA"));
        let row =
            Self { byte: line.first_byte.nanos(), kind: "sentence", message, text: Some(text), ..Self::default() };
        is_about_time.then(|| match &line.read {
            Ok(sentence) => row.naming(sentence, written(text), worth(sentence)),
            Err(refusal) => Self { refused: Some(refusal.key()), remark: refusal.to_string(), ..row },
        })
    }

    /// `None` if the frame is not about time.
    pub(super) fn of_frame(frame: &Frame) -> Option<Self> {
        let row = |message| Self { byte: frame.first_byte.nanos(), kind: "frame", message, ..Self::default() };
        let naming = |message, time: &TimeUtc| {
            let sentence = frame.sentence();
            let is_unknown = !time.knows_utc && time.validity != Validity::Invalid;
            let worth = if is_unknown { UTC_UNKNOWN } else { worth(&sentence) };
            Some(row(message).naming(&sentence, fraction(time), worth))
        };
        let (message, worth, detail) = match &frame.message {
            Message::TimeUtc(time) => return naming("NAV-TIMEUTC", time),
            Message::Pvt(time) => return naming("NAV-PVT", time),
            Message::TimeLs(TimeLs { count, next }) => {
                let (worth, count) = match *count {
                    LeapCount::Told(count) => ("leap seconds known", Some(count)),
                    LeapCount::Unsourced(count) => ("leap seconds valid, source not named", Some(count)),
                    LeapCount::Default => (UTC_UNKNOWN, None),
                };
                let next = next.map_or(String::new(), |next| {
                    let change = if next.leap == Leap::Delete { "less" } else { "more" };
                    format!("; one {change} after {}", next.day)
                });
                ("NAV-TIMELS", worth, in_brackets(count) + &next)
            }
            Message::TimTp(TimTp { base, second_of_week, correction }) => {
                let base = match base {
                    TimeBase::Utc => "UTC's week",
                    TimeBase::Gps => "GPS's week",
                    TimeBase::Other => "the week of another time base",
                };
                let second = second_of_week.map_or("none".into(), |second| second.to_string());
                let with =
                    |correction: Span| ("correction of the next pulse", format!(", {:+} ns", correction.nanos()));
                let (worth, correction) =
                    correction.map_or(("the next pulse, without a correction", String::new()), with);
                ("TIM-TP", worth, format!(": second {second} of {base}{correction}"))
            }
            Message::Other => return None,
        };
        Some(Self { worth: Some(worth), remark: format!("{worth}{detail}"), ..row(message) })
    }

    /// Position, message, time, and remark in columns; for a line that is not used, followed by the line.
    pub(super) fn plain(&self) -> String {
        let Self { byte, message, remark, .. } = self;
        let (utc, text) = match (self.refused, self.text) {
            (Some(_), Some(text)) => ("refused", format!(": {text}")),
            _ => (self.utc.as_deref().unwrap_or_default(), String::new()),
        };
        format!("{byte:>8} {message:<6} {utc:>20} {remark}{text}\n")
    }

    /// With the message's date and time; `fraction` is the time of day if it is not a whole second.
    fn naming(self, sentence: &Sentence, fraction: Option<String>, worth: &'static str) -> Self {
        let (validity, is_valid) = match sentence.validity {
            Validity::Valid => ("valid", true),
            Validity::Invalid => ("invalid", false),
            Validity::Unsaid => ("unsaid", true),
        };
        let (date_refused, mark) = match sentence.date.filter(|_| is_valid) {
            Some(date) if date < DATE_FLOOR => {
                (Some(Reason::DateTooEarly.key()), format!("; run refuses dates before {DATE_FLOOR}"))
            }
            Some(date) if date >= DATE_CEILING => {
                (Some(Reason::DateTooLate.key()), format!("; run refuses dates from {DATE_CEILING} on"))
            }
            _ => (None, String::new()),
        };
        let count = sentence.leap_seconds.map(|(LeapSeconds::Default(count) | LeapSeconds::Received(count))| count);
        let time = match sentence.time {
            Some(TimeOfDay::Whole(s)) => Some(format!("{:02}:{:02}:{:02}Z", s / 3_600, s / 60 % 60, s % 60)),
            Some(TimeOfDay::LeapSecond) => Some("23:59:60Z".into()),
            Some(TimeOfDay::Fraction) => fraction,
            None => None,
        };
        let utc: Vec<_> = sentence.date.map(|date| date.to_string()).into_iter().chain(time).collect();
        Self {
            utc: (!utc.is_empty()).then(|| utc.join("T")),
            validity: Some(validity),
            date_refused,
            remark: format!("{worth}{}{mark}", in_brackets(count)),
            worth: Some(worth),
            ..self
        }
    }
}

/// A leap second count, appended to the remark.
fn in_brackets(count: Option<i64>) -> String {
    count.map_or(String::new(), |count| format!(" ({count})"))
}

/// The remark on a message about time.
fn worth(sentence: &Sentence) -> &'static str {
    match (sentence.validity, sentence.time) {
        _ if sentence.kind == Kind::Clock => match sentence.leap_seconds {
            Some(LeapSeconds::Default(_)) => UTC_UNKNOWN,
            Some(LeapSeconds::Received(_)) => "leap seconds known",
            None => "leap seconds not reported",
        },
        (Validity::Invalid, _) => "no fix",
        (_, None) => "no time",
        (_, Some(TimeOfDay::Fraction)) => "not a whole second",
        (Validity::Valid, Some(TimeOfDay::Whole(_) | TimeOfDay::LeapSecond)) => VALID,
        (Validity::Unsaid, Some(TimeOfDay::Whole(_) | TimeOfDay::LeapSecond)) => "no validity reported",
    }
}

/// The sentence's own digits, six and a fraction, such as `115955.949` is 11:59:55.949Z.
fn written(text: &str) -> Option<String> {
    let is_time = |field: &&str| field.bytes().take(6).filter(u8::is_ascii_digit).count() == 6;
    let (hour, rest) = text.split(',').find(is_time)?.split_at_checked(2)?;
    let (minute, second) = rest.split_at_checked(2)?;
    Some(format!("{hour}:{minute}:{second}Z"))
}

/// To the millisecond: a frame's nanoseconds are only its solution's error.
fn fraction(time: &TimeUtc) -> Option<String> {
    let ms = time.since_midnight?.nearest(Span::from_millis(1)).0.max(0);
    // Second 60 belongs to the day's last minute.
    let minutes = (ms / 60_000).min(1_439);
    let ms = ms - minutes * 60_000;
    Some(format!("{:02}:{:02}:{:02}.{:03}Z", minutes / 60, minutes % 60, ms / 1_000, ms % 1_000))
}
