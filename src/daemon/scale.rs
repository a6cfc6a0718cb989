//! Detects whether the system clock was stepped since the moment that a sample refers to. Some milliseconds pass
//! between a pulse and the publication of its sample; if the clock is stepped meanwhile, chronyd would mistake the step
//! for an error of its own.
//!
//! A slewed clock stays on its scale: the kernel slews by at most 10 % (adjtimex(2), `ADJ_TICK`), and the measured rate
//! is expected to continue. A rate that changes abruptly by more than [`RATE_PPM`] looks like a step. That costs a
//! sample when chronyd starts or ends a fast slew, but the opposite assumption would be wrong more often.

use std::collections::VecDeque;

use crate::core::time::{Instant, Raw, Span, Sys};
use crate::sys::clock::Reading;

/// Allowed change of the rate.
const RATE_PPM: i64 = 500;
/// Allowed rate while none is known: one eighth exceeds any slew.
const ANY_RATE_PPM: i64 = 125_000;
/// Allowed disagreement of two readings, in addition to their windows.
const SLACK: Span = Span::from_micros(2);
/// The rate is measured over at least this span: over a shorter one, the windows would dominate.
const BASELINE: Span = Span::from_millis(50);
/// Readings older than this are dropped: no sample is published later than that after its pulse.
const KEPT_FOR: Span = Span::from_millis(2_500);
/// Maximum number of readings kept: some arrive every second, a hundred if there is noise on the pin.
const KEPT: usize = 256;

/// Recent readings of the system clock, divided at its steps into scales.
#[derive(Clone, Debug, Default)]
pub(super) struct Scale {
    /// Since the last step; the oldest first.
    readings: VecDeque<Reading>,
    /// The times that earlier scales could have shown: from the first reading to the step.
    left: VecDeque<Left>,
}

/// A scale that a step has ended.
#[derive(Clone, Copy, Debug)]
struct Left {
    /// When the first reading of the next scale was taken.
    at: Instant<Raw>,
    first: Instant<Sys>,
    last: Instant<Sys>,
}

impl Scale {
    /// Takes a reading, and returns whether the clock ran on to it; otherwise, it was stepped, and another scale
    /// begins. A reading that is not later than the last is ignored.
    pub(super) fn add(&mut self, reading: Reading) -> bool {
        self.left.retain(|left| reading.raw - left.at <= KEPT_FOR);
        self.left.drain(..self.left.len().saturating_sub(KEPT));
        let Some(last) = self.readings.back().copied() else {
            self.readings.push_back(reading);
            return true;
        };
        if reading.raw <= last.raw {
            return true;
        }
        self.readings.retain(|kept| *kept == last || reading.raw - kept.raw <= KEPT_FOR);
        self.readings.drain(..self.readings.len().saturating_sub(KEPT));
        let runs_on = self.runs_on(last, reading);
        if !runs_on {
            let first = self.readings.front().map_or(last.sys, |first| first.sys);
            let elapsed = reading.raw - last.raw;
            let left = Left { at: reading.raw, first, last: last.sys + elapsed + elapsed.ppm(ANY_RATE_PPM) + SLACK };
            self.left.push_back(left);
            self.readings.clear();
        }
        self.readings.push_back(reading);
        runs_on
    }

    /// Whether the system clock, read `now`, is still on the scale on which it showed `at`, at the last pulse. Not if `at`
    /// could also have been shown before a step.
    pub(super) fn stands(&self, at: Instant<Sys>, now: Reading) -> bool {
        if self.left.iter().any(|left| left.first <= at && at <= left.last) {
            return false;
        }
        self.readings.back().is_none_or(|&last| self.runs_on(last, now))
    }

    /// Whether the clock ran on from the last reading to this one.
    fn runs_on(&self, last: Reading, reading: Reading) -> bool {
        let elapsed = reading.raw - last.raw;
        let base = self.readings.iter().rev().find(|base| last.raw - base.raw >= BASELINE);
        let (expected, ppm) = match base {
            Some(base) => (elapsed.scaled(last.sys - base.sys, last.raw - base.raw), RATE_PPM),
            None => (elapsed, ANY_RATE_PPM),
        };
        let allowed = elapsed.abs().ppm(ppm) + SLACK + last.window + reading.window;
        (reading.sys - last.sys - expected).abs() <= allowed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reading at this time (us); the system clock gains `ppm`, and was stepped by `step` (us).
    fn at(us: i64, ppm: i64, step: i64) -> Reading {
        let sys = Span::from_micros(us + step) + Span::from_micros(us).ppm(ppm);
        Reading {
            raw: Instant::from_nanos(0) + Span::from_micros(us),
            sys: Instant::from_parts(1_000, 0) + sys,
            window: Span::from_nanos(500),
        }
    }

    /// The readings around a pulse at 2 s: a second of them, 10 ms before it, and right after it.
    fn around(ppm: i64) -> Scale {
        let mut scale = Scale::default();
        for us in [990_000, 1_000_200, 1_090_000, 1_100_200, 1_990_000, 2_000_200] {
            assert!(scale.add(at(us, ppm, 0)), "{us} at {ppm} ppm");
        }
        scale
    }

    #[test]
    fn a_clock_that_runs_on_stands() {
        for ppm in [-100_000, -500, 0, 20, 100_000] {
            let pulse = at(2_000_000, ppm, 0).sys;
            for later_us in [300, 2_000, 100_000, 900_000] {
                let now = at(2_000_000 + later_us, ppm, 0);
                assert!(around(ppm).stands(pulse, now), "{ppm} ppm, {later_us} us");
            }
        }
    }

    #[test]
    fn a_step_after_the_last_reading_is_seen() {
        for step in [-1_000_000_000, -250_000, -100, -10, 10, 100, 250_000, 37_000_000] {
            for ppm in [-100_000, 0, 500] {
                let pulse = at(2_000_000, ppm, 0).sys;
                let stands = around(ppm).stands(pulse, at(2_001_000, ppm, step));
                assert!(!stands, "{step} us at {ppm} ppm");
            }
        }
    }

    #[test]
    fn a_slew_that_begins_after_the_last_reading_is_no_step() {
        let pulse = at(2_000_000, 0, 0).sys;
        // chronyd corrects by some parts per million, the kernel's PLL by 500 at most.
        let now = at(2_050_000, 0, 24); // 480 ppm of 50 ms
        assert!(around(0).stands(pulse, now));
    }

    #[test]
    fn a_sample_that_comes_after_readings_of_another_scale_is_seen() {
        for step in [-500_000, -90_000, -100, 100, 90_000, 500_000] {
            let mut scale = around(0);
            assert!(!scale.add(at(2_090_000, 0, step)), "{step}");
            let (before, now) = (at(2_000_000, 0, 0).sys, at(2_100_300, 0, step));
            assert!(!scale.stands(before, now), "{step}");
        }
    }

    #[test]
    fn samples_of_the_new_scale_stand() {
        for step in [-3_600_000_000, -500_000, -100, 100, 500_000, 3_600_000_000] {
            let mut scale = around(0);
            for us in [2_090_000, 2_100_200, 2_990_000, 3_000_200] {
                scale.add(at(us, 0, step));
            }
            assert!(scale.stands(at(3_000_000, 0, step).sys, at(3_000_500, 0, step)), "{step}");
        }
    }

    #[test]
    fn the_first_readings_forbid_nothing() {
        assert!(Scale::default().stands(at(0, 0, 0).sys, at(1_000, 0, 0)));
        let mut scale = Scale::default();
        assert!(scale.add(at(0, 0, 0)));
        assert!(scale.add(at(0, 0, 5_000)), "not later");
        assert!(scale.stands(at(0, 0, 0).sys, at(100_000, 100_000, 0)), "a slew of 10 %");
        assert!(!scale.stands(at(0, 0, 0).sys, at(100_000, 0, 250_000)));
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut scale = Scale::default();
        for ms in 0..10_000 {
            scale.add(at(ms * 1_000, 0, ms % 2 * 1_000_000));
            assert!(scale.readings.len() <= KEPT + 1 && scale.left.len() <= KEPT + 1);
        }
    }
}
