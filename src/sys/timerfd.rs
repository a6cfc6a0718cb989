//! A timer as a descriptor (`timerfd_create(2)`, Linux 2.6.25), for one wake-up at one time.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::ptr;
use std::time::Duration;

use tokio::io::Interest;
use tokio::io::unix::AsyncFd;

/// An owned timerfd on `CLOCK_MONOTONIC`, disarmed at first.
#[derive(Debug)]
pub struct TimerFd(AsyncFd<OwnedFd>);

impl TimerFd {
    /// A timer that is not armed. Must be called within a tokio runtime.
    ///
    /// # Errors
    /// No descriptor is left.
    pub fn new() -> io::Result<Self> {
        watched(create(libc::CLOCK_MONOTONIC)?).map(Self)
    }

    /// Arms it: it expires once, after `time`.
    ///
    /// # Errors
    /// None that the kernel documents for these arguments.
    pub fn arm(&self, time: Duration) -> io::Result<()> {
        // All zero would disarm it.
        let time = time.max(Duration::from_nanos(1));
        let at = libc::timespec {
            tv_sec: libc::time_t::try_from(time.as_secs()).unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos() as libc::c_long,
        };
        set(self.0.get_ref(), 0, at)
    }

    /// Waits until it expires. Cancel safe. The expiry of a former [`Self::arm`] counts if nobody has waited for it: its
    /// count is not read, which saves a system call for each wait.
    ///
    /// # Errors
    /// None that the kernel documents.
    pub async fn expired(&self) -> io::Result<()> {
        self.0.readable().await?.clear_ready();
        Ok(())
    }
}

/// A timer on this clock.
pub(super) fn create(clock: libc::clockid_t) -> io::Result<OwnedFd> {
    // SAFETY: timerfd_create takes two numbers and touches no memory of ours.
    let fd = unsafe { libc::timerfd_create(clock, libc::TFD_CLOEXEC | libc::TFD_NONBLOCK) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the kernel just gave us this descriptor; nobody else knows it.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

/// Sets it to expire once.
pub(super) fn set(timer: &OwnedFd, flags: libc::c_int, at: libc::timespec) -> io::Result<()> {
    let never = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    let spec = libc::itimerspec { it_interval: never, it_value: at };
    // SAFETY: timerfd_settime reads the itimerspec, which outlives the call, and writes nothing to a null pointer.
    let failed = unsafe { libc::timerfd_settime(timer.as_raw_fd(), flags, &raw const spec, ptr::null_mut()) };
    if failed < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// For tokio to watch.
pub(super) fn watched(fd: OwnedFd) -> io::Result<AsyncFd<OwnedFd>> {
    // SAFETY: an `OwnedFd` is the same open descriptor for as long as it lives, and `AsyncFd` owns it.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}
