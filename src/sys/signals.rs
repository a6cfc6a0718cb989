//! The signals that end a process, waited for by a thread: sigwait(3). For commands without a tokio runtime.

use std::io;
use std::mem::MaybeUninit;
use std::ptr;

/// Signals that end the process, and their names. SIGHUP never arrives if it was ignored at start, as under nohup(1).
const ENDS: [(libc::c_int, &str); 3] = [(libc::SIGTERM, "SIGTERM"), (libc::SIGINT, "SIGINT"), (libc::SIGHUP, "SIGHUP")];

/// The signals, blocked in the thread that made this and in the threads that it starts later.
pub(crate) struct Signals(libc::sigset_t);

impl Signals {
    /// Blocks them. Must be called before any other thread is started.
    pub(crate) fn block() -> io::Result<Self> {
        let mut set = MaybeUninit::uninit();
        // SAFETY: sigemptyset initializes the set that the pointer refers to.
        if unsafe { libc::sigemptyset(set.as_mut_ptr()) } != 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: initialized just above.
        let mut set = unsafe { set.assume_init() };
        for (signal, _) in ENDS {
            // SAFETY: the pointer is to a local, initialized set, and the signals are valid.
            if unsafe { libc::sigaddset(&raw mut set, signal) } != 0 {
                return Err(io::Error::last_os_error());
            }
        }
        // SAFETY: the pointer is to a local set; the old mask is not requested.
        match unsafe { libc::pthread_sigmask(libc::SIG_BLOCK, &raw const set, ptr::null_mut()) } {
            0 => Ok(Self(set)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }

    /// Waits for one of them, and returns its name.
    pub(crate) fn wait(&self) -> io::Result<&'static str> {
        let mut arrived = 0;
        // SAFETY: both pointers are to initialized values.
        match unsafe { libc::sigwait(&raw const self.0, &raw mut arrived) } {
            0 => Ok(ENDS.iter().find(|(signal, _)| *signal == arrived).map_or("a signal", |(_, name)| name)),
            error => Err(io::Error::from_raw_os_error(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blocked_signal_is_waited_for_and_named() {
        let signals = Signals::block().unwrap();
        for (signal, name) in ENDS {
            // SAFETY: blocked in this thread, to which alone raise(3) sends it.
            assert_eq!(unsafe { libc::raise(signal) }, 0);
            assert_eq!(signals.wait().unwrap(), name);
        }
    }
}
