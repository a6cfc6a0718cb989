use super::*;
use crate::engine::front::Tail;

const MS: i64 = 1_000_000;

/// Feeds fronts at these times (ns); returns what the last `take` of them were.
struct Bench {
    train: PulseTrain,
    now: i64,
}

impl Bench {
    fn new(width: Option<Span>, promise: Edges) -> Self {
        let mut train = PulseTrain::new(width);
        train.promise(promise);
        Self { train, now: 0 }
    }

    fn both() -> Self {
        Self::new(None, Edges::Unknown)
    }

    fn front(&mut self, at: i64, tail: Tail) -> Found {
        self.now = at;
        let raw = Instant::from_nanos(at);
        self.train.add(&Front { raw, sys: Ok(Instant::from_nanos(at)), error: Span::from_nanos(100), tail })
    }

    /// Seconds `from..to` with fronts at these phases (ms).
    fn seconds(&mut self, from: i64, to: i64, phases: &[i64]) -> Vec<Found> {
        let mut found = Vec::new();
        for second in from..to {
            for phase in phases {
                found.push(self.front(second * 1_000 * MS + phase * MS, Tail::None));
            }
        }
        found
    }

    fn view(&self) -> Pulse {
        self.train.view(Instant::from_nanos(self.now))
    }

    /// Phase (ms) of the on-time edge and the measured width (ms).
    fn settled(&self) -> Option<(i64, Option<i64>)> {
        let Pulse::Settled(on_time) = self.view() else { return None };
        let last = self.train.on_time().unwrap().last().nanos();
        Some((last.rem_euclid(1_000 * MS) / MS, on_time.width.map(|w| w.nanos() / MS)))
    }
}

#[test]
fn the_on_time_edge_starts_the_shorter_gap() {
    for (phases, want) in
        [([0, 100], (0, 100)), ([300, 500], (300, 200)), ([100, 900], (900, 200)), ([0, 449], (0, 449))]
    {
        let mut bench = Bench::both();
        bench.seconds(0, 4, &phases);
        assert_eq!(bench.settled(), Some((want.0, Some(want.1))), "{phases:?}");
    }
}

#[test]
fn a_pulse_of_100_us_is_two_edges_and_one_of_1_us_is_one_front() {
    let mut bench = Bench::both();
    for second in 0..4 {
        bench.front(second * 1_000 * MS, Tail::None);
        bench.front(second * 1_000 * MS + 100_000, Tail::None);
    }
    let Pulse::Settled(on_time) = bench.view() else { panic!("{:?}", bench.view()) };
    assert_eq!(on_time.width, Some(Span::from_micros(100)));

    let mut bench = Bench::both();
    let tail = Tail::Width(Span::from_micros(1));
    let found: Vec<_> = (0..4).map(|second| bench.front(second * 1_000 * MS, tail)).collect();
    assert!(matches!(found.last(), Some(Found::OnTime { .. })), "{found:?}");
    assert_eq!(bench.front(4_000 * MS, Tail::None), Found::Torn);
}

#[test]
fn gaps_of_about_half_a_second_are_refused() {
    for width in [450, 451, 499, 500, 501, 549, 550] {
        let mut bench = Bench::both();
        bench.seconds(0, 6, &[0, width]);
        assert_eq!(bench.view(), Pulse::Refused(Reason::AmbiguousWidth), "{width} ms");
    }
}

#[test]
fn a_configured_width_decides_and_one_that_fits_neither_gap_is_an_error_by_name() {
    let ms = Span::from_millis;
    let view = |configured, phases: &[i64]| {
        let mut bench = Bench::new(Some(ms(configured)), Edges::Unknown);
        bench.seconds(0, 6, phases);
        (bench.view(), bench.settled())
    };
    assert_eq!(view(480, &[0, 480]).1, Some((0, Some(480))));
    assert_eq!(view(700, &[0, 700]).1, Some((0, Some(700))), "the longer gap, because told so");
    assert_eq!(view(200, &[0, 100]).0, Pulse::Refused(Reason::WidthMismatch));
    assert_eq!(view(500, &[0, 500]).0, Pulse::Refused(Reason::AmbiguousWidth));
}

#[test]
fn a_lone_edge_is_watched_for_a_second_one_before_it_is_believed() {
    let mut bench = Bench::both();
    bench.seconds(0, 9, &[0]);
    assert_eq!(bench.view(), Pulse::Measuring);
    bench.seconds(9, 10, &[0]);
    assert_eq!(bench.settled(), Some((0, None)));

    let mut bench = Bench::new(None, Edges::RisingOnly);
    bench.seconds(0, 4, &[0]);
    assert_eq!(bench.settled(), Some((0, None)), "the driver promised it");
}

#[test]
fn the_off_time_edge_alone_is_never_taken_for_the_pulse() {
    // The on-time edge is lost for five seconds just as everything starts, and shows now and then.
    let mut bench = Bench::both();
    for found in bench.seconds(0, 5, &[100]).into_iter().chain(bench.seconds(5, 7, &[0, 100])) {
        assert_eq!(found, Found::Unsettled);
    }
    bench.seconds(7, 9, &[0, 100]);
    assert_eq!(bench.settled(), Some((0, Some(100))));
    // Once both were seen, the other one alone stays the other one.
    for found in bench.seconds(9, 40, &[100]) {
        assert_eq!(found, Found::OffTime);
    }
    assert_eq!(bench.view(), Pulse::Measuring);
    let Some(Found::OnTime { index: 35, .. }) = bench.seconds(40, 41, &[0]).pop() else { panic!("its count goes on") };
}

#[test]
fn the_off_time_edge_that_rings_is_never_taken_for_a_short_pulse() {
    // The on-time edge is lost twice, just as everything starts.
    let mut bench = Bench::both();
    let rings = Tail::Width(Span::from_micros(20));
    for second in 0..12 {
        if !(1..=2).contains(&second) {
            bench.front(second * 1_000 * MS, Tail::None);
        }
        let found = bench.front(second * 1_000 * MS + 100 * MS, rings);
        assert!(matches!(found, Found::Unsettled | Found::OffTime | Found::Stray), "second {second}: {found:?}");
    }
    assert_eq!(bench.settled(), Some((0, Some(100))));
}

#[test]
fn an_edge_that_rang_for_a_while_is_a_single_one_again_in_three_seconds() {
    let mut bench = Bench::both();
    bench.seconds(0, 20, &[0, 100]);
    for second in 20..30 {
        bench.front(second * 1_000 * MS, Tail::Width(Span::from_micros(20)));
        bench.front(second * 1_000 * MS + 100 * MS, Tail::None);
    }
    let found: Vec<Found> = bench.seconds(30, 34, &[0, 100]).into_iter().step_by(2).collect();
    assert_eq!(found[..3], [Found::Torn; 3]);
    assert!(matches!(found[3], Found::OnTime { index: 33, .. }), "{found:?}");
}

#[test]
fn parity_is_not_the_memory_lost_and_added_edges_change_nothing() {
    let mut bench = Bench::both();
    bench.seconds(0, 4, &[0, 100]);
    bench.seconds(4, 5, &[0]);
    bench.seconds(5, 6, &[100]);
    bench.seconds(6, 7, &[37, 100]);
    let found = bench.seconds(7, 8, &[0, 33, 100]);
    assert!(matches!(found.as_slice(), [Found::OnTime { index: 7, .. }, Found::Stray, Found::OffTime]), "{found:?}");
}

#[test]
fn a_pulse_that_comes_back_after_half_a_minute_continues_its_count() {
    let mut bench = Bench::both();
    bench.seconds(0, 20, &[0, 100]);
    let found = bench.seconds(50, 51, &[0, 100]);
    assert!(matches!(found.as_slice(), [Found::OnTime { index: 50, .. }, Found::OffTime]), "{found:?}");
}

#[test]
fn a_pulse_that_comes_back_elsewhere_is_measured_anew() {
    let mut bench = Bench::both();
    bench.seconds(0, 10, &[0, 100]);
    let before = bench.train.on_time().unwrap().id();
    for found in bench.seconds(10, 12, &[600, 700]) {
        assert!(!matches!(found, Found::OnTime { .. }), "{found:?}");
    }
    bench.seconds(12, 20, &[600, 700]);
    assert_eq!(bench.settled(), Some((600, Some(100))));
    assert_ne!(bench.train.on_time().unwrap().id(), before, "a new track: its count means nothing to the old label");
}

#[test]
fn a_width_that_grows_past_half_a_second_stops_instead_of_switching_the_edge() {
    let mut bench = Bench::both();
    bench.seconds(0, 10, &[0, 100]);
    bench.seconds(10, 20, &[0, 600]);
    assert_eq!(bench.view(), Pulse::Refused(Reason::EdgeContradiction));
    let said = bench.train.contradiction().unwrap().to_string();
    assert!(said.starts_with("the pulse was 100.0 ms wide, the edges now lie "), "{said}");
    assert!(said.contains("600.0 ms") && said.contains("400.0 ms"), "{said}");
}

#[test]
fn other_rates_and_noise_are_named() {
    let mut bench = Bench::both();
    bench.seconds(0, 6, &[0, 20, 200, 220, 400, 420, 600, 620, 800, 820]);
    assert_eq!(bench.view(), Pulse::Refused(Reason::NotOneHertz));

    let mut bench = Bench::both();
    let mut at = 0;
    for n in 0..60 {
        at += 137 * MS + (n * n * 7_919_777) % (200 * MS);
        bench.front(at, Tail::None);
    }
    assert_eq!(bench.view(), Pulse::Refused(Reason::Noise));
}

#[test]
fn a_period_500_ppm_off_is_learnt_and_one_further_off_is_none() {
    for (ppm, locks) in [(-490, true), (490, true), (-800, false), (800, false)] {
        let mut bench = Bench::both();
        for second in 0..8 {
            for phase in [0, 100 * MS] {
                bench.front(second * (1_000 * MS + ppm * 1_000) + phase, Tail::None);
            }
        }
        assert_eq!(matches!(bench.view(), Pulse::Settled(_)), locks, "{ppm} ppm");
    }
}
