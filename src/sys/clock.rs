//! Reads the system's clocks (`clock_gettime(2)`). The sources stamp what they capture with them; the engine never
//! does.

use crate::core::time::{Instant, Raw, Span, Sys};

/// How many sandwiches [`raw_sys_pair`] takes: one that an interrupt fell into is wide, three in a row are not.
const SANDWICHES: usize = 3;

/// `CLOCK_MONOTONIC_RAW` now.
pub fn raw_now() -> Instant<Raw> {
    let (sec, nsec) = read(libc::CLOCK_MONOTONIC_RAW);
    Instant::from_parts(sec, nsec)
}

/// `CLOCK_REALTIME` now.
pub fn sys_now() -> Instant<Sys> {
    let (sec, nsec) = read(libc::CLOCK_REALTIME);
    Instant::from_parts(sec, nsec)
}

/// The same moment on both clocks, and the length of the bracket it lies in: the two readings agree to half of it. The
/// system clock is read between two readings of the raw one; the narrowest of three such sandwiches counts.
pub fn raw_sys_pair() -> (Instant<Raw>, Instant<Sys>, Span) {
    let sandwich = || {
        let (before, sys, after) = (raw_now(), sys_now(), raw_now());
        let window = after - before;
        (before + Span::from_nanos(window.nanos() / 2), sys, window)
    };
    let mut narrowest = sandwich();
    for _ in 1..SANDWICHES {
        let next = sandwich();
        if next.2 < narrowest.2 {
            narrowest = next;
        }
    }
    narrowest
}

/// Seconds and nanoseconds. The two clocks exist on every kernel that Rust supports, so there is no error to hand on.
#[allow(clippy::unnecessary_cast)] // both are i64 on 64-bit machines only
fn read(clock: libc::clockid_t) -> (i64, i64) {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: the pointer is to a timespec of our own, and clock_gettime writes nothing but that.
    let failed = unsafe { libc::clock_gettime(clock, &raw mut now) };
    debug_assert_eq!(failed, 0, "clock {clock} does not exist");
    (now.tv_sec as i64, now.tv_nsec as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn raw_time_goes_forward() {
        let first = raw_now();
        assert!(raw_now() >= first && first.nanos() > 0);
    }

    #[test]
    fn a_pair_lies_between_readings_before_and_after_it() {
        let (raw_before, sys_before) = (raw_now(), sys_now());
        let (raw, sys, window) = raw_sys_pair();
        assert!(raw_before <= raw && raw <= raw_now());
        // The system clock may be stepped under the test; by minutes it is not.
        assert!((sys - sys_before).abs() < Span::from_secs(60));
        assert!(window >= Span::ZERO && window < Span::SECOND);
    }
}
