//! What happens outside and what the engine says of it: the whole interface of the pure core.
//!
//! Sources only make [`Event`]s, sinks and status only consume [`Verdict`]s. Every event carries the time at which it
//! was captured, so the same events give the same verdicts whatever the scheduling was.

mod contradiction;
mod reason;
mod source_change;
pub mod text;
mod verdict;

pub use contradiction::Contradiction;
pub use reason::Reason;
pub use source_change::{Edges, Lost, SourceChange};
pub use verdict::{Sample, State, Verdict};

use crate::core::time::{Date, Instant, Phc, Raw, Span, Sys, UtcSecond};

/// A fact from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes of the receiver, as one read returned them.
    Bytes(Bytes),
    /// What another program has read from the receiver.
    Report(Report),
    /// A pulse edge, timestamped by the PHC.
    Edge(Edge),
    /// One moment read on all three clocks.
    CrossTs(CrossTs),
    /// A source was opened or lost.
    Source {
        /// When.
        raw: Instant<Raw>,
        /// What happened to it.
        change: SourceChange,
    },
    /// What the kernel says of the system clock.
    Witness(Witness),
    /// What the system's table of leap seconds says.
    LeapTable {
        /// When it was read.
        raw: Instant<Raw>,
        /// The next leap second that it announces.
        next: Option<Announced>,
    },
    /// Time passes, even where nothing happens.
    Tick {
        /// Now.
        raw: Instant<Raw>,
    },
}

/// Bytes of the receiver, as one read returned them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// When the read returned; the last byte had arrived by then.
    pub read_at: Instant<Raw>,
    /// How long one byte is on the line (start, data and stop bits); zero where no line paces the bytes.
    pub byte_time: Span,
    /// The bytes.
    pub data: Box<[u8]>,
}

/// What another program, gpsd, has read from the receiver: a second, or that there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// When it was read; not before anything that it says.
    pub read_at: Instant<Raw>,
    /// What it says.
    pub says: Says,
}

/// What a [`Report`] says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The receiver has a fix and has named this second.
    Second {
        /// The second.
        utc: UtcSecond,
        /// When it was named: when the sentence that names it had come to its end.
        named_at: Instant<Raw>,
        /// When the burst that this sentence is part of began, as far as it can be told; not after `named_at`.
        began_at: Instant<Raw>,
    },
    /// The receiver has no fix.
    NoFix,
}

/// A pulse edge as the PHC, or the interrupt's handler of a kernel PPS device, stamped it. Which edge of the pulse it
/// is, the kernel does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The timestamp; of a kernel PPS device it is `CLOCK_REALTIME`.
    pub phc: Instant<Phc>,
    /// When the event was read from the kernel; never before the edge, sometimes long after it.
    pub read_at: Instant<Raw>,
}

/// A cross timestamp: the same moment on all three clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossTs {
    /// PTP hardware clock; the system clock's reading once more where a kernel PPS device stamps the edges.
    pub phc: Instant<Phc>,
    /// `CLOCK_REALTIME`.
    pub sys: Instant<Sys>,
    /// `CLOCK_MONOTONIC_RAW`.
    pub raw: Instant<Raw>,
    /// Length of the bracket the moment lies in: the three readings agree to half of it.
    pub window: Span,
}

/// What the kernel says of the system clock (adjtimex(2)). Until we have published, somebody else set it: a witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// When it was asked.
    pub raw: Instant<Raw>,
    /// How far the system clock can be off, at most; `None` while nobody synchronizes it.
    pub max_error: Option<Span>,
}

/// A leap second that is known to come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The UTC day at whose end it comes.
    pub day: Date,
    /// What happens then.
    pub leap: Leap,
}

/// Leap second announced for the end of the UTC day (the values are NTP's leap indicator).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Leap {
    /// None, or none known.
    #[default]
    None = 0,
    /// The last minute has 61 seconds.
    Insert = 1,
    /// The last minute has 59 seconds.
    Delete = 2,
}

impl Leap {
    /// By how many seconds the label of the pulse counted as 0 changes over it.
    pub fn change(self) -> Option<i64> {
        match self {
            Self::None => None,
            Self::Insert => Some(-1),
            Self::Delete => Some(1),
        }
    }
}
