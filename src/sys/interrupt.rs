//! Ends a system call that blocks and has no timeout: `timer_create(2)` with a signal to the calling thread.

use std::io;
use std::mem::zeroed;
use std::ptr;
use std::time::Duration;

/// Interrupts this thread's system calls (`EINTR`) at every expiry of a timer, until it is dropped.
#[derive(Debug)]
pub(super) struct Interrupt(libc::timer_t);

impl Interrupt {
    /// Starts the timer.
    pub(super) fn every(time: Duration) -> io::Result<Self> {
        let signal = libc::SIGRTMIN();
        // SAFETY: a sigaction is an address, flags and a set of bits, for which zero is a value.
        let mut action: libc::sigaction = unsafe { zeroed() };
        action.sa_sigaction = on_signal as extern "C" fn(libc::c_int) as usize; // no SA_RESTART
        // SAFETY: the handler does nothing, so it may run anywhere; the old action is not asked for.
        check(unsafe { libc::sigaction(signal, &raw const action, ptr::null_mut()) })?;
        // SAFETY: a sigevent is numbers and addresses, for which zero is a value.
        let mut event: libc::sigevent = unsafe { zeroed() };
        event.sigev_notify = libc::SIGEV_THREAD_ID;
        event.sigev_signo = signal;
        event.sigev_notify_thread_id = rustix::thread::gettid().as_raw_nonzero().get();
        let mut timer: libc::timer_t = ptr::null_mut();
        // SAFETY: both pointers are to values of our own.
        check(unsafe { libc::timer_create(libc::CLOCK_MONOTONIC, &raw mut event, &raw mut timer) })?;
        let this = Self(timer);
        let span = libc::timespec {
            tv_sec: time.as_secs().try_into().unwrap_or(libc::time_t::MAX),
            tv_nsec: time.subsec_nanos().into(),
        };
        let each = libc::itimerspec { it_interval: span, it_value: span };
        // SAFETY: the timer is ours; the old setting is not asked for.
        check(unsafe { libc::timer_settime(timer, 0, &raw const each, ptr::null_mut()) })?;
        Ok(this)
    }
}

impl Drop for Interrupt {
    fn drop(&mut self) {
        // SAFETY: the timer is ours, and nothing uses it after this.
        let _it_is_ours = unsafe { libc::timer_delete(self.0) };
    }
}

extern "C" fn on_signal(_signal: libc::c_int) {}

fn check(status: libc::c_int) -> io::Result<()> {
    if status == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, pipe};

    use super::*;

    #[test]
    fn a_read_without_input_ends() {
        let (mut from, _to) = pipe().unwrap();
        let _interrupt = Interrupt::every(Duration::from_millis(20)).unwrap();
        for _ in 0..3 {
            assert_eq!(from.read(&mut [0]).unwrap_err().kind(), io::ErrorKind::Interrupted);
        }
    }
}
