//! A simulated receiver and NIC for `gnss2shm simulate`. Tests have a richer world, in which everything can go wrong and
//! time is virtual: tests/common/simulated.

pub mod live;
pub mod sentence;

use clap::value_parser;

use crate::core::event::Edges;
use crate::core::time::Span;
use crate::core::units::parse_span;

/// What to simulate: the options of `gnss2shm simulate`. Shares are per thousand.
#[derive(clap::Args, Clone, Debug)]
pub struct Scenario {
    /// Time from the pulse to the first byte of its sentences
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "300ms", value_parser = millis)]
    pub delay: Span,
    /// How far that time wanders
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "20ms", value_parser = millis)]
    pub jitter: Span,
    /// Rate of the serial line in bits a second
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value = "9600")]
    #[arg(value_parser = value_parser!(u32).range(300..=4_000_000))]
    pub baud: u32,
    /// Pulse width
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "100ms", value_parser = millis)]
    pub width: Span,
    /// Which edges the NIC timestamps
    #[arg(long, value_enum, default_value = "both")]
    pub edges: SimEdges,
    /// How much faster than the system's oscillator the PHC runs
    #[arg(long, value_name = "PPM", allow_hyphen_values = true, default_value = "12")]
    #[arg(value_parser = value_parser!(i64).range(-1_000..=1_000))]
    pub phc_ppm: i64,
    /// How much faster than UTC the system's oscillator runs
    #[arg(long, value_name = "PPM", allow_hyphen_values = true, default_value = "-7")]
    #[arg(value_parser = value_parser!(i64).range(-400..=400))]
    pub system_ppm: i64,
    /// Share of edges that are lost
    #[arg(long = "loss", value_name = "PERCENT", allow_hyphen_values = true)]
    #[arg(default_value = "0%", value_parser = permille)]
    pub edge_loss: u32,
    /// Share of seconds whose sentences are lost
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, default_value = "0%", value_parser = permille)]
    pub sentence_loss: u32,
    /// Share of seconds with an edge that belongs to no pulse
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, default_value = "0%", value_parser = permille)]
    pub glitches: u32,
    /// Greatest error of an edge's timestamp
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "20ns", value_parser = nanos)]
    pub noise: Span,
    /// Seed of everything random
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value = "1")]
    pub seed: u64,
}

fn millis(text: &str) -> Result<Span, String> {
    parse_span(text)
}

fn nanos(text: &str) -> Result<Span, String> {
    parse_span(text)
}

/// `5%` or `0.5%` as parts in a thousand.
fn permille(text: &str) -> Result<u32, String> {
    let percent: Option<f64> = text.strip_suffix('%').and_then(|number| number.parse().ok());
    let share =
        percent.filter(|percent| (0.0..=100.0).contains(percent)).map(|percent| (percent * 10.0).round() as u32);
    share.ok_or_else(|| format!("`{text}` is not a share: allowed is a percentage from 0% to 100%, as in 5% or 0.5%"))
}

/// The defaults of the options.
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

#[cfg(test)]
mod tests {
    use clap::{Args, Command, FromArgMatches};

    use super::*;

    #[test]
    fn the_default_is_what_no_option_gives() {
        let given = Scenario::augment_args(Command::new("simulate")).get_matches_from(["simulate"]);
        let given = Scenario::from_arg_matches(&given).unwrap();
        assert_eq!(format!("{given:?}"), format!("{:?}", Scenario::default()));
    }
}
