//! The pure core: events in, verdicts out. It does no input or output, reads no clock, logs nothing and has no
//! threads; the same events give the same verdicts, bit for bit.
//!
//! Edges are dated by [`clock_map`], gathered by [`front`], sorted into [`track`]s by [`pulse_train`]; sentences are
//! gathered by [`mention`] and tied to the on-time edge by [`labeller`]. What is missing is known to [`hearing`], what a
//! u-blox receiver says besides to [`ublox`]; [`guard`] lets a pulse pass or not. The way of an edge through them is in
//! `edges`, that of a sentence in `sentences`; `assess` decides the state.

use std::collections::VecDeque;

mod assess;
pub mod clock_map;
mod config;
mod edges;
pub mod front;
pub mod guard;
pub mod hearing;
pub mod labeller;
pub mod mention;
mod placing;
pub mod pulse_train;
mod sentences;
mod stamper;
pub mod track;
pub mod ublox;

pub use config::{Config, DATE_CEILING, DATE_FLOOR};

use crate::event::{Edge, Edges, Event, Reason, SourceChange, State, Verdict};
use crate::nmea::{Framer, LineCounts};
use crate::time::{Instant, Raw, Span, UtcSecond};
use clock_map::ClockMap;
use front::Fronts;
use guard::Guard;
use hearing::{HEARD_WITHIN, Hearing};
use labeller::{Label, Labeller, Labelling};
use mention::Mentions;
use pulse_train::{OnTime, Pulse, PulseTrain};
use stamper::Stamper;
use ublox::Ublox;

/// An edge that still waits for the cross time stamp after it by then will hardly get one.
const CROSS_TS_WITHIN: Span = Span::from_secs(2);
/// Pulses that are passed over one by one for longer than this are no exception any more.
const PASSED_OVER_FOR: Span = Span::from_secs(10);
/// A receiver that says it has no fix is counted on for this long.
const NO_FIX_AFTER: Span = Span::from_secs(5);

/// The engine.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    now: Instant<Raw>,
    framer: Framer,
    mentions: Mentions,
    hearing: Hearing,
    ublox: Ublox,
    clock_map: ClockMap,
    /// Edges that wait for the cross time stamp after them.
    pending: VecDeque<Edge>,
    fronts: Fronts,
    train: PulseTrain,
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
            framer: Framer::default(),
            mentions: Mentions::new(config.trust_zda),
            hearing: Hearing::default(),
            ublox: Ublox::default(),
            clock_map: ClockMap::default(),
            pending: VecDeque::new(),
            fronts: Fronts::default(),
            train: PulseTrain::new(config.width),
            labeller: Labeller::new(config.delay),
            guard: Guard::new(config.witness, config.conventions),
            impossible: None,
            rolled_over: 0,
            stamper: Stamper::Phc,
            pulse_lost: false,
            pulse_awaited_since: None,
            last_counted: None,
            has_published: false,
            passed_over: None,
            state: State::Searching(Reason::Starting),
        }
    }

    /// Takes an event and says what follows from it. Events of one source come in order; sources may overtake each
    /// other.
    pub fn handle(&mut self, event: &Event) -> Vec<Verdict> {
        let mut said = Vec::new();
        match event {
            Event::Bytes(bytes) => {
                self.passes(bytes.read_at);
                self.on_bytes(bytes, &mut said);
            }
            Event::Report(report) => {
                self.passes(report.read_at);
                self.on_report(*report, &mut said);
            }
            Event::Edge(edge) => {
                self.passes(edge.read_at);
                self.on_edge(*edge, &mut said);
            }
            Event::CrossTs(cross) => {
                self.passes(cross.raw);
                self.on_cross_ts(*cross, &mut said);
            }
            Event::Source { raw, change } => {
                self.passes(*raw);
                self.on_source(*change);
            }
            Event::Witness(witness) => {
                self.passes(witness.raw);
                self.guard.hear(*witness);
            }
            Event::LeapTable { raw, next } => {
                self.passes(*raw);
                self.guard.announce(*next);
            }
            Event::Tick { raw } => self.passes(*raw),
        }
        self.complete_front(&mut said);
        self.drop_worn_label();
        self.update_state(&mut said);
        said
    }

    /// Where the engine stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// The on-time edge, if it is known.
    pub fn on_time(&self) -> Option<OnTime> {
        match self.train.view(self.now) {
            Pulse::Settled(on_time) => Some(on_time),
            Pulse::Absent | Pulse::Measuring | Pulse::Refused(_) => None,
        }
    }

    /// The label and the sentence delay, if they are agreed.
    pub fn label(&self) -> Option<Label> {
        match self.labeller.view() {
            Labelling::Agreed(label) => Some(label),
            Labelling::Open | Labelling::Refused(_) => None,
        }
    }

    /// When the receiver named a valid second last.
    pub fn last_time(&self) -> Option<Instant<Raw>> {
        self.hearing.last_mention()
    }

    /// What came of the bytes so far.
    pub fn line_counts(&self) -> LineCounts {
        self.framer.counts()
    }

    fn passes(&mut self, at: Instant<Raw>) {
        self.now = self.now.max(at);
    }

    fn on_source(&mut self, change: SourceChange) {
        match change {
            SourceChange::SentencesOpen => {
                self.framer.reset();
                self.hearing.device(self.now, None);
            }
            SourceChange::SentencesLost(lost) => self.hearing.device(self.now, Some(lost)),
            SourceChange::PulseOpen(edges) => self.on_pulse_open(Stamper::Phc, edges),
            SourceChange::PpsOpen(edges) => self.on_pulse_open(Stamper::KernelPps, edges),
            SourceChange::PulseLost => (self.stamper, self.pulse_lost) = (Stamper::Phc, true),
            SourceChange::PulseRearmed => {}
            SourceChange::PpsLost => (self.stamper, self.pulse_lost) = (Stamper::KernelPps, true),
        }
    }

    fn on_pulse_open(&mut self, stamper: Stamper, edges: Edges) {
        self.train.promise(edges);
        (self.stamper, self.pulse_lost) = (stamper, false);
        self.pulse_awaited_since = Some(self.now);
        self.clock_map.reset();
        self.pending.clear();
    }

    /// Whether both conventions are settled by settings: which edge is on time, and which pulse a sentence names. A lone
    /// edge is no exception: nothing shows that it is the one that starts the pulse.
    fn is_configured(&self) -> bool {
        self.config.width.is_some() && self.config.delay.is_some()
    }

    /// Where no second was named within the holdover, the label has to be found anew.
    fn drop_worn_label(&mut self) {
        let worn = |last: Instant<Raw>| self.now - last > self.config.holdover.max(HEARD_WITHIN);
        if self.hearing.last_mention().is_some_and(worn) {
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
