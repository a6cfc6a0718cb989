//! When the system clock is set. A timer on `CLOCK_REALTIME` can be told to be canceled then (`timerfd_create(2)`,
//! `TFD_TIMER_CANCEL_ON_SET`, Linux 3.0). A clock that is slewed cancels nothing.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;

use rustix::io::Errno;
use rustix::time::{TimerfdClockId, TimerfdTimerFlags, Timespec};
use tokio::io::unix::AsyncFd;

use super::alarm;

/// A timer that expires at the end of time, and is canceled whenever the system clock is set.
#[derive(Debug)]
pub struct ClockSet(Option<AsyncFd<OwnedFd>>);

impl ClockSet {
    /// Listens from now on; where no descriptor is left, in vain. Must be called within a tokio runtime.
    pub fn new() -> Self {
        Self(timer().ok())
    }

    /// Waits until the clock is set. Cancel safe.
    pub async fn heard(&self) {
        let Some(timer) = &self.0 else { return pending().await };
        while let Ok(mut ready) = timer.readable().await {
            // An error, ECANCELED, is what is waited for.
            if ready.try_io(|timer| rustix::io::read(timer, &mut [0; 8]).map_err(io::Error::from)).is_ok() {
                return;
            }
        }
        pending::<()>().await;
    }
}

impl Default for ClockSet {
    fn default() -> Self {
        Self::new()
    }
}

fn timer() -> io::Result<AsyncFd<OwnedFd>> {
    let timer = alarm::timer(TimerfdClockId::Realtime)?;
    let end = Timespec { tv_sec: i64::MAX, tv_nsec: 0 };
    match alarm::arm(timer.get_ref(), TimerfdTimerFlags::ABSTIME | TimerfdTimerFlags::CANCEL_ON_SET, end) {
        // ECANCELED: it was set just now, and the timer is armed.
        Ok(()) | Err(Errno::CANCELED) => Ok(timer),
        Err(error) => Err(error.into()),
    }
}
