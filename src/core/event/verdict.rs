//! What the engine says: samples, refusals, and where it stands.

use std::fmt;

use super::{Contradiction, Leap, Reason};
use crate::core::time::{Instant, Span, Sys, UtcSecond};

/// What the engine says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A finished sample.
    Sample(Sample),
    /// An edge, a pulse or a sentence that is not used, and why.
    Rejected(Reason),
    /// The sentences agreed on another second than the one counted so far.
    Relabeled {
        /// How many seconds the label was moved.
        seconds: i64,
    },
    /// Why the state is what it is, in figures. Follows the change of state.
    Contradiction(Contradiction),
    /// The receiver's dates are corrected by that many weeks from now on.
    RolledOver {
        /// A multiple of 1024.
        weeks: i64,
    },
    /// The first sample disagrees with the system clock, and is published all the same because that was configured.
    WitnessOverruled {
        /// How far UTC is ahead of the system clock, as the sample has it.
        offset: Span,
    },
    /// The state is another one now.
    StateChanged {
        /// The state until now.
        from: State,
        /// The state from now on.
        to: State,
    },
}

/// A finished sample: the pulse of that UTC second came at that system time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The UTC second that the on-time edge marks.
    pub label: UtcSecond,
    /// `CLOCK_REALTIME` at the true second: at the on-time edge, less the configured offset.
    pub at: Instant<Sys>,
    /// Bound of the error of `at`.
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

/// Where the engine stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    /// A half of the input is missing.
    Searching(Reason),
    /// Edges come; which of them is on time is being found out.
    Measuring,
    /// The on-time edge is known; its second is being found out.
    Pairing,
    /// Samples are published, confirmed by sentences.
    Locked,
    /// Samples are published, seconds are counted on the pulse alone.
    Coasting,
    /// Input comes, but it cannot be trusted.
    Refusing(Reason),
}

impl Default for State {
    fn default() -> Self {
        Self::Searching(Reason::Starting)
    }
}

impl State {
    /// Whether samples are published in this state.
    pub fn publishes(self) -> bool {
        match self {
            Self::Locked | Self::Coasting => true,
            Self::Searching(_) | Self::Measuring | Self::Pairing | Self::Refusing(_) => false,
        }
    }

    /// Why nothing is published, where it is not just a matter of seconds.
    pub fn reason(self) -> Option<Reason> {
        match self {
            Self::Searching(reason) | Self::Refusing(reason) => Some(reason),
            Self::Measuring | Self::Pairing | Self::Locked | Self::Coasting => None,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Searching(_) => "Searching",
            Self::Measuring => "Measuring",
            Self::Pairing => "Pairing",
            Self::Locked => "Locked",
            Self::Coasting => "Coasting",
            Self::Refusing(_) => "Refusing",
        })
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
