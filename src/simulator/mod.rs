//! A simulated receiver and NIC for `gnss2shm simulate`. Tests have a richer world, in which everything can go wrong and
//! time is virtual: tests/common/simulated.

pub mod live;
pub mod sentence;

use crate::core::event::Edges;
use crate::core::time::Span;

/// What to simulate. Shares are per thousand.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Pulse to first byte of the sentences.
    pub delay: Span,
    /// Greatest deviation from `delay`, uniformly distributed; never to before the pulse.
    pub jitter: Span,
    /// Bits a second on the line.
    pub baud: u32,
    /// How long the pulse is active.
    pub width: Span,
    /// Which edges the NIC timestamps.
    pub edges: SimEdges,
    /// How much faster than the raw clock the PHC runs.
    pub phc_ppm: i64,
    /// How much faster than UTC the machine's oscillator runs.
    pub system_ppm: i64,
    /// Share of edges that are lost.
    pub edge_loss: u32,
    /// Share of seconds whose sentences are lost.
    pub sentence_loss: u32,
    /// Share of seconds with an edge at a random place.
    pub glitches: u32,
    /// Greatest error of an edge's timestamp, uniformly distributed.
    pub noise: Span,
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
            edge_loss: 0,
            sentence_loss: 0,
            glitches: 0,
            noise: Span::from_nanos(20),
            seed: 1,
        }
    }
}

/// Which edges the simulated NIC timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum SimEdges {
    /// Both, like Intel's i210, and it does not say which is which
    Both,
    /// Only the rising one, as its driver promises
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

/// Seeded random numbers: `SplitMix64`, small and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A different sequence for each seed.
    pub fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// Uniform from 0 to below `bound`; 0 if `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Uniform from `low` to `high`, both included.
    pub fn between(&mut self, low: i64, high: i64) -> i64 {
        low.saturating_add(self.below(high.saturating_sub(low).max(0) as u64 + 1) as i64)
    }

    /// Uniform between minus and plus `span`.
    pub fn within(&mut self, span: Span) -> Span {
        let reach = span.nanos().max(0);
        Span::from_nanos(self.between(-reach, reach))
    }

    /// True with a probability of `permille` in 1000.
    pub fn happens(&mut self, permille: u32) -> bool {
        self.below(1_000) < u64::from(permille)
    }

    /// One of `choices`; `otherwise` if there are none.
    pub fn one_of<T: Copy>(&mut self, choices: &[T], otherwise: T) -> T {
        choices.get(self.below(choices.len() as u64) as usize).copied().unwrap_or(otherwise)
    }
}
