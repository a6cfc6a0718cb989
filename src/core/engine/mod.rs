//! The pure core: events in, verdicts out. It does no input or output, reads no clock, logs nothing and has no threads;
//! the same events give the same verdicts, bit for bit.
//!
//! The path of an edge: [`clock_map`] converts its timestamp, [`edges`] decides whether it is on time, [`phase`] counts
//! it, `pulses` makes it a sample if label, [`guard`] and settings permit. The path of a sentence: [`epochs`] gathers it
//! with the rest of its burst, [`label`] ties the epoch to a pulse. [`receiver`] knows what is missing of the sentences,
//! [`ublox`] what a u-blox receiver reports besides; `state` decides the state.
//!
//! Verdicts are functions of the last seconds' evidence. Three things are remembered longer: the count of the pulse and
//! what confirmed its label, which are evidence; and whether anything was published, because the system clock follows us
//! from then on.

use std::collections::VecDeque;

pub mod clock_map;
mod config;
pub mod edges;
pub mod epochs;
pub mod guard;
pub mod label;
pub mod phase;
mod pulses;
pub mod receiver;
mod sentences;
mod state;
mod timestamper;
pub mod ublox;

pub use config::{Config, DATE_CEILING, DATE_FLOOR};

use crate::core::event::{Contradiction, Edge, Edges as Grant, Event, Leap, Reason, SourceChange, State, Verdict};
use crate::core::nmea::{Framer, LineCounts};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use clock_map::ClockMap;
use edges::{Edges, OnTime, Pulse};
use epochs::Epochs;
use guard::Guard;
use label::{Label, Labeller};
use phase::Phase;
use receiver::{HEARD_WITHIN, Receiver};
use timestamper::Timestamper;
use ublox::Ublox;

/// How long a pulse must be steady after it moved, or after the receiver had no fix: until the twelfth after it.
/// Receivers realign their pulse up to ten seconds after the fix.
const SETTLE: Span = Span::from_millis(11_500);

/// Why evidence is refused, and the two values that contradict each other.
type Refusal = (Reason, Option<Contradiction>);

/// The engine.
#[derive(Debug, Default)]
pub struct Engine {
    config: Config,
    now: Instant<Raw>,
    // The receiver.
    framer: Framer,
    epochs: Epochs,
    receiver: Receiver,
    ublox: Ublox,
    /// By how many weeks the last date was corrected.
    rolled_over: i64,
    // The pulse.
    timestamper: Timestamper,
    pulse_lost: bool,
    /// When the PHC or the kernel PPS device was opened last.
    pulse_awaited_since: Option<Instant<Raw>>,
    clock_map: ClockMap,
    /// Edges that wait for the next cross timestamp.
    pending: VecDeque<Edge>,
    edges: Edges,
    phase: Phase,
    // Both together.
    labeller: Labeller,
    guard: Guard,
    /// The second of the last pulse that was counted, published or not.
    last_counted: Option<UtcSecond>,
    /// The second of count 0 by the system clock at the last pulse.
    by_system: Option<UtcSecond>,
    /// When the pulse moved last, or the receiver had no fix, until trust is regained.
    doubted: Option<Instant<Raw>>,
    /// Whether there was a sample since pulse and receiver agree.
    has_published: bool,
    /// Since when every pulse was passed over for its own faults, and the fault of the last one.
    passed_over: Option<(Instant<Raw>, Reason)>,
    state: State,
}

impl Engine {
    /// An engine that has seen nothing yet.
    pub fn new(config: Config) -> Self {
        Self {
            config,
            now: Instant::from_nanos(i64::MIN),
            epochs: Epochs::new(config.trust_zda),
            edges: Edges::new(config.width),
            labeller: Labeller::new(config.delay),
            guard: Guard::new(config.witness, config.conventions),
            ..Self::default()
        }
    }

    /// Takes an event and returns what follows from it. Events of one source come in order; sources may overtake each
    /// other.
    pub fn handle(&mut self, event: &Event) -> Vec<Verdict> {
        let mut verdicts = Vec::new();
        self.now = self.now.max(event.head().0);
        self.complete_epoch(&mut verdicts);
        match event {
            Event::Bytes(bytes) => self.on_bytes(bytes, &mut verdicts),
            Event::Report(report) => self.on_report(*report, &mut verdicts),
            Event::Edge(edge) => self.on_edge(*edge, &mut verdicts),
            Event::CrossTs(cross) => self.on_cross_ts(*cross, &mut verdicts),
            Event::Source { change, .. } => self.on_source(*change),
            Event::Witness(witness) => self.guard.witness = Some(*witness),
            Event::LeapTable { next, .. } => self.guard.announced = *next,
            Event::Tick { .. } => {}
        }
        self.drop_worn_label();
        self.regain_trust();
        self.update_state(&mut verdicts);
        verdicts
    }

    /// The state.
    pub fn state(&self) -> State {
        self.state
    }

    /// The on-time edge, if known.
    pub fn on_time(&self) -> Option<OnTime> {
        if let Pulse::Settled(on_time) = self.edges.view(self.now) { Some(on_time) } else { None }
    }

    /// The label and the sentence delay, if agreed.
    pub fn label(&self) -> Option<Label> {
        self.labelling().ok().flatten()
    }

    /// When the receiver named a valid second last.
    pub fn last_time(&self) -> Option<Instant<Raw>> {
        self.receiver.epoch
    }

    /// Counts of the bytes so far.
    pub fn line_counts(&self) -> LineCounts {
        self.framer.counts()
    }

    fn labelling(&self) -> Result<Option<Label>, Refusal> {
        self.labeller.view(self.leap_near())
    }

    /// What was announced for the month's end that the count has come to, or over; without a count, the receiver.
    fn leap_near(&self) -> Leap {
        let named = self.labeller.epochs.back().map(|epoch| epoch.utc);
        self.last_counted.or(named).map_or(Leap::None, |utc| self.guard.leap(utc, 1))
    }

    /// After doubt, pulse and receiver have to be well for a while, both at once.
    fn regain_trust(&mut self) {
        let is_long_ago = |at: Instant<Raw>| self.now - at >= SETTLE;
        if self.doubted.is_some_and(is_long_ago) && self.receiver.valid_since(self.now).is_some_and(is_long_ago) {
            self.doubted = None;
        }
    }

    fn on_source(&mut self, change: SourceChange) {
        match change {
            SourceChange::SentencesOpen => {
                self.framer.reset();
                self.receiver.device(self.now, None);
                self.labeller.chain.is_broken = true; // it may be another receiver
                self.ublox = Ublox::default();
            }
            SourceChange::SentencesLost(lost) => self.receiver.device(self.now, Some(lost)),
            SourceChange::PulseOpen(grant) => self.on_pulse_open(Timestamper::PHC, grant),
            SourceChange::PpsOpen(grant) => self.on_pulse_open(Timestamper::KERNEL_PPS, grant),
            SourceChange::PulseLost => (self.timestamper, self.pulse_lost) = (Timestamper::PHC, true),
            SourceChange::PulseRearmed => {}
            SourceChange::PpsLost => (self.timestamper, self.pulse_lost) = (Timestamper::KERNEL_PPS, true),
        }
    }

    fn on_pulse_open(&mut self, timestamper: Timestamper, grant: Grant) {
        self.edges.grant = self.config.edges.unwrap_or(grant);
        (self.timestamper, self.pulse_lost) = (timestamper, false);
        self.pulse_awaited_since = Some(self.now);
        self.clock_map = ClockMap::default();
        self.pending.clear();
    }

    /// The raw clock stood still: what was counted on it is void. If edges are timestamped by the system clock, that may
    /// have been stepped alone, and the next epoch tells.
    fn on_suspension(&mut self) {
        if self.timestamper == Timestamper::KERNEL_PPS {
            return self.labeller.doubt();
        }
        self.edges.reset();
        self.phase = Phase::default();
        self.labeller.reset();
    }

    /// If no second was named within the holdover, the label has to be found anew.
    fn drop_worn_label(&mut self) {
        let is_worn = |last: Instant<Raw>| self.now - last > self.config.holdover.max(HEARD_WITHIN);
        if self.receiver.epoch.is_some_and(is_worn) {
            self.labeller.reset();
        }
    }
}
