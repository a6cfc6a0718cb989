//! The name of our own socket in the file system, through which ptp4l answers from any network namespace.

use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};

use rustix::net::SocketAddrUnix;

use crate::daemon::status::server::identity;

/// Directory where systemd gives none.
const DIRECTORY: &str = "/run/gnss2shm";
/// Names of one process ID: processes in two PID namespaces can share it and the directory.
const NAMES: u32 = 64;

/// The directory for our own socket, from `RUNTIME_DIRECTORY`.
pub(crate) fn directory(given: Option<&str>) -> &Path {
    let first = given.and_then(|all| all.split(':').find(|directory| !directory.is_empty()));
    Path::new(first.unwrap_or(DIRECTORY))
}

/// A name in the file system; removed when dropped.
#[derive(Debug)]
pub(super) struct OwnName {
    path: PathBuf,
    /// Device and inode, which no other file gets while the socket is open.
    file: Option<(u64, u64)>,
}

impl OwnName {
    /// Names the socket in this directory. If the directory does not exist, the kernel names it, for this network
    /// namespace only. An error comes with the path.
    pub(super) fn bind(socket: &UnixDatagram, directory: &Path) -> Result<Option<Self>, (PathBuf, io::Error)> {
        if fs::metadata(directory).is_err_and(|error| error.kind() == ErrorKind::NotFound) {
            let bound = rustix::net::bind(socket, &SocketAddrUnix::new_unnamed());
            return bound.map(|()| None).map_err(|error| (directory.to_owned(), error.into()));
        }
        let pid = std::process::id();
        let names = (0..NAMES).map(|number| directory.join(format!("grandmaster.{pid}.{number}")));
        let path = names.into_iter().find(|path| is_free(path)).unwrap_or_else(|| directory.to_owned());
        match bind(socket, &path) {
            Ok(()) => Ok(Some(Self { file: identity(&path), path })),
            Err(error) => Err((path, error)),
        }
    }

    /// Whether the name still leads to our socket.
    pub(super) fn is_ours(&self) -> bool {
        self.file.is_some() && self.file == identity(&self.path)
    }
}

impl Drop for OwnName {
    fn drop(&mut self) {
        if self.is_ours() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Whether the name is free. A socket that nobody has open, of a killed process, is removed.
fn is_free(path: &Path) -> bool {
    let is_socket = fs::symlink_metadata(path).is_ok_and(|found| found.file_type().is_socket());
    let probe = || UnixDatagram::unbound()?.connect(path);
    if is_socket && probe().is_err_and(|error| error.kind() == ErrorKind::ConnectionRefused) {
        let _ = fs::remove_file(path);
    }
    fs::symlink_metadata(path).is_err()
}

/// ptp4l may run as any user: being connected protects the socket, not its mode.
fn bind(socket: &UnixDatagram, path: &Path) -> io::Result<()> {
    rustix::net::bind(socket, &SocketAddrUnix::new(path)?)?;
    fs::set_permissions(path, Permissions::from_mode(0o666))
}
