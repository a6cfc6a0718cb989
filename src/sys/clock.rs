//! The system's clocks: their time, `clock_gettime(2)`, whether the kernel claims that the system clock is synchronized,
//! adjtimex(2), and when it is set. The sources use them for timestamps; the engine never reads a clock.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::{ClockId, TimerfdClockId, TimerfdTimerFlags, Timespec, clock_gettime};
use tokio::io::unix::AsyncFd;

use super::{check, wait};
use crate::core::time::{Instant, Raw, Span, Sys};

/// Estimated error in microseconds that `NTPsec`'s ntpd reports at start, before it has any time: it passes 16 s to the
/// kernel as 16 us (1.2.2, tests/vm/scenarios/ntpsec.sh).
const NTPSEC_STARTS: libc::c_long = 16;

/// `CLOCK_MONOTONIC_RAW` now.
pub(crate) fn raw_now() -> Instant<Raw> {
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
    /// Length of the bracket that contains both: they agree within half of it.
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

/// The kernel's report on the system clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct KernelClock {
    /// Its maximum error; `None` if it is not synchronized: the kernel says so (`STA_UNSYNC`, or the state
    /// `TIME_ERROR`), or an ntpd has only just started.
    pub max_error: Option<Span>,
    /// TAI - UTC in seconds; `None` if no program has set it.
    pub tai_offset: Option<i64>,
}

/// Asks the kernel (adjtimex(2)).
pub(crate) fn kernel_clock() -> io::Result<KernelClock> {
    // SAFETY: a timex is plain integers, for which zero is valid; modes = 0 only reads.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // Not the C library's adjtimex: it calls clock_adjtime(2), which the systemd unit forbids, because that can also step
    // a PHC, without any capability.
    // SAFETY: the pointer is to a local timex.
    let state = check(unsafe { libc::syscall(libc::SYS_adjtimex, &raw mut timex) })?;
    let is_claimed = state != libc::c_long::from(libc::TIME_ERROR) && timex.status & libc::STA_UNSYNC == 0;
    let is_synchronized = is_claimed && timex.esterror != NTPSEC_STARTS;
    Ok(KernelClock {
        max_error: is_synchronized.then(|| Span::from_micros(timex.maxerror)),
        tai_offset: Some(i64::from(timex.tai)).filter(|offset| *offset != 0),
    })
}

/// Detects that the system clock is set: a timer on `CLOCK_REALTIME` that never expires, but is canceled by the setting
/// (`timerfd_create(2)`, `TFD_TIMER_CANCEL_ON_SET`, Linux 3.0). Slewing does not cancel it.
pub(crate) struct ClockSet(Option<AsyncFd<OwnedFd>>);

impl ClockSet {
    /// Starts listening; detects nothing if no descriptor is left. Must be called within a tokio runtime.
    pub(crate) fn new() -> Self {
        let (flags, end) =
            (TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, Timespec { tv_sec: i64::MAX, tv_nsec: 0 });
        let timer = wait::timer(TimerfdClockId::Realtime).ok();
        // ECANCELED: it was set just now, and the timer is armed.
        Self(timer.filter(|timer| matches!(wait::arm(timer.get_ref(), flags, end), Ok(()) | Err(Errno::CANCELED))))
    }

    /// Waits until the clock is set. Cancel safe.
    pub(crate) async fn heard(&self) {
        if let Some(timer) = &self.0 {
            while let Ok(mut ready) = timer.readable().await {
                // It ends with an error: ECANCELED.
                if ready.try_io(|timer| rustix::io::read(timer, &mut [0; 8]).map_err(io::Error::from)).is_ok() {
                    return;
                }
            }
        }
        pending::<()>().await;
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
        // The system clock may be stepped during the test, but not by minutes.
        assert!((sys - sys_before).abs() < Span::from_secs(60));
        assert!(window >= Span::ZERO && window < Span::SECOND);
    }
}
