//! Who listens at a Unix socket.

use std::ffi::c_char;
use std::io::{self, ErrorKind};
use std::mem::offset_of;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::SocketAddr;
use std::ptr;

/// The process that listens there, `SO_PEERCRED` of unix(7); none where it cannot be seen from our PID namespace. The
/// listener finds a connection that has ended.
///
/// # Errors
/// Those of connect(2): `NotFound`; `ConnectionRefused` where nobody listens, or it is not a socket; `WouldBlock` where
/// somebody does whose queue is full.
pub fn pid(address: &SocketAddr) -> io::Result<Option<u32>> {
    let Some(name) = address.as_pathname().map(|path| path.as_os_str().as_bytes()) else {
        return Err(ErrorKind::InvalidInput.into());
    };
    let mut to = libc::sockaddr_un { sun_family: libc::AF_UNIX as libc::sa_family_t, sun_path: [0; 108] };
    for (slot, byte) in to.sun_path.iter_mut().zip(name) {
        *slot = *byte as c_char;
    }
    let length = offset_of!(libc::sockaddr_un, sun_path) + name.len();
    let kind = libc::SOCK_STREAM | libc::SOCK_NONBLOCK | libc::SOCK_CLOEXEC;
    // SAFETY: socket(2) takes three numbers.
    let fd = unsafe { libc::socket(libc::AF_UNIX, kind, 0) };
    if fd < 0 {
        return Err(io::Error::last_os_error());
    }
    // SAFETY: the call has just made this descriptor, and nobody else knows it.
    let socket = unsafe { OwnedFd::from_raw_fd(fd) };
    // SAFETY: connect(2) reads `length` bytes of `to`: no more than it has, for a SocketAddr's name fits into one.
    if unsafe { libc::connect(socket.as_raw_fd(), ptr::from_ref(&to).cast(), length as libc::socklen_t) } < 0 {
        return Err(io::Error::last_os_error());
    }
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    let out = ptr::from_mut(&mut peer).cast();
    // SAFETY: SO_PEERCRED writes one ucred of the size that is given.
    if unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, out, &raw mut size) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(peer.pid).ok().filter(|pid| *pid != 0))
}
