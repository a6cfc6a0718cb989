//! How things stand, for people and machines: gathered from events and verdicts on a [`Board`], shown by [`server`] and
//! [`metrics`]. Nothing goes back from here.

pub mod gate;
pub mod metrics;
pub mod server;
pub mod snapshot;

use std::collections::BTreeMap;
use std::time::Duration;

use crate::core::engine::Engine;
use crate::core::engine::edges::OnTime;
use crate::core::event::{Contradiction, Event, Leap, Reason, Sample, SourceChange, State, Verdict};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use crate::sys::clock::{raw_now, raw_sys_pair};
use gate::{Gate, GateConfig};
use snapshot::{GateView, PulseView, ReasonView, ReceiverView, SampleView, Snapshot};

/// Where the unit has each of its instances answer.
pub(crate) const SOCKETS: &str = "/run/gnss2shm";

/// Where no descriptor is left for a client, the next one is looked at after this.
const PAUSE: Duration = Duration::from_millis(100);

/// A source, as it is counted.
#[derive(Clone, Debug, Default)]
struct Source {
    name: String,
    is_open: bool,
    opened: u64,
}

impl Source {
    fn new(name: String) -> Self {
        Self { name, ..Self::default() }
    }

    fn change(&mut self, is_open: bool) {
        self.is_open = is_open;
        self.opened += u64::from(is_open);
    }
}

/// What is known of a run so far.
#[derive(Clone, Debug)]
pub struct Board {
    state: State,
    since: Instant<Raw>,
    contradiction: Option<Contradiction>,
    besides: Vec<Reason>,
    gate: Gate,
    receiver: Source,
    pulse: Source,
    rearmed: u64,
    edges: u64,
    last_byte: Option<Instant<Raw>>,
    last_edge: Option<Instant<Raw>>,
    cross_window: Option<Span>,
    sample: Option<(Sample, Instant<Raw>)>,
    samples: u64,
    rejected: BTreeMap<&'static str, u64>,
    // As the engine stood after the last event.
    last_time: Option<Instant<Raw>>,
    delay: Option<Span>,
    on_time: Option<OnTime>,
    lines: crate::core::nmea::LineCounts,
}

impl Board {
    /// A board for a run with these sources, by name.
    pub fn new(engine: &Engine, receiver: String, pulse: String, gate: GateConfig) -> Self {
        let now = raw_now();
        Self {
            state: engine.state(),
            since: now,
            contradiction: None,
            besides: Vec::new(),
            gate: Gate::new(gate, now),
            receiver: Source::new(receiver),
            pulse: Source::new(pulse),
            rearmed: 0,
            edges: 0,
            last_byte: None,
            last_edge: None,
            cross_window: None,
            sample: None,
            samples: 0,
            rejected: BTreeMap::new(),
            last_time: None,
            delay: None,
            on_time: None,
            lines: engine.line_counts(),
        }
    }

    /// Takes an event and what came of it. Says whether the state is another one now.
    pub fn update(&mut self, engine: &Engine, event: &Event, verdicts: &[Verdict]) -> bool {
        self.count(event);
        let before = self.state;
        for verdict in verdicts {
            match verdict {
                Verdict::Sample(sample) => {
                    self.samples += 1;
                    self.sample = Some((*sample, raw_now()));
                    self.gate.sample(raw_now());
                }
                Verdict::Rejected(reason) => *self.rejected.entry(reason.key()).or_default() += 1,
                Verdict::StateChanged { to, .. } => {
                    (self.state, self.since, self.contradiction) = (*to, raw_now(), None);
                }
                Verdict::Contradiction(figures) => self.contradiction = Some(*figures),
                Verdict::Relabeled { .. } | Verdict::RolledOver { .. } | Verdict::WitnessOverruled { .. } => {}
            }
        }
        self.gate.pass(raw_now(), self.state.publishes());
        self.besides = engine.besides();
        self.last_time = engine.last_time();
        self.delay = engine.label().map(|label| label.delay);
        self.on_time = engine.on_time();
        self.lines = engine.line_counts();
        self.state != before
    }

    fn count(&mut self, event: &Event) {
        match event {
            Event::Bytes(bytes) => self.last_byte = Some(bytes.read_at),
            Event::Report(report) => self.last_byte = Some(report.read_at),
            Event::Edge(edge) => {
                self.edges += 1;
                self.last_edge = Some(edge.read_at);
            }
            Event::CrossTs(cross) => self.cross_window = Some(cross.window),
            Event::Source { change, .. } => match change {
                SourceChange::SentencesOpen => self.receiver.change(true),
                SourceChange::SentencesLost(_) => self.receiver.change(false),
                SourceChange::PulseOpen(_) | SourceChange::PpsOpen(_) => self.pulse.change(true),
                SourceChange::PulseLost | SourceChange::PpsLost => self.pulse.change(false),
                SourceChange::PulseRearmed => self.rearmed += 1,
            },
            Event::Witness(_) | Event::LeapTable { .. } | Event::Tick { .. } => {}
        }
    }

    /// The state in the words of other programs.
    pub fn sync(&self) -> &'static str {
        match self.state {
            State::Locked => "LOCKED",
            State::Coasting => "HOLDOVER",
            State::Searching(_) | State::Measuring | State::Pairing | State::Refusing(_) => "FREERUN",
        }
    }

    /// How things stand now.
    pub fn snapshot(&self) -> Snapshot {
        let (now, sys, _) = raw_sys_pair();
        let ms = |span: Span| span.nanos() / 1_000_000;
        let age = |at: Option<Instant<Raw>>| at.map(|at| ms(now - at));
        let (since, _) = (sys - (now - self.since)).parts();
        let reason = self.state.reason();
        Snapshot {
            version: env!("CARGO_PKG_VERSION").into(),
            state: self.state.to_string(),
            sync: self.sync().into(),
            since: UtcSecond::from_posix(since).to_string(),
            for_ms: ms(now - self.since),
            reason: reason.map(|reason| reason.key().into()),
            sentence: reason.map(|reason| reason.sentence().into()),
            contradiction: self.contradiction.map(|figures| figures.to_string()),
            besides: self.besides.iter().copied().map(ReasonView::from).collect(),
            gate: GateView { open: self.gate.is_open(), for_ms: ms(now - self.gate.since()) },
            receiver: ReceiverView {
                source: self.receiver.name.clone(),
                open: self.receiver.is_open,
                opened: self.receiver.opened,
                bytes: self.lines.bytes,
                sentences: self.lines.sentences,
                broken: self.lines.damaged(),
                last_byte_ms: age(self.last_byte),
                last_time_ms: age(self.last_time),
                delay_ns: self.delay.map(Span::nanos),
            },
            pulse: PulseView {
                source: self.pulse.name.clone(),
                open: self.pulse.is_open,
                opened: self.pulse.opened,
                rearmed: self.rearmed,
                edges: self.edges,
                last_edge_ms: age(self.last_edge),
                settled: self.on_time.is_some(),
                width_ns: self.on_time.and_then(|on_time| on_time.width).map(Span::nanos),
                cross_window_ns: self.cross_window.map(Span::nanos),
            },
            sample: self.sample.map(|(sample, at)| SampleView {
                second: sample.label.to_string(),
                offset_ns: sample.offset().nanos(),
                error_ns: sample.error.nanos(),
                leap: match sample.leap {
                    Leap::None => "none",
                    Leap::Insert => "insert",
                    Leap::Delete => "delete",
                }
                .into(),
                age_ms: ms(now - at),
            }),
            samples: self.samples,
            rejected: self.rejected.iter().map(|(reason, times)| ((*reason).to_owned(), *times)).collect(),
        }
    }
}

#[cfg(test)]
mod tests;
