//! The only unsafe code: kernel interfaces as owned structs with safe methods. Each `unsafe` block has one operation
//! and the reason why it is sound. No decisions are made here.
#![allow(unsafe_code)] // the one place where it is lifted

use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

pub(crate) mod claim;
pub(crate) mod clock;
pub(crate) mod error;
pub(crate) mod pps;
pub(crate) mod processes;
pub(crate) mod ptp;
pub(crate) mod signals;
pub(crate) mod sysv_shm;
pub(crate) mod tty;
pub(crate) mod wait;

/// Opens a device for reading with these options, without blocking, and not as the controlling terminal.
fn open(path: &Path, options: &mut OpenOptions) -> io::Result<File> {
    options.read(true).custom_flags(libc::O_NONBLOCK | libc::O_NOCTTY).open(path)
}

/// ioctl(2) with one argument, returned as the kernel leaves it.
///
/// # Safety
/// The request must access one `T` at most, and leave a valid `T`.
unsafe fn ioctl<T>(fd: impl AsFd, request: libc::Ioctl, mut argument: T) -> io::Result<T> {
    // SAFETY: the descriptor is open while it is borrowed; the caller vouches for the argument.
    check(unsafe { libc::ioctl(fd.as_fd().as_raw_fd(), request, &raw mut argument) })?;
    Ok(argument)
}

/// The result of a system call; its error if negative.
fn check<T: Default + PartialOrd>(answer: T) -> io::Result<T> {
    if answer < T::default() { Err(io::Error::last_os_error()) } else { Ok(answer) }
}
