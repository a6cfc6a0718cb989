//! The lock on an open file that programs agree on, flock(2). It belongs to the open file, not to the process, and ends
//! with its last descriptor, even after kill -9.

use std::io;
use std::os::fd::AsFd;

use rustix::fs::FlockOperation;

/// Locks the file for this descriptor alone. `WouldBlock` if another has it locked, even one of this process.
pub(crate) fn try_lock(file: &impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::flock(file, FlockOperation::NonBlockingLockExclusive)?)
}

/// Unlocks the file before the descriptor is closed.
pub(crate) fn unlock(file: &impl AsFd) -> io::Result<()> {
    Ok(rustix::fs::flock(file, FlockOperation::Unlock)?)
}
