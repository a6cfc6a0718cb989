use super::*;

/// Three clocks: the PHC 1000 ppm fast at a far epoch, the system clock 10 % slow, read exactly.
fn at(ms: i64, phc_step: i64, sys_step: i64) -> CrossTs {
    at_us(ms * 1_000, phc_step, sys_step)
}

fn at_us(us: i64, phc_step: i64, sys_step: i64) -> CrossTs {
    CrossTs {
        phc: Instant::from_nanos(7_000_000_000_000 + us * 1_001 + phc_step),
        sys: Instant::from_nanos(1_000_000_000_000 + us * 900 + sys_step),
        raw: Instant::from_nanos(us * 1_000),
        window: Span::from_nanos(200),
    }
}

fn map(readings: impl IntoIterator<Item = CrossTs>) -> ClockMap {
    let mut map = ClockMap::default();
    for cross in readings {
        map.add(cross);
    }
    map
}

#[test]
fn a_fast_phc_and_a_slewed_system_clock_are_dated_exactly() {
    let map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), at(1_001, 0, 0)]);
    let edge = at(1_000, 0, 0);
    let Ok(Some(dated)) = map.date(edge.phc, edge.raw) else { panic!() };
    assert_eq!((dated.raw, dated.sys), (edge.raw, Ok(edge.sys)));
    // 100 ns of it for what a servo may have done in 1 ms.
    assert!(dated.error < Span::from_nanos(250), "{}", dated.error);
}

#[test]
fn a_system_clock_step_around_the_edge_drops_its_system_time_and_only_that() {
    for step in [-1_000_000_000_000, -50_000, 50_000, 1_000_000_000] {
        let mut map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), at(1_001, 0, step)]);
        let Ok(Some(dated)) = map.date(at(1_000, 0, 0).phc, at(1_000, 0, 0).raw) else { panic!() };
        assert_eq!((dated.raw, dated.sys), (at(1_000, 0, 0).raw, Err(Reason::SysStepped)), "step {step}");
        // A second later all is well again.
        for ms in [1_011, 1_500, 1_990, 2_001] {
            map.add(at(ms, 0, step));
        }
        let Ok(Some(dated)) = map.date(at(2_000, 0, 0).phc, at(2_000, 0, 0).raw) else { panic!() };
        assert_eq!(dated.sys, Ok(at(2_000, 0, step).sys), "step {step}");
    }
}

#[test]
fn a_phc_step_around_the_edge_leaves_it_undated() {
    for step in [-37_000_000_000, -100_000, 100_000, 37_000_000_000] {
        let mut map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), at(1_001, step, 0)]);
        for phc in [at(1_000, 0, 0).phc, at(1_000, step, 0).phc] {
            let dating = map.date(phc, at(1_000, 0, 0).raw);
            let known = matches!(dating, Ok(Some(Dated { sys: Ok(_), .. })));
            assert!(!known, "step {step}: {dating:?}");
        }
        // Two seconds later all is well again.
        for ms in [1_100, 1_110, 1_990, 2_001, 2_100, 2_110, 2_500, 2_700, 2_990, 3_001] {
            map.add(at(ms, step, 0));
        }
        let Ok(Some(dated)) = map.date(at(3_000, step, 0).phc, at(3_000, 0, 0).raw) else { panic!() };
        assert_eq!(dated.sys, Ok(at(3_000, 0, 0).sys), "step {step}");
    }
}

#[test]
fn an_edge_among_many_readings_is_dated_by_the_rates_farther_away() {
    // Ringing: a reading after each of eight edges within 80 us, and as many a second before.
    let ringing = [0, 10, 20, 25, 45, 55, 78, 80].map(|us| us + 15);
    let second = |s: i64| [s * 1_000_000 - 10_000].into_iter().chain(ringing.map(|us| s * 1_000_000 + us));
    let map = map(second(1).chain([1_500_000]).chain(second(2)).map(|us| at_us(us, 0, 0)));
    for us in [0, 10, 20, 25, 45, 55, 78, 80] {
        let edge = at_us(2_000_000 + us, 0, 0);
        let dating = map.date(edge.phc, edge.raw + Span::from_micros(5));
        assert!(matches!(dating, Ok(Some(dated)) if dated.raw == edge.raw), "{us} us: {dating:?}");
    }
}

#[test]
fn an_edge_delivered_late_is_found_in_an_older_bracket() {
    let map = map([0, 100, 200, 700, 990, 1_001, 1_011, 1_250].map(|ms| at(ms, 0, 0)));
    let Ok(Some(dated)) = map.date(at(1_000, 0, 0).phc, at(1_000, 0, 0).raw) else { panic!() };
    assert_eq!(dated.raw, at(1_000, 0, 0).raw);
}

#[test]
fn before_memory_and_after_the_last_reading_nothing_is_dated() {
    let map = map([0, 100, 200].map(|ms| at(ms, 0, 0)));
    assert_eq!(map.date(at(300, 0, 0).phc, at(300, 0, 0).raw), Ok(None));
    assert_eq!(map.date(at(-50, 0, 0).phc, at(-50, 0, 0).raw), Err(Reason::StaleEdge));
    let first = self::map([0, 100].map(|ms| at(ms, 0, 0)));
    assert_eq!(first.date(at(50, 0, 0).phc, at(50, 0, 0).raw), Err(Reason::PhcStepped), "no rate was known yet");
    assert_eq!(ClockMap::default().date(Instant::from_nanos(0), Instant::from_nanos(0)), Ok(None));
}

#[test]
fn a_reading_that_took_too_long_gives_no_sample() {
    let mut slow = at(1_001, 0, 0);
    slow.window = Span::from_millis(2);
    let map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), slow]);
    let Ok(Some(dated)) = map.date(at(1_000, 0, 0).phc, at(1_000, 0, 0).raw) else { panic!() };
    assert_eq!(dated.sys, Err(Reason::ErrorTooLarge));
}
