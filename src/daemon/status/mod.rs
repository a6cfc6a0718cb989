//! The status of a run, for people and machines: collected from events and verdicts on a [`Board`], served by
//! [`server`] and [`metrics`]. It does not affect the run.

pub(crate) mod metrics;
pub(crate) mod server;
pub(crate) mod snapshot;

use std::time::Duration;

use crate::core::engine::Engine;
use crate::core::engine::audit::Audit;
use crate::core::event::text::Word;
use crate::core::event::{Event, Reason, SourceChange, State, Verdict};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use crate::sys::clock::{Reading, raw_now};
use snapshot::{GateView, PhcView, ReasonView, SampleView, Snapshot, sync};

/// Directory of the status sockets of the service's instances.
pub(crate) const SOCKETS: &str = "/run/gnss2shm";

/// Delay before the next `accept` after a failure, such as no free descriptor.
const PAUSE: Duration = Duration::from_millis(100);

/// The status of a run so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Board {
    /// Everything that does not depend on the time of the query.
    known: Snapshot,
    state: State,
    since: Instant<Raw>,
    gate: Gate,
    last_byte: Option<Instant<Raw>>,
    last_time: Option<Instant<Raw>>,
    last_edge: Option<Instant<Raw>>,
    last_sample: Option<Instant<Raw>>,
    audit: Option<Audit>,
}

impl Board {
    /// A board for a run with these sources, given by name.
    pub(crate) fn new(engine: &Engine, receiver: String, pulse: String, gate: GateConfig) -> Self {
        let now = raw_now();
        let mut board = Self { gate: Gate::new(gate, now), ..Self::default() };
        board.known.version = env!("CARGO_PKG_VERSION").into();
        (board.known.receiver.source, board.known.pulse.source) = (receiver, pulse);
        board.turn(engine.state(), now);
        board
    }

    /// Takes an event and its verdicts. Returns whether there is news for connected clients: the state has changed, or a
    /// pulse became a sample or was compared with the PHC.
    pub(crate) fn update(&mut self, engine: &Engine, event: &Event, verdicts: &[Verdict]) -> bool {
        let (before, now) = ((self.state, self.last_sample, self.audit), raw_now());
        self.count(event);
        for verdict in verdicts {
            match verdict {
                Verdict::Sample(sample) => {
                    self.known.samples += 1;
                    self.known.sample = Some(SampleView {
                        second: sample.label.to_string(),
                        offset_ns: sample.offset().nanos(),
                        error_ns: sample.error.nanos(),
                        leap: sample.leap.word().into(),
                        age_ms: 0,
                    });
                    self.last_sample = Some(now);
                    self.gate.sample(now);
                }
                Verdict::Rejected(reason) => *self.known.rejected.entry(reason.key().into()).or_default() += 1,
                Verdict::StateChanged { to, .. } => self.turn(*to, now),
                Verdict::Contradiction(figures) => self.known.contradiction = Some(figures.to_string()),
                Verdict::Relabeled { .. } | Verdict::RolledOver { .. } | Verdict::WitnessOverruled { .. } => {}
            }
        }
        self.gate.pass(now, self.state.publishes());
        let (lines, on_time) = (engine.line_counts(), engine.on_time());
        let Snapshot { receiver, pulse, .. } = &mut self.known;
        (receiver.bytes, receiver.sentences, receiver.broken) = (lines.bytes, lines.sentences, lines.damaged());
        receiver.delay_ns = engine.label().map(|label| label.delay.nanos());
        pulse.settled = on_time.is_some();
        pulse.width_ns = on_time.and_then(|on_time| on_time.width).map(Span::nanos);
        receiver.tai_offset_s = engine.tai_offset_of_receiver();
        self.audit = engine.phc_audit();
        self.last_time = engine.last_time();
        let view = |reason: Reason| ReasonView { reason: reason.key().into(), sentence: reason.sentence().into() };
        self.known.besides = engine.besides().into_iter().map(view).collect();
        (self.state, self.last_sample, self.audit) != before
    }

    fn turn(&mut self, to: State, now: Instant<Raw>) {
        (self.state, self.since) = (to, now);
        let reason = to.reason();
        self.known.state = to.name().into();
        self.known.sync = sync(to).into();
        self.known.reason = reason.map(|reason| reason.key().into());
        self.known.sentence = reason.map(|reason| reason.sentence().into());
        self.known.contradiction = None;
    }

    fn count(&mut self, event: &Event) {
        let Snapshot { receiver, pulse, .. } = &mut self.known;
        match event {
            Event::Bytes(bytes) => self.last_byte = Some(bytes.read_at),
            Event::Report(report) => self.last_byte = Some(report.read_at),
            Event::Edge(edge) => {
                pulse.edges += 1;
                self.last_edge = Some(edge.read_at);
            }
            Event::CrossTs(cross) => pulse.cross_window_ns = Some(cross.window.nanos()),
            Event::Source { change, .. } => match change {
                SourceChange::SentencesOpen => (receiver.open, receiver.opened) = (true, receiver.opened + 1),
                SourceChange::SentencesLost(_) => receiver.open = false,
                SourceChange::PulseOpen(_) | SourceChange::PpsOpen(_) => {
                    (pulse.open, pulse.opened) = (true, pulse.opened + 1);
                }
                SourceChange::PulseLost | SourceChange::PpsLost => pulse.open = false,
                SourceChange::PulseRearmed => pulse.rearmed += 1,
            },
            Event::Witness(_) | Event::LeapTable { .. } | Event::Tick { .. } => {}
        }
    }

    /// The status now.
    pub(crate) fn snapshot(&self) -> Snapshot {
        let Reading { raw: now, sys, .. } = Reading::now();
        let age = |since: Instant<Raw>| (now - since).nanos() / 1_000_000;
        let (since, _) = (sys - (now - self.since)).parts();
        let mut shown = self.known.clone();
        shown.since = UtcSecond::from_posix(since).to_string();
        shown.for_ms = age(self.since);
        shown.gate = GateView { open: self.gate.is_open, for_ms: age(self.gate.since) };
        shown.receiver.last_byte_ms = self.last_byte.map(age);
        shown.receiver.last_time_ms = self.last_time.map(age);
        shown.pulse.last_edge_ms = self.last_edge.map(age);
        if let (Some(sample), Some(at)) = (&mut shown.sample, self.last_sample) {
            sample.age_ms = age(at);
        }
        shown.phc = self.audit.map(|audit| PhcView { age_ms: age(audit.raw), ..PhcView::from(&audit) });
        shown
    }
}

/// When the gate opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GateConfig {
    /// Opens after this long with uninterrupted samples.
    pub opens_after: Span,
    /// Closes after this long without a sample.
    pub closes_after: Span,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { opens_after: Span::from_secs(10), closes_after: Span::from_secs(10) }
    }
}

/// A longer gap between two samples is an interruption.
const GAP: Span = Span::from_millis(2_500);

/// Whether programs can rely on the time: like the state, but slower, so that a short loss does not make services that
/// depend on it stop and start.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gate {
    config: GateConfig,
    is_open: bool,
    /// When it opened or closed.
    since: Instant<Raw>,
    /// The first and the last of the uninterrupted samples.
    samples: Option<(Instant<Raw>, Instant<Raw>)>,
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new(config: GateConfig, now: Instant<Raw>) -> Self {
        Self { config, since: now, ..Self::default() }
    }

    /// A sample is published.
    pub(crate) fn sample(&mut self, now: Instant<Raw>) {
        let first = self.samples.filter(|(_, last)| now - *last <= GAP).map_or(now, |(first, _)| first);
        self.samples = Some((first, now));
    }

    /// Time passes, in a state that publishes samples or does not.
    pub(crate) fn pass(&mut self, now: Instant<Raw>, publishes: bool) {
        let Some((first, last)) = self.samples else { return };
        let flows = publishes && now - last <= GAP;
        let turns = if self.is_open {
            !flows && now - last >= self.config.closes_after
        } else {
            flows && now - first >= self.config.opens_after
        };
        if turns {
            (self.is_open, self.since) = (!self.is_open, now);
        }
    }
}

#[cfg(test)]
mod tests;
