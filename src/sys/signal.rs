//! Signal dispositions that this process inherited, sigaction(2).

use std::io;
use std::ptr;

/// Whether a signal is ignored, as after nohup(1).
pub(crate) fn is_ignored(signal: libc::c_int) -> io::Result<bool> {
    // SAFETY: a sigaction is an address, flags and a set of bits, for which zero is a value.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: without a new action nothing is changed; the other pointer is to a sigaction of our own.
    if unsafe { libc::sigaction(signal, ptr::null(), &raw mut action) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(action.sa_sigaction == libc::SIG_IGN)
}
