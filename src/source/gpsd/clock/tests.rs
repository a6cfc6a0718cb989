use super::*;

const EPOCH: i64 = 1_795_176_000_000;

fn at(raw_ms: i64, sys_ms: i64) -> Arrival {
    Arrival { raw: Instant::default() + Span::from_millis(raw_ms), sys: sys(sys_ms) }
}

fn sys(ms: i64) -> Instant<Sys> {
    Instant::default() + Span::from_millis(EPOCH + ms)
}

fn date(clock: &mut GpsdClock, arrival: Arrival, moment_ms: i64) -> Option<i64> {
    clock.read(arrival);
    clock.date(sys(moment_ms)).map(|raw| (raw - Instant::default()).nanos() / 1_000_000)
}

#[test]
fn on_one_machine_a_moment_is_dated_back_however_late_it_is_read() {
    let mut clock = GpsdClock::new(true, at(0, 0));
    assert_eq!(date(&mut clock, at(1_000, 1_000), 995), Some(995));
    assert_eq!(date(&mut clock, at(3_600, 3_600), 1_990), Some(1_990));
    assert_eq!(date(&mut clock, at(9_000, 9_000), 5_000), None, "too old");
    assert_eq!(date(&mut clock, at(10_000, 10_000), 10_100), None, "from the future");
}

#[test]
fn a_step_of_the_system_clock_between_naming_and_reading_is_noticed() {
    for step in [-400_000, -400, 200, 700, 1_500, 400_000] {
        let mut clock = GpsdClock::new(true, at(0, 0));
        assert_eq!(date(&mut clock, at(1_000, 1_000), 1_000), Some(1_000));
        assert_eq!(date(&mut clock, at(2_000, 2_000 + step), 1_999), None, "stepped by {step} ms");
        assert_eq!(date(&mut clock, at(3_000, 3_000 + step), 2_999 + step), Some(2_999), "after the step");
    }
}

#[test]
fn a_slew_is_no_step() {
    let mut clock = GpsdClock::new(true, at(0, 0));
    assert_eq!(date(&mut clock, at(0, 0), 0), Some(0));
    assert_eq!(date(&mut clock, at(1_000, 1_100), 1_099), Some(999));
}

#[test]
fn on_another_machine_and_through_a_tunnel_the_arrival_counts() {
    for near in [false, true] {
        let mut clock = GpsdClock::new(near, at(0, 0));
        for (second, off) in (1..40).zip([500, -500, 1_400, 90_000_000].into_iter().cycle()) {
            let ms = second * 1_000;
            assert_eq!(date(&mut clock, at(ms, ms), ms - off), Some(ms), "{near} {off}");
        }
    }
}

fn at_us(us: i64) -> Instant<Raw> {
    Instant::default() + Span::from_micros(us)
}

/// Sends a burst each second; its sentences end as the line's pace has it. When the last one is said to have begun.
fn began_after(first_us: i64, byte_us: i64, sentences: &[usize], seconds: i64) -> i64 {
    let mut burst = Burst::default();
    burst.bps(9_600);
    for second in 0..seconds {
        let mut end = second * 1_000_000 + first_us;
        for &bytes in sentences {
            end += bytes as i64 * byte_us;
            burst.sentence(bytes, at_us(end + second % 3 * 300));
        }
    }
    (burst.began(at_us(i64::MAX / 1_000)) - at_us((seconds - 1) * 1_000_000)).nanos() / 1_000
}

#[test]
fn on_a_line_a_burst_began_as_long_before_as_its_bytes_take() {
    let began = began_after(300_000, 1_042, &[70, 38, 70, 60], 5);
    assert!((298_000..=302_000).contains(&began), "{began}");
    let busy = began_after(20_000, 1_042, &[70, 38, 70, 60, 80, 80, 80, 80, 80, 80, 80, 60], 5);
    assert!((10_000..=30_000).contains(&busy), "{busy}");
}

#[test]
fn on_usb_a_burst_began_when_it_came() {
    let began = began_after(5_000, 1, &[70, 38, 70, 60], 5);
    assert!((4_000..=6_000).contains(&began), "{began}");
}

#[test]
fn a_line_that_overflows_has_bursts_that_never_end() {
    let mut burst = Burst::default();
    burst.bps(9_600);
    for n in 1..200 {
        burst.sentence(80, at_us(n * 83_400));
    }
    assert!(burst.began(at_us(199 * 83_400)) <= at_us(83_400));
}
