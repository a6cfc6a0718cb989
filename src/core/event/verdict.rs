//! The output of the engine: samples, refusals, and its state.

use std::fmt;

use super::{Contradiction, Leap, Reason};
use crate::core::time::{Instant, Span, Sys, UtcSecond};

/// An output of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A finished sample.
    Sample(Sample),
    /// An edge, pulse or sentence that is not used, and why.
    Rejected(Reason),
    /// The sentences agreed on a different second than the count so far.
    Relabeled {
        /// How many seconds the label was moved.
        seconds: i64,
    },
    /// The figures behind the state. Follows the change of state.
    Contradiction(Contradiction),
    /// From now on, the receiver's dates are corrected by that many weeks.
    RolledOver {
        /// A multiple of 1024.
        weeks: i64,
    },
    /// The first sample disagrees with the system clock, and is published because that was configured.
    WitnessOverruled {
        /// How far UTC is ahead of the system clock, according to the sample.
        offset: Span,
    },
    /// The state has changed.
    StateChanged {
        /// The state until now.
        from: State,
        /// The state from now on.
        to: State,
    },
}

/// A finished sample: the system time of the pulse that marks a UTC second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The UTC second that the on-time edge marks.
    pub label: UtcSecond,
    /// `CLOCK_REALTIME` at the true second: at the on-time edge, less the configured offset.
    pub at: Instant<Sys>,
    /// Bound of the error in `at`.
    pub error: Span,
    /// Leap second announced for the end of the UTC day.
    pub leap: Leap,
}

impl Sample {
    /// How far UTC is ahead of the system clock.
    pub fn offset(&self) -> Span {
        Instant::<Sys>::from_parts(self.label.posix(), 0) - self.at
    }
}

/// The engine's state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// The pulse or the sentences are missing.
    Searching(Reason),
    /// Edges arrive; the engine determines which of them is on time.
    Measuring,
    /// The on-time edge is known; the engine determines its second.
    Pairing,
    /// Samples are published, confirmed by sentences.
    Locked,
    /// Samples are published; seconds are counted by pulses alone.
    Coasting,
    /// Input arrives, but it cannot be trusted.
    Refusing(Reason),
}

impl Default for State {
    fn default() -> Self {
        Self::Searching(Reason::Starting)
    }
}

impl State {
    /// The name of every state, without its reason.
    pub(crate) const NAMES: [&'static str; 6] = ["Searching", "Measuring", "Pairing", "Locked", "Coasting", "Refusing"];

    /// The name of this state, without its reason.
    pub(crate) fn name(self) -> &'static str {
        let [searching, measuring, pairing, locked, coasting, refusing] = Self::NAMES;
        match self {
            Self::Searching(_) => searching,
            Self::Measuring => measuring,
            Self::Pairing => pairing,
            Self::Locked => locked,
            Self::Coasting => coasting,
            Self::Refusing(_) => refusing,
        }
    }

    /// Whether samples are published in this state.
    pub fn publishes(self) -> bool {
        matches!(self, Self::Locked | Self::Coasting)
    }

    /// Why nothing is published, unless the state lasts only seconds.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Searching(reason) | Self::Refusing(reason) => Some(reason),
            Self::Measuring | Self::Pairing | Self::Locked | Self::Coasting => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offset_is_utc_minus_system_time() {
        let sample = Sample {
            label: UtcSecond::from_posix(100),
            at: Instant::from_parts(99, 999_999_000),
            error: Span::ZERO,
            leap: Leap::None,
        };
        assert_eq!(sample.offset(), Span::from_micros(1));
    }
}
