//! Cross timestamps: one moment on the PHC, the system clock and `CLOCK_MONOTONIC_RAW`, with the best method that
//! driver and machine support.

use std::io;

use tracing::debug;

use crate::core::event::CrossTs;
use crate::core::time::{Instant, Raw, Span, Sys};
use crate::sys::clock::Reading;
use crate::sys::ptp::{Bracket, Ptp};

/// Number of readings, of which the narrowest is used.
const READINGS: u32 = 3;
/// The window of a precise cross timestamp. The hardware timestamps both ends of the `PCIe` link and removes its delay;
/// tens of nanoseconds remain, which no driver reports.
const PRECISE_WINDOW: Span = Span::from_nanos(100);
/// Failures in a row after which precise cross timestamps are given up: some machines' `PCIe` root complexes offer them
/// but never answer.
const PRECISE_PATIENCE: u32 = 5;

/// How the PHC is compared to the system's clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Method {
    /// Hardware latches all three clocks at once (PTM).
    Precise,
    /// The driver reads it closely between two readings of the system clock.
    Extended,
    /// The kernel's PTP core reads it between two readings of the system clock.
    Standard,
}

/// Takes cross timestamps with a method that was detected once.
pub(crate) struct CrossReader {
    pub(crate) method: Method,
    failures: u32,
}

impl CrossReader {
    /// Detects the best method by trying: drivers may offer methods that the machine does not support.
    ///
    /// # Errors
    /// The device is gone.
    pub(crate) fn detect(ptp: &Ptp) -> io::Result<Self> {
        let mut reader = Self { method: Method::Precise, failures: 0 };
        for _ in 0..PRECISE_PATIENCE {
            if reader.read(ptp)?.is_some() {
                break;
            }
        }
        Ok(reader)
    }

    /// A cross timestamp, or none: the hardware was busy, or the system clock was stepped during the reading.
    ///
    /// # Errors
    /// The device is gone.
    pub(super) fn read(&mut self, ptp: &Ptp) -> io::Result<Option<CrossTs>> {
        self.failures = self.failures.saturating_add(1);
        match take(ptp, self.method) {
            Ok(cross) => {
                self.failures = 0;
                Ok(cross)
            }
            Err(error) => match after(self.method, &error, self.failures) {
                Some(method) if method == self.method => Ok(None),
                Some(method) => {
                    debug!("cross timestamps fail ({error}): from now on they are {method:?}");
                    *self = Self { method, failures: 0 };
                    self.read(ptp)
                }
                None => Err(error),
            },
        }
    }
}

/// The method to use after a failed reading: the same one if the failure is temporary; none if the device is gone.
/// Precise is given up for any permanent error: `ENODEV` may only mean that the kernel left the clock source that the
/// hardware latches. If the device is gone, the next method fails too.
fn after(method: Method, error: &io::Error, in_a_row: u32) -> Option<Method> {
    let passes = matches!(error.raw_os_error(), Some(libc::ETIMEDOUT | libc::EBUSY | libc::EAGAIN | libc::EINTR));
    match method {
        _ if passes && (method != Method::Precise || in_a_row < PRECISE_PATIENCE) => Some(method),
        Method::Precise => Some(Method::Extended),
        Method::Extended => Some(Method::Standard),
        Method::Standard => None,
    }
}

fn take(ptp: &Ptp, method: Method) -> io::Result<Option<CrossTs>> {
    let before = Reading::now();
    let brackets = match method {
        Method::Precise => {
            let (phc, sys, raw) = ptp.sys_offset_precise()?;
            return Ok(Some(CrossTs { phc, sys, raw, window: PRECISE_WINDOW }));
        }
        Method::Extended => ptp.sys_offset_extended(READINGS)?,
        Method::Standard => ptp.sys_offset(READINGS)?,
    };
    Ok(combine(before, &brackets, Reading::now()))
}

/// The middle of the shortest bracket, dated on the raw clock by readings before and after all of them. A bracket that
/// ends before it begins contains a step of the system clock.
fn combine(before: Reading, brackets: &[Bracket], after: Reading) -> Option<CrossTs> {
    let windows = brackets.iter().map(|bracket| (bracket, bracket.after - bracket.before));
    let (bracket, window) = windows.filter(|(_, window)| *window >= Span::ZERO).min_by_key(|(_, window)| *window)?;
    let sys = bracket.before + Span::from_nanos(window.nanos() / 2);
    let raw = raw_at(sys, before, after)?;
    Some(CrossTs { phc: bracket.phc, sys, raw, window: window + before.window.max(after.window) })
}

/// The raw clock at a moment of the system clock, interpolated between two readings around it: exact while the system clock
/// is slewed, however fast. `None` if the system clock was stepped between them: a slew is at most 10 % (the limit
/// of chronyd and of the kernel), so more than an eighth is a step.
fn raw_at(sys: Instant<Sys>, before: Reading, after: Reading) -> Option<Instant<Raw>> {
    let (raw_span, sys_span) = (after.raw - before.raw, after.sys - before.sys);
    let slack = before.window + after.window;
    let bend = (sys_span - raw_span).abs();
    let outside = sys < before.sys - slack || sys > after.sys + slack;
    if bend > Span::from_nanos(raw_span.nanos() / 8) + slack || outside {
        return None;
    }
    Some(before.raw + (sys - before.sys).scaled(raw_span, sys_span))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bracket(before: i64, phc: i64, after: i64) -> Bracket {
        Bracket {
            before: Instant::from_nanos(before),
            phc: Instant::from_nanos(phc),
            after: Instant::from_nanos(after),
        }
    }

    fn pair(raw: i64, sys: i64) -> Reading {
        Reading { raw: Instant::from_nanos(raw), sys: Instant::from_nanos(sys), window: Span::from_nanos(60) }
    }

    #[test]
    fn the_middle_of_the_narrowest_bracket_is_the_moment() {
        for (brackets, expected) in [
            (vec![], None),
            (vec![bracket(100, 7, 300)], Some((7, 200, 200))),
            (vec![bracket(0, 1, 500), bracket(600, 2, 700), bracket(800, 3, 1200)], Some((2, 650, 100))),
            (vec![bracket(1000, 1, 900), bracket(0, 2, 400)], Some((2, 200, 400))), // stepped back within the first
            (vec![bracket(1000, 1, 900)], None),
        ] {
            let found = combine(pair(0, 0), &brackets, pair(2_000, 2_000));
            let found = found.map(|cross| (cross.phc.nanos(), cross.sys.nanos(), cross.window.nanos() - 60));
            assert_eq!(found, expected, "{brackets:?}");
        }
    }

    #[test]
    fn raw_time_is_exact_while_the_system_clock_is_slewed() {
        for slew_percent in [-10, -1, 0, 1, 10] {
            let sys = |raw: i64| 5_000_000_000 + raw + raw * slew_percent / 100;
            let (before, after) = (pair(1_000, sys(1_000)), pair(41_000, sys(41_000)));
            for raw in [1_000, 11_000, 26_000, 41_000] {
                let found = raw_at(Instant::from_nanos(sys(raw)), before, after).unwrap();
                assert!((found.nanos() - raw).abs() <= 1, "{slew_percent} %: {raw} became {}", found.nanos());
            }
        }
    }

    #[test]
    fn a_step_of_the_system_clock_gives_no_cross_timestamp() {
        for (sys, after) in [
            (50_000, pair(40_000, 1_040_000)),  // forward by a millisecond
            (20_000, pair(40_000, -1_000_000)), // backward
            (20_000, pair(40_000, 48_000)),     // 20 % is no slew
            (90_000, pair(40_000, 40_000)),     // there and back again
        ] {
            assert_eq!(raw_at(Instant::from_nanos(sys), pair(0, 0), after), None, "{sys} {after:?}");
        }
    }

    #[test]
    fn the_window_holds_the_bracket_and_the_raw_reading() {
        let cross = combine(pair(0, 10_000), &[bracket(10_400, 77, 10_600)], pair(1_000, 11_000)).unwrap();
        assert_eq!((cross.phc.nanos(), cross.sys.nanos(), cross.raw.nanos()), (77, 10_500, 500));
        assert_eq!(cross.window, Span::from_nanos(200 + 60));
    }

    #[test]
    fn a_failed_reading_is_skipped_or_another_method_is_taken_or_the_device_is_gone() {
        use Method::*;
        for (method, errno, in_a_row, expected) in [
            (Precise, libc::ETIMEDOUT, 1, Some(Precise)),
            (Precise, libc::ETIMEDOUT, 5, Some(Extended)),
            (Precise, libc::ENODEV, 1, Some(Extended)),
            (Precise, libc::EOPNOTSUPP, 1, Some(Extended)),
            (Extended, libc::EBUSY, 100, Some(Extended)),
            (Extended, libc::EOPNOTSUPP, 1, Some(Standard)),
            (Extended, libc::ENOTTY, 1, Some(Standard)),
            (Extended, libc::ENODEV, 1, Some(Standard)),
            (Standard, libc::EINTR, 1, Some(Standard)),
            (Standard, libc::ENODEV, 1, None),
            (Standard, libc::EIO, 1, None),
            (Standard, libc::EOPNOTSUPP, 1, None),
        ] {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(after(method, &error, in_a_row), expected, "{method:?} {errno} {in_a_row}");
        }
    }
}
