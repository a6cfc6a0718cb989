//! The pure core: events in, verdicts out. It does no input or output, reads no clock, logs nothing and has no
//! threads; the same events give the same verdicts, bit for bit.
//!
//! Edges are dated by [`clock_map`], gathered by [`front`], sorted into tracks by [`pulse_train`]; sentences are
//! gathered by [`mention`] and tied to the on-time edge by [`labeller`]. What is missing is known to [`hearing`]. This
//! file wires them and decides the state.

use std::collections::VecDeque;

mod assess;
pub mod clock_map;
pub mod front;
pub mod guard;
pub mod hearing;
pub mod labeller;
pub mod mention;
mod placing;
pub mod pulse_train;
pub mod track;

use crate::event::{Bytes, CrossTs, Edge, Event, Reason, Sample, SourceChange, State, Verdict};
use crate::nmea::{Framer, LineCounts, Sentence};
use crate::time::{Instant, Raw, Span, UtcSecond};
use clock_map::{ClockMap, Dating, Era};
use front::{Front, Fronts, Taken};
use guard::{Conventions, Guard, Passage, Rollover, WitnessMode, in_leap_window, is_past_leap_window};
use hearing::{HEARD_WITHIN, Hearing};
use labeller::{Effect, Label, Labeller, Labelling};
use mention::{Heard, Mention, Mentions};
use pulse_train::{Found, OnTime, Pulse, PulseTrain};

/// Edges that wait for the cross time stamp after them. The kernel's queue holds 128.
const PENDING_KEPT: usize = 128;
/// An edge that still waits for the cross time stamp after it by then will hardly get one.
const CROSS_TS_WITHIN: Span = Span::from_secs(2);
/// A receiver that says it has no fix is counted on for this long.
const NO_FIX_AFTER: Span = Span::from_secs(5);

/// What a hardware time stamp of an edge may be off by itself: its resolution, and the pulse's.
const STAMP_ERROR: Span = Span::from_nanos(50);

/// What the operator may know better than the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Config {
    /// Pulse width; without it, the shorter part of the second is the pulse.
    pub width: Option<Span>,
    /// Sentence delay, pulse to first byte; without it, a sentence names the last pulse before it.
    pub delay: Option<Span>,
    /// How long seconds are counted on the pulse alone.
    pub holdover: Span,
    /// Whether ZDA alone is valid.
    pub trust_zda: bool,
    /// What is done with dates from before this release.
    pub rollover: Rollover,
    /// What is done when the system clock disagrees with the first label.
    pub witness: WitnessMode,
    /// What is done about the conventions that no wire can contradict.
    pub conventions: Conventions,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            width: None,
            delay: None,
            holdover: Span::from_secs(60),
            trust_zda: false,
            rollover: Rollover::Refuse,
            witness: WitnessMode::Block,
            conventions: Conventions::Assume,
        }
    }
}

/// The engine.
#[derive(Debug)]
pub struct Engine {
    config: Config,
    now: Instant<Raw>,
    framer: Framer,
    mentions: Mentions,
    hearing: Hearing,
    clock_map: ClockMap,
    pending: VecDeque<Edge>,
    fronts: Fronts,
    train: PulseTrain,
    labeller: Labeller,
    guard: Guard,
    impossible: Option<UtcSecond>,
    rolled_over: i64,
    phc_lost: bool,
    pulse_awaited_since: Option<Instant<Raw>>,
    /// The second of the last pulse that was counted, whether it was published or not.
    last_counted: Option<UtcSecond>,
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
            clock_map: ClockMap::default(),
            pending: VecDeque::new(),
            fronts: Fronts::default(),
            train: PulseTrain::new(config.width),
            labeller: Labeller::new(config.delay),
            guard: Guard::new(config.witness, config.conventions),
            impossible: None,
            rolled_over: 0,
            phc_lost: false,
            pulse_awaited_since: None,
            last_counted: None,
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
            SourceChange::PulseOpen(edges) => {
                self.train.promise(edges);
                self.phc_lost = false;
                self.pulse_awaited_since = Some(self.now);
                self.clock_map.reset();
                self.pending.clear();
            }
            SourceChange::PulseLost => self.phc_lost = true,
            SourceChange::PulseRearmed => {}
        }
    }

    fn on_bytes(&mut self, bytes: &Bytes, said: &mut Vec<Verdict>) {
        let mut sentences: Vec<Sentence> = Vec::new();
        self.framer.push(bytes, |sentence| sentences.push(sentence));
        self.hearing.bytes(self.now, self.framer.counts());
        for sentence in &sentences {
            let heard = self.mentions.add(sentence);
            match heard {
                Heard::Mention(mention) => self.on_mention(mention, said),
                Heard::NotValid | Heard::Fraction | Heard::LeapSecond | Heard::Part | Heard::Nothing => {
                    self.hearing.sentence(self.now, heard);
                }
            }
        }
    }

    fn on_mention(&mut self, mention: Mention, said: &mut Vec<Verdict>) {
        let (utc, weeks) = match guard::possible(mention.utc, self.config.rollover) {
            Ok(possible) => possible,
            Err(reason) => {
                self.hearing.impossible(self.now, reason);
                self.impossible = Some(mention.utc);
                said.push(Verdict::Rejected(reason));
                return;
            }
        };
        if weeks != self.rolled_over {
            self.rolled_over = weeks;
            said.push(Verdict::RolledOver { weeks });
        }
        let mention = Mention { utc, ..mention };
        self.hearing.sentence(self.now, Heard::Mention(mention));
        if in_leap_window(utc) {
            self.labeller.enter_leap_window(self.guard.expected_change(utc));
            said.push(Verdict::Rejected(Reason::LeapWindow));
            return;
        }
        match self.labeller.add(mention, self.train.on_time()) {
            Effect::None => {}
            Effect::Dissent => said.push(Verdict::Rejected(Reason::LabelDissent)),
            Effect::Relabelled(seconds) => said.push(Verdict::Relabelled { seconds }),
        }
    }

    fn on_edge(&mut self, edge: Edge, said: &mut Vec<Verdict>) {
        if self.pending.len() == PENDING_KEPT {
            self.pending.pop_front();
            said.push(Verdict::Rejected(Reason::StaleEdge));
        }
        self.pending.push_back(edge);
    }

    fn on_cross_ts(&mut self, cross: CrossTs, said: &mut Vec<Verdict>) {
        let pending = self.pending.len();
        if self.clock_map.add(cross) == Era::New {
            // Edges read before this moment may be stamped in the old era or the new one.
            self.pending.retain(|edge| edge.read_at > cross.raw);
            let dropped = pending - self.pending.len();
            said.extend(std::iter::repeat_n(Verdict::Rejected(Reason::PhcStepped), dropped));
        }
        for _ in 0..self.pending.len() {
            let Some(edge) = self.pending.pop_front() else { break };
            match self.clock_map.date(edge.phc) {
                Dating::TooNew if self.now - edge.read_at <= HEARD_WITHIN => self.pending.push_back(edge),
                Dating::TooNew | Dating::TooOld => said.push(Verdict::Rejected(Reason::StaleEdge)),
                Dating::Uneven => said.push(Verdict::Rejected(Reason::PhcStepped)),
                Dating::Dated(dated) => match self.fronts.add(dated) {
                    Taken::Began(Some(front)) => self.on_front(&front, said),
                    Taken::Began(None) | Taken::Joined => {}
                    Taken::Stale => said.push(Verdict::Rejected(Reason::StaleEdge)),
                },
            }
        }
    }

    fn complete_front(&mut self, said: &mut Vec<Verdict>) {
        // The next edge may still wait for a cross time stamp: only the time of the last one is known to have passed.
        if let Some(front) = self.clock_map.latest().and_then(|latest| self.fronts.complete(latest)) {
            self.on_front(&front, said);
        }
    }

    fn on_front(&mut self, front: &Front, said: &mut Vec<Verdict>) {
        self.train.witness(self.guard.witness(self.now));
        let found = self.train.add(front);
        if let Some(track) = self.train.on_time() {
            self.labeller.follow(track);
        }
        match found {
            Found::OnTime { index, miss } => {
                self.ask_witness(front, index);
                self.on_pulse(front, index, miss, said);
            }
            Found::OffTime => {}
            Found::Torn => said.push(Verdict::Rejected(Reason::TornPulse)),
            Found::Unsettled => said.push(Verdict::Rejected(self.assess().reason().unwrap_or(Reason::NotYet))),
            Found::Stray => said.push(Verdict::Rejected(Reason::Stray)),
        }
    }

    /// Which second this pulse is by the system clock, where that is an independent witness.
    fn ask_witness(&mut self, front: &Front, index: i64) {
        let (Some(max_error), Ok(sys)) = (self.guard.witness(self.now), front.sys) else { return };
        let (second, off) = (sys - Instant::default()).nearest(Span::SECOND);
        if off.abs() <= max_error
            && let Some(track) = self.train.on_time()
        {
            self.labeller.witness(UtcSecond::from_posix(second.saturating_sub(index)), track);
        }
    }

    /// The on-time edge of a second: a sample, if everything else stands.
    fn on_pulse(&mut self, front: &Front, index: i64, miss: Span, said: &mut Vec<Verdict>) {
        self.mind_leap_window(index);
        let state = self.assess_input();
        let (true, Some(label)) = (state.publishes(), self.label()) else {
            said.push(Verdict::Rejected(state.reason().unwrap_or(Reason::NotYet)));
            return;
        };
        let utc = label.base.plus(index);
        let at = match front.sys {
            Ok(at) => at,
            Err(reason) => {
                said.push(Verdict::Rejected(reason));
                return;
            }
        };
        match self.guard.pass(self.now, utc, at, self.is_configured()) {
            Passage::Open => {}
            Passage::Overruled(offset) => said.push(Verdict::WitnessOverruled { offset }),
            Passage::Held(reason) => {
                said.push(Verdict::Rejected(reason));
                return;
            }
        }
        let error = front.error + miss + STAMP_ERROR;
        said.push(Verdict::Sample(Sample { label: utc, at, error, leap: self.guard.leap(utc) }));
    }

    /// A leap second may have come in a window that passes, or passed without a pulse, while nothing is published.
    fn mind_leap_window(&mut self, index: i64) {
        let Some(utc) = self.labeller.counted(index) else { return };
        let last = self.last_counted.replace(utc).unwrap_or(utc);
        if in_leap_window(utc) || is_past_leap_window(last, utc) {
            self.labeller.enter_leap_window(self.guard.expected_change(utc));
        }
    }

    /// Whether both conventions are settled by settings: which edge is on time, and which pulse a sentence names.
    fn is_configured(&self) -> bool {
        let one_edge = self.on_time().is_some_and(|on_time| on_time.width.is_none());
        (self.config.width.is_some() || one_edge) && self.config.delay.is_some()
    }

    /// A label that was not confirmed within the holdover has to be found anew.
    fn drop_worn_label(&mut self) {
        let worn = |last: Instant<Raw>| self.now - last > self.config.holdover.max(HEARD_WITHIN);
        if self.hearing.last_mention().is_some_and(worn) {
            self.labeller.reset();
        }
    }

    fn update_state(&mut self, said: &mut Vec<Verdict>) {
        let to = self.assess();
        if to != self.state {
            said.push(Verdict::StateChanged { from: self.state, to });
            said.extend(self.figures(to).map(Verdict::Contradiction));
            self.state = to;
        }
    }
}
