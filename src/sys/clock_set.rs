//! When the system clock is set. A timer on `CLOCK_REALTIME` can be told to be canceled then (`timerfd_create(2)`,
//! `TFD_TIMER_CANCEL_ON_SET`, Linux 3.0). A clock that is slewed cancels nothing.

use std::future::pending;
use std::io;
use std::os::fd::OwnedFd;

use tokio::io::unix::AsyncFd;

use super::timerfd;

/// A timer that expires at the end of time, and is canceled whenever the system clock is set.
#[derive(Debug)]
pub struct ClockSet(Option<AsyncFd<OwnedFd>>);

impl ClockSet {
    /// Listens from now on; where no descriptor is left, in vain. Must be called within a tokio runtime.
    pub fn new() -> Self {
        Self(timer().and_then(timerfd::watched).ok())
    }

    /// Waits until the clock is set. Cancel safe.
    pub async fn heard(&self) {
        let Some(timer) = &self.0 else { return pending().await };
        while let Ok(mut ready) = timer.readable().await {
            // An error, ECANCELED, is what is waited for.
            if ready.try_io(|timer| timerfd::read(timer.get_ref())).is_ok() {
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

fn timer() -> io::Result<OwnedFd> {
    let timer = timerfd::create(libc::CLOCK_REALTIME)?;
    let end = libc::timespec { tv_sec: libc::time_t::MAX, tv_nsec: 0 };
    match timerfd::set(&timer, libc::TFD_TIMER_ABSTIME | libc::TFD_TIMER_CANCEL_ON_SET, end) {
        // ECANCELED: it was set just now, and the timer is armed.
        Err(error) if error.raw_os_error() != Some(libc::ECANCELED) => Err(error),
        _ => Ok(timer),
    }
}
