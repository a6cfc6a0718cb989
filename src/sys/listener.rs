//! The process that listens on a Unix socket.

use std::io;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};

/// The process that listens there, `SO_PEERCRED` of unix(7); none if it is in a PID namespace that we do not see. The
/// listener sees a connection that ends at once.
///
/// # Errors
/// Those of connect(2): `NotFound`; `ConnectionRefused` if there is no listener, or it is not a socket; `WouldBlock` if
/// the listener's queue is full. `InvalidInput`: the path is too long for a socket's.
pub(crate) fn pid(path: &Path) -> io::Result<Option<u32>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    let mut peer = libc::ucred { pid: 0, uid: 0, gid: 0 };
    let mut size = size_of::<libc::ucred>() as libc::socklen_t;
    let out = ptr::from_mut(&mut peer).cast();
    // Not rustix: its Pid is never zero, which is what the kernel gives for a process that we do not see.
    // SAFETY: SO_PEERCRED writes one ucred of the size that is given.
    if unsafe { libc::getsockopt(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_PEERCRED, out, &raw mut size) } < 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(u32::try_from(peer.pid).ok().filter(|pid| *pid != 0))
}
