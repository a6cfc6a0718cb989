//! What happens outside and what the engine says of it: the whole interface of the pure core.
//!
//! Sources only make [`Event`]s, sinks and status only consume [`Verdict`]s. Every event carries the time at which it
//! was captured, so the same events give the same verdicts whatever the scheduling was.

mod reason;
pub mod text;

pub use reason::Reason;

use std::fmt;

use crate::time::{Date, Instant, Phc, Raw, Span, Sys, UtcSecond};

/// A fact from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes of the receiver, as one read returned them.
    Bytes(Bytes),
    /// What another program has read from the receiver.
    Report(Report),
    /// A pulse edge, time stamped by the PHC.
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
    /// The time stamp; of a kernel PPS device it is `CLOCK_REALTIME`.
    pub phc: Instant<Phc>,
    /// When the event was read from the kernel; never before the edge, sometimes long after it.
    pub read_at: Instant<Raw>,
}

/// A cross time stamp: the same moment on all three clocks.
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
    /// How far the system clock can be off, at most; `None` while nobody synchronises it.
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

/// What happened to a source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceChange {
    /// The receiver's device is open.
    SentencesOpen,
    /// What the sentences come through is not there, or gone; the source keeps trying.
    SentencesLost(Lost),
    /// The PHC is open and time stamps edges.
    PulseOpen(Edges),
    /// The PHC is not there, or gone; the source keeps trying.
    PulseLost,
    /// No edge came for a while: the PHC's pin and channel were set again.
    PulseRearmed,
    /// The kernel PPS device is open and captures edges: `CLOCK_REALTIME`, read by an interrupt's handler, is the PHC.
    PpsOpen(Edges),
    /// The kernel PPS device is not there, or gone; the source keeps trying.
    PpsLost,
}

/// What the sentences do not come through any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// The receiver's device is not there.
    Device,
    /// Another program has the receiver's device.
    Held,
    /// The TCP server cannot be reached, or has closed the connection.
    Server,
    /// Nobody writes to the FIFO, or it is not there.
    Writer,
    /// Standard input has ended, for good.
    Stdin,
    /// gpsd does not answer, or what answers is no gpsd.
    Gpsd,
    /// gpsd answers but does not have the receiver's device.
    GpsdDevice,
    /// gpsd has several devices and nobody chose one.
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

/// Which edges the driver promised when it granted external time stamps. The engine counts the edges all the same; the
/// promise only decides how long a lone edge is watched before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// A strict request for the rising edge alone was granted, or a kernel PPS device captures one edge alone.
    RisingOnly,
    /// Both edges were asked for, or the driver promised nothing.
    BothOrUnknown,
}

/// What the engine says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// A finished sample.
    Sample(Sample),
    /// An edge, a pulse or a sentence that is not used, and why.
    Rejected(Reason),
    /// The sentences agreed on another second than the one counted so far.
    Relabelled {
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
    /// The edge that was on time starts the other part of the second now.
    Edge {
        /// Pulse width until now; `None` where one edge alone was seen.
        before: Option<Span>,
        /// The parts that the edges divide the second into now.
        measured: [Span; 2],
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
            Self::Edge { before, measured: [a, b] } => {
                match before {
                    Some(width) => write!(f, "the pulse was {width} wide")?,
                    None => f.write_str("one edge a second came")?,
                }
                write!(f, ", the edges now lie {a} and {b} apart")
            }
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
