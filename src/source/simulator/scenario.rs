//! What is simulated: a receiver, a NIC, the machine's clocks, and what goes wrong when.

use crate::event::{Announced, Edges};
use crate::time::{Span, UtcSecond};

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Pulse to first byte of the sentences.
    pub delay: Span,
    /// Greatest deviation from `delay`, evenly spread; never to before the pulse.
    pub jitter: Span,
    /// Bits a second on the line.
    pub baud: u32,
    /// How long the pulse is active.
    pub width: Span,
    /// Which edges the NIC stamps.
    pub edges: SimEdges,
    /// How much faster than the raw clock the PHC runs.
    pub phc_ppm: i64,
    /// How much faster than UTC the machine's oscillator runs.
    pub system_ppm: i64,
    /// How far the system clock is ahead of UTC at the start.
    pub sys_ahead: Span,
    /// The greatest error that the kernel claims for the system clock; `None` while nobody synchronises it.
    pub sys_max_error: Option<Span>,
    /// Edges lost, per thousand.
    pub edge_loss: u32,
    /// Seconds whose sentences are lost, per thousand.
    pub sentence_loss: u32,
    /// Seconds with an edge at a random place, per thousand.
    pub glitches: u32,
    /// Greatest error of an edge's stamp, evenly spread.
    pub noise: Span,
    /// Which sentences the receiver sends, in this order.
    pub sentences: Vec<SimSentence>,
    /// A leap second after the second with this number, and how the receiver shows it.
    pub leap: Option<(i64, LeapShape)>,
    /// What the system's table of leap seconds announces, rightly or not.
    pub announced: Option<Announced>,
    /// What goes wrong, and when.
    pub faults: Vec<Fault>,
    /// Seed of everything random.
    pub seed: u64,
}

impl Default for Scenario {
    fn default() -> Self {
        Self {
            delay: Span::from_millis(300),
            jitter: Span::from_millis(20),
            baud: 9_600,
            width: Span::from_millis(100),
            edges: SimEdges::Both,
            phc_ppm: 12,
            system_ppm: -7,
            sys_ahead: Span::ZERO,
            sys_max_error: None,
            edge_loss: 0,
            sentence_loss: 0,
            glitches: 0,
            noise: Span::from_nanos(20),
            sentences: vec![SimSentence::Rmc, SimSentence::Zda, SimSentence::Gga, SimSentence::Gsa],
            leap: None,
            announced: None,
            faults: Vec::new(),
            seed: 1,
        }
    }
}

/// Which edges the simulated NIC stamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SimEdges {
    /// Both, like Intel's i210, and it does not say which is which.
    Both,
    /// The rising one alone, as it promises.
    One,
}

impl SimEdges {
    /// What such a NIC's driver promises.
    pub fn promise(self) -> Edges {
        match self {
            Self::Both => Edges::BothOrUnknown,
            Self::One => Edges::RisingOnly,
        }
    }
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
    /// No pulse.
    NoPulse,
    /// The pulse comes later by this much: the receiver lost its fix or was set anew.
    PulseShift(Span),
    /// Edges are delivered this much later.
    LateEdges(Span),
    /// Edges are delivered a second time, per thousand.
    StaleEdges(u32),
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
    /// The system clock is stepped by this much when it begins.
    SysStep(Span),
    /// The system clock runs faster by this many parts per million.
    SysRate(i64),
}

impl FaultKind {
    /// Its name in a table.
    pub fn name(self) -> &'static str {
        match self {
            Self::EdgeLoss(_) => "edge loss",
            Self::Glitches(_) => "glitches",
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
            Self::PhcRate(_) => "PHC rate",
            Self::SysStep(_) => "system clock step",
            Self::SysRate(_) => "system clock rate",
        }
    }
}

/// A sentence that the simulated receiver can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimSentence {
    /// Time, date, status.
    Rmc,
    /// Time and date.
    Zda,
    /// Time and quality.
    Gga,
    /// Satellites used: no time.
    Gsa,
}

/// What a receiver shows of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The second; of a leap second, the one before it.
    pub utc: UtcSecond,
    /// Whether it is shown as `:60`.
    pub is_sixty: bool,
    /// Whether it claims a fix.
    pub has_fix: bool,
}

impl SimSentence {
    /// The sentence that shows this, with checksum and line end.
    pub fn text(self, shown: Shown) -> String {
        let (sod, (year, month, day)) = (shown.utc.second_of_day(), shown.utc.date().ymd());
        let second = sod % 60 + u32::from(shown.is_sixty);
        let time = format!("{:02}{:02}{second:02}.00", sod / 3_600, sod / 60 % 60);
        let place = "4807.03810,N,01131.00000,E";
        let body = match (self, shown.has_fix) {
            (Self::Rmc, true) => {
                format!("GNRMC,{time},A,{place},0.01,0.0,{day:02}{month:02}{:02},,,A", year.rem_euclid(100))
            }
            (Self::Rmc, false) => format!("GNRMC,{time},V,,,,,,,{day:02}{month:02}{:02},,,N", year.rem_euclid(100)),
            (Self::Zda, _) => format!("GNZDA,{time},{day:02},{month:02},{year:04},00,00"),
            (Self::Gga, true) => format!("GNGGA,{time},{place},1,12,0.70,545.4,M,46.9,M,,"),
            (Self::Gga, false) => format!("GNGGA,{time},,,,,0,00,99.99,,,,,,"),
            (Self::Gsa, _) => "GNGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.20,0.70,0.98".to_owned(),
        };
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n")
    }
}
