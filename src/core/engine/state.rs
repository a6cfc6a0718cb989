//! Where the engine stands: the one place that decides it.
//!
//! ```text
//!  Searching ──> Measuring ──> Pairing ──> Locked <──> Coasting
//!      ^             ^            ^          |            |
//!      └─────────────┴── Refusing ┴──────────┴────────────┘
//! ```
//! No arrow is remembered: the state follows from what pulse, receiver and label are known to be now. Only two things
//! are more than that: Locked begins with a sample, and ends where no sample came for ten seconds.

use crate::core::engine::edges::Pulse;
use crate::core::engine::hearing::{HEARD_WITHIN, Receiver};
use crate::core::engine::label::Labelling;
use crate::core::engine::{CROSS_TS_WITHIN, Engine};
use crate::core::event::{Contradiction, Reason, State};
use crate::core::time::{Span, UtcSecond};

/// Pulses that give no sample for longer than this are no exception.
const PASSED_OVER_FOR: Span = Span::from_secs(10);

impl Engine {
    /// Where the engine stands, its input being like this: it publishes from the first sample on.
    pub(super) fn assess(&self, input: State) -> State {
        if !input.publishes() {
            return input;
        }
        let passed_over = self.passed_over.filter(|(since, _)| self.now - *since > PASSED_OVER_FOR);
        match (self.guard.held.map(|(why, _)| why).or(passed_over.map(|(_, why)| why)), self.state) {
            (Some(reason), _) => State::Refusing(reason),
            (None, _) if self.has_published => input,
            // What was the matter is over as soon as a pulse shows it.
            (None, State::Refusing(reason)) => State::Refusing(reason),
            (None, _) => State::Pairing,
        }
    }

    /// Where the engine stands by its input alone, before the guard.
    pub(super) fn assess_input(&self) -> State {
        // A device that is gone is missing at once; what it timestamped before is of no use.
        let pulse = if self.pulse_lost { Pulse::Absent } else { self.edges.view(self.now) };
        let receiver = self.hearing.view(self.now);
        match (pulse, receiver, self.labelling()) {
            (Pulse::Absent, receiver, _) => State::Searching(self.why_no_pulse(receiver)),
            (Pulse::Refused(reason, _), _, _) => State::Refusing(reason),
            (Pulse::Measuring, Receiver::Silent(Reason::Starting) | Receiver::Valid, _) => State::Measuring,
            (Pulse::Measuring, Receiver::Silent(reason), _) => State::Searching(reason),
            (Pulse::Measuring, Receiver::Invalid(_), _) => State::Searching(Reason::NoFix),
            (Pulse::Settled(_), Receiver::Invalid(_), Labelling::Open) => State::Searching(Reason::NoFix),
            (Pulse::Settled(_), Receiver::Invalid(_), _) => State::Refusing(Reason::NoFix),
            (Pulse::Settled(_), Receiver::Silent(reason), Labelling::Open) => State::Searching(reason),
            (Pulse::Settled(_), Receiver::Valid, Labelling::Open) => State::Pairing,
            (Pulse::Settled(_), _, Labelling::Refused(reason, _)) => State::Refusing(reason),
            (Pulse::Settled(_), _, Labelling::Agreed(_)) if self.doubted.is_some() => State::Refusing(Reason::Settling),
            (Pulse::Settled(_), Receiver::Valid, Labelling::Agreed(_)) => State::Locked,
            (Pulse::Settled(_), Receiver::Silent(_), Labelling::Agreed(_)) => State::Coasting,
        }
    }

    /// The two values that contradict each other, where that is the reason.
    pub(super) fn figures(&self, state: State) -> Option<Contradiction> {
        match (state.reason()?, self.edges.view(self.now), self.labelling()) {
            (Reason::DateTooEarly | Reason::DateTooLate, ..) => self.impossible.map(|named| Contradiction::Date {
                named,
                earliest: UtcSecond::from_civil(self.config.date_floor, 0),
                latest: UtcSecond::from_civil(self.config.date_ceiling, 0).plus(-1),
            }),
            (Reason::WitnessDisagrees, ..) => self.guard.held.and_then(|(_, figures)| figures),
            (reason, Pulse::Refused(of, figures), _) if of == reason => figures,
            (reason, _, Labelling::Refused(of, figures)) if of == reason => figures,
            _ => None,
        }
    }

    /// What is missing of the receiver for certain: also while seconds are counted on the pulse alone.
    pub fn missing(&self) -> Option<Reason> {
        // Whatever else it lacks has hardly begun to.
        self.receiver_alone().filter(|reason| *reason == Reason::NoFix || self.hearing.lost.is_some())
    }

    /// What is wrong besides the reason of the state: of pulse and receiver, each by itself.
    pub fn besides(&self) -> Vec<Reason> {
        let Some(said) = self.state.reason() else { return Vec::new() };
        let is_said = |reason: Reason| match said {
            Reason::NothingArrives => reason == Reason::NoBytes || reason == self.stamper.silent,
            said => reason == said,
        };
        [self.pulse_alone(), self.receiver_alone()].into_iter().flatten().filter(|reason| !is_said(*reason)).collect()
    }

    fn pulse_alone(&self) -> Option<Reason> {
        let is_awaited = |since| self.now - since > HEARD_WITHIN;
        match self.edges.view(self.now) {
            _ if self.pulse_lost => Some(self.stamper.lost),
            Pulse::Absent if self.is_undated() => Some(Reason::NoCrossTs),
            Pulse::Absent => self.pulse_awaited_since.is_some_and(is_awaited).then_some(self.stamper.silent),
            Pulse::Refused(reason, _) => Some(reason),
            Pulse::Measuring | Pulse::Settled(_) => None,
        }
    }

    fn receiver_alone(&self) -> Option<Reason> {
        match self.hearing.view(self.now) {
            Receiver::Silent(Reason::Starting) | Receiver::Valid => None,
            Receiver::Silent(reason) => Some(reason),
            Receiver::Invalid(_) => Some(Reason::NoFix),
        }
    }

    /// Whether edges wait in vain for a cross timestamp.
    fn is_undated(&self) -> bool {
        self.pending.front().is_some_and(|edge| self.now - edge.read_at > CROSS_TS_WITHIN)
    }

    fn why_no_pulse(&self, receiver: Receiver) -> Reason {
        match receiver {
            // The pulse's thread has said so already; what is wrong with the receiver nobody else says.
            Receiver::Silent(reason)
                if self.pulse_lost && reason != Reason::Starting && self.hearing.lost.is_none() =>
            {
                reason
            }
            Receiver::Invalid(_) if self.pulse_lost => Reason::NoFix,
            _ if self.pulse_lost => self.stamper.lost,
            _ if self.is_undated() => Reason::NoCrossTs,
            Receiver::Silent(Reason::Starting) => Reason::Starting,
            _ if self.pulse_awaited_since.is_none_or(|since| self.now - since <= HEARD_WITHIN) => Reason::Starting,
            Receiver::Silent(Reason::NoBytes | Reason::SerialLost) => Reason::NothingArrives,
            Receiver::Silent(reason) if self.hearing.lost.is_some() => reason,
            Receiver::Silent(_) | Receiver::Invalid(_) | Receiver::Valid => self.stamper.silent,
        }
    }
}
