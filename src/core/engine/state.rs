//! Determines the state; nothing else does.
//!
//! ```text
//!  Searching ──> Measuring ──> Pairing ──> Locked <──> Coasting
//!      ^             ^            ^          |            |
//!      └─────────────┴── Refusing ┴──────────┴────────────┘
//! ```
//! Transitions are not stored: the state follows from the present pulse, receiver, and label, with two exceptions:
//! Locked begins with a sample, and ends after ten seconds without one.

use crate::core::engine::Engine;
use crate::core::engine::edges::Pulse;
use crate::core::engine::receiver::HEARD_WITHIN;
use crate::core::event::{Contradiction, Reason, State, Verdict};
use crate::core::time::{Instant, Raw, Span, UtcSecond};

/// An edge that has waited this long for the cross timestamp after it is unlikely to get one.
const CROSS_TS_WITHIN: Span = Span::from_secs(2);
/// Pulses without a sample for longer than this are not an exception.
const PASSED_OVER_FOR: Span = Span::from_secs(10);

/// How long a pulse must be steady after it moved, or after the receiver had no fix: until the twelfth pulse after it.
/// Receivers realign their pulse up to ten seconds after the fix.
const SETTLE: Span = Span::from_millis(11_500);

impl Engine {
    pub(super) fn update_state(&mut self, verdicts: &mut Vec<Verdict>) {
        let input = self.input_state();
        if !input.publishes() {
            (self.has_published, self.passed_over) = (false, None);
        }
        let to = self.decide(input);
        if to != self.state {
            verdicts.push(Verdict::StateChanged { from: self.state, to });
            verdicts.extend(self.figures(to).map(Verdict::Contradiction));
            self.state = to;
        }
    }

    /// The state, given that of the input: it publishes from the first sample on.
    fn decide(&self, input: State) -> State {
        if !input.publishes() {
            return input;
        }
        let passed_over = self.passed_over.filter(|(since, _)| self.now - *since > PASSED_OVER_FOR);
        match (self.guard.held.map(|(why, _)| why).or(passed_over.map(|(_, why)| why)), self.state) {
            (Some(reason), _) => State::Refusing(reason),
            (None, _) if self.has_published => input,
            // A refusal ends as soon as a pulse shows that its reason is gone.
            (None, State::Refusing(reason)) => State::Refusing(reason),
            (None, _) => State::Pairing,
        }
    }

    /// The state according to the input alone, before the guard: the pulse, what the receiver lacks, and the label.
    pub(super) fn input_state(&self) -> State {
        // A lost device is missing at once; its earlier timestamps are useless.
        let pulse = if self.pulse_lost { Pulse::Absent } else { self.edges.view(self.now) };
        match (pulse, self.receiver.lacks(self.now), self.labelling()) {
            (Pulse::Absent, lacks, _) => State::Searching(self.why_no_pulse(lacks)),
            (Pulse::Refused(reason, _), _, _) => State::Refusing(reason),
            (Pulse::Measuring, None | Some(Reason::Starting), _) => State::Measuring,
            (Pulse::Measuring, Some(reason), _) => State::Searching(reason),
            (Pulse::Settled(_), None, Ok(None)) => State::Pairing,
            (Pulse::Settled(_), Some(reason), Ok(None)) => State::Searching(reason),
            (Pulse::Settled(_), Some(Reason::NoFix), _) => State::Refusing(Reason::NoFix),
            (Pulse::Settled(_), _, Err((reason, _))) => State::Refusing(reason),
            (Pulse::Settled(_), _, Ok(Some(_))) if self.doubted.is_some() => State::Refusing(Reason::Settling),
            (Pulse::Settled(_), None, Ok(Some(_))) => State::Locked,
            (Pulse::Settled(_), Some(_), Ok(Some(_))) => State::Coasting,
        }
    }

    /// The two values that contradict each other, if that is the reason.
    fn figures(&self, state: State) -> Option<Contradiction> {
        match (state.reason()?, self.edges.view(self.now), self.labelling()) {
            (Reason::DateTooEarly | Reason::DateTooLate, ..) => {
                self.receiver.impossible.and_then(|(.., named)| named).map(|named| Contradiction::Date {
                    named,
                    earliest: UtcSecond::from_civil(self.config.date_floor, 0),
                    latest: UtcSecond::from_civil(self.config.date_ceiling, 0).plus(-1),
                })
            }
            (Reason::WitnessDisagrees, ..) => self.guard.held.and_then(|(_, figures)| figures),
            (reason, Pulse::Refused(of, figures), _) if of == reason => figures,
            (reason, _, Err((of, figures))) if of == reason => figures,
            _ => None,
        }
    }

    /// What is certainly missing from the receiver, also while coasting.
    pub fn missing(&self) -> Option<Reason> {
        // Anything else has only just gone missing.
        self.receiver_alone().filter(|reason| *reason == Reason::NoFix || self.receiver.lost.is_some())
    }

    /// Faults of the pulse and of the receiver, each by itself, other than the reason of the state.
    pub fn besides(&self) -> Vec<Reason> {
        let Some(said) = self.state.reason() else { return Vec::new() };
        let is_said = |reason: Reason| match said {
            Reason::NothingArrives => reason == Reason::NoBytes || reason == self.timestamper.silent,
            said => reason == said,
        };
        [self.pulse_alone(), self.receiver_alone()].into_iter().flatten().filter(|reason| !is_said(*reason)).collect()
    }

    fn pulse_alone(&self) -> Option<Reason> {
        match self.edges.view(self.now) {
            _ if self.pulse_lost => Some(self.timestamper.lost),
            Pulse::Absent if self.is_undated() => Some(Reason::NoCrossTs),
            Pulse::Absent => (!self.pulse_is_starting()).then_some(self.timestamper.silent),
            Pulse::Refused(reason, _) => Some(reason),
            Pulse::Measuring | Pulse::Settled(_) => None,
        }
    }

    fn receiver_alone(&self) -> Option<Reason> {
        self.receiver.lacks(self.now).filter(|reason| *reason != Reason::Starting)
    }

    /// Whether edges wait in vain for a cross timestamp.
    fn is_undated(&self) -> bool {
        self.pending.front().is_some_and(|edge| self.now - edge.read_at > CROSS_TS_WITHIN)
    }

    /// Whether it is too early to report that the pulse is missing.
    fn pulse_is_starting(&self) -> bool {
        self.pulse_awaited_since.is_none_or(|since| self.now - since <= HEARD_WITHIN)
    }

    fn why_no_pulse(&self, receiver_lacks: Option<Reason>) -> Reason {
        match receiver_lacks {
            // The pulse's thread has logged its own fault; nothing else reports the receiver's.
            Some(reason) if self.pulse_lost && reason != Reason::Starting && self.receiver.lost.is_none() => reason,
            _ if self.pulse_lost => self.timestamper.lost,
            _ if self.is_undated() => Reason::NoCrossTs,
            Some(Reason::Starting) => Reason::Starting,
            _ if self.pulse_is_starting() => Reason::Starting,
            Some(Reason::NoBytes | Reason::SerialLost) => Reason::NothingArrives,
            Some(reason) if self.receiver.lost.is_some() => reason,
            Some(_) | None => self.timestamper.silent,
        }
    }

    /// After doubt, pulse and receiver must both be good for a while, at the same time.
    pub(super) fn regain_trust(&mut self) {
        let is_long_ago = |at: Instant<Raw>| self.now - at >= SETTLE;
        if self.doubted.is_some_and(is_long_ago) && self.receiver.valid.since(self.now).is_some_and(is_long_ago) {
            self.doubted = None;
        }
    }
}

/// What timestamps the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamper {
    /// Bound of a timestamp's own error.
    pub(super) error: Span,
    /// It is missing.
    pub(super) lost: Reason,
    /// It exists but delivers no timestamps.
    pub(super) silent: Reason,
    /// Its clock was stepped or changed its rate.
    pub(super) stepped: Reason,
}

impl Timestamper {
    /// A PTP hardware clock, at the edge. The error covers its resolution and the pulse's.
    pub(super) const PHC: Self = Self {
        error: Span::from_nanos(50),
        lost: Reason::PhcLost,
        silent: Reason::NoPulse,
        stepped: Reason::PhcStepped,
    };
    /// The kernel, in the interrupt after the edge, with the system clock. The maximum time until its handler reads the
    /// clock is an assumption: nothing inside the machine can measure it. How much later an edge arrives than the
    /// others is visible, and is added to its sample's error bound.
    pub(super) const KERNEL_PPS: Self = Self {
        error: Span::from_micros(20),
        lost: Reason::PpsLost,
        silent: Reason::NoPpsEdge,
        stepped: Reason::SysStepped,
    };
}

impl Default for Timestamper {
    fn default() -> Self {
        Self::PHC
    }
}
