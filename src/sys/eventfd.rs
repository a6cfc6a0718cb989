//! Wakes a thread that sleeps in poll(2): an eventfd. Once rung it stays rung.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd};
use rustix::io::Errno;

/// An owned eventfd(2), shared by the thread that rings and the one that is woken.
#[derive(Debug)]
pub struct EventFd(OwnedFd);

/// How a wait on an [`EventFd`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rest {
    /// The time is over; perhaps a little early, if a signal arrived.
    Over,
    /// It was rung.
    Rung,
}

impl EventFd {
    /// A silent one.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?))
    }

    /// Rings. The only possible error is that it was rung 2^64 times already, and then it rings all the same.
    pub(crate) fn ring(&self) {
        let _full = rustix::io::write(&self.0, &1_u64.to_ne_bytes());
    }

    /// Sleeps until it is rung, or for `time`.
    pub(crate) fn rest(&self, time: Duration) -> io::Result<Rest> {
        let [rung] = poll([self.readable()], time)?;
        Ok(if rung.is_empty() { Rest::Over } else { Rest::Rung })
    }

    /// For [`poll`].
    pub(super) fn readable(&self) -> PollFd<'_> {
        readable(&self.0)
    }
}

/// For [`poll`] to watch for input.
pub(super) fn readable(fd: &impl AsFd) -> PollFd<'_> {
    PollFd::new(fd, PollFlags::IN)
}

/// poll(2): what was seen of each descriptor within `time`. A signal ends it with nothing seen, as if the time were over.
pub(super) fn poll<const N: usize>(mut fds: [PollFd<'_>; N], time: Duration) -> io::Result<[PollFlags; N]> {
    let time = Timespec::try_from(time).ok(); // longer than an i64 has seconds is forever
    match rustix::event::poll(&mut fds, time.as_ref()) {
        Ok(_) => Ok(fds.map(|fd| fd.revents())),
        Err(Errno::INTR) => Ok([PollFlags::empty(); N]),
        Err(error) => Err(error.into()),
    }
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
