//! `gnss2shm decode`: what a receiver says of time, message by message, from its bytes as they came: which time each
//! names, whether it vouches for it, or why it is refused; at the end, what `run` would say of the receiver.

mod counts;
mod row;
mod verdict;

use std::io::{self, BufWriter, StdoutLock, Write};

use super::{ExitCode, Failure, Input};
use crate::core::event::Bytes;
use crate::core::nmea::{Found, Framer};
use crate::core::printable::{Printable, printable};
use crate::core::time::{Instant, Span};
use crate::recording;
use counts::Counts;
use row::Row;
use verdict::Hearing;

/// What --help says below the options.
const HELP: &str = "\
Each sentence is judged by itself. `gnss2shm run` asks for more: a date that is possible, no sentence of the same
second without a fix, and several seconds that agree. Dates that it refuses are marked. The last line says what it
would lack, with its default settings, if this were all that the receiver sent.

The keys of each JSON object are file, byte, kind, message, utc, validity, date_refused, refused, remark and text; what
does not apply is null.";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Bytes of a receiver as they came; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<Input>,
    /// Print one JSON object a line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut out = BufWriter::new(super::stdout());
    let mut empty = Vec::new();
    for (nth, input) in args.files.iter().enumerate() {
        if args.files.len() > 1 {
            let gap = if nth > 0 { "\n" } else { "" };
            if !args.json {
                super::written(writeln!(out, "{gap}==> {input} <=="))?;
            }
            // The counts are a courtesy: where standard error is closed, they are not.
            let _ = writeln!(io::stderr(), "{}:", printable(&input.to_string()));
        }
        if decode(args, input, &mut out)?.valid == 0 {
            empty.push(input.to_string());
        }
    }
    match empty.as_slice() {
        [] => Ok(()),
        [one] => Err(Failure::new(ExitCode::No, format!("{one} holds no sentence with a valid time"))),
        several => {
            Err(Failure::new(ExitCode::No, format!("{} hold no sentence with a valid time", several.join(", "))))
        }
    }
}

fn decode(args: &Args, input: &Input, out: &mut BufWriter<Printable<StdoutLock<'_>>>) -> Result<Counts, Failure> {
    let name = (!input.is_stdin()).then(|| input.to_string());
    let (mut framer, mut hearing, mut first_line) = (Framer::default(), Hearing::new(), FirstLine::default());
    let mut printer = Printer { file: name.as_deref(), json: args.json, ..Printer::default() };
    let mut taken: usize = 0;
    input.read(|piece| {
        if first_line.is_recordings(piece) {
            let sentence = format!("{input}: this is a recording: use gnss2shm replay");
            return Err(Failure::new(ExitCode::Data, sentence));
        }
        let before = taken;
        taken += piece.len();
        // On this clock a byte takes a nanosecond: a line's first byte is dated by its place in the file.
        let (read_at, byte_time) = (Instant::from_nanos(taken as i64), Span::from_nanos(1));
        framer.push_all(&Bytes { read_at, byte_time, data: piece.into() }, |found| printer.take(&found));
        let seconds: Vec<usize> = printer.seconds.drain(..).map(|at| at.saturating_sub(before)).collect();
        hearing.take(piece, &seconds);
        // A receiver's lines are wanted as they come.
        super::written(out.write_all(&printer.text).and_then(|()| out.flush()))?;
        printer.text.clear();
        Ok(())
    })?;
    framer.finish(|found| printer.take(&found));
    super::written(out.write_all(&printer.text).and_then(|()| out.flush()))?;
    let mut stderr = Printable(io::stderr().lock());
    let _ = printer.counts.summary(framer.counts(), &mut stderr);
    let _ = match hearing.lacks() {
        Some(reason) => writeln!(stderr, "gnss2shm run would say: {reason}"),
        None => writeln!(stderr, "gnss2shm run would take the second from this"),
    };
    Ok(printer.counts)
}

/// Makes text of what is found, and counts it.
#[derive(Default)]
struct Printer<'a> {
    file: Option<&'a str>,
    json: bool,
    counts: Counts,
    /// What is to be printed.
    text: Vec<u8>,
    /// The last second named, and where messages began that named another one.
    second: Option<String>,
    seconds: Vec<usize>,
}

impl Printer<'_> {
    fn take(&mut self, found: &Found<'_>) {
        let (row, first_byte) = match found {
            Found::Line(line) => {
                if let Err(refusal) = &line.read {
                    self.counts.refuse(refusal.key());
                }
                (Row::of_line(self.file, line), line.first_byte)
            }
            Found::Frame(frame, _) => (Row::of_frame(self.file, frame), frame.first_byte),
        };
        let Some(row) = row else { return };
        if let Some(worth) = row.worth {
            self.counts.add(worth);
        }
        if row.second().is_some() && row.second() != self.second.as_deref() {
            self.second = row.second().map(str::to_owned);
            self.seconds.push(usize::try_from(first_byte.nanos()).unwrap_or_default());
        }
        let text = if self.json { serde_json::to_string(&row).unwrap_or_default() } else { row.plain() };
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(b'\n');
    }
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
