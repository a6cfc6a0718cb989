//! Keep-alive of a TCP connection: a host that vanished says nothing, like a receiver that does.

use std::ffi::c_int;
use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::ptr;

/// Has the kernel ask the other host after `idle` seconds of silence whether it is still there, three times,
/// `interval` seconds apart (tcp(7)). Without an answer the connection ends with `ETIMEDOUT`.
pub fn keep_alive(socket: &impl AsFd, idle: c_int, interval: c_int) -> io::Result<()> {
    for (level, option, value) in [
        (libc::SOL_SOCKET, libc::SO_KEEPALIVE, 1),
        (libc::IPPROTO_TCP, libc::TCP_KEEPIDLE, idle),
        (libc::IPPROTO_TCP, libc::TCP_KEEPINTVL, interval),
        (libc::IPPROTO_TCP, libc::TCP_KEEPCNT, 3),
    ] {
        let fd = socket.as_fd().as_raw_fd();
        let size = size_of::<c_int>() as libc::socklen_t;
        // SAFETY: setsockopt reads the int that `value` is, which outlives the call.
        if unsafe { libc::setsockopt(fd, level, option, ptr::from_ref(&value).cast(), size) } < 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}
