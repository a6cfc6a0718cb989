//! `gnss2shm decode`: what a receiver says of time, message by message, from its bytes as they came: which time each
//! names, whether it vouches for it, or why it is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use super::{ExitCode, Failure, Input};
use crate::event::{Bytes, Leap};
use crate::foreign::Foreign;
use crate::nmea::{Found, Framer, Kind, LeapSeconds, Line, LineCounts, Sentence, TimeOfDay, Validity};
use crate::recording;
use crate::time::{Instant, Raw, Span};
use crate::ubx::{Frame, LeapCount, Message, TimTp, TimeBase, TimeLs};

/// What --help says below the options.
const HELP: &str = "\
Each sentence is judged by itself. `gnss2shm run` asks for more: a date that is possible, no sentence of the same
second without a fix, and several seconds that agree.";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Bytes of a receiver as they came; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    file: Input,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let mut framer = Framer::default();
    let (mut counts, mut taken) = (Counts::default(), 0);
    let mut first_line = FirstLine::default();
    args.file.read(|piece| {
        if first_line.is_recordings(piece) {
            let sentence = format!("{}: this is a recording: use gnss2shm replay", args.file);
            return Err(Failure::new(ExitCode::Data, sentence));
        }
        taken += piece.len() as i64;
        // On this clock a byte takes a nanosecond: a line's first byte is dated by its place in the file.
        let (read_at, byte_time) = (Instant::from_nanos(taken), Span::from_nanos(1));
        let mut written = Ok(());
        framer.push_all(&Bytes { read_at, byte_time, data: piece.into() }, |found| {
            let text = match found {
                Found::Line(line) => counts.take(&line).then(|| if args.json { json(&line) } else { plain(&line) }),
                Found::Frame(frame, _) => Row::of(&frame).map(|row| {
                    counts.add(row.worth);
                    if args.json { row.json("frame") } else { row.plain() }
                }),
            };
            if let Some(text) = text
                && written.is_ok()
            {
                written = writeln!(out, "{text}");
            }
        });
        // A receiver's lines are wanted as they come.
        super::written(written.and_then(|()| out.flush()))
    })?;
    // The counts are a courtesy: where standard error is closed, they are not.
    let _ = counts.summary(framer.counts(), &mut io::stderr().lock());
    if counts.valid == 0 {
        return Err(Failure::new(ExitCode::No, format!("{} holds no sentence with a valid time", args.file)));
    }
    Ok(())
}

/// Looks for the header of a recording: the sentences in it are cut into pieces.
#[derive(Default)]
struct FirstLine {
    reader: recording::Reader,
    has_come: bool,
}

impl FirstLine {
    /// Whether what has come so far begins as a recording does, of whatever version.
    fn is_recordings(&mut self, piece: &[u8]) -> bool {
        if self.has_come {
            return false;
        }
        let damage = self.reader.push(piece, |_| {}).err();
        self.has_come = damage.is_some();
        damage.map_or(self.reader.has_header(), |damage| damage.what != recording::What::NoHeader)
    }
}

/// Sentences about time by what they are worth, lines by why they are not used.
#[derive(Default)]
struct Counts {
    valid: u64,
    worth: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
}

impl Counts {
    /// Whether the line is about time.
    fn take(&mut self, line: &Line<'_>) -> bool {
        let is_about_time = bears_time(line.text);
        match &line.read {
            Ok(sentence) if is_about_time => self.add(remark(sentence)),
            Ok(_) => {}
            Err(refusal) => *self.refused.entry(refusal.key()).or_default() += 1,
        }
        is_about_time
    }

    fn add(&mut self, worth: &'static str) {
        *self.worth.entry(worth).or_default() += 1;
        self.valid += u64::from(worth == VALID);
    }

    fn summary(&self, lines: LineCounts, out: &mut impl Write) -> io::Result<()> {
        let refused: u64 = self.refused.values().sum();
        writeln!(out, "{} bytes, {} lines with a right checksum, {refused} refused", lines.bytes, lines.sentences)?;
        for (worth, times) in &self.worth {
            writeln!(out, "  about time {times} x {worth}")?;
        }
        for (key, times) in &self.refused {
            writeln!(out, "  refused {times} x {key}")?;
        }
        for foreign in Foreign::ALL.into_iter().filter(|foreign| *foreign != Foreign::Damaged) {
            if lines.of(foreign) > 0 {
                writeln!(out, "{} {}", lines.of(foreign), foreign.name())?;
            }
        }
        Ok(())
    }
}

/// Whether the line is, or would have been, one of those that name a time.
fn bears_time(text: &str) -> bool {
    id(text) == CLOCK || matches!(id(text).get(2..), Some("RMC" | "GGA" | "GNS" | "GLL" | "ZDA"))
}

/// u-blox's own sentence that names a time.
const CLOCK: &str = "PUBX,04";

/// Talker and type: `GNRMC`.
fn id(text: &str) -> &str {
    if text.starts_with("$PUBX,04,") {
        return CLOCK;
    }
    text.trim_start_matches('$').split([',', '*']).next().unwrap_or_default()
}

/// Which UTC the sentence names, as far as it names a whole second.
fn utc(sentence: &Sentence) -> String {
    let time = match sentence.time {
        Some(TimeOfDay::Whole(s)) => Some(format!("{:02}:{:02}:{:02}Z", s / 3_600, s / 60 % 60, s % 60)),
        Some(TimeOfDay::LeapSecond) => Some("23:59:60Z".into()),
        Some(TimeOfDay::Fraction) | None => None,
    };
    match (sentence.date, time) {
        (Some(date), Some(time)) => format!("{date}T{time}"),
        (Some(date), None) => date.to_string(),
        (None, time) => time.unwrap_or_default(),
    }
}

/// What is said of a sentence that names a second and vouches for it.
const VALID: &str = "valid";

/// What is said of a receiver that reckons with leap seconds that no satellite told it.
const UTC_UNKNOWN: &str = "UTC not known yet: leap seconds are the firmware's";

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

fn plain(line: &Line<'_>) -> String {
    let (place, id) = (line.first_byte.nanos(), id(line.text));
    match &line.read {
        Ok(sentence) => Row::new(id, line.first_byte, sentence, remark(sentence)).plain(),
        Err(refusal) => format!("{place:>8} {id:<6} {:>20} {refusal}: {}", "refused", line.text),
    }
}

fn json(line: &Line<'_>) -> String {
    let (place, id) = (line.first_byte.nanos(), id(line.text));
    match &line.read {
        Ok(sentence) => Row::new(id, line.first_byte, sentence, remark(sentence)).json("sentence"),
        Err(refusal) => {
            let (why, text) = (quoted(&refusal.to_string()), quoted(line.text));
            let (key, id) = (refusal.key(), quoted(id));
            format!(r#"{{"byte":{place},"sentence":{id},"refused":"{key}","remark":{why},"text":{text}}}"#)
        }
    }
}

/// A message about time, as it is printed.
struct Row<'a> {
    place: i64,
    id: &'a str,
    utc: String,
    validity: Validity,
    worth: &'static str,
    /// More about that, in figures.
    detail: String,
}

impl<'a> Row<'a> {
    fn new(id: &'a str, first_byte: Instant<Raw>, sentence: &Sentence, worth: &'static str) -> Self {
        let detail = match sentence.kind {
            Kind::Clock(Some(LeapSeconds::Default(n) | LeapSeconds::Received(n))) => format!(" ({n})"),
            _ => String::new(),
        };
        Self { place: first_byte.nanos(), id, utc: utc(sentence), validity: sentence.validity, worth, detail }
    }

    /// Nothing where the frame is not about time.
    fn of(frame: &Frame) -> Option<Self> {
        let about = |id, worth, detail| {
            let (place, utc) = (frame.first_byte.nanos(), String::new());
            Some(Self { place, id, utc, validity: Validity::Unsaid, worth, detail })
        };
        match &frame.message {
            Message::TimeUtc(time) | Message::Pvt(time) => frame.sentence().map(|sentence| {
                let id = if sentence.kind == Kind::Pvt { "NAV-PVT" } else { "NAV-TIMEUTC" };
                let is_unknown = !time.knows_utc && time.validity != Validity::Invalid;
                let worth = if is_unknown { UTC_UNKNOWN } else { remark(&sentence) };
                Self::new(id, frame.first_byte, &sentence, worth)
            }),
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

    fn plain(&self) -> String {
        let Self { place, id, utc, worth, detail, .. } = self;
        format!("{place:>8} {id:<6} {utc:>20} {worth}{detail}")
    }

    /// `what` is what the receiver sent: a sentence or a frame.
    fn json(&self, what: &str) -> String {
        let validity = match self.validity {
            Validity::Valid => "valid",
            Validity::Invalid => "invalid",
            Validity::Unsaid => "unsaid",
        };
        let (place, id, utc) = (self.place, quoted(self.id), quoted(&self.utc));
        let remark = quoted(&format!("{}{}", self.worth, self.detail));
        format!(r#"{{"byte":{place},"{what}":{id},"utc":{utc},"validity":"{validity}","remark":{remark}}}"#)
    }
}

/// A JSON string of printable ASCII.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        let escape = if matches!(c, '"' | '\\') { "\\" } else { "" };
        // Writing to a string does not fail.
        let _ = write!(quoted, "{escape}{c}");
    }
    quoted + "\""
}
