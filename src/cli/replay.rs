//! `gnss2shm replay`: gives a recording to the engine again and prints what comes of it. The same recording gives the
//! same lines, bit for bit.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, BufWriter, Write};

use super::{ExitCode, Failure, Input};
use crate::core::engine::Engine;
use crate::core::event::text::Word;
use crate::core::event::{Event, Leap, Reason, Sample, Verdict};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use crate::recording::{Header, Item, Reader};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// A recording of `gnss2shm run --record`; - is standard input
    #[arg(value_name = "FILE")]
    file: Input,
    /// Print every rejected edge, pulse and sentence too
    #[arg(long)]
    verdicts: bool,
    /// Print the summary alone
    #[arg(long, conflicts_with = "verdicts")]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let mut replay = Replay::new(args, BufWriter::new(super::stdout()));
    let mut reader = Reader::default();
    let mut damage = None;
    let wrong = |sentence| Err(Failure::new(ExitCode::Data, sentence));
    let read = args.file.read(|piece| {
        damage = reader.push(piece, |item| replay.take(item)).err();
        damage.as_ref().map_or_else(|| replay.flush(), |damage| wrong(format!("{}: {damage}", args.file)))
    });
    if damage.is_none() {
        read?;
    }
    match (damage, reader.has_header(), reader.breaks_off()) {
        // What is not a recording has no summary.
        (Some(damage), false, _) => wrong(format!("{}: {damage}", args.file)),
        (None, false, true) => wrong(format!("{} breaks off before its header: no recording", args.file)),
        (None, false, false) => wrong(format!("{} has no header: no recording", args.file)),
        (Some(damage), true, _) => {
            replay.finish(End::Damaged(damage.line))?;
            wrong(format!("{}: {damage}", args.file))
        }
        (None, true, true) => replay.finish(End::BreaksOff),
        (None, true, false) => replay.finish(End::Whole),
    }
}

/// How the recording ends.
#[derive(Clone, Copy)]
enum End {
    /// With a line's end.
    Whole,
    /// Within a line, as where the writer was killed.
    BreaksOff,
    /// The line of that number cannot be read.
    Damaged(u64),
}

/// The engine, and what is said about it.
struct Replay<'a, W> {
    args: &'a Args,
    out: W,
    /// Where nobody reads any more, nothing more is to be done.
    written: io::Result<()>,
    run: Option<Run>,
    total: Total,
}

/// An engine at work, from a header that does not continue another.
struct Run {
    header: Header,
    engine: Engine,
    /// First and last event.
    times: Option<(Instant<Raw>, Instant<Raw>)>,
    state_since: Option<Instant<Raw>>,
}

/// What came of all runs.
#[derive(Default)]
struct Total {
    events: BTreeMap<&'static str, u64>,
    time: Span,
    in_state: BTreeMap<String, Span>,
    samples: u64,
    labels: Option<(UtcSecond, UtcSecond)>,
    rejected: BTreeMap<&'static str, u64>,
    lost: i64,
}

impl<'a, W: Write> Replay<'a, W> {
    fn new(args: &'a Args, out: W) -> Self {
        Self { args, out, written: Ok(()), run: None, total: Total::default() }
    }

    fn take(&mut self, item: Item) {
        match (item, &mut self.run) {
            (Item::Header(header), Some(run)) if header.continues(&run.header) => run.header = header,
            (Item::Header(header), _) => {
                self.end_run();
                self.say_unless_quiet(&header);
                let engine = Engine::new(header.config);
                self.run = Some(Run { header, engine, times: None, state_since: None });
            }
            (Item::Event(event), Some(_)) => self.event(&event),
            // The reader asks for a header first.
            (Item::Event(_), None) => {}
            (Item::Lost(events), _) => {
                self.total.lost = self.total.lost.saturating_add(events);
                self.say_unless_quiet(&format_args!("{events} events are missing here"));
            }
        }
    }

    fn event(&mut self, event: &Event) {
        let Some(run) = &mut self.run else { return };
        let (at, keyword) = event.head();
        let first = run.times.map_or(at, |(first, _)| first);
        run.times = Some((first, at));
        let since = *run.state_since.get_or_insert(at);
        *self.total.events.entry(keyword).or_default() += 1;
        for verdict in run.engine.handle(event) {
            self.total.count(&verdict, at - since);
            if let Verdict::StateChanged { .. } = verdict {
                run.state_since = Some(at);
            }
            let is_shown = match verdict {
                Verdict::Rejected(_) => self.args.verdicts,
                _ => !self.args.quiet,
            };
            if is_shown && self.written.is_ok() {
                let micros = (at - first).nanos() / 1_000;
                let (seconds, micros) = (micros / 1_000_000, (micros % 1_000_000).abs());
                self.written = writeln!(self.out, "{seconds:>8}.{micros:06} {}", Told(&verdict));
            }
        }
    }

    fn end_run(&mut self) {
        let Some(Run { engine, times: Some((first, last)), state_since, .. }) = self.run.take() else { return };
        self.total.time = self.total.time + (last - first);
        let since = state_since.unwrap_or(first);
        self.total.stayed(engine.state().to_string(), last - since);
    }

    fn say_unless_quiet(&mut self, line: &dyn fmt::Display) {
        if !self.args.quiet && self.written.is_ok() {
            self.written = writeln!(self.out, "{line}");
        }
    }

    fn flush(&mut self) -> Result<(), Failure> {
        let written = std::mem::replace(&mut self.written, Ok(()));
        super::written(written.and_then(|()| self.out.flush()))
    }

    fn finish(mut self, end: End) -> Result<(), Failure> {
        self.end_run();
        let summary = |()| self.total.write(&mut self.out, end).and_then(|()| self.out.flush());
        super::written(self.written.and_then(summary))
    }
}

impl Total {
    fn count(&mut self, verdict: &Verdict, in_state: Span) {
        match verdict {
            Verdict::Sample(sample) => {
                self.samples += 1;
                self.labels = Some((self.labels.map_or(sample.label, |(first, _)| first), sample.label));
            }
            Verdict::Rejected(reason) => *self.rejected.entry(reason.key()).or_default() += 1,
            Verdict::StateChanged { from, .. } => self.stayed(from.to_string(), in_state),
            Verdict::Relabeled { .. }
            | Verdict::Contradiction(_)
            | Verdict::RolledOver { .. }
            | Verdict::WitnessOverruled { .. } => {}
        }
    }

    fn stayed(&mut self, state: String, time: Span) {
        let total = self.in_state.entry(state).or_default();
        *total = *total + time;
    }

    fn write(&self, out: &mut impl Write, end: End) -> io::Result<()> {
        let kinds: Vec<_> = self.events.iter().map(|(keyword, n)| format!("{n} {keyword}")).collect();
        match self.events.values().sum() {
            0_u64 => writeln!(out, "events 0")?,
            events => writeln!(out, "events {events} in {} ({})", self.time, kinds.join(", "))?,
        }
        match self.labels {
            Some((first, last)) => writeln!(out, "samples {}, from {first} to {last}", self.samples)?,
            None => writeln!(out, "samples 0")?,
        }
        for (key, times) in &self.rejected {
            let sentence = Reason::ALL.iter().find(|r| r.key() == *key).map_or("", |r| r.sentence());
            writeln!(out, "rejected {times} x {key}: {sentence}")?;
        }
        let states: Vec<_> = self.in_state.iter().map(|(state, time)| format!("{state} {time}")).collect();
        if !states.is_empty() {
            writeln!(out, "states {}", states.join(", "))?;
        }
        if self.lost > 0 {
            writeln!(
                out,
                "{} events are missing in the recording: from there on this may not be what happened",
                self.lost
            )?;
        }
        match end {
            End::Whole => Ok(()),
            End::BreaksOff => writeln!(out, "the recording ends in the middle of a line"),
            End::Damaged(line) => {
                writeln!(out, "the recording is damaged: line {line} and all after it are not in this")
            }
        }
    }
}

/// A verdict on one line.
struct Told<'a>(&'a Verdict);

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Verdict::Sample(sample) => tell_sample(f, sample),
            Verdict::Rejected(reason) => write!(f, "rejected {}: {reason}", reason.key()),
            Verdict::Relabeled { seconds } => write!(f, "relabeled {seconds:+} s"),
            Verdict::Contradiction(contradiction) => write!(f, "contradiction: {contradiction}"),
            Verdict::RolledOver { weeks } => write!(f, "rolled-over {weeks:+} weeks"),
            Verdict::WitnessOverruled { offset } => write!(f, "witness-overruled offset {offset}"),
            Verdict::StateChanged { from, to } => {
                write!(f, "state {from} -> {to}")?;
                to.reason().map_or(Ok(()), |reason| write!(f, ": {reason}"))
            }
        }
    }
}

fn tell_sample(f: &mut fmt::Formatter<'_>, sample: &Sample) -> fmt::Result {
    let (offset, error) = (sample.offset().nanos(), sample.error.nanos());
    write!(f, "sample {} at {} offset {offset:+} ns error {error} ns", sample.label, sample.at.nanos())?;
    match sample.leap {
        Leap::None => Ok(()),
        Leap::Insert | Leap::Delete => write!(f, " leap {}", sample.leap.word()),
    }
}
