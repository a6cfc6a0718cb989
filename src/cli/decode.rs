//! `gnss2shm decode`: what a receiver's raw bytes say about time, message by message: the time that each names, whether
//! the message calls it valid, or why it is refused; at the end, what `run` would say of the receiver.

mod hearing;
mod row;

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::{ExitCode, Failure, Input};
use crate::core::event::Bytes;
use crate::core::foreign::Foreign;
use crate::core::nmea::{Found, Framer, LineCounts};
use crate::core::printable::Printable;
use crate::core::time::{Instant, Span};
use crate::recording::Reader;
use hearing::Hearing;
use row::{Row, VALID};

/// Below the options in --help.
const HELP: &str = "\
Each sentence is judged by itself. `gnss2shm run` asks for more: a date that is possible, no sentence of the same
second without a fix, and several seconds that agree. Dates that it refuses are marked.

The keys of each JSON object are file, byte, kind, message, utc, validity, date_refused, refused, remark and text; those
that do not apply are null.

A summary of each file follows on standard error: bytes, lines with a right checksum and lines refused, counts of what
was found, and in its last line what `gnss2shm run` would lack, with its default settings, if this were all that the
receiver sent.

Exit status: 0 each file has a sentence with a valid time, 1 at least one has none, 65 at least one is a recording,
66 at least one cannot be read; others as in sysexits(3). The other files are decoded all the same.";

/// Kinds of lines in the summary.
const ABOUT_TIME: &str = "about time";
const REFUSED: &str = "refused";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Raw bytes of a receiver; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<Input>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut failed: Vec<Failure> = Vec::new();
    for (nth, input) in args.files.iter().enumerate() {
        if args.files.len() > 1 {
            let gap = if nth > 0 { "\n" } else { "" };
            if !args.json {
                super::written(super::print(&format!("{gap}==> {input} <==\n")))?;
            }
            // The summary is a courtesy: standard error may be closed.
            let _ = writeln!(Printable(io::stderr()), "{input}:");
        }
        match decode(args, input) {
            Err(failure) if matches!(failure.code, ExitCode::OutputClosed | ExitCode::Os) => return Err(failure),
            decoded => failed.extend(decoded.err()),
        }
    }
    let all: Vec<_> = failed.iter().map(|failure| failure.message.as_str()).collect();
    let worst = failed.iter().map(|failure| failure.code).max_by_key(|code| *code as u8);
    worst.map_or(Ok(()), |code| Err(Failure::new(code, all.join("; "))))
}

fn decode(args: &Args, input: &Input) -> Result<(), Failure> {
    let (mut framer, mut hearing) = (Framer::default(), Hearing::new());
    let file = (!input.is_stdin()).then(|| input.to_string());
    let mut printer = Printer { file, json: args.json, ..Printer::default() };
    // Sentences in a recording are cut into pieces: it is refused as soon as it has a header.
    let mut recording = Some(Reader::default());
    let mut taken: usize = 0;
    input.read(|piece| {
        if let Some(reader) = &mut recording {
            let read = reader.push(piece, |_| {});
            if reader.is_recording() {
                return Err(Failure::new(ExitCode::Data, format!("{input}: this is a recording: use gnss2shm replay")));
            }
            recording = recording.take().filter(|_| read.is_ok());
        }
        let before = taken;
        taken += piece.len();
        // On this clock a byte takes a nanosecond: a line's first byte is dated by its place in the file.
        let (read_at, byte_time) = (Instant::from_nanos(taken as i64), Span::from_nanos(1));
        framer.push_all(&Bytes { read_at, byte_time, data: piece.into() }, |found| printer.take(&found));
        let seconds: Vec<usize> = printer.seconds.drain(..).map(|at| at.saturating_sub(before)).collect();
        hearing.take(piece, &seconds);
        printer.flush()
    })?;
    framer.finish(|found| printer.take(&found));
    printer.flush()?;
    let _ = printer.summary(framer.counts(), hearing);
    if printer.counts.contains_key(&(ABOUT_TIME, VALID)) {
        Ok(())
    } else {
        Err(Failure::new(ExitCode::No, format!("{input} holds no sentence with a valid time")))
    }
}

/// Turns what is found into text, and counts it.
#[derive(Default)]
struct Printer {
    file: Option<String>,
    json: bool,
    /// What is to be printed.
    text: String,
    /// Messages about time by what they are worth, and lines by why they are refused.
    counts: BTreeMap<(&'static str, &'static str), u64>,
    /// The last second named, and where messages began that named another one.
    second: Option<String>,
    seconds: Vec<usize>,
}

impl Printer {
    fn take(&mut self, found: &Found<'_>) {
        let (row, first_byte) = match found {
            Found::Line(line) => {
                if let Err(refusal) = &line.read {
                    *self.counts.entry((REFUSED, refusal.key())).or_default() += 1;
                }
                (Row::of_line(line), line.first_byte)
            }
            Found::Frame(frame, _) => (Row::of_frame(frame), frame.first_byte),
        };
        let Some(mut row) = row else { return };
        row.file = self.file.as_deref();
        if let Some(worth) = row.worth {
            *self.counts.entry((ABOUT_TIME, worth)).or_default() += 1;
        }
        if row.second().is_some() && row.second() != self.second.as_deref() {
            self.second = row.second().map(str::to_owned);
            self.seconds.push(usize::try_from(first_byte.nanos()).unwrap_or_default());
        }
        let text = if self.json { serde_json::to_string(&row).unwrap_or_default() } else { row.plain() };
        self.text += &(text + "\n");
    }

    /// A receiver's lines are shown as they arrive.
    fn flush(&mut self) -> Result<(), Failure> {
        super::written(super::print(&std::mem::take(&mut self.text)))
    }

    fn summary(&self, lines: LineCounts, hearing: Hearing) -> io::Result<()> {
        let mut out = Printable(io::stderr().lock());
        let refused: u64 = self.counts.iter().filter(|((kind, _), _)| *kind == REFUSED).map(|(_, times)| times).sum();
        writeln!(out, "{} bytes, {} lines with a right checksum, {refused} refused", lines.bytes, lines.sentences)?;
        for ((kind, what), times) in &self.counts {
            writeln!(out, "  {kind} {times} x {what}")?;
        }
        for foreign in Foreign::ALL.into_iter().filter(|&it| it != Foreign::Damaged && lines.of(it) > 0) {
            writeln!(out, "{} {}", lines.of(foreign), foreign.name())?;
        }
        match hearing.lacks() {
            Some(reason) => writeln!(out, "gnss2shm run would say: {reason}"),
            None => writeln!(out, "gnss2shm run would take the second from this"),
        }
    }
}
