//! The figures behind a refusal: two things that cannot both be true, side by side.

use std::fmt;

use crate::core::time::{Instant, Span, Sys, UtcSecond};

/// Two things that cannot both be true.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contradiction {
    /// The configured pulse width, and the two parts that the edges divide the second into.
    Width {
        /// As configured; `None` where neither part can be told to be the pulse.
        configured: Option<Span>,
        /// As measured.
        measured: [Span; 2],
    },
    /// The configured sentence delay and the measured one.
    Delay {
        /// As configured.
        configured: Span,
        /// As measured, from the nearest pulse that it could mean.
        measured: Span,
    },
    /// The sentence delay until now, and the one with which the sentences would name another pulse.
    DelayMoved {
        /// As it was.
        before: Span,
        /// As measured, from the pulse before the sentence.
        now: Span,
    },
    /// Seconds that sentences name for the same pulse.
    Sentences {
        /// The newest of them.
        one: UtcSecond,
        /// Those before it.
        other: UtcSecond,
    },
    /// A leap second as the table announced it and as the receiver showed it: by how many seconds the count of the
    /// pulses and UTC moved against each other.
    Leap {
        /// -1 where a second was to be inserted, 1 where one was to be left out.
        announced: i64,
        /// The same of the sentences; 0 where they showed none.
        shown: i64,
    },
    /// The second that was counted on the pulses and the one that the sentences name for the same pulse.
    Label {
        /// As counted.
        counted: UtcSecond,
        /// As named.
        named: UtcSecond,
    },
    /// The date that the receiver names and the range that is possible.
    Date {
        /// As named.
        named: UtcSecond,
        /// The earliest that is believed.
        earliest: UtcSecond,
        /// The latest that is believed.
        latest: UtcSecond,
    },
    /// The pulse by the receiver and by the system clock.
    Witness {
        /// The second that the sentences give the pulse.
        named: UtcSecond,
        /// When the pulse came by the system clock.
        sys: Instant<Sys>,
        /// How far the system clock can be off by its own account.
        max_error: Span,
    },
}

impl fmt::Display for Contradiction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::Width { configured: Some(width), measured: [a, b] } => {
                write!(f, "configured width {width}, measured {a} and {b}")
            }
            Self::Width { configured: None, measured: [a, b] } => write!(f, "the edges lie {a} and {b} apart"),
            Self::Delay { configured, measured } => write!(f, "configured delay {configured}, measured {measured}"),
            Self::DelayMoved { before, now } => {
                write!(f, "the sentences came {before} after the pulse that they name, now {now} after a pulse")
            }
            Self::Sentences { one, other } => write!(f, "the sentences name {one} and {other} for the same pulse"),
            Self::Leap { announced, shown } => {
                write!(f, "the table announced {}, the sentences showed {}", leap(announced), leap(shown))
            }
            Self::Label { counted, named } => write!(f, "counted {counted}, the sentences name {named}"),
            Self::Date { named, earliest, latest } => {
                write!(f, "the receiver names {named}, possible is {earliest} to {latest}")
            }
            Self::Witness { named, sys, max_error } => {
                let off = Instant::<Sys>::from_parts(named.posix(), 0) - sys;
                write!(
                    f,
                    "the pulse named {named} differs by {off} from the system clock, which is good to {max_error}"
                )
            }
        }
    }
}

/// A change of the label over a leap second, in words.
fn leap(seconds: i64) -> String {
    match seconds {
        0 => "no leap second".into(),
        -1 => "an inserted second".into(),
        1 => "a second left out".into(),
        _ => format!("a step of {seconds:+} s"),
    }
}
