//! The parts of the simulated worlds: clocks, distributions, stalled threads.

use crate::library::simulated::random::Random;
use gnss2shm::core::time::{Instant, Raw, Span, Sys, UtcSecond};

use crate::library::simulated::clocks::PiecewiseClock;
use crate::library::simulated::scenario::{Fault, FaultKind, Scenario, SimThread, Spread};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;

#[test]
fn steps_and_rates_add_up() {
    let second = |s: i64| Instant::<Raw>::from_parts(s, 0);
    let mut clock = PiecewiseClock::<Sys>::new(second(0), Instant::from_parts(100, 0), 0);
    clock.set(second(10), clock.at(second(10)) + Span::from_secs(5), 1_000_000);
    clock.set(second(20), clock.at(second(20)), -1_000_000);
    clock.set(second(30), Instant::from_parts(7, 0), 0);
    for (at, shows) in
        [(0, 100_000), (9, 109_000), (10, 115_000), (20, 125_010), (29, 134_010), (30, 7_000), (31, 8_000)]
    {
        assert_eq!(clock.at(second(at)), Instant::from_nanos(shows * 1_000_000), "{at}");
    }
}

#[test]
fn deviations_are_distributed_as_named() {
    let most = Span::from_millis(90);
    for (spread, rms) in [(Spread::Even, 49..55), (Spread::Normal, 28..32), (Spread::Wander, 10..91)] {
        let (mut random, mut last, mut squares) = (Random::new(1), Span::ZERO, 0);
        for _ in 0..10_000 {
            let next = spread.next(&mut random, most, last);
            assert!(next.abs() <= most, "{spread:?}: {next}");
            let step = (next - last).abs();
            assert!(spread != Spread::Wander || step <= Span::from_nanos(most.nanos() / 8), "{step}");
            squares += (next.nanos() / 1_000_000).pow(2);
            last = next;
        }
        let measured = (squares / 10_000).isqrt();
        assert!(rms.contains(&measured), "{spread:?}: RMS {measured} ms");
    }
}

#[test]
fn a_stalled_thread_acts_late_and_in_order() {
    let kind = FaultKind::Stall(SimThread::Reader, Span::from_millis(1_500));
    let faults = vec![Fault { from: 10, until: 12, kind }];
    let scenario = Scenario { faults, system_ppm: 0, ..Scenario::default() };
    let timeline = Timeline::new(World::new(scenario, UtcSecond::from_posix(0), Instant::from_nanos(0)));
    let ms = |ms: i64| Instant::from_nanos(ms * 1_000_000);
    for (at, runs) in [(9_900, 9_900), (10_000, 10_000), (10_001, 11_500), (11_500, 11_500), (11_600, 12_000)] {
        assert_eq!(timeline.runs(SimThread::Reader, ms(at)), ms(runs), "{at}");
        assert_eq!(timeline.runs(SimThread::Phc, ms(at)), ms(at), "another thread");
    }
}
