//! What can go wrong in the simulated world, and when.

use crate::core::time::Span;

/// Something that goes wrong from one second on until another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fault {
    /// First second with it, counted from the start.
    pub from: i64,
    /// First second without it.
    pub until: i64,
    /// What it is.
    pub kind: FaultKind,
}

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// Edges are lost, per thousand.
    EdgeLoss(u32),
    /// Seconds with an edge at a random place, per thousand.
    Glitches(u32),
    /// Edges of these ends of the pulse are lost, per thousand.
    PolarityLoss(PulseEnd, u32),
    /// An edge comes this long before each rising one: crosstalk.
    Crosstalk(Span),
    /// No pulse.
    NoPulse,
    /// The pulse comes later by this much: the receiver lost its fix or was set anew.
    PulseShift(Span),
    /// The pulse comes later by this much more every second: it runs free.
    PulseDrift(Span),
    /// Edges are delivered this much later.
    LateEdges(Span),
    /// Edges are delivered a second time, per thousand.
    StaleEdges(u32),
    /// Edges are stamped twice, some microseconds apart, per thousand.
    DoubleEdges(u32),
    /// These ends of every pulse are stamped twice, always this far apart: a line that reflects.
    Ringing(PulseEnd, Span),
    /// No sentence.
    NoSentences,
    /// Seconds whose sentences are lost, per thousand.
    SentenceLoss(u32),
    /// Bytes that are damaged on the line, per thousand.
    Corruption(u32),
    /// The sentences say that there is no fix.
    NoFix,
    /// Sentences come this much later.
    DelayJump(Span),
    /// Sentences come later by this much more every second.
    DelayRamp(Span),
    /// Sentences name a second that is off by this many.
    WrongSecond(i64),
    /// The PHC is stepped by this much when it begins.
    PhcStep(Span),
    /// The PHC runs faster by this many parts per million.
    PhcRate(i64),
    /// The PHC's rate changes every second, each time by up to this many parts per billion.
    PhcWalk(i64),
    /// A servo sets the PHC's rate off by so many parts per million, to either side by turns, once a second this long
    /// after it begins.
    PhcServo(i64, Span),
    /// A servo steps the PHC by this much, to either side by turns, once a second this long after it begins.
    PhcNudge(Span, Span),
    /// The NIC is reset when it begins: the PHC jumps to the system time, and stamps no edge until the source, which
    /// has missed edges for 3 s, arms it again.
    NicReset,
    /// The system clock is stepped by this much when it begins.
    SysStep(Span),
    /// The system clock runs faster by this many parts per million.
    SysRate(i64),
    /// The system clock's rate is set off by so many parts per million, to either side by turns, once a second this long
    /// after it begins: a daemon slews it.
    SysServo(i64, Span),
    /// A thread gets the processor only once in this time.
    Stall(SimThread, Span),
}

/// Which ends of the pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PulseEnd {
    /// The one at which it rises.
    Rising,
    /// The one at which it falls.
    Falling,
    /// Both.
    Both,
}

/// What can be kept from running. Only virtual time knows of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimThread {
    /// The one that owns the PHC: edges are read late, and no cross timestamps are taken.
    Phc,
    /// The one that reads the serial line: sentences are read late, and many bytes at once.
    Reader,
    /// What carries edges and cross timestamps to the engine: they were read in time and arrive late, in order.
    PulseEvents,
    /// What carries bytes to the engine, likewise.
    SentenceEvents,
}

impl FaultKind {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdgeLoss(_) => "edge loss",
            Self::Glitches(_) => "glitches",
            Self::PolarityLoss(..) => "polarity loss",
            Self::Crosstalk(_) => "crosstalk",
            Self::PulseDrift(_) => "pulse drift",
            Self::PhcServo(..) => "PHC servo",
            Self::PhcNudge(..) => "PHC nudges",
            Self::NoPulse => "no pulse",
            Self::PulseShift(_) => "pulse shift",
            Self::LateEdges(_) => "late edges",
            Self::StaleEdges(_) => "stale edges",
            Self::NoSentences => "no sentences",
            Self::SentenceLoss(_) => "sentence loss",
            Self::Corruption(_) => "corruption",
            Self::NoFix => "no fix",
            Self::DelayJump(_) => "delay jump",
            Self::DelayRamp(_) => "delay ramp",
            Self::WrongSecond(_) => "wrong second",
            Self::PhcStep(_) => "PHC step",
            Self::DoubleEdges(_) => "double edges",
            Self::Ringing(..) => "ringing",
            Self::PhcRate(_) => "PHC rate",
            Self::PhcWalk(_) => "PHC random walk",
            Self::NicReset => "NIC reset",
            Self::SysStep(_) => "system clock step",
            Self::SysRate(_) => "system clock rate",
            Self::SysServo(..) => "system clock slewed by turns",
            Self::Stall(SimThread::Phc, _) => "PHC thread stalls",
            Self::Stall(SimThread::Reader, _) => "reader stalls",
            Self::Stall(SimThread::PulseEvents, _) => "pulse events late",
            Self::Stall(SimThread::SentenceEvents, _) => "sentence events late",
        }
    }
}
