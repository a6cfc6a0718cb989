//! What no log of sentences has, invented: the pulse, the clocks, the cross timestamps that the source takes, and, where
//! the log has no times either, the line.

use std::collections::BTreeMap;

use crate::simulated::scenario::{Fault, FaultKind, Scenario, SimEdges};
use crate::simulated::timeline::Timeline;
use crate::simulated::world::World;
use gnss2shm::core::engine::Config;
use gnss2shm::core::event::{Bytes, Event};
use gnss2shm::core::time::{Date, Instant, Span, UtcSecond};
use gnss2shm::recording::Header;

use crate::imported::{Imported, Truth};

/// A UART hands over so many bytes at once.
const FIFO: usize = 16;
/// Rates of lines.
const RATES: [u32; 5] = [9_600, 19_200, 38_400, 115_200, 921_600];
/// A read of the daemon returns no more.
const READ: usize = 4_096;

/// How bytes come off the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Pace {
    /// At the line's pace
    Uart,
    /// The whole burst at once, whatever rate is set
    Usb,
    /// Each line when it has come to its end, from a relay that has no rate
    Relay,
}

/// What is invented.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(crate) struct Invention {
    /// Width of the pulse, in ms
    #[arg(long, default_value_t = 100)]
    pub(crate) width: i64,
    /// Which edges the NIC timestamps
    #[arg(long, value_enum, default_value_t = SimEdges::Both)]
    pub(crate) edges: SimEdges,
    /// How much faster than the raw clock the PHC runs
    #[arg(long, default_value_t = 12, allow_negative_numbers = true)]
    pub(crate) phc_ppm: i64,
    /// The system clock is synchronized, and off by no more than 50 ms: the witness speaks
    #[arg(long)]
    pub(crate) witness: bool,
    /// Pulse to first byte, in ms; for logs without times
    #[arg(long, default_value_t = 200)]
    pub(crate) delay: i64,
    /// Greatest deviation from it, in ms
    #[arg(long, default_value_t = 5)]
    pub(crate) jitter: i64,
    /// Bits a second on the line; without it, as many as are needed
    #[arg(long)]
    pub(crate) baud: Option<u32>,
    /// How the bytes come off the line
    #[arg(long, value_enum, default_value_t = Pace::Uart)]
    pub(crate) pace: Pace,
}

/// What one read returned.
pub(crate) struct Piece {
    /// When, counted from the first second.
    pub(crate) at: Span,
    pub(crate) byte_time: Span,
    pub(crate) data: Box<[u8]>,
}

impl Invention {
    pub(crate) fn byte_time(&self) -> Span {
        byte_time(self.baud.unwrap_or(RATES[0]))
    }

    /// With the slowest usual rate at which so many bytes take no more than this.
    pub(crate) fn on_a_line(self, bytes: usize, within: Span) -> Self {
        let is_enough = |rate: &u32| byte_time(*rate).times(bytes as i64) <= within;
        Self { baud: self.baud.or(RATES.into_iter().find(is_enough)).or(RATES.last().copied()), ..self }
    }

    /// A burst that begins then, as reads return it.
    pub(crate) fn read(&self, start: Span, burst: &[u8]) -> Vec<Piece> {
        let (line, byte_time) = (self.byte_time(), self.byte_time());
        let (chunks, byte_time): (Vec<&[u8]>, _) = match self.pace {
            Pace::Uart => (burst.chunks(FIFO).collect(), byte_time),
            Pace::Usb => (burst.chunks(READ).collect(), byte_time),
            // Nobody passes on frames by lines.
            Pace::Relay if !burst.is_ascii() => (burst.chunks(FIFO).collect(), Span::ZERO),
            Pace::Relay => (burst.split_inclusive(|&byte| byte == b'\n').collect(), Span::ZERO),
        };
        let mut sent = 0;
        let piece = |chunk: &[u8]| {
            sent += chunk.len() as i64;
            let at = if self.pace == Pace::Usb { start } else { start + line.times(sent) };
            Piece { at, byte_time, data: chunk.into() }
        };
        chunks.into_iter().map(piece).collect()
    }

    /// The recording of a receiver that says this, its first second being `first`, with a pulse at every second.
    pub(crate) fn record(&self, first: UtcSecond, pieces: Vec<Piece>, notes: Vec<String>) -> Imported {
        let end = pieces.iter().map(|piece| piece.at).max().unwrap_or_default() + Span::from_secs(3);
        let (seconds, _) = end.div_rem(Span::SECOND);
        let scenario = Scenario {
            width: Span::from_millis(self.width),
            edges: self.edges,
            phc_ppm: self.phc_ppm,
            sys_ahead: Span::from_nanos(-1_234),
            sys_max_error: self.witness.then_some(Span::from_millis(50)),
            faults: vec![Fault::always(FaultKind::NoSentences)], // they come from the log
            ..Scenario::default()
        };
        let mut timeline = Timeline::new(World::new(scenario, first, Instant::from_parts(1_000, 0)));
        let zero = timeline.world().pulse_number(0);
        let ends = timeline.world().pulse_number(seconds);
        let mut events: Vec<Event> =
            std::iter::from_fn(|| Some(timeline.next_event())).take_while(|event| event.head().0 < ends).collect();
        events.extend(pieces.into_iter().map(|Piece { at, byte_time, data }| {
            Event::Bytes(Bytes { read_at: zero + at, byte_time, data }) // 7 ppm in minutes are no matter here
        }));
        events.sort_by_key(|event| event.head().0);
        let world = timeline.world();
        let began = |n| (first.plus(n), world.sys(world.pulse_number(n)));
        let seconds: BTreeMap<_, _> = (-1..=seconds).map(began).collect();
        Imported { header: header(), notes, truth: Truth { seconds, known_to: Span::ZERO }, events }
    }
}

fn byte_time(baud: u32) -> Span {
    Span::from_nanos(10 * Span::SECOND.nanos() / i64::from(baud.max(1)))
}

/// Logs are old: every date is believed.
pub(crate) fn header() -> Header {
    let floor = Date::new(1990, 1, 1).unwrap_or_else(|| Date::from_days(0));
    Header::new(Config { date_floor: floor, ..Config::default() })
}
