//! What is simulated: a receiver, a NIC, the machine's clocks, and what goes wrong when.

use crate::core::event::{Announced, Edges};
use crate::core::time::Span;

pub use super::fault::{Fault, FaultKind, PulseEnd, SimThread};
pub use super::receiver::{MODELS, Model, Shown, SimSentence, Spread};

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Pulse to first byte of the sentences.
    pub delay: Span,
    /// Greatest deviation from `delay`; never to before the pulse.
    pub jitter: Span,
    /// How the deviations spread.
    pub spread: Spread,
    /// Bits a second on the line.
    pub baud: u32,
    /// How the bytes come off the line.
    pub pace: Pace,
    /// For how long the receiver falls silent after the first sentence of a burst.
    pub pause: Span,
    /// How long the pulse is active: 500 ms for a duty of 50 %.
    pub width: Span,
    /// Which way the pulse goes, and which of its ends is on time.
    pub polarity: Polarity,
    /// Which edges the NIC stamps.
    pub edges: SimEdges,
    /// How much faster than the raw clock the PHC runs.
    pub phc_ppm: i64,
    /// How much faster than UTC the machine's oscillator runs.
    pub system_ppm: i64,
    /// How far the system clock is ahead of UTC at the start.
    pub sys_ahead: Span,
    /// The greatest error that the kernel claims for the system clock; `None` while nobody synchronizes it.
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

/// Such a receiver at work.
impl From<&Model> for Scenario {
    fn from(model: &Model) -> Self {
        let Model { jitter, spread, baud, sentences, .. } = *model;
        Self { delay: model.delay(), jitter, spread, baud, sentences: sentences.to_vec(), ..Self::default() }
    }
}

/// Which way the pulse goes, and which of its ends is on time. With both edges stamped, [`Self::ActiveHigh`] and
/// [`Self::ActiveLow`] look the same, and [`Self::EndsOnTime`] looks like a pulse that starts a width early, or like
/// one on time that is active for the rest of the second. With the rising edge stamped alone, what does not rise on
/// time is off by the width, and no edge shows it.
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
            Self::EndsOnTime => [Span::ZERO - width, Span::ZERO],
        }
    }
}

/// How bytes come off the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pace {
    /// As a UART hands them on, at the line's pace.
    Line,
    /// The whole burst at once, whatever rate is set: native USB.
    AtOnce,
    /// Each line when it has come to its end, from a relay that has no rate.
    WholeLines,
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
            Self::Both => Edges::Both,
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
