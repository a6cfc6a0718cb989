//! `gnss2shm replay`: feeds a recording to the engine again and prints its verdicts. The same recording gives the same
//! lines, bit for bit.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{ExitCode, Failure, Input, Rejections};
use crate::core::engine::Engine;
use crate::core::event::text::Word;
use crate::core::event::{Event, Leap, Sample, State, Verdict};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use crate::recording::{Header, Item, Reader};

/// Below the options in --help.
const HELP: &str = "\
Exit status: 0 the recording was read to its end; 65 it is damaged, has events missing, or is no recording; others as in
sysexits(3). One that ends in the middle of a line, as if its writer was killed, is not damaged.";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
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
    let (mut replay, mut reader, mut damaged_line) = (Replay::default(), Reader::default(), None);
    let wrong = |why: String| Failure::new(ExitCode::Data, why);
    let read = args.file.read(|piece| {
        let taken = reader.push(piece, |item| replay.take(item, args));
        damaged_line = taken.as_ref().err().map(|damage| damage.line);
        replay.flush()?;
        taken.map_err(|damage| wrong(format!("{}: {damage}", args.file)))
    });
    let read = match read {
        // What is not a recording has no summary.
        Err(failure) if damaged_line.is_none() || !reader.has_header() => return Err(failure),
        read => read,
    };
    if !reader.has_header() {
        let why = if reader.breaks_off() { "breaks off before its header" } else { "has no header" };
        return Err(wrong(format!("{} {why}: no recording", args.file)));
    }
    replay.summarize();
    if let Some(line) = damaged_line {
        let _ = writeln!(replay.text, "the recording is damaged: line {line} and all after it are not in this");
    } else if reader.breaks_off() {
        replay.text += "the recording ends in the middle of a line\n";
    }
    replay.flush()?;
    read?;
    if replay.lost > 0 {
        Err(wrong(format!("{}: {} events are missing in it", args.file, replay.lost)))
    } else {
        Ok(())
    }
}

/// The engine, what it did so far, and the text that is to be printed.
#[derive(Default)]
struct Replay {
    run: Option<Run>,
    text: String,
    events: BTreeMap<&'static str, u64>,
    time: Span,
    in_state: BTreeMap<String, Span>,
    samples: u64,
    labels: Option<(UtcSecond, UtcSecond)>,
    rejections: Rejections,
    lost: i64,
}

/// An engine at work, since a header that does not continue another.
struct Run {
    header: Header,
    engine: Engine,
    /// First and last event, and the last change of state.
    times: Option<[Instant<Raw>; 3]>,
}

impl Replay {
    fn take(&mut self, item: Item, args: &Args) {
        match (item, &mut self.run) {
            (Item::Header(header), Some(run)) if header.continues(&run.header) => run.header = header,
            (Item::Header(header), _) => {
                self.end_run();
                if !args.quiet {
                    let _ = writeln!(self.text, "{header}");
                }
                self.run = Some(Run { engine: Engine::new(header.config), header, times: None });
            }
            (Item::Event(event), _) => self.event(&event, args),
            (Item::Lost(events), _) => {
                self.lost = self.lost.saturating_add(events);
                if !args.quiet {
                    let _ = writeln!(self.text, "{events} events are missing here");
                }
            }
        }
    }

    fn event(&mut self, event: &Event, args: &Args) {
        // The reader asks for a header first.
        let Some(run) = &mut self.run else { return };
        let (at, keyword) = event.head();
        let [first, last, since] = run.times.get_or_insert([at; 3]);
        *last = at;
        *self.events.entry(keyword).or_default() += 1;
        for verdict in run.engine.handle(event) {
            let mut is_shown = !args.quiet;
            let line = match verdict {
                Verdict::Sample(sample) => {
                    self.samples += 1;
                    self.labels = Some((self.labels.map_or(sample.label, |(first, _)| first), sample.label));
                    line(&sample)
                }
                Verdict::Rejected(reason) => {
                    self.rejections.count(reason);
                    is_shown = args.verdicts;
                    format!("rejected {}: {reason}", reason.key())
                }
                Verdict::StateChanged { from, to } => {
                    add(&mut self.in_state, from, at - *since);
                    *since = at;
                    let reason = to.reason().map_or_else(String::new, |reason| format!(": {reason}"));
                    format!("state {from} -> {to}{reason}")
                }
                Verdict::Relabeled { seconds } => format!("relabeled {seconds:+} s"),
                Verdict::Contradiction(contradiction) => format!("contradiction: {contradiction}"),
                Verdict::RolledOver { weeks } => format!("rolled-over {weeks:+} weeks"),
                Verdict::WitnessOverruled { offset } => format!("witness-overruled offset {offset}"),
            };
            if is_shown {
                let micros = (at - *first).nanos() / 1_000;
                let (seconds, micros) = (micros / 1_000_000, (micros % 1_000_000).abs());
                let _ = writeln!(self.text, "{seconds:>8}.{micros:06} {line}");
            }
        }
    }

    fn end_run(&mut self) {
        let Some(Run { engine, times: Some([first, last, since]), .. }) = self.run.take() else { return };
        self.time = self.time + (last - first);
        add(&mut self.in_state, engine.state(), last - since);
    }

    fn flush(&mut self) -> Result<(), Failure> {
        super::written(super::print(&std::mem::take(&mut self.text)))
    }

    fn summarize(&mut self) {
        self.end_run();
        let kinds: Vec<_> = self.events.iter().map(|(keyword, n)| format!("{n} {keyword}")).collect();
        let events: u64 = self.events.values().sum();
        let told = if events == 0 { String::new() } else { format!(" in {} ({})", self.time, kinds.join(", ")) };
        let labels = self.labels.map_or_else(String::new, |(first, last)| format!(", from {first} to {last}"));
        let _ = write!(self.text, "events {events}{told}\nsamples {}{labels}\n{}", self.samples, self.rejections);
        let states: Vec<_> = self.in_state.iter().map(|(state, time)| format!("{state} {time}")).collect();
        if !states.is_empty() {
            let _ = writeln!(self.text, "states {}", states.join(", "));
        }
        if self.lost > 0 {
            let doubt = "events are missing in the recording: from there on this may not be what happened";
            let _ = writeln!(self.text, "{} {doubt}", self.lost);
        }
    }
}

fn add(in_state: &mut BTreeMap<String, Span>, state: State, time: Span) {
    let total = in_state.entry(state.to_string()).or_default();
    *total = *total + time;
}

fn line(sample: &Sample) -> String {
    let (label, at, offset, error) = (sample.label, sample.at.nanos(), sample.offset().nanos(), sample.error.nanos());
    let leap = match sample.leap {
        Leap::None => String::new(),
        Leap::Insert | Leap::Delete => format!(" leap {}", sample.leap.word()),
    };
    format!("sample {label} at {at} offset {offset:+} ns error {error} ns{leap}")
}
