//! A scenario: a receiver, a NIC, the machine's clocks, and their faults.

use super::random::Random;
use gnss2shm::core::event::Announced;
use gnss2shm::core::time::Span;

pub use super::sentence::{Shown, SimSentence};
pub(crate) use gnss2shm::simulator::SimEdges;

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Pulse to first byte of the sentences.
    pub delay: Span,
    /// Maximum deviation from `delay`; never before the pulse.
    pub jitter: Span,
    /// How the deviations are distributed.
    pub spread: Spread,
    /// Baud rate of the line.
    pub baud: u32,
    /// How the bytes are delivered.
    pub pace: Pace,
    /// How long the receiver is silent after the first sentence of a burst.
    pub pause: Span,
    /// How long the pulse is active: 500 ms for a duty cycle of 50 %.
    pub width: Span,
    /// The pulse's polarity, and which of its ends is on time.
    pub polarity: Polarity,
    /// Which edges the NIC timestamps.
    pub edges: SimEdges,
    /// Frequency offset of the PHC from the raw clock.
    pub phc_ppm: i64,
    /// Frequency offset of the machine's oscillator from UTC.
    pub system_ppm: i64,
    /// How far the system clock is ahead of UTC at the start.
    pub sys_ahead: Span,
    /// The system clock's maximum error as reported by the kernel; `None` while it is not synchronized.
    pub sys_max_error: Option<Span>,
    /// Maximum error of an edge's timestamp, uniformly distributed.
    pub noise: Span,
    /// Which sentences the receiver sends, in this order.
    pub sentences: Vec<SimSentence>,
    /// A leap second after the second with this number, and how the receiver shows it.
    pub leap: Option<(i64, LeapShape)>,
    /// The announcement in the system's leap second table, right or wrong.
    pub announced: Option<Announced>,
    /// Faults and their times.
    pub faults: Vec<Fault>,
    /// Seed of the random numbers.
    pub seed: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            delay: Span::from_millis(300),
            jitter: Span::from_millis(20),
            spread: Spread::Even,
            baud: 9_600,
            pace: Pace::Line,
            pause: Span::ZERO,
            width: Span::from_millis(100),
            polarity: Polarity::ActiveHigh,
            edges: SimEdges::Both,
            phc_ppm: 12,
            system_ppm: -7,
            sys_ahead: Span::ZERO,
            sys_max_error: None,
            noise: Span::from_nanos(20),
            sentences: vec![SimSentence::Rmc, SimSentence::Zda, SimSentence::Gga, SimSentence::Gsa],
            leap: None,
            announced: None,
            faults: Vec::new(),
            seed: 1,
        }
    }
}

/// How the sentence delay is distributed about its mean, within a greatest deviation. Ramps and jumps are faults.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spread {
    /// Uniformly.
    Even,
    /// Normally: the greatest deviation is three standard deviations.
    Normal,
    /// A random walk: each second by up to an eighth of the greatest deviation.
    Wander,
}

impl Spread {
    /// The next deviation, of at most `most`, after the `last` one.
    pub fn next(self, random: &mut Random, most: Span, last: Span) -> Span {
        let next = match self {
            Self::Even => random.within(most),
            // The sum of twelve uniform deviations has twice the greatest one as its standard deviation.
            Self::Normal => {
                Span::from_nanos((0..12).map(|_| random.within(most).nanos()).fold(0, i64::saturating_add) / 6)
            }
            Self::Wander => last + random.within(Span::from_nanos(most.nanos() / 8)),
        };
        next.min(most).max(-most)
    }
}

/// The pulse's polarity, and which of its ends is on time. With both edges timestamped, [`Self::ActiveHigh`] and
/// [`Self::ActiveLow`] look the same, and [`Self::EndsOnTime`] looks like a pulse that starts a width early, or like
/// one on time that is active for the rest of the second. With only the rising edge timestamped, a pulse that does not
/// rise on time is off by its width, and no edge shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Polarity {
    /// Rises on time, falls a width later.
    ActiveHigh,
    /// Falls on time, rises a width later: an inverted pulse.
    ActiveLow,
    /// Rises a width early, falls on time.
    EndsOnTime,
}

impl Polarity {
    /// When a pulse of this width rises and when it falls, after the second.
    pub fn edges(self, width: Span) -> [Span; 2] {
        match self {
            Self::ActiveHigh => [Span::ZERO, width],
            Self::ActiveLow => [width, Span::ZERO],
            Self::EndsOnTime => [-width, Span::ZERO],
        }
    }
}

/// How bytes come off the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As from a UART, at the line's rate.
    Line,
    /// The whole burst at once, regardless of the rate: native USB.
    AtOnce,
    /// Each line when it is complete, from a relay that has no rate.
    WholeLines,
}

/// How a receiver shows an inserted second, or that it leaves one out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeapShape {
    /// `:59`, `:60`, `:00`.
    Sixty,
    /// `:59`, `:59`, `:00`.
    Doubled59,
    /// `:59`, `:00`, `:00`.
    Doubled00,
    /// `:58`, `:00`: a second is left out.
    Deleted,
}

/// A fault from one second until another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// First second with it, counted from the start.
    pub from: i64,
    /// First second without it.
    pub until: i64,
    /// What goes wrong.
    pub kind: FaultKind,
}

impl Fault {
    /// A fault that lasts from the first second on.
    pub const fn always(kind: FaultKind) -> Self {
        Self { from: 0, until: i64::MAX, kind }
    }
}

/// Faults. Shares are per thousand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// This share of edges is lost.
    EdgeLoss(u32),
    /// This share of seconds has an edge at a random place.
    Glitches(u32),
    /// This share of the edges of these ends of the pulse is lost.
    PolarityLoss(PulseEnd, u32),
    /// Crosstalk: an edge this long before each rising one.
    Crosstalk(Span),
    /// No pulse.
    NoPulse,
    /// The pulse is later by this much: the receiver lost its fix or was reconfigured.
    PulseShift(Span),
    /// The pulse comes later by this much more every second: it runs free.
    PulseDrift(Span),
    /// Edges are delivered this much later.
    LateEdges(Span),
    /// This share of edges is delivered a second time.
    StaleEdges(u32),
    /// This share of edges is timestamped twice, some microseconds apart.
    DoubleEdges(u32),
    /// These ends of every pulse are timestamped twice, always this far apart: a line that reflects.
    Ringing(PulseEnd, Span),
    /// No sentence.
    NoSentences,
    /// This share of seconds has no sentences.
    SentenceLoss(u32),
    /// This share of bytes is damaged on the line.
    Corruption(u32),
    /// The sentences say that there is no fix.
    NoFix,
    /// Sentences come this much later.
    DelayJump(Span),
    /// Sentences come later by this much more every second.
    DelayRamp(Span),
    /// Sentences name a second that is off by this many.
    WrongSecond(i64),
    /// The PHC is stepped by this much when the fault begins.
    PhcStep(Span),
    /// The PHC runs faster by this many parts per million.
    PhcRate(i64),
    /// The PHC's rate changes every second, each time by up to this many parts per billion.
    PhcWalk(i64),
    /// A servo sets the PHC's rate off by this many parts per million, to either side by turns, once a second and this
    /// long after the second begins.
    PhcServo(i64, Span),
    /// A servo steps the PHC by this much, to either side by turns, once a second and this long after it begins.
    PhcNudge(Span, Span),
    /// The NIC is reset when the fault begins: the PHC jumps to the system time, and timestamps no edge until the
    /// source, which has missed edges for 3 s, arms it again.
    NicReset,
    /// The system clock is stepped by this much when the fault begins.
    SysStep(Span),
    /// The system clock runs faster by this many parts per million.
    SysRate(i64),
    /// A daemon slews the system clock: its rate is set off by this many parts per million, to either side by turns,
    /// once a second and this long after it begins.
    SysServo(i64, Span),
    /// A thread gets the processor only once in this time. Only in virtual time.
    Stall(SimThread, Span),
}

/// Which ends of the pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PulseEnd {
    /// The rising edge.
    Rising,
    /// The falling edge.
    Falling,
    /// Both.
    Both,
}

/// What can be stalled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimThread {
    /// The thread that owns the PHC: edges are read late, and no cross timestamps are taken.
    Phc,
    /// The thread that reads the serial line: sentences are read late, and many bytes at once.
    Reader,
    /// The delivery of edges and cross timestamps to the engine: read in time, they arrive late and in order.
    PulseEvents,
    /// The delivery of bytes to the engine, likewise.
    SentenceEvents,
}
