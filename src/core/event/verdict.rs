//! The output of the engine: samples, refusals, and its state.

use std::fmt;

use super::{Leap, Reason};
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

/// Two values that cannot both be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Contradiction {
    /// The configured pulse width, and the two parts into which the edges divide the second.
    #[error("{}", width(*.configured, *.measured))]
    Width {
        /// As configured; `None` if the width is not configured and neither part can be identified as the pulse.
        configured: Option<Span>,
        /// As measured.
        measured: [Span; 2],
    },
    /// The configured sentence delay and the measured one.
    #[error("configured delay {configured}, measured {measured}")]
    Delay {
        /// As configured.
        configured: Span,
        /// As measured from the nearest pulse that it could refer to.
        measured: Span,
    },
    /// The sentence delay so far, and the one with which the sentences would name another pulse.
    #[error("the sentences arrived {before} after the pulse that they name, now {now} after a pulse")]
    DelayMoved {
        /// As it was.
        before: Span,
        /// As measured, from the pulse before the sentence.
        now: Span,
    },
    /// Seconds that sentences name for the same pulse.
    #[error("the sentences name {one} and {other} for the same pulse")]
    Sentences {
        /// The newest of them.
        one: UtcSecond,
        /// Those before it.
        other: UtcSecond,
    },
    /// A leap second as the table announced it and as the receiver showed it: by how many seconds the pulse count and
    /// UTC moved relative to each other.
    #[error("the table announced {}, the sentences showed {}", leap(*.announced), leap(*.shown))]
    Leap {
        /// -1 for an inserted second, 1 for a deleted one.
        announced: i64,
        /// The same for the sentences; 0 if they showed none.
        shown: i64,
    },
    /// The second counted by pulses and the one that the sentences name for the same pulse.
    #[error("counted {counted}, the sentences name {named}")]
    Label {
        /// As counted.
        counted: UtcSecond,
        /// As named.
        named: UtcSecond,
    },
    /// The date that the receiver names and the range that is possible.
    #[error("the receiver names {named}, but only {earliest} to {latest} is possible")]
    Date {
        /// As named.
        named: UtcSecond,
        /// The earliest that is accepted.
        earliest: UtcSecond,
        /// The latest that is accepted.
        latest: UtcSecond,
    },
    /// The pulse according to the receiver and to the system clock.
    #[error(
        "the pulse labeled {named} differs by {} from the system clock, whose maximum error is {max_error}",
        Instant::<Sys>::from_parts(.named.posix(), 0) - *.sys
    )]
    Witness {
        /// The second that the sentences assign to the pulse.
        named: UtcSecond,
        /// When the pulse arrived, by the system clock.
        sys: Instant<Sys>,
        /// The maximum error that the kernel reports for the system clock.
        max_error: Span,
    },
}

fn width(configured: Option<Span>, [a, b]: [Span; 2]) -> String {
    match configured {
        Some(width) => format!("configured width {width}, measured {a} and {b}"),
        None => format!("the edges are {a} and {b} apart"),
    }
}

/// A change of the label across a leap second, in words.
fn leap(seconds: i64) -> String {
    match seconds {
        0 => "no leap second".into(),
        -1 => "an inserted second".into(),
        1 => "a deleted second".into(),
        _ => format!("a step of {seconds:+} s"),
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
