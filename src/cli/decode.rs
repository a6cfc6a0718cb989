//! `gnss2shm decode`: what a receiver says, sentence by sentence, from its bytes as they came: which time each names,
//! whether it vouches for it, or why it is refused.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use super::{ExitCode, Failure, Input};
use crate::event::Bytes;
use crate::nmea::{Framer, Line, LineCounts, Sentence, TimeOfDay, Validity};
use crate::time::{Instant, Span};

#[derive(clap::Args, Debug)]
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
    let (mut counts, mut taken, mut written) = (Counts::default(), 0, Ok(()));
    args.file.read(|piece| {
        taken += piece.len() as i64;
        // On this clock a byte takes a nanosecond: a line's first byte is dated by its place in the file.
        let (read_at, byte_time) = (Instant::from_nanos(taken), Span::from_nanos(1));
        framer.push_lines(&Bytes { read_at, byte_time, data: piece.into() }, |line| {
            if counts.take(&line) && written.is_ok() {
                let text = if args.json { json(&line) } else { plain(&line) };
                written = writeln!(out, "{text}");
            }
        });
        written.is_ok()
    })?;
    super::written(written.and_then(|()| out.flush()))?;
    // The counts are a courtesy: where standard error is closed, they are not.
    let _ = counts.summary(framer.counts(), &mut io::stderr().lock());
    if counts.valid == 0 {
        return Err(Failure::new(ExitCode::No, format!("{} holds no sentence with a valid time", args.file)));
    }
    Ok(())
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
            Ok(sentence) if is_about_time => {
                *self.worth.entry(remark(sentence)).or_default() += 1;
                self.valid += u64::from(remark(sentence) == VALID);
            }
            Ok(_) => {}
            Err(refusal) => *self.refused.entry(refusal.key()).or_default() += 1,
        }
        is_about_time
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
        if lines.ubx > 0 {
            writeln!(out, "{} headers of u-blox's binary protocol: its port can be switched to NMEA", lines.ubx)?;
        }
        Ok(())
    }
}

/// Whether the line is, or would have been, one of those that name a time.
fn bears_time(text: &str) -> bool {
    matches!(id(text).get(2..), Some("RMC" | "GGA" | "GNS" | "GLL" | "ZDA"))
}

/// Talker and type: `GNRMC`.
fn id(text: &str) -> &str {
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

fn remark(sentence: &Sentence) -> &'static str {
    match (sentence.validity, sentence.time) {
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
        Ok(sentence) => format!("{place:>8} {id:<6} {:>20} {}", utc(sentence), remark(sentence)),
        Err(refusal) => format!("{place:>8} {id:<6} {:>20} {refusal}: {}", "refused", line.text),
    }
}

fn json(line: &Line<'_>) -> String {
    let (place, id) = (line.first_byte.nanos(), quoted(id(line.text)));
    match &line.read {
        Ok(sentence) => {
            let validity = match sentence.validity {
                Validity::Valid => "valid",
                Validity::Invalid => "invalid",
                Validity::Unsaid => "unsaid",
            };
            let (utc, remark) = (quoted(&utc(sentence)), quoted(remark(sentence)));
            format!(r#"{{"byte":{place},"sentence":{id},"utc":{utc},"validity":"{validity}","remark":{remark}}}"#)
        }
        Err(refusal) => {
            let (why, text) = (quoted(&refusal.to_string()), quoted(line.text));
            let key = refusal.key();
            format!(r#"{{"byte":{place},"sentence":{id},"refused":"{key}","remark":{why},"text":{text}}}"#)
        }
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
