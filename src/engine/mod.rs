//! The pure core: events in, verdicts out. It does no input or output, reads no clock, logs nothing and has no
//! threads; the same events give the same verdicts, bit for bit.
//!
//! Edges are dated by [`clock_map`], gathered by [`front`], sorted into tracks by [`pulse_train`]; sentences are
//! gathered by [`mention`] and tied to the on-time edge by [`labeller`]. What is missing is known to [`hearing`]. This
//! file wires them and decides the state.

use std::collections::VecDeque;

pub mod clock_map;
pub mod front;
pub mod guard;
pub mod hearing;
pub mod labeller;
pub mod mention;
pub mod pulse_train;
pub mod track;

use crate::event::{Bytes, CrossTs, Edge, Event, Leap, Reason, Sample, SourceChange, State, Verdict};
use crate::nmea::{Framer, LineCounts, Sentence};
use crate::time::{Instant, Raw, Span};
use clock_map::{ClockMap, Dating, Era};
use front::{Front, Fronts, Taken};
use hearing::{HEARD_WITHIN, Hearing, Receiver};
use labeller::{Effect, Label, Labeller, Labelling};
use mention::{Heard, Mentions};
use pulse_train::{Found, OnTime, Pulse, PulseTrain};

/// Edges that wait for the cross time stamp after them. The kernel's queue holds 128.
const PENDING_KEPT: usize = 128;
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
}

impl Default for Config {
    fn default() -> Self {
        Self { width: None, delay: None, holdover: Span::from_secs(60), trust_zda: false }
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
    phc_lost: bool,
    last_edge: Option<Instant<Raw>>,
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
            phc_lost: false,
            last_edge: None,
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
                self.hearing.device(self.now, true);
            }
            SourceChange::SentencesLost => self.hearing.device(self.now, false),
            SourceChange::PulseOpen(edges) => {
                self.train.promise(edges);
                self.phc_lost = false;
                self.clock_map.reset();
                self.pending.clear();
            }
            SourceChange::PulseLost => self.phc_lost = true,
        }
    }

    fn on_bytes(&mut self, bytes: &Bytes, said: &mut Vec<Verdict>) {
        let mut sentences: Vec<Sentence> = Vec::new();
        self.framer.push(bytes, |sentence| sentences.push(sentence));
        self.hearing.bytes(self.now, self.framer.counts());
        for sentence in &sentences {
            let heard = self.mentions.add(sentence);
            match heard {
                Heard::Mention(mention) if mention.utc < guard::DATE_FLOOR => {
                    self.hearing.too_early(self.now);
                    said.push(Verdict::Rejected(Reason::DateTooEarly));
                }
                Heard::Mention(mention) => {
                    self.hearing.sentence(self.now, heard);
                    match self.labeller.add(mention, self.train.on_time()) {
                        Effect::None => {}
                        Effect::Dissent => said.push(Verdict::Rejected(Reason::LabelDissent)),
                        Effect::Relabelled(seconds) => said.push(Verdict::Relabelled { seconds }),
                    }
                }
                Heard::NotValid | Heard::Fraction | Heard::LeapSecond | Heard::Part | Heard::Nothing => {
                    self.hearing.sentence(self.now, heard);
                }
            }
        }
    }

    fn on_edge(&mut self, edge: Edge, said: &mut Vec<Verdict>) {
        self.last_edge = Some(edge.read_at);
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
        let found = self.train.add(front);
        if let Some(track) = self.train.on_time() {
            self.labeller.follow(track);
        }
        match found {
            Found::OnTime { index, miss } => said.push(self.on_pulse(front, index, miss)),
            Found::OffTime => {}
            Found::Torn => said.push(Verdict::Rejected(Reason::TornPulse)),
            Found::Unsettled => said.push(Verdict::Rejected(self.assess().reason().unwrap_or(Reason::NotYet))),
            Found::Stray => said.push(Verdict::Rejected(Reason::Stray)),
        }
    }

    /// The on-time edge of a second: a sample, if everything else stands.
    fn on_pulse(&mut self, front: &Front, index: i64, miss: Span) -> Verdict {
        let state = self.assess();
        match (state.publishes(), self.label(), front.sys) {
            (false, _, _) | (true, None, _) => Verdict::Rejected(state.reason().unwrap_or(Reason::NotYet)),
            (true, Some(_), Err(reason)) => Verdict::Rejected(reason),
            (true, Some(label), Ok(at)) => Verdict::Sample(Sample {
                label: label.base.plus(index),
                at,
                error: front.error + miss + STAMP_ERROR,
                leap: Leap::None,
            }),
        }
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
            self.state = to;
        }
    }

    fn assess(&self) -> State {
        let pulse = self.train.view(self.now);
        let receiver = self.hearing.view(self.now);
        match (pulse, receiver, self.labeller.view()) {
            (Pulse::Absent, receiver, _) => State::Searching(self.why_no_pulse(receiver)),
            (Pulse::Refused(reason), _, _) => State::Refusing(reason),
            (Pulse::Measuring, Receiver::Silent(Reason::Starting) | Receiver::Valid, _) => State::Measuring,
            (Pulse::Measuring, Receiver::Silent(reason), _) => State::Searching(reason),
            (Pulse::Measuring, Receiver::Invalid(_), _) => State::Searching(Reason::NoFix),
            (Pulse::Settled(_), Receiver::Invalid(_), Labelling::Open) => State::Searching(Reason::NoFix),
            (Pulse::Settled(_), Receiver::Silent(reason), Labelling::Open) => State::Searching(reason),
            (Pulse::Settled(_), Receiver::Valid, Labelling::Open) => State::Pairing,
            (Pulse::Settled(_), _, Labelling::Refused(reason)) => State::Refusing(reason),
            (Pulse::Settled(_), Receiver::Valid, Labelling::Agreed(_)) => State::Locked,
            (Pulse::Settled(_), Receiver::Silent(_), Labelling::Agreed(_)) => State::Coasting,
            (Pulse::Settled(_), Receiver::Invalid(since), Labelling::Agreed(_)) => {
                if self.now - since <= NO_FIX_AFTER {
                    State::Coasting
                } else {
                    State::Refusing(Reason::NoFix)
                }
            }
        }
    }

    fn why_no_pulse(&self, receiver: Receiver) -> Reason {
        let edges_come = self.last_edge.is_some_and(|last| self.now - last <= HEARD_WITHIN);
        match receiver {
            _ if self.phc_lost => Reason::PhcLost,
            _ if edges_come && !self.pending.is_empty() => Reason::NoCrossTs,
            Receiver::Silent(Reason::Starting) => Reason::Starting,
            Receiver::Silent(Reason::NoBytes | Reason::SerialLost) => Reason::NothingArrives,
            Receiver::Silent(_) | Receiver::Invalid(_) | Receiver::Valid => Reason::NoPulse,
        }
    }
}

#[cfg(test)]
mod tests;
