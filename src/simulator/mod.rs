//! A simulated receiver and NIC for `gnss2shm simulate`. The tests use a more complete world with faults and virtual
//! time: tests/common/simulated.

pub(crate) mod live;

use crate::core::event::Edges;
use crate::core::time::Span;
use crate::core::units::{number, parse_span, span_within, width};

/// What to simulate: the options of `gnss2shm simulate`. Shares are per thousand.
#[derive(clap::Args, Clone, Debug)]
pub(crate) struct Scenario {
    /// Time from the pulse to the first byte of its sentences
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "300ms")]
    #[arg(value_parser = |text: &str| span_within(text, Span::ZERO..Span::from_millis(5_001), "from 0s to 5s"))]
    pub delay: Span,
    /// Maximum jitter of that time
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "20ms")]
    #[arg(value_parser = |text: &str| span_within(text, Span::ZERO..Span::from_millis(1_001), "from 0s to 1s"))]
    pub jitter: Span,
    /// Baud rate of the serial line
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value = "9600")]
    #[arg(value_parser = |text: &str| number(text, 300..=4_000_000_u32))]
    pub baud: u32,
    /// Pulse width
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "100ms", value_parser = width)]
    pub width: Span,
    /// Edges that the NIC timestamps
    #[arg(long, value_enum, default_value = "both")]
    pub edges: SimEdges,
    /// Frequency offset of the PHC from the system's oscillator
    #[arg(long, value_name = "PPM", allow_hyphen_values = true, default_value = "12")]
    #[arg(value_parser = |text: &str| number(text, -1_000..=1_000_i64))]
    pub phc_ppm: i64,
    /// Frequency offset of the system's oscillator from UTC
    #[arg(long, value_name = "PPM", allow_hyphen_values = true, default_value = "-7")]
    #[arg(value_parser = |text: &str| number(text, -400..=400_i64))]
    pub system_ppm: i64,
    /// Share of edges that are lost
    #[arg(long = "loss", value_name = "PERCENT", allow_hyphen_values = true)]
    #[arg(default_value = "0%", value_parser = permille)]
    pub edge_loss: u32,
    /// Share of seconds whose sentences are lost
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, default_value = "0%", value_parser = permille)]
    pub sentence_loss: u32,
    /// Share of seconds with a stray edge
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, default_value = "0%", value_parser = permille)]
    pub glitches: u32,
    /// Maximum error of an edge's timestamp
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "20ns", value_parser = parse_span)]
    pub noise: Span,
    /// Seed of the random numbers
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value = "1")]
    #[arg(value_parser = |text: &str| number(text, 0..=u64::MAX))]
    pub seed: u64,
}

/// `5%` or `0.5%` as parts in a thousand.
fn permille(text: &str) -> Result<u32, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.parse().ok());
    let share = percent.filter(|percent: &f64| (0.0..=100.0).contains(percent));
    share
        .map(|percent| (percent * 10.0).round() as u32)
        .ok_or_else(|| format!("`{text}` is invalid: it must be a percentage from 0% to 100%, such as 5% or 0.5%"))
}

/// Which edges the simulated NIC timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum SimEdges {
    /// Both, without saying which is which, like Intel's i210
    Both,
    /// Only the rising edge, as the driver guarantees
    One,
}

impl SimEdges {
    /// What such a NIC's driver guarantees.
    pub(crate) fn promise(self) -> Edges {
        match self {
            Self::Both => Edges::Both,
            Self::One => Edges::RisingOnly,
        }
    }
}

/// Seeded random numbers: `SplitMix64`, small and the same on every machine.
struct Random(u64);

impl Random {
    /// Uniform from `low` to `high`, both included.
    fn between(&mut self, low: i64, high: i64) -> i64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let z = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        let choices = i128::from(high) - i128::from(low) + 1;
        low + ((i128::from(z ^ (z >> 31)) * choices) >> 64) as i64
    }

    /// Uniform between minus and plus `span`.
    fn within(&mut self, span: Span) -> Span {
        let reach = span.nanos().max(0);
        Span::from_nanos(self.between(-reach, reach))
    }

    /// True with a probability of `permille` in 1000.
    fn happens(&mut self, permille: u32) -> bool {
        self.between(0, 999) < i64::from(permille)
    }
}
