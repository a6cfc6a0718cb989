//! The figures behind a refusal: two values that cannot both be true.

use crate::core::time::{Instant, Span, Sys, UtcSecond};

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
