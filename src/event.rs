//! What happens outside and what the engine says of it: the whole interface of the pure core.
//!
//! Sources only make [`Event`]s, sinks and status only consume [`Verdict`]s. Every event carries the time at which it
//! was captured, so the same events give the same verdicts whatever the scheduling was.

pub mod text;

use std::fmt;

use crate::time::{Date, Instant, Phc, Raw, Span, Sys, UtcSecond};

/// A fact from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// Bytes of the receiver, as one read returned them.
    Bytes(Bytes),
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

/// A pulse edge as the PHC stamped it. Which edge of the pulse it is, the kernel does not say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Edge {
    /// The hardware's time stamp.
    pub phc: Instant<Phc>,
    /// When the event was read from the PHC's queue; never before the edge, sometimes long after it.
    pub read_at: Instant<Raw>,
}

/// A cross time stamp: the same moment on all three clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CrossTs {
    /// PTP hardware clock.
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
    /// The receiver's device is not there, or gone; the source keeps trying.
    SentencesLost,
    /// The PHC is open and time stamps edges.
    PulseOpen(Edges),
    /// The PHC is not there, or gone; the source keeps trying.
    PulseLost,
}

/// Which edges the driver promised when it granted external time stamps. The engine counts the edges all the same; the
/// promise only decides how long a lone edge is watched before it is believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edges {
    /// A strict request for the rising edge alone was granted.
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

/// A finished sample: the pulse of that UTC second came at that system time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sample {
    /// The UTC second that the on-time edge marks.
    pub label: UtcSecond,
    /// `CLOCK_REALTIME` at the on-time edge.
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

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident = $key:literal: $sentence:literal,)*) => {
        /// Why there is no sample. One list for tests, log, metrics and status.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum Reason {
            $($(#[$doc])* #[doc = ""] #[doc = $sentence] $name,)*
        }

        impl Reason {
            /// Every reason, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// The short name that counters carry.
            pub const fn key(self) -> &'static str {
                match self { $(Self::$name => $key,)* }
            }

            /// The operator's sentence: what is wrong, what to check.
            pub const fn sentence(self) -> &'static str {
                match self { $(Self::$name => $sentence,)* }
            }
        }
    };
}

reasons! {
    // Something is missing.
    /// Just started.
    Starting = "starting": "just started: waiting for the first pulse and the first sentence",
    /// Neither half gives anything.
    NothingArrives = "nothing-arrives": "neither pulse nor sentences arrive: check that the receiver has power and is wired to both the serial port and the NIC's pin",
    /// The PHC node is not there.
    PhcLost = "phc-lost": "the PTP hardware clock is not there: check that the NIC's driver is loaded; it is waited for",
    /// No edge.
    NoPulse = "no-pulse": "no pulse edges arrive: check the wiring of the pulse, --pin and --channel, that the receiver gives its pulse without waiting for a fix, and that no other program reads this PHC's time stamps",
    /// Cross time stamps stopped.
    NoCrossTs = "no-cross-time-stamps": "the PTP hardware clock cannot be read: edges arrive but no cross time stamps",
    /// The serial device is not there.
    SerialLost = "serial-lost": "the serial device is not there: check its cable and name; it is waited for",
    /// No byte.
    NoBytes = "no-bytes": "nothing arrives on the serial line: check its wiring and that the receiver has power",
    /// Bytes, but not one valid sentence.
    NoSentence = "no-sentence": "bytes arrive but no valid sentence: wrong baud rate?",
    /// Binary protocol.
    BinaryProtocol = "binary-protocol": "the receiver speaks u-blox's binary protocol: switch its port to NMEA (a gpsd that used it before may have switched it)",
    /// Sentences, but none with a time and a date.
    NoTime = "no-time": "valid sentences arrive but none with UTC time and date: enable RMC, or ZDA with GGA",
    /// Time only of fractions of a second.
    NoWholeSecond = "no-whole-second": "the sentences' times are never a whole second: set the receiver to one fix a second, aligned to UTC",
    /// The receiver says that it has no fix.
    NoFix = "no-fix": "the receiver says that it has no valid fix: check its antenna, or wait for it to start",

    // The pulse cannot be trusted.
    /// Edges without a period.
    Noise = "noise": "edges arrive but nothing among them repeats every second: check the pulse's level and termination, and that it is set to 1 Hz",
    /// More than two edges a second.
    NotOneHertz = "not-1-hz": "more than two edges arrive every second: set the receiver's pulse to 1 Hz",
    /// Two gaps of about the same length.
    AmbiguousWidth = "ambiguous-width": "the pulse is about half a second long, so its two edges cannot be told apart: set the receiver to a shorter pulse, or set width",
    /// The configured width does not fit.
    WidthMismatch = "width-mismatch": "the configured width fits neither part of the second that the edges divide: correct or remove width",
    /// The other edge would be on time now.
    EdgeContradiction = "edge-contradiction": "the pulse's width changed so that the other edge would now be the on-time one: restart if this was intended, or set width",

    // The label cannot be trusted.
    /// Delays at both ends of the second.
    StraddlingDelay = "straddling-delay": "the sentences come so close to the next pulse that their second cannot be told: send fewer sentences, raise the baud rate, or set delay",
    /// The delay slid past the second.
    DelayMoved = "delay-moved": "the sentence delay moved past the end of the second: send fewer sentences or raise the baud rate; or set delay",
    /// Sentences contradict the count.
    LabelDissent = "label-dissent": "the sentences name another second than the pulses counted: waiting until they agree",
    /// A date before this program was written.
    DateTooEarly = "date-too-early": "the sentences' date lies before this program was made: the receiver has no fix yet, or its week number rolled over (then set rollover = \"correct\")",
    /// A date that lies too far ahead.
    DateTooLate = "date-too-late": "the sentences' date lies more than 19 years after this program was made: the receiver's week number is wrong",
    /// The configured delay does not fit.
    DelayMismatch = "delay-mismatch": "the configured delay does not fit the sentences: correct or remove delay",
    /// A leap second may be happening.
    LeapWindow = "leap-window": "the end of June or December: a leap second may come, so nothing is published until sentences have confirmed the count after it",
    /// The leap second that the table announces did not show.
    LeapContradiction = "leap-contradiction": "the system's leap second table announced a leap second that the receiver did not show: check both",
    /// The system clock says otherwise.
    WitnessDisagrees = "witness-disagrees": "the system clock is synchronised and disagrees: the sentences are a second late, the receiver's leap second count is stale, or the pulse is the longer part of the second; set delay or width, or witness = \"off\" if the system clock is wrong",
    /// The conventions were neither configured nor confirmed.
    Unconfirmed = "unconfirmed": "conventions = \"confirm\" is set, and nothing has confirmed them: set width and delay, or let chronyd synchronise the system clock from another source first",

    // A single pulse is passed over.
    /// The pulse came before it had a label.
    NotYet = "not-yet": "the pulse came before its edge and second were settled",
    /// An edge that fits no track.
    Stray = "stray-edge": "an edge that fits no pulse: noise on the line or a glitch of the receiver",
    /// An old edge again.
    StaleEdge = "stale-edge": "an edge that was seen before or is too old to be dated",
    /// A short pulse with one edge missing or added.
    TornPulse = "torn-pulse": "a short pulse did not show the same edges as before",
    /// PHC stepped.
    PhcStepped = "phc-stepped": "the PTP hardware clock was stepped or changed its rate around the pulse",
    /// System clock stepped.
    SysStepped = "system-clock-stepped": "the system clock was stepped or changed its rate around the pulse",
    /// Reading the clocks took too long.
    ErrorTooLarge = "error-too-large": "reading the clocks took too long to date the pulse well",
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.sentence())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_reason_has_a_key_of_its_own_and_one_sentence() {
        let keys: HashSet<_> = Reason::ALL.iter().map(|r| r.key()).collect();
        assert_eq!(keys.len(), Reason::ALL.len());
        for reason in Reason::ALL {
            assert!(!reason.sentence().ends_with('.') && reason.sentence().len() > 20, "{reason:?}");
        }
    }

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
