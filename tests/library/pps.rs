//! The engine fed by a kernel PPS device: edges timestamped some microseconds late by a system clock that is stepped
//! and slewed. Every sample must have the edge's own timestamp, on the system clock's scale at the edge.

use std::collections::BTreeMap;

use crate::library::simulated::random::Random;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Bytes, CrossTs, Edge, Edges, Event, Reason, Sample, SourceChange, State, Verdict};
use gnss2shm::core::time::{Date, EdgeClock, Instant, Raw, Span, Sys, UtcSecond};

/// Maximum latency of the interrupt handler, as in README.md.
const LATENCY: i64 = 20_000;
const MS: i64 = 1_000_000;
const WIDTH: i64 = 100 * MS;
/// Sentence after pulse.
const DELAY: i64 = 300 * MS;

/// The system clock as a function of the raw clock: linear pieces, each starting at a raw time.
#[derive(Default)]
struct SysClock(BTreeMap<i64, (i64, i64)>);

impl SysClock {
    /// From this moment on it runs `ppm` fast, after a step.
    fn change(&mut self, raw: i64, step: i64, ppm: i64) {
        let here = self.at(raw) + step;
        self.0.insert(raw, (here, ppm));
    }

    fn at(&self, raw: i64) -> i64 {
        let Some((from, (sys, ppm))) = self.0.range(..=raw).next_back() else { return raw };
        sys + (raw - from) + i64::try_from(i128::from(raw - from) * i128::from(*ppm) / 1_000_000).unwrap()
    }
}

/// An event of the system clock around one pulse.
#[derive(Clone, Copy, Debug)]
struct Change {
    /// After which pulse, and how long after it; negative: before it.
    second: i64,
    after: i64,
    step: i64,
    ppm: i64,
}

struct Outcome {
    /// By the number of their pulse.
    samples: BTreeMap<i64, Sample>,
    /// Of each pulse: when it came, when its stamp was taken and when it was read, on the raw clock.
    pulses: Vec<[i64; 3]>,
    sys: SysClock,
    reasons: Vec<Reason>,
    state: State,
}

fn first() -> UtcSecond {
    UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 43_200)
}

fn rmc(second: i64) -> Vec<u8> {
    let of_day = 43_200 + second;
    let body = format!(
        "GPRMC,{:02}{:02}{:02}.00,A,4717.11,N,00833.91,E,0.0,0.0,201126,,,A",
        of_day / 3_600,
        of_day / 60 % 60,
        of_day % 60
    );
    let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${body}*{sum:02X}\r\n").into_bytes()
}

/// Runs the engine over so many pulses. An edge is read up to `late` after its stamp.
fn run(seconds: i64, changes: &[Change], late: i64, away: &[std::ops::Range<i64>], seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let pulse = |second: i64| 1_000_000 * MS + second * (1_000 * MS + 11_700);
    let mut sys = SysClock::default();
    sys.change(0, 1_700_000_000_000_000_000, 0);
    let mut sorted: Vec<_> = changes.iter().map(|change| (pulse(change.second) + change.after, change)).collect();
    sorted.sort_by_key(|(raw, _)| *raw);
    for (raw, change) in sorted {
        sys.change(raw, change.step, change.ppm);
    }

    let mut events: BTreeMap<(i64, usize), Event> = BTreeMap::new();
    let mut add = |raw: i64, event: Event| events.insert((raw, events.len()), event);
    let cross = |raw: i64| {
        Event::CrossTs(CrossTs {
            phc: Instant::<EdgeClock>::from_nanos(sys.at(raw)),
            sys: Instant::from_nanos(sys.at(raw)),
            raw: Instant::from_nanos(raw),
            window: Span::from_nanos(60),
        })
    };
    let source = |raw: i64, change| Event::Source { raw: Instant::from_nanos(raw), change };
    let begin = pulse(-1) + 500 * MS;
    add(begin, source(begin, SourceChange::SentencesOpen));
    add(begin, source(begin, SourceChange::PpsOpen(Edges::Both)));
    let is_away = |second: i64| away.iter().any(|away| away.contains(&second));
    for second in away.iter().flat_map(|away| [away.start, away.end]).filter(|second| *second < seconds) {
        let raw = pulse(second) - 400 * MS;
        let change = if is_away(second) { SourceChange::PpsLost } else { SourceChange::PpsOpen(Edges::Both) };
        add(raw, source(raw, change));
    }
    let mut pulses = Vec::new();
    for second in 0..seconds {
        let rising = pulse(second);
        for edge in [rising, rising + WIDTH] {
            let stamp = edge + random.between(1_000, 18_000);
            let read = stamp + random.between(30_000, late);
            if edge == rising {
                pulses.push([edge, stamp, read]);
            }
            if !is_away(second) {
                let phc = Instant::from_nanos(sys.at(stamp));
                add(read, Event::Edge(Edge { phc, read_at: Instant::from_nanos(read) }));
                add(read + 20_000, cross(read + 20_000));
            }
        }
        let slices = rising - 390 * MS;
        for n in (0..10).filter(|_| !is_away(second)) {
            let raw = slices + n * 100 * MS + random.between(0, 4 * MS);
            add(raw, cross(raw));
        }
        let heard = rising + DELAY + random.between(-5 * MS, 5 * MS);
        let read_at = Instant::from_nanos(heard + 70 * MS);
        add(
            heard + 70 * MS,
            Event::Bytes(Bytes { read_at, byte_time: Span::from_nanos(1_041_666), data: rmc(second).into() }),
        );
        add(rising + 700 * MS, Event::Tick { raw: Instant::<Raw>::from_nanos(rising + 700 * MS) });
    }

    let mut engine = Engine::new(Config::default());
    let mut outcome =
        Outcome { samples: BTreeMap::new(), pulses, sys: SysClock::default(), reasons: vec![], state: engine.state() };
    for event in events.values() {
        for verdict in engine.handle(event) {
            match verdict {
                Verdict::Sample(sample) => {
                    let second = sample.label.posix() - first().posix();
                    assert!(outcome.samples.insert(second, sample).is_none(), "two samples for second {second}");
                }
                Verdict::Rejected(reason) => outcome.reasons.push(reason),
                Verdict::StateChanged { to, .. } => outcome.reasons.extend(to.reason()),
                _ => {}
            }
        }
    }
    outcome.sys = sys;
    outcome.state = engine.state();
    outcome
}

impl Outcome {
    /// Each sample has the timestamp of its pulse, and its bound covers the timestamp's error.
    fn assert_right(&self, context: &str) {
        for (second, sample) in &self.samples {
            let [pulse, stamp, _] = self.pulses[usize::try_from(*second).unwrap()];
            let at: Instant<Sys> = Instant::from_nanos(self.sys.at(stamp));
            assert_eq!(sample.at, at, "{context}: second {second}: not the edge's stamp");
            let off = Span::from_nanos(stamp - pulse);
            assert!(off <= sample.error, "{context}: second {second}: {off} off, {} claimed", sample.error);
        }
    }

    fn assert_works(&self, at_least: usize, context: &str) {
        self.assert_right(context);
        let got = self.samples.len();
        assert!(got >= at_least, "{context}: {got} samples, {:?}, {:?}", self.state, self.reasons);
    }
}

#[test]
fn the_system_clock_as_its_own_phc_gives_each_edges_own_stamp() {
    let outcome = run(60, &[], MS, &[], 1);
    outcome.assert_works(50, "steady");
    assert_eq!(outcome.state, State::Locked);
    let claimed = outcome.samples.values().map(|sample| sample.error).max().unwrap();
    assert!(claimed <= Span::from_nanos(4 * LATENCY), "{claimed} claimed");
}

#[test]
fn a_slew_of_ten_percent_costs_only_the_pulses_at_its_ends() {
    for ppm in [-100_000, 100_000, -1_000, 500] {
        let from = Change { second: 20, after: 537 * MS, step: 0, ppm };
        let to = Change { second: 40, after: 291 * MS, step: 0, ppm: 0 };
        let outcome = run(60, &[from, to], MS, &[], 2);
        outcome.assert_works(48, &format!("{ppm} ppm"));
        assert!(
            (22..40).all(|second| outcome.samples.contains_key(&second)),
            "{ppm} ppm: {:?}",
            outcome.samples.keys()
        );
    }
}

#[test]
fn an_edge_with_a_step_between_stamp_and_reading_is_dropped() {
    for step in [-1_000 * MS, 1_000 * MS, -WIDTH, WIDTH, -MS, MS, -100_000, 100_000, 3_600_000 * MS] {
        let mut outcome = run(40, &[], 8 * MS, &[], 3);
        let [pulse, stamp, read] = outcome.pulses[20];
        let after = i64::midpoint(stamp, read) - pulse;
        outcome = run(40, &[Change { second: 20, after, step, ppm: 0 }], 8 * MS, &[], 3);
        outcome.assert_works(29, &format!("step {step}"));
        assert!(!outcome.samples.contains_key(&20), "step {step}: {:?}", outcome.samples[&20]);
        assert!(outcome.reasons.contains(&Reason::SysStepped), "step {step}: {:?}", outcome.reasons);
        assert!((22..40).all(|second| outcome.samples.contains_key(&second)), "step {step} lasts");
    }
}

/// Steps and slews at any time, most of them near an edge: samples are right or absent.
#[test]
fn random_steps_and_slews_give_no_wrong_sample() {
    for seed in 0..30 {
        let mut random = Random::new(seed);
        let mut changes = Vec::new();
        let mut second = 12;
        while second < 295 {
            let near = random.one_of(&[0, WIDTH], 0);
            let after = match random.below(3) {
                0 => near + random.between(20_000, 3 * MS),
                1 => near - random.between(1_000, 3 * MS),
                _ => random.between(0, 999 * MS),
            };
            let step = random.one_of(&[0, 0, WIDTH, -WIDTH, 1_000 * MS, -1_000 * MS, 900 * MS, 40_000, -7_000], 0);
            let step = step + random.one_of(&[0, 0, 1], 0) * random.between(-300_000, 300_000);
            let ppm = random.one_of(&[0, 0, 12, -70, 500, -100_000, 100_000], 0);
            changes.push(Change { second, after, step, ppm });
            second += random.between(1, 9);
        }
        let late = random.one_of(&[MS / 5, 2 * MS, 90 * MS], MS);
        let outcome = run(300, &changes, late, &[], seed);
        outcome.assert_works(100, &format!("seed {seed}"));
    }
}

#[test]
fn a_device_pulled_and_given_back_is_named_and_samples_return() {
    let away: Vec<_> = (0..20).map(|n| 20 + n * 8..22 + n * 8).collect();
    let outcome = run(190, &[], MS, &away, 4);
    outcome.assert_works(130, "pulled 20 times");
    let named = outcome.reasons.iter().filter(|reason| **reason == Reason::PpsLost).count();
    assert_eq!(named, away.len(), "{:?}", outcome.reasons);
    for away in away {
        let back = (away.end..190).find(|second| outcome.samples.contains_key(second)).unwrap();
        assert!(back - away.end <= 2, "gone {away:?}, next sample {back}");
    }
    let gone = run(40, &[], MS, std::slice::from_ref(&(20..40)), 5);
    assert_eq!(gone.state, State::Searching(Reason::PpsLost));
}
