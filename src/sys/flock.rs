//! The lock on an open file that programs agree on (flock(2)). It belongs to what was opened, not to the process, and
//! goes with its last descriptor, even after kill -9.

use std::ffi::c_int;
use std::io;
use std::os::fd::AsRawFd;

/// Locks it for this descriptor alone. `WouldBlock` where another has it locked, be it in this process.
pub fn try_lock(file: &impl AsRawFd) -> io::Result<()> {
    flock(file, libc::LOCK_EX | libc::LOCK_NB)
}

/// Lets go of it before the descriptor is closed.
pub fn unlock(file: &impl AsRawFd) -> io::Result<()> {
    flock(file, libc::LOCK_UN)
}

fn flock(file: &impl AsRawFd, operation: c_int) -> io::Result<()> {
    // SAFETY: flock takes two numbers.
    if unsafe { libc::flock(file.as_raw_fd(), operation) } < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
