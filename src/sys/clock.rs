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

/// The same moment on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reading {
    pub(crate) raw: Instant<Raw>,
    pub(crate) sys: Instant<Sys>,
    /// Length of the bracket that contains the two: they agree to half of it.
    pub(crate) window: Span,
}

impl Reading {
    /// The system clock is read between two readings of the raw clock; the narrowest of three such brackets counts,
    /// because the one that an interrupt fell into is wide.
    pub(crate) fn now() -> Self {
        let bracket = || {
            let (before, sys, after) = (raw_now(), sys_now(), raw_now());
            let window = after - before;
            Self { raw: before + Span::from_nanos(window.nanos() / 2), sys, window }
        };
        let (first, second, third) = (bracket(), bracket(), bracket());
        [second, third].into_iter().fold(first, |best, next| if next.window < best.window { next } else { best })
    }
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
        let Reading { raw, sys, window } = Reading::now();
        assert!(raw_before <= raw && raw <= raw_now());
        // The system clock may be stepped under the test; by minutes it is not.
        assert!((sys - sys_before).abs() < Span::from_secs(60));
        assert!(window >= Span::ZERO && window < Span::SECOND);
    }
}
