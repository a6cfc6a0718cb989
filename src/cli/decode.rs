//! `gnss2shm decode`: what a receiver's raw bytes say about time, message by message: the time that each names, whether
//! the message calls it valid, or why it is refused; at the end, what `run` would say of the receiver.

mod row;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use super::{ExitCode, Failure};
use crate::core::engine::{Config, Engine};
use crate::core::event::{Bytes, Event, Reason, SourceChange};
use crate::core::foreign::Foreign;
use crate::core::nmea::{Found, Framer, LineCounts};
use crate::core::printable::Printable;
use crate::core::time::{Instant, NANOS, Raw, Span};
use crate::recording::Reader;
use row::{Row, VALID};

/// Kinds of lines in the summary.
const ABOUT_TIME: &str = "about time";
const REFUSED: &str = "refused";

/// The engine needs some seconds to say that something is missing.
const JUDGED_AFTER: Instant<Raw> = Instant::from_nanos(6 * NANOS);
/// Bytes of a short capture that are kept, to be heard again.
const KEPT: usize = 64 * 1_024;

/// Print the time that each sentence in a receiver's raw bytes names, or why it is refused
///
/// Each sentence is judged by itself. `gnss2shm run` asks for more: a date that is possible, no sentence of the same
/// second without a fix, and several seconds that agree. Dates that it refuses are marked.
///
/// The keys of each JSON object are file, byte, kind, message, utc, validity, `date_refused`, refused, remark and text; those
/// that do not apply are null.
///
/// A summary of each file follows on standard error: bytes, lines with a right checksum and lines refused, counts of what
/// was found, and in its last line what `gnss2shm run` would lack, with its default settings, if this were all that the
/// receiver sent.
///
/// Exit status: 0 each file has a sentence with a valid time, 1 at least one has none, 65 at least one is a recording,
/// 66 at least one cannot be read; others as in sysexits(3). The other files are decoded all the same.
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Raw bytes of a receiver; - is standard input
    #[arg(value_name = "FILE", default_value = "-")]
    files: Vec<PathBuf>,
    /// Print one JSON object a line
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
            // The summary is a courtesy: standard error may be closed.
            let _ = writeln!(Printable(io::stderr()), "{name}:");
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
    let (name, mut framer, mut hearing) = (super::name_of(path), Framer::default(), Hearing::new());
    let file = (path != Path::new("-")).then(|| name.clone());
    let mut printer = Printer { file, json, ..Printer::default() };
    // Sentences in a recording are cut into pieces: it is refused as soon as it has a header.
    let (mut recording, mut taken) = (Reader::default(), 0);
    super::read(path, |piece| {
        let _ = recording.push(piece, |_| {}); // of other input, it reads the first line only
        if recording.is_recording() {
            return Err(Failure::new(ExitCode::Data, format!("{name}: this is a recording: use gnss2shm replay")));
        }
        for data in piece.split_inclusive(|byte| *byte == b'\n') {
            // On this clock a byte takes a nanosecond: a line's first byte is dated by its place in the file.
            taken += data.len() as i64;
            let (read_at, byte_time) = (Instant::from_nanos(taken), Span::from_nanos(1));
            framer.push_all(&Bytes { read_at, byte_time, data: data.into() }, |found| printer.take(&found));
            hearing.take(data, std::mem::take(&mut printer.is_new_second));
        }
        super::print(&std::mem::take(&mut printer.text)) // a receiver's lines are shown as they arrive
    })?;
    framer.finish(|found| printer.take(&found));
    super::print(&printer.text)?;
    let _ = printer.summary(framer.counts(), hearing);
    let none = || Failure::new(ExitCode::No, format!("{name} holds no sentence with a valid time"));
    printer.counts.get(&(ABOUT_TIME, VALID)).map(|_| ()).ok_or_else(none)
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
    /// The last second named, and whether it is a new one.
    second: Option<String>,
    is_new_second: bool,
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
        if row.second().is_some() && row.second() != self.second.as_deref() {
            (self.second, self.is_new_second) = (row.second().map(str::to_owned), true);
        }
        self.text += &if self.json { serde_json::to_string(&row).unwrap_or_default() + "\n" } else { row.plain() };
    }

    fn summary(&self, lines: LineCounts, hearing: Hearing) -> io::Result<()> {
        let mut out = Printable(io::stderr().lock());
        let refused = lines.damaged() + lines.malformed;
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

/// What `run` would say of a receiver that sent nothing but the capture: the engine itself is asked, with the default
/// settings and without a pulse. A capture has no clock: each newly named second is one second later. A capture too short
/// to be judged is heard again every second.
struct Hearing {
    engine: Engine,
    now: Instant<Raw>,
    kept: Vec<u8>,
}

impl Hearing {
    fn new() -> Self {
        let (mut engine, now) = (Engine::new(Config::default()), Instant::from_nanos(0));
        // While there is no pulse, the reason is about the receiver.
        for change in [SourceChange::SentencesOpen, SourceChange::PulseLost] {
            engine.handle(&Event::Source { raw: now, change });
        }
        Self { engine, now, kept: Vec::new() }
    }

    fn take(&mut self, data: &[u8], is_new_second: bool) {
        if is_new_second {
            self.now = self.now + Span::SECOND;
        }
        if self.now < JUDGED_AFTER {
            self.kept.extend(data.iter().take(KEPT - self.kept.len()));
        }
        self.hear(data);
    }

    fn hear(&mut self, data: &[u8]) {
        self.engine.handle(&Event::Bytes(Bytes { read_at: self.now, byte_time: Span::ZERO, data: data.into() }));
    }

    /// At the end of the capture: what `run` would lack; `None` if it would use the second.
    fn lacks(mut self) -> Option<Reason> {
        // The last line may have no end.
        self.take(b"\r\n", false);
        let kept = std::mem::take(&mut self.kept);
        while self.now < JUDGED_AFTER {
            self.now = self.now + Span::SECOND;
            self.engine.handle(&Event::Tick { raw: self.now });
            if kept.len() > 2 {
                self.hear(&kept);
            }
        }
        self.engine.state().reason().filter(|reason| *reason != Reason::PhcLost)
    }
}
