//! The pure core: events in, verdicts out. It does no input or output, reads no clock, logs nothing and has no
//! threads; the same events give the same verdicts, bit for bit.
//!
//! The way of an edge: [`clock_map`] dates it, [`edges`] says whether it is on time, [`phase`] counts it, `pulses` makes
//! a sample of it if label, [`guard`] and settings let it. The way of a sentence: [`epochs`] gathers it with the rest of
//! its burst, [`label`] ties the epoch to a pulse. What is missing is known to [`hearing`], what a u-blox receiver says
//! besides to [`ublox`]; `state` decides the state.
//!
//! Verdicts are functions of the last seconds' evidence. Three things are remembered longer: the count of the pulse and
//! what confirmed its label, which are evidence; and whether anything was published, as the system clock follows us then.

use std::collections::VecDeque;

pub mod clock_map;
mod config;
pub mod edges;
pub mod epochs;
pub mod guard;
pub mod hearing;
pub mod label;
pub mod phase;
mod pulses;
mod sentences;
mod stamper;
mod state;
pub mod ublox;

pub use config::{Config, DATE_CEILING, DATE_FLOOR};

use crate::core::event::{Edge, Event, Leap, Reason, SourceChange, State, Verdict};
use crate::core::nmea::{Framer, LineCounts};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use clock_map::ClockMap;
use edges::{Edges, OnTime, Pulse};
use epochs::Epochs;
use guard::Guard;
use hearing::{HEARD_WITHIN, Hearing};
use label::{Label, Labeller, Labelling};
use phase::Phase;
use stamper::Stamper;
use ublox::Ublox;

/// An edge that still waits for the cross timestamp after it by then will hardly get one.
const CROSS_TS_WITHIN: Span = Span::from_secs(2);
/// How long a pulse has to be steady after it moved, or after the receiver had no fix: until the twelfth after it.
/// Receivers realign their pulse up to ten seconds after the fix.
const SETTLE: Span = Span::from_millis(11_500);

/// The engine.
#[derive(Debug, Default)]
pub struct Engine {
    config: Config,
    now: Instant<Raw>,
    framer: Framer,
    epochs: Epochs,
    hearing: Hearing,
    ublox: Ublox,
    clock_map: ClockMap,
    /// Edges that wait for the cross timestamp after them.
    pending: VecDeque<Edge>,
    edges: Edges,
    phase: Phase,
    labeller: Labeller,
    guard: Guard,
    /// The last second named that cannot be.
    impossible: Option<UtcSecond>,
    /// By how many weeks the last date was corrected.
    rolled_over: i64,
    stamper: Stamper,
    pulse_lost: bool,
    /// When the PHC or the kernel PPS device was opened last.
    pulse_awaited_since: Option<Instant<Raw>>,
    /// The second of the last pulse that was counted, whether it was published or not.
    last_counted: Option<UtcSecond>,
    /// The second of count 0 by the system clock at the last pulse.
    by_system: Option<UtcSecond>,
    /// When the pulse moved last, or the receiver had no fix, until trust is earned again.
    doubted: Option<Instant<Raw>>,
    /// Whether a sample came since pulse and receiver agree.
    has_published: bool,
    /// Since when every pulse was passed over for what it was itself, and for what the last one was.
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

    /// Takes an event and says what follows from it. Events of one source come in order; sources may overtake each
    /// other.
    pub fn handle(&mut self, event: &Event) -> Vec<Verdict> {
        let mut said = Vec::new();
        self.now = self.now.max(event.head().0);
        self.complete_epoch(&mut said);
        match event {
            Event::Bytes(bytes) => self.on_bytes(bytes, &mut said),
            Event::Report(report) => self.on_report(*report, &mut said),
            Event::Edge(edge) => self.on_edge(*edge, &mut said),
            Event::CrossTs(cross) => self.on_cross_ts(*cross, &mut said),
            Event::Source { change, .. } => self.on_source(*change),
            Event::Witness(witness) => self.guard.witness = Some(*witness),
            Event::LeapTable { next, .. } => self.guard.announced = *next,
            Event::Tick { .. } => {}
        }
        self.drop_worn_label();
        self.regain_trust();
        self.update_state(&mut said);
        said
    }

    /// Where the engine stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The on-time edge, if it is known.
    pub fn on_time(&self) -> Option<OnTime> {
        let Pulse::Settled(on_time) = self.edges.view(self.now) else { return None };
        Some(on_time)
    }

    /// The label and the sentence delay, if they are agreed.
    pub fn label(&self) -> Option<Label> {
        let Labelling::Agreed(label) = self.labelling() else { return None };
        Some(label)
    }

    /// When the receiver named a valid second last.
    pub fn last_time(&self) -> Option<Instant<Raw>> {
        self.hearing.mention
    }

    /// What came of the bytes so far.
    pub fn line_counts(&self) -> LineCounts {
        self.framer.counts()
    }

    fn labelling(&self) -> Labelling {
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
        if self.doubted.is_some_and(is_long_ago) && self.hearing.valid_since(self.now).is_some_and(is_long_ago) {
            self.doubted = None;
        }
    }

    fn on_source(&mut self, change: SourceChange) {
        match change {
            SourceChange::SentencesOpen => {
                self.framer.reset();
                self.hearing.device(self.now, None);
                self.labeller.chain.is_broken = true; // what comes may be of another receiver
                self.ublox = Ublox::default();
            }
            SourceChange::SentencesLost(lost) => self.hearing.device(self.now, Some(lost)),
            SourceChange::PulseOpen(grant) => self.on_pulse_open(Stamper::PHC, grant),
            SourceChange::PpsOpen(grant) => self.on_pulse_open(Stamper::KERNEL_PPS, grant),
            SourceChange::PulseLost => (self.stamper, self.pulse_lost) = (Stamper::PHC, true),
            SourceChange::PulseRearmed => {}
            SourceChange::PpsLost => (self.stamper, self.pulse_lost) = (Stamper::KERNEL_PPS, true),
        }
    }

    fn on_pulse_open(&mut self, stamper: Stamper, grant: crate::core::event::Edges) {
        self.edges.grant = self.config.edges.unwrap_or(grant);
        (self.stamper, self.pulse_lost) = (stamper, false);
        self.pulse_awaited_since = Some(self.now);
        self.clock_map.reset();
        self.pending.clear();
    }

    /// The raw clock stood still: what was counted on it is void. Where the system clock is the PHC it may have been
    /// stepped alone, and the next epoch tells.
    fn on_suspension(&mut self) {
        if self.stamper == Stamper::KERNEL_PPS {
            return self.labeller.doubt();
        }
        self.edges.reset();
        self.phase = Phase::default();
        self.labeller.reset();
    }

    /// Where no second was named within the holdover, the label has to be found anew.
    fn drop_worn_label(&mut self) {
        let worn = |last: Instant<Raw>| self.now - last > self.config.holdover.max(HEARD_WITHIN);
        if self.hearing.mention.is_some_and(worn) {
            self.labeller.reset();
        }
    }

    fn update_state(&mut self, said: &mut Vec<Verdict>) {
        let input = self.assess_input();
        if !input.publishes() {
            (self.has_published, self.passed_over) = (false, None);
        }
        let to = self.assess(input);
        if to != self.state {
            said.push(Verdict::StateChanged { from: self.state, to });
            said.extend(self.figures(to).map(Verdict::Contradiction));
            self.state = to;
        }
    }
}
