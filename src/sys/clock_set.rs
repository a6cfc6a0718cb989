//! Notices when the system clock is set: a timer on `CLOCK_REALTIME` can be canceled by that (`timerfd_create(2)`,
//! `TFD_TIMER_CANCEL_ON_SET`, Linux 3.0). Slewing the clock cancels nothing.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::unix::AsyncFd;

use super::timerfd::watched;

/// A timer that expires at the end of time and is canceled whenever the system clock is set.
#[derive(Debug)]
pub(crate) struct ClockSet(Option<AsyncFd<OwnedFd>>);

impl ClockSet {
    /// Starts listening; if no descriptor is left, nothing is ever heard. Must be called within a tokio runtime.
    pub(crate) fn new() -> Self {
        Self(timer().and_then(watched).ok())
    }

    /// Waits until the clock is set. Cancel safe.
    pub(crate) async fn heard(&self) {
        let Some(timer) = &self.0 else { return pending().await };
        while let Ok(mut ready) = timer.readable().await {
            // ECANCELED is the answer when the clock was set; only WouldBlock means that it was not.
            if ready.try_io(|timer| Ok(rustix::io::read(timer, &mut [0; 8])?)).is_ok() {
                return;
            }
        }
        pending::<()>().await;
    }
}

fn timer() -> io::Result<OwnedFd> {
    let timer = timerfd_create(TimerfdClockId::Realtime, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    let zero = Timespec { tv_sec: 0, tv_nsec: 0 };
    let end = Itimerspec { it_interval: zero, it_value: Timespec { tv_sec: i64::MAX, tv_nsec: 0 } };
    match timerfd_settime(&timer, TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, &end) {
        // ECANCELED: the clock was set just now, and the timer is armed.
        Ok(_) | Err(Errno::CANCELED) => Ok(timer),
        Err(error) => Err(error.into()),
    }
}
