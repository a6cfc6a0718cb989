//! A wake-up call for a thread that sleeps in `poll(2)`: an eventfd. Once rung it stays rung.

use std::io;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use std::time::Duration;

/// An owned eventfd (`eventfd(2)`, Linux 2.6.27), shared by the thread that rings and the one that is woken.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

/// How a wait on an [`EventFd`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The time is over; perhaps a little early, if a signal came.
    Over,
    /// It was rung.
    Rung,
}

impl EventFd {
    /// A silent one.
    pub fn new() -> io::Result<Self> {
        // SAFETY: eventfd takes two numbers and touches no memory of ours.
        let fd = unsafe { libc::eventfd(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the kernel just gave us this descriptor; nobody else knows it.
        Ok(Self(unsafe { OwnedFd::from_raw_fd(fd) }))
    }

    /// Rings. The only possible error is that it was rung 2^64 times already, and then it rings all the same.
    pub fn ring(&self) {
        let one = 1_u64.to_ne_bytes();
        // SAFETY: write reads the eight bytes of `one`, which outlives the call.
        let _full = unsafe { libc::write(self.0.as_raw_fd(), one.as_ptr().cast(), one.len()) };
    }

    /// Sleeps until it is rung, or for `time`.
    pub fn rest(&self, time: Duration) -> io::Result<Rest> {
        let [rung] = poll([self.readable()], time)?;
        Ok(if rung == 0 { Rest::Over } else { Rest::Rung })
    }

    /// What `poll` is to watch.
    pub(super) fn readable(&self) -> libc::pollfd {
        readable(self.0.as_raw_fd())
    }
}

/// A request for `poll` to watch for input.
pub(super) fn readable(fd: RawFd) -> libc::pollfd {
    libc::pollfd { fd, events: libc::POLLIN, revents: 0 }
}

/// `poll(2)`: what was seen of each descriptor within `time` (rounded up to milliseconds). A signal ends it with
/// nothing seen, as if the time were over.
pub(super) fn poll<const N: usize>(mut fds: [libc::pollfd; N], time: Duration) -> io::Result<[libc::c_short; N]> {
    let ms = i32::try_from(time.as_nanos().div_ceil(1_000_000)).unwrap_or(i32::MAX);
    // SAFETY: the array is ours, N long, and poll writes only the `revents` within it.
    let seen = unsafe { libc::poll(fds.as_mut_ptr(), N as libc::nfds_t, ms) };
    if seen < 0 {
        let error = io::Error::last_os_error();
        return if error.kind() == io::ErrorKind::Interrupted { Ok([0; N]) } else { Err(error) };
    }
    Ok(fds.map(|fd| fd.revents))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::time::Instant;

    #[test]
    fn once_rung_it_stays_rung() {
        let bell = Arc::new(EventFd::new().unwrap());
        let begin = Instant::now();
        assert_eq!(bell.rest(Duration::from_micros(9_500)).unwrap(), Rest::Over);
        assert!(begin.elapsed() >= Duration::from_micros(9_500));
        let other = Arc::clone(&bell);
        std::thread::spawn(move || other.ring()).join().unwrap();
        for _ in 0..2 {
            assert_eq!(bell.rest(Duration::from_secs(3600)).unwrap(), Rest::Rung);
        }
    }
}
