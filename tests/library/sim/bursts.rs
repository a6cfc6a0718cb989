//! Bursts of all kinds: sentences that name a second and bytes that do not, in any order, in parts with pauses, before
//! and after the pulse, once per second and more often. No sample may be wrong; some tests also require silence.

use crate::library::simulated::random::Random;
use crate::library::simulated::scenario::{Fault, FaultKind, Scenario};
use crate::library::simulated::scenario::{Shown, SimSentence};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Bytes, Event, Verdict};
use gnss2shm::core::time::{Instant, Raw, Span, UtcSecond};

use super::harness::{evening, ms};

const SECONDS: i64 = 40;
/// The longest pause after bytes that name no second: read at once, they come 300 ms before what follows at most.
const AFTER_A_HEAD: i64 = 180;
/// The line is silent between two bursts for longer than this, or it may be one burst without an end: 110 ms, and as much
/// as a line takes at 4800 baud where each read brings a whole one.
const SILENT: Span = Span::from_millis(260);
/// The longest from the first sentence that names a second to the last.
const NAMED_WITHIN: i64 = 800;

/// A part of a burst and the pause after it.
#[derive(Clone, Debug)]
struct Part {
    what: What,
    pause: Span,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum What {
    Named(SimSentence),
    Nameless,
    /// UBX-NAV-SAT, with the length for eight satellites.
    Binary,
}

#[derive(Clone, Debug)]
struct Receiver {
    parts: Vec<Part>,
    delay: Span,
    byte: Span,
    /// The bytes of each read: at a line's rate in pieces of this size, or a part at once.
    chunk: Option<usize>,
    times_a_second: i64,
}

impl Receiver {
    fn draw(random: &mut Random) -> Self {
        use SimSentence::{Gga, Rmc, Zda};
        let pause = |random: &mut Random, most: i64| ms(if random.happens(400) { 0 } else { random.between(0, most) });
        let mut parts = Vec::new();
        for _ in 0..random.between(0, 3) {
            let what = if random.happens(300) { What::Binary } else { What::Nameless };
            parts.push(Part { what, pause: pause(random, AFTER_A_HEAD) });
        }
        let named =
            random.one_of(&[&[Rmc][..], &[Rmc, Gga], &[Gga, Rmc], &[Gga, Zda], &[Rmc, Zda], &[Zda, Gga]], &[Rmc]);
        let mut left = NAMED_WITHIN - 250;
        for sentence in named {
            let pause = pause(random, left.min(500));
            left -= pause.nanos() / 1_000_000;
            parts.push(Part { what: What::Named(*sentence), pause });
            if random.happens(200) {
                parts.push(Part { what: What::Nameless, pause: ms(random.between(0, 100)) });
            }
        }
        for _ in 0..random.between(0, 3) {
            parts.push(Part { what: What::Nameless, pause: pause(random, 60) });
        }
        let baud = random.one_of(&[9_600, 38_400, 115_200], 9_600);
        Self {
            parts,
            // To the read that brings the first byte it is 950 ms at most.
            delay: ms(random.between(5, 880)),
            byte: Span::from_nanos(10_000_000_000 / baud),
            chunk: random.one_of(&[Some(16), Some(64), None], None),
            times_a_second: random.one_of(&[1, 1, 1, 2, 5], 1),
        }
    }

    /// The reads of a burst whose first byte begins at this time.
    fn reads(&self, begins: Instant<Raw>, utc: UtcSecond, part_of_second: i64) -> Vec<Event> {
        let (mut at, mut reads) = (begins, Vec::new());
        for part in &self.parts {
            let bytes = part.what.bytes(utc, part_of_second);
            let chunks: Vec<&[u8]> = self.chunk.map_or_else(|| vec![&bytes[..]], |size| bytes.chunks(size).collect());
            for chunk in chunks {
                at = at + self.byte.times(chunk.len() as i64);
                let byte_time = if self.chunk.is_some() { self.byte } else { Span::ZERO };
                reads.push(Event::Bytes(Bytes { read_at: at, byte_time, data: chunk.into() }));
            }
            at = at + part.pause;
        }
        reads
    }

    /// Duration of a burst.
    fn lasts(&self) -> Span {
        let bytes: usize = self.parts.iter().map(|part| part.what.bytes(evening(), 0).len()).sum();
        self.parts.iter().map(|part| part.pause).fold(self.byte.times(bytes as i64), |sum, pause| sum + pause)
    }
}

impl What {
    fn bytes(self, utc: UtcSecond, part_of_second: i64) -> Vec<u8> {
        match self {
            Self::Named(sentence) => {
                let text = sentence.text(Shown { utc, is_sixty: false, has_fix: true });
                let body = text.trim_start_matches('$').split('*').next().unwrap_or_default();
                let body = body.replacen(".00", &format!(".{part_of_second:02}"), 1);
                let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
                format!("${body}*{sum:02X}\r\n").into_bytes()
            }
            Self::Nameless => SimSentence::Gsa.text(Shown { utc, is_sixty: false, has_fix: true }).into_bytes(),
            Self::Binary => {
                let mut frame = vec![0x01, 0x35, 104, 0];
                frame.extend([7; 104]);
                let (a, b) = frame.iter().fold((0_u8, 0_u8), |(a, b), byte| {
                    let a = a.wrapping_add(*byte);
                    (a, b.wrapping_add(a))
                });
                [&[0xB5, 0x62], &frame[..], &[a, b]].concat()
            }
        }
    }
}

/// Samples of this receiver, right and wrong.
fn play(receiver: &Receiver, seed: u64) -> (usize, usize) {
    let silent = Fault { from: -5, until: SECONDS + 5, kind: FaultKind::NoSentences };
    let scenario = Scenario { faults: vec![silent], seed, ..Scenario::default() };
    let mut timeline = Timeline::new(World::new(scenario, evening(), Instant::from_parts(1_000, 0)));
    let mut engine = Engine::new(Config::default());
    let each = Span::SECOND.per(receiver.times_a_second);
    let mut reads: Vec<Event> = (0..SECONDS * receiver.times_a_second)
        .flat_map(|n| {
            let (second, part) = (n / receiver.times_a_second, n % receiver.times_a_second);
            let begins = timeline.world().pulse_number(second) + each.times(part) + receiver.delay;
            receiver.reads(begins, evening().plus(second), part * 100 / receiver.times_a_second)
        })
        .collect();
    reads.sort_by_key(|event| event.head().0);
    let (mut reads, end) = (reads.into_iter().peekable(), timeline.world().pulse_number(SECONDS));
    let (mut right, mut wrong) = (0, 0);
    loop {
        let event = timeline.next_event();
        let (now, _) = event.head();
        if now >= end {
            return (right, wrong);
        }
        let mut events: Vec<Event> = std::iter::from_fn(|| reads.next_if(|read| read.head().0 < now)).collect();
        events.push(event);
        for verdict in events.iter().flat_map(|event| engine.handle(event)) {
            let Verdict::Sample(sample) = verdict else { continue };
            let is_right = timeline.error(&sample).is_some_and(|error| error.abs() <= sample.error);
            (right, wrong) = (right + usize::from(is_right), wrong + usize::from(!is_right));
        }
    }
}

#[test]
fn bursts_of_every_build_give_no_wrong_sample() {
    let seconds: i64 = std::env::var("GNSS2SHM_SIM_SECONDS").map_or(40_000, |seconds| seconds.parse().unwrap());
    let first: u64 = std::env::var("GNSS2SHM_SIM_FIRST").map_or(0, |seed| seed.parse().unwrap());
    let only: Option<u64> = std::env::var("GNSS2SHM_SIM_SEED").ok().map(|seed| seed.parse().unwrap());
    let seeds = only.map_or(first..first + (seconds / SECONDS) as u64, |seed| seed..seed + 1);
    let (mut locked, mut worlds, mut failed) = (0, 0, Vec::new());
    for seed in seeds {
        let mut random = Random::new(seed);
        let receiver = Receiver::draw(&mut random);
        let room = Span::SECOND.per(receiver.times_a_second);
        if receiver.lasts() + SILENT > room {
            continue;
        }
        let (right, wrong) = play(&receiver, seed);
        worlds += 1;
        locked += usize::from(right > 0);
        if wrong > 0 {
            failed.push((seed, wrong, receiver));
        }
    }
    println!("{worlds} worlds, {locked} with samples");
    let seeds: Vec<u64> = failed.iter().map(|(seed, ..)| *seed).collect();
    assert!(failed.is_empty(), "{} worlds, GNSS2SHM_SIM_SEED={seeds:?}: {:#?}", failed.len(), failed.first());
}
