//! Facts from outside and the engine's verdicts: the whole interface of the pure core.
//!
//! Sources only produce [`Event`]s, sinks and status only consume [`Verdict`]s. Every event carries the time at which it
//! was captured, so the same events give the same verdicts, regardless of scheduling.

mod reason;
pub mod text;
mod verdict;

pub use reason::Reason;
pub use verdict::{Contradiction, Sample, State, Verdict};

use crate::core::time::{Date, EdgeClock, Instant, Raw, Span, Sys, UtcSecond};

/// A fact from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes from the receiver, as one read returned them.
    Bytes(Bytes),
    /// What another program, gpsd, has read from the receiver.
    Report(Report),
    /// A pulse edge, timestamped by the PHC.
    Edge(Edge),
    /// The same moment on all three clocks.
    CrossTs(CrossTs),
    /// A source was opened or lost.
    Source {
        /// When.
        raw: Instant<Raw>,
        /// What happened to it.
        change: SourceChange,
    },
    /// The kernel's report on the system clock.
    Witness(Witness),
    /// The next entry of the system's leap second table.
    LeapTable {
        /// When it was read.
        raw: Instant<Raw>,
        /// The next leap second that it announces.
        next: Option<Announced>,
        /// TAI - UTC in seconds, unless the table has expired.
        tai_offset: Option<i64>,
    },
    /// Time passes even if nothing happens.
    Tick {
        /// Now.
        raw: Instant<Raw>,
    },
}

/// Bytes from the receiver, as one read returned them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bytes {
    /// When the read returned; the last byte had arrived by then.
    pub read_at: Instant<Raw>,
    /// Duration of one byte on the line (start, data and stop bits); zero on an input without a baud rate.
    pub byte_time: Span,
    /// The bytes.
    pub data: Box<[u8]>,
}

/// What another program, gpsd, has read from the receiver: a second, or that there is no fix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Report {
    /// When it was read; not before any time in it.
    pub read_at: Instant<Raw>,
    /// Its content.
    pub says: Says,
}

/// The content of a [`Report`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Says {
    /// The receiver has a fix and has named this second.
    Second {
        /// The second.
        utc: UtcSecond,
        /// When it was named: at the end of the sentence that names it.
        named_at: Instant<Raw>,
        /// When the burst with this sentence began, as far as that is known; not after `named_at`.
        began_at: Instant<Raw>,
    },
    /// The receiver has no fix.
    NoFix,
}

/// A pulse edge with the timestamp of the PHC, or of a kernel PPS device's interrupt handler. The kernel does not
/// report which edge of the pulse it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The timestamp; of a kernel PPS device it is `CLOCK_REALTIME`.
    pub phc: Instant<EdgeClock>,
    /// When the event was read from the kernel; never before the edge, sometimes long after it.
    pub read_at: Instant<Raw>,
}

/// A cross timestamp: the same moment on all three clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossTs {
    /// PTP hardware clock; with a kernel PPS device, the system clock again.
    pub phc: Instant<EdgeClock>,
    /// `CLOCK_REALTIME`.
    pub sys: Instant<Sys>,
    /// `CLOCK_MONOTONIC_RAW`.
    pub raw: Instant<Raw>,
    /// Length of the bracket that contains the moment: the three readings agree to within half of it.
    pub window: Span,
}

/// The kernel's report on the system clock (adjtimex(2)). Until gnss2shm publishes, another program sets this clock, so
/// it is an independent witness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Witness {
    /// When it was queried.
    pub raw: Instant<Raw>,
    /// Maximum error of the system clock; `None` while it is not synchronized.
    pub max_error: Option<Span>,
    /// The kernel's TAI - UTC in seconds; `None` if no program has set it.
    pub tai_offset: Option<i64>,
}

/// An announced leap second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Announced {
    /// The UTC day at whose end it occurs.
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
    /// By how many seconds UTC and the pulse count move relative to each other across it.
    pub fn change(self) -> Option<i64> {
        match self {
            Self::None => None,
            Self::Insert => Some(-1),
            Self::Delete => Some(1),
        }
    }
}

/// What happened to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChange {
    /// The receiver's device is open.
    SentencesOpen,
    /// The input of the sentences is missing or gone; the source keeps trying.
    SentencesLost(Lost),
    /// The PHC is open and timestamps edges.
    PulseOpen(Edges),
    /// The PHC is missing or gone; the source keeps trying.
    PulseLost,
    /// No edge arrived for a while: the PHC's pin and channel were set again.
    PulseRearmed,
    /// The kernel PPS device is open and captures edges: `CLOCK_REALTIME`, read in the interrupt handler, is the PHC.
    PpsOpen(Edges),
    /// The kernel PPS device is missing or gone; the source keeps trying.
    PpsLost,
}

/// Which input of the sentences is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The receiver's device does not exist.
    Device,
    /// Another program has the receiver's device open.
    Held,
    /// The TCP server cannot be reached, or has closed the connection.
    Server,
    /// No program writes to the FIFO, or it does not exist.
    Writer,
    /// Standard input has ended and cannot be reopened.
    Stdin,
    /// gpsd does not answer, or the server is not a gpsd.
    Gpsd,
    /// gpsd answers but does not have the receiver's device.
    GpsdDevice,
    /// gpsd has several devices and none is configured.
    GpsdDevices,
}

impl Lost {
    /// Why there are no sentences then.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Device => Reason::SerialLost,
            Self::Held => Reason::SerialHeld,
            Self::Server => Reason::ServerLost,
            Self::Writer => Reason::WriterLost,
            Self::Stdin => Reason::StdinEnded,
            Self::Gpsd => Reason::GpsdLost,
            Self::GpsdDevice => Reason::GpsdDeviceLost,
            Self::GpsdDevices => Reason::GpsdDevicesSeveral,
        }
    }
}

/// Which edges the driver timestamps, as far as that is certain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum Edges {
    /// Only the on-time edge: the driver has granted a strict request for it, or is known to timestamp no other.
    RisingOnly,
    /// Both: the driver has granted a strict request for both, or is known to timestamp both regardless of the request.
    /// One edge alone means that the other one is lost.
    Both,
    /// Nothing is certain: one edge alone proves nothing.
    #[default]
    Unknown,
}
