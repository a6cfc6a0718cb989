//! `gnss2shm replay`: feeds a recording to the engine again and prints its verdicts. The same recording gives the same
//! lines, bit for bit.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::PathBuf;

use super::{ExitCode, Failure};
use crate::core::engine::Engine;
use crate::core::engine::audit::Audit;
use crate::core::event::text::Word;
use crate::core::event::{Event, Leap, Sample, Verdict};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use crate::daemon::log::Rejections;
use crate::daemon::status::snapshot::PhcView;
use crate::recording::{Header, Item, Reader};

/// Feed a recording made by `run --record` to the engine and print the results
///
/// The short name of each reason is explained in TROUBLESHOOTING.md, the format in gnss2shm-recording(5).
///
/// Exit status: 0 if the recording was read to its end; 65 if it is damaged, lacks events, or is not a recording; other
/// codes as in sysexits(3). A recording that ends in the middle of a line, for example because its writer was killed,
/// does not count as damaged.
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Recording made by `gnss2shm run --record`; - is standard input
    #[arg(value_name = "FILE")]
    file: PathBuf,
    /// Also print every rejected edge, pulse, and sentence
    #[arg(long)]
    verdicts: bool,
    /// Print only the summary
    #[arg(long, conflicts_with = "verdicts")]
    quiet: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let (mut replay, mut reader, mut damaged_line) = (Replay::default(), Reader::default(), None);
    let name = super::name_of(&args.file);
    let wrong = |why: String| Failure::new(ExitCode::Data, why);
    let read = super::read(&args.file, |piece| {
        let taken = reader.push(piece, |item| replay.take(item, args));
        damaged_line = taken.as_ref().err().map(|damage| damage.line);
        super::print(&std::mem::take(&mut replay.text))?;
        taken.map_err(|damage| wrong(format!("{name}: {damage}")))
    });
    // Without a readable recording, there is no summary.
    let mut failed = read.err();
    if let Some(failure) = failed.take_if(|_| damaged_line.is_none() || !reader.has_header()) {
        return Err(failure);
    }
    if !reader.has_header() {
        let why = if reader.breaks_off() { "ends before its header" } else { "has no header" };
        return Err(wrong(format!("{name} {why}: not a recording")));
    }
    replay.summarize();
    if let Some(line) = damaged_line {
        let _ = writeln!(replay.text, "the recording is damaged: line {line} and all later ones are not included");
    } else if reader.breaks_off() {
        replay.text += "the recording ends in the middle of a line\n";
    }
    super::print(&replay.text)?;
    if replay.lost > 0 {
        failed.get_or_insert_with(|| wrong(format!("{name}: {} events are missing", replay.lost)));
    }
    failed.map_or(Ok(()), Err)
}

/// What was replayed so far, and the text still to be printed.
#[derive(Default)]
struct Replay {
    run: Option<Run>,
    text: String,
    events: BTreeMap<&'static str, u64>,
    in_state: BTreeMap<&'static str, Span>,
    samples: u64,
    labels: Option<(UtcSecond, UtcSecond)>,
    rejections: Rejections,
    audit: Option<Audit>,
    lost: i64,
}

/// The running engine, since a header that does not continue another.
struct Run {
    header: Header,
    engine: Engine,
    /// First and last event.
    times: Option<(Instant<Raw>, Instant<Raw>)>,
}

impl Replay {
    fn take(&mut self, item: Item, args: &Args) {
        let note = match (item, &mut self.run) {
            (Item::Event(event), _) => return self.event(&event, args),
            (Item::Header(header), Some(run)) if header.continues(&run.header) => return run.header = header,
            (Item::Header(header), _) => {
                let note = header.to_string();
                self.run = Some(Run { engine: Engine::new(header.config), header, times: None });
                note
            }
            (Item::Lost(events), _) => {
                self.lost = self.lost.saturating_add(events);
                format!("{events} events are missing here")
            }
        };
        if !args.quiet {
            self.text += &(note + "\n");
        }
    }

    fn event(&mut self, event: &Event, args: &Args) {
        // The reader asks for a header first.
        let Some(run) = &mut self.run else { return };
        let (at, keyword) = event.head();
        let (first, last) = run.times.get_or_insert((at, at));
        let before = self.in_state.entry(run.engine.state().name()).or_default();
        *before = *before + (at - *last);
        *last = at;
        *self.events.entry(keyword).or_default() += 1;
        let verdicts = run.engine.handle(event);
        self.in_state.entry(run.engine.state().name()).or_default();
        self.audit = run.engine.phc_audit().or(self.audit);
        for verdict in verdicts {
            self.rejections.count(&verdict);
            let line = match verdict {
                Verdict::Sample(sample) => {
                    self.samples += 1;
                    self.labels = Some((self.labels.map_or(sample.label, |(first, _)| first), sample.label));
                    line(&sample)
                }
                Verdict::Rejected(_) if !args.verdicts => continue,
                Verdict::Rejected(reason) => format!("rejected {}: {reason}", reason.key()),
                Verdict::StateChanged { from, to } => {
                    let reason = to.reason().map_or_else(String::new, |reason| format!(": {reason}"));
                    format!("state {from} -> {to}{reason}")
                }
                Verdict::Relabeled { seconds } => format!("relabeled {seconds:+} s"),
                Verdict::Contradiction(contradiction) => format!("contradiction: {contradiction}"),
                Verdict::RolledOver { weeks } => format!("rolled-over {weeks:+} weeks"),
                Verdict::WitnessOverruled { offset } => format!("witness-overruled offset {offset}"),
            };
            if !args.quiet {
                let micros = (at - *first).nanos() / 1_000;
                let (seconds, micros) = (micros / 1_000_000, (micros % 1_000_000).abs());
                let _ = writeln!(self.text, "{seconds:>8}.{micros:06} {line}");
            }
        }
    }

    fn summarize(&mut self) {
        let kinds: Vec<_> = self.events.iter().map(|(keyword, n)| format!("{n} {keyword}")).collect();
        let states: Vec<_> = self.in_state.iter().map(|(state, time)| format!("{state} {time}")).collect();
        let (events, time) =
            (self.events.values().sum::<u64>(), self.in_state.values().fold(Span::ZERO, |sum, &time| sum + time));
        let told = if events == 0 { String::new() } else { format!(" in {time} ({})", kinds.join(", ")) };
        let labels = self.labels.map_or_else(String::new, |(first, last)| format!(", from {first} to {last}"));
        let _ = write!(self.text, "events {events}{told}\nsamples {}{labels}\n{}", self.samples, self.rejections);
        if !states.is_empty() {
            let _ = writeln!(self.text, "states {}", states.join(", "));
        }
        if let Some(audit) = &self.audit {
            let _ = writeln!(self.text, "phc {}", PhcView::from(audit));
        }
        if self.lost > 0 {
            let doubt = "events are missing in the recording: from there on, the result may differ from what happened";
            let _ = writeln!(self.text, "{} {doubt}", self.lost);
        }
    }
}

fn line(sample: &Sample) -> String {
    let (label, at, offset, error) = (sample.label, sample.at.nanos(), sample.offset().nanos(), sample.error.nanos());
    let leap = if sample.leap == Leap::None { String::new() } else { format!(" leap {}", sample.leap.word()) };
    format!("sample {label} at {at} offset {offset:+} ns error {error} ns{leap}")
}
