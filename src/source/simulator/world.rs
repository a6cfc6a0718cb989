//! The simulated truth: when each UTC second begins on `CLOCK_MONOTONIC_RAW`, and what a receiver and a NIC make of it.
//! Pure and seeded: the same scenario gives the same world. It is the only fake in the project.

use crate::event::Edges;
use crate::time::{Instant, NANOS, Phc, Raw, Span, UtcSecond};

/// What to simulate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scenario {
    /// Pulse to first byte of the sentences.
    pub delay: Span,
    /// Greatest deviation from `delay`, evenly spread; never to before the pulse.
    pub jitter: Span,
    /// Bits a second on the line.
    pub baud: u32,
    /// Pulse width.
    pub width: Span,
    /// Which edges the NIC stamps.
    pub edges: SimEdges,
    /// How much faster than the raw clock the PHC runs.
    pub phc_ppm: i64,
    /// How much faster than UTC the machine's oscillator runs.
    pub system_ppm: i64,
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
    /// Seed of everything random.
    pub seed: u64,
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
            sentences: vec![SimSentence::Rmc, SimSentence::Zda, SimSentence::Gga, SimSentence::Gsa],
            seed: 1,
        }
    }
}

/// The simulated truth.
#[derive(Clone, Debug)]
pub struct World {
    scenario: Scenario,
    random: Random,
    first_second: UtcSecond,
    first_pulse: Instant<Raw>,
    phc_epoch: Instant<Phc>,
}

/// One second of the world.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Second {
    /// Which one.
    pub utc: UtcSecond,
    /// When it begins.
    pub pulse: Instant<Raw>,
    /// The edges that the NIC stamps: when each comes, and its stamp.
    pub edges: Vec<(Instant<Raw>, Instant<Phc>)>,
    /// When the receiver's sentences begin on the line, and the sentences; `None` where they are lost.
    pub burst: Option<(Instant<Raw>, String)>,
}

impl World {
    /// A world in which `first_second` begins at `first_pulse`.
    pub fn new(scenario: Scenario, first_second: UtcSecond, first_pulse: Instant<Raw>) -> Self {
        let random = Random(scenario.seed);
        // A PHC that nobody set counts from its driver's start: any epoch but the right one.
        let phc_epoch = Instant::from_nanos(4_242 * NANOS + 123_456_789);
        Self { scenario, random, first_second, first_pulse, phc_epoch }
    }

    /// What is simulated.
    pub fn scenario(&self) -> &Scenario {
        &self.scenario
    }

    /// The first second.
    pub fn first_second(&self) -> UtcSecond {
        self.first_second
    }

    /// When the first second begins.
    pub fn first_pulse(&self) -> Instant<Raw> {
        self.first_pulse
    }

    /// When a UTC second begins.
    pub fn pulse(&self, utc: UtcSecond) -> Instant<Raw> {
        let seconds = utc.posix() - self.first_second.posix();
        let nominal = Span::from_secs(seconds);
        self.first_pulse + nominal + Span::from_nanos(seconds * self.scenario.system_ppm * 1_000)
    }

    /// What the PHC shows.
    pub fn phc(&self, raw: Instant<Raw>) -> Instant<Phc> {
        let elapsed = raw - self.first_pulse;
        let gained = elapsed.scaled(Span::from_nanos(self.scenario.phc_ppm), Span::from_nanos(1_000_000));
        self.phc_epoch + elapsed + gained
    }

    /// How long a byte is on the line.
    pub fn byte_time(&self) -> Span {
        Span::from_nanos(10 * NANOS / i64::from(self.scenario.baud.max(1)))
    }

    /// Second `n`, counted from the first. To be asked for in order.
    pub fn second(&mut self, n: i64) -> Second {
        let utc = self.first_second.plus(n);
        let pulse = self.pulse(utc);
        let mut edges = Vec::new();
        let ends = match self.scenario.edges {
            SimEdges::Both => Some(pulse + self.scenario.width),
            SimEdges::One => None,
        };
        for at in [Some(pulse), ends].into_iter().flatten() {
            if !self.random.happens(self.scenario.edge_loss) {
                edges.push((at, self.phc(at) + self.random.within(self.scenario.noise)));
            }
        }
        if self.random.happens(self.scenario.glitches) {
            let at = pulse + Span::from_nanos(self.random.below(NANOS as u64) as i64);
            edges.push((at, self.phc(at)));
        }
        edges.sort_unstable();
        let delay = (self.scenario.delay + self.random.within(self.scenario.jitter)).max(Span::ZERO);
        let lost = self.random.happens(self.scenario.sentence_loss);
        let burst = (!lost).then(|| (pulse + delay, self.sentences(utc)));
        Second { utc, pulse, edges, burst }
    }

    fn sentences(&self, utc: UtcSecond) -> String {
        self.scenario.sentences.iter().map(|sentence| sentence.text(utc)).collect()
    }
}

impl SimSentence {
    /// The sentence that names this second, with checksum and line end.
    pub fn text(self, utc: UtcSecond) -> String {
        let (sod, (year, month, day)) = (utc.second_of_day(), utc.date().ymd());
        let time = format!("{:02}{:02}{:02}.00", sod / 3_600, sod / 60 % 60, sod % 60);
        let place = "4807.03810,N,01131.00000,E";
        let body = match self {
            Self::Rmc => format!("GNRMC,{time},A,{place},0.01,0.0,{day:02}{month:02}{:02},,,A", year % 100),
            Self::Zda => format!("GNZDA,{time},{day:02},{month:02},{year:04},00,00"),
            Self::Gga => format!("GNGGA,{time},{place},1,12,0.70,545.4,M,46.9,M,,"),
            Self::Gsa => "GNGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.20,0.70,0.98".to_owned(),
        };
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n")
    }
}

/// `SplitMix64`: small, seeded and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// A sequence of its own for each seed.
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

    /// Evenly from 0 to below `bound`; 0 where `bound` is 0.
    pub fn below(&mut self, bound: u64) -> u64 {
        ((u128::from(self.bits()) * u128::from(bound)) >> 64) as u64
    }

    /// Evenly between minus and plus `span`.
    pub fn within(&mut self, span: Span) -> Span {
        let reach = span.nanos().max(0);
        Span::from_nanos(self.below(2 * reach as u64 + 1) as i64 - reach)
    }

    /// True so many times in a thousand.
    pub fn happens(&mut self, permille: u32) -> bool {
        self.below(1_000) < u64::from(permille)
    }
}
