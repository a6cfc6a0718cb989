//! ioctl(2) on a device's node, its errors as [`io::Error`]s.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd;

/// # Safety
/// The request must be one that reads or writes a `T` at most.
pub(super) unsafe fn ioctl<T>(node: &File, request: libc::Ioctl, argument: *mut T) -> io::Result<()> {
    // SAFETY: the descriptor is open as long as the file lives; the argument is what the caller vouches for.
    let answer: libc::c_int = unsafe { libc::ioctl(node.as_raw_fd(), request, argument) };
    if answer < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}
