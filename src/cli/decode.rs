//! `gnss2shm decode`: the time in a receiver's raw bytes, message by message: the time that each names, whether the
//! message marks it valid, or why it is refused.

mod row;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::{ExitCode, Failure};
use crate::core::event::Bytes;
use crate::core::foreign::Foreign;
use crate::core::nmea::{Found, Framer, LineCounts};
use crate::core::printable::printable_lines;
use crate::core::time::{Instant, Span};
use crate::recording::Reader;
use row::{Row, VALID};

/// Kinds of lines in the summary.
const ABOUT_TIME: &str = "about time";
const REFUSED: &str = "refused";

/// For each sentence in a receiver's raw output, print the time it names or why the sentence is refused
///
/// Each sentence is judged by itself. `gnss2shm run` also requires a plausible date, agreement over several seconds, and
/// no other sentence for the same second that reports a missing fix. Dates that it refuses are marked.
///
/// With --json, the keys of each object are file, byte, kind, message, utc, validity, `date_refused`, refused, remark,
/// and text; those that do not apply are null.
///
/// A summary of each file follows on standard error: bytes, lines with a correct checksum, lines refused, and counts by
/// kind.
///
/// Exit status: 0 if each file has a sentence with a valid time; 1 if at least one has none; 65 if at least one is a
/// recording; 66 if at least one cannot be read (the rest are still decoded); other codes as in sysexits(3).
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Raw bytes from a receiver; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut failed: Vec<Failure> = Vec::new();
    for (nth, path) in args.files.iter().enumerate() {
        if args.files.len() > 1 {
            let (gap, name) = (if nth > 0 { "\n" } else { "" }, super::name_of(path));
            if !args.json {
                super::print(&format!("{gap}==> {name} <==\n"))?;
            }
            note(&format!("{name}:\n"));
        }
        match decode(path, args.json) {
            Err(failure) if matches!(failure.code, ExitCode::OutputClosed | ExitCode::Os) => return Err(failure),
            decoded => failed.extend(decoded.err()),
        }
    }
    let all: Vec<_> = failed.iter().map(|failure| failure.message.as_str()).collect();
    let worst = failed.iter().map(|failure| failure.code).max_by_key(|code| *code as u8);
    worst.map_or(Ok(()), |code| Err(Failure::new(code, all.join("; "))))
}

fn decode(path: &Path, json: bool) -> Result<(), Failure> {
    let (name, mut framer) = (super::name_of(path), Framer::default());
    let file = (path != Path::new("-")).then(|| name.clone());
    let mut printer = Printer { file, json, ..Printer::default() };
    // A recording splits sentences into pieces, so it is refused as soon as its header is read.
    let (mut recording, mut taken) = (Reader::default(), 0);
    super::read(path, |piece| {
        let _ = recording.push(piece, |_| {}); // of other input, it reads the first line only
        if recording.is_recording() {
            return Err(Failure::new(ExitCode::Data, format!("{name} is a recording: use gnss2shm replay")));
        }
        for data in piece.split_inclusive(|byte| *byte == b'\n') {
            // On this clock, a byte takes one nanosecond: the time of a line's first byte is its offset in the file.
            taken += data.len() as i64;
            let (read_at, byte_time) = (Instant::from_nanos(taken), Span::from_nanos(1));
            framer.push_all(&Bytes { read_at, byte_time, data: data.into() }, |found| printer.take(&found));
        }
        super::print(&std::mem::take(&mut printer.text)) // a receiver's lines are shown as they arrive
    })?;
    framer.finish(|found| printer.take(&found));
    super::print(&printer.text)?;
    note(&printer.summary(framer.counts()));
    let none = || Failure::new(ExitCode::No, format!("{name} contains no sentence with a valid time"));
    printer.counts.get(&(ABOUT_TIME, VALID)).map(|_| ()).ok_or_else(none)
}

/// To standard error; failures are ignored, because it may be closed.
fn note(text: &str) {
    let _ = io::stderr().write_all(printable_lines(text).as_bytes());
}

/// Formats findings as text and counts them.
#[derive(Default)]
struct Printer {
    file: Option<String>,
    json: bool,
    /// The text to print.
    text: String,
    /// Counts of messages about time by remark, and of lines by the reason why they are refused.
    counts: BTreeMap<(&'static str, &'static str), u64>,
}

impl Printer {
    fn take(&mut self, found: &Found<'_>) {
        let row = match found {
            Found::Line(line) => {
                if let Err(refusal) = &line.read {
                    *self.counts.entry((REFUSED, refusal.key())).or_default() += 1;
                }
                Row::of_line(line)
            }
            Found::Frame(frame, _) => Row::of_frame(frame),
        };
        let Some(mut row) = row else { return };
        row.file = self.file.as_deref();
        if let Some(worth) = row.worth {
            *self.counts.entry((ABOUT_TIME, worth)).or_default() += 1;
        }
        self.text += &if self.json { serde_json::to_string(&row).unwrap_or_default() + "\n" } else { row.plain() };
    }

    fn summary(&self, lines: LineCounts) -> String {
        let (bytes, sentences, refused) = (lines.bytes, lines.sentences, lines.damaged() + lines.malformed);
        let mut text = format!("{bytes} bytes, {sentences} lines with a correct checksum, {refused} refused\n");
        for ((kind, what), times) in &self.counts {
            let _ = writeln!(text, "  {kind} {times} x {what}");
        }
        for foreign in Foreign::ALL.into_iter().filter(|&it| it != Foreign::Damaged && lines.of(it) > 0) {
            let _ = writeln!(text, "{} {}", lines.of(foreign), foreign.name());
        }
        text
    }
}
