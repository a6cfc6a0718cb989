//! Reads the system's clocks, `clock_gettime(2)`. The sources timestamp with them what they capture; the engine never
//! reads a clock.

use rustix::time::{ClockId, clock_gettime};

use crate::core::time::{Instant, Raw, Span, Sys};

/// `CLOCK_MONOTONIC_RAW` now.
pub fn raw_now() -> Instant<Raw> {
    let now = clock_gettime(ClockId::MonotonicRaw);
    Instant::from_parts(now.tv_sec, now.tv_nsec)
}

/// `CLOCK_REALTIME` now.
pub(crate) fn sys_now() -> Instant<Sys> {
    let now = clock_gettime(ClockId::Realtime);
    Instant::from_parts(now.tv_sec, now.tv_nsec)
}

/// The same moment on both clocks, and the length of the bracket around it: the two readings agree to half of that. The
/// system clock is read between two readings of the raw clock; the narrowest of three such brackets counts, because the
/// one that an interrupt fell into is wide.
pub(crate) fn raw_sys_pair() -> (Instant<Raw>, Instant<Sys>, Span) {
    let bracket = || {
        let (before, sys, after) = (raw_now(), sys_now(), raw_now());
        let window = after - before;
        (before + Span::from_nanos(window.nanos() / 2), sys, window)
    };
    let (first, second, third) = (bracket(), bracket(), bracket());
    [second, third].into_iter().fold(first, |best, next| if next.2 < best.2 { next } else { best })
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
