//! Invented data that logs of sentences lack: the pulse, the clocks, the cross timestamps, and, if the log has no
//! times, the line.

use std::collections::BTreeMap;

use gnss2shm::event::{Bytes, CrossTs, Edge, Edges, Event, SourceChange, Witness};
use gnss2shm::time::{Date, EdgeClock, Instant, NANOS, Raw, Span, Sys, UtcSecond};
use gnss2shm::{Config, Header};

use crate::Random;
use crate::imported::{Imported, Truth};

/// Bytes that a UART delivers at once.
const FIFO: usize = 16;
/// Rates of lines.
const RATES: [u32; 5] = [9_600, 19_200, 38_400, 115_200, 921_600];
/// Maximum size of one of the daemon's reads.
const READ: usize = 4_096;

/// Raw time of the first second.
const FIRST_PULSE: Instant<Raw> = Instant::from_nanos(1_000 * NANOS);
/// Frequency offset of the machine's oscillator from UTC.
const SYSTEM_PPM: i64 = -7;
/// PHC time at the first pulse. A PHC that was never set counts from its driver's start, not from 1970.
const PHC_START: Instant<EdgeClock> = Instant::from_nanos(4_242 * NANOS + 123_456_789);
/// How far the system clock is behind UTC.
const SYS_BEHIND: Span = Span::from_nanos(1_234);
/// From the edge to the read that returns it.
const LATENCY: Span = Span::from_micros(60);
/// From there to the immediate cross timestamp. Another one is taken before each edge.
const READ_TO_CROSS: Span = Span::from_micros(15);
const CROSS_BEFORE_EDGE: Span = Span::from_millis(10);
/// Between the three that are taken at the start.
const START_GAP: Span = Span::from_millis(135);
/// Bracket of a cross timestamp; its readings err by up to half of it, in nanoseconds.
const WINDOW: i64 = 400;
/// Maximum error of an edge's timestamp, in nanoseconds.
const NOISE: i64 = 20;
/// The kernel is asked about the system clock this often, in seconds, and claims this.
const WITNESS_EVERY: i64 = 8;
const WITNESS_ERROR: Span = Span::from_millis(50);

/// Which edges the NIC timestamps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Nic {
    /// Both, like Intel's i210, and it does not say which is which
    Both,
    /// Only the rising one, as its driver promises
    One,
}

/// How bytes are delivered.
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
    #[arg(long, value_enum, default_value_t = Nic::Both)]
    pub(crate) edges: Nic,
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

    /// The recording of a receiver with this output, whose first second is `first`, with a pulse every second.
    pub(crate) fn record(&self, first: UtcSecond, pieces: Vec<Piece>, notes: Vec<String>) -> Imported {
        let end = pieces.iter().map(|piece| piece.at).max().unwrap_or_default() + Span::from_secs(3);
        let (seconds, _) = end.div_rem(Span::SECOND);
        let mut events = self.pulses(first, seconds);
        events.extend(pieces.into_iter().map(|Piece { at, byte_time, data }| {
            Event::Bytes(Bytes { read_at: FIRST_PULSE + at, byte_time, data }) // 7 ppm in minutes are no matter here
        }));
        events.sort_by_key(|event| event.head().0);
        let seconds: BTreeMap<_, _> = (-1..=seconds).map(|n| (first.plus(n), sys(first, pulse(n)))).collect();
        Imported { header: header(), notes, truth: Truth { seconds, known_to: Span::ZERO }, events }
    }

    /// Edges, cross timestamps, and all other events not from the receiver, for this many seconds.
    fn pulses(&self, first: UtcSecond, seconds: i64) -> Vec<Event> {
        let mut random = Random(2);
        let phc = |raw: Instant<Raw>| PHC_START + (raw - FIRST_PULSE) + (raw - FIRST_PULSE).ppm(self.phc_ppm);
        let mut cross = |raw: Instant<Raw>| {
            let off = Span::from_nanos(random.within(WINDOW / 2));
            Event::CrossTs(CrossTs { phc: phc(raw + off), sys: sys(first, raw), raw, window: Span::from_nanos(WINDOW) })
        };
        let witness =
            |raw| Event::Witness(Witness { raw, max_error: self.witness.then_some(WITNESS_ERROR), tai_offset: None });
        let (promise, width) = match self.edges {
            Nic::Both => (Edges::Both, Some(Span::from_millis(self.width))),
            Nic::One => (Edges::RisingOnly, None),
        };
        let mut noise = Random(3);
        let raw = pulse(-1);
        let mut events = vec![witness(raw), Event::LeapTable { raw, next: None, tai_offset: None }];
        events.extend(
            [SourceChange::SentencesOpen, SourceChange::PulseOpen(promise)].map(|change| Event::Source { raw, change }),
        );
        events.extend((0..3).map(|n| cross(raw + START_GAP.times(n))));
        for n in 0..=seconds {
            let rises = pulse(n);
            events.push(Event::Tick { raw: rises });
            events.extend((n % WITNESS_EVERY == 0).then(|| witness(rises)));
            for at in [Some(rises), width.map(|width| rises + width)].into_iter().flatten() {
                let (read_at, off) = (at + LATENCY, Span::from_nanos(noise.within(NOISE)));
                events.extend([cross(at - CROSS_BEFORE_EDGE), cross(read_at + READ_TO_CROSS)]);
                events.push(Event::Edge(Edge { phc: phc(at) + off, read_at }));
            }
        }
        events.retain(|event| event.head().0 < pulse(seconds));
        events
    }
}

/// When second number `n` begins.
fn pulse(n: i64) -> Instant<Raw> {
    FIRST_PULSE + Span::from_secs(n) + Span::from_secs(n).ppm(SYSTEM_PPM)
}

/// The system clock, in a world with this first second.
fn sys(first: UtcSecond, raw: Instant<Raw>) -> Instant<Sys> {
    Instant::from_parts(first.posix(), 0) - SYS_BEHIND + (raw - FIRST_PULSE)
}

fn byte_time(baud: u32) -> Span {
    Span::from_nanos(10 * Span::SECOND.nanos() / i64::from(baud.max(1)))
}

/// Logs are old, so every date is accepted.
pub(crate) fn header() -> Header {
    let floor = Date::new(1990, 1, 1).unwrap_or_else(|| Date::from_days(0));
    Header::new(Config { date_floor: floor, ..Config::default() })
}
