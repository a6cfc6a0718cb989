//! The status socket: a client gets a [`Snapshot`](super::snapshot::Snapshot) as a line of JSON, and another at each
//! pulse and each change of state while it stays connected. Client input is discarded unread, so it cannot be an attack.

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::sleep;

use super::{Board, PAUSE, SOCKETS};
use crate::sys::claim::{Claim, listener, rival};
use crate::sys::error::{OpenError, Problem};

/// Maximum number of clients that stay connected. When full, send one snapshot and close.
pub(crate) const FOLLOWERS: usize = 32;

/// The listening end. Its name is removed when it is dropped.
#[derive(Debug)]
pub(crate) struct StatusServer {
    path: PathBuf,
    listener: UnixListener,
    /// The socket that was created at the path.
    created: Option<(u64, u64)>,
    /// Without the claim, if two processes find a stale socket, the slower one would remove the faster one's.
    _claim: Claim,
}

impl StatusServer {
    /// Listens at this path. Replaces the stale socket of a killed process. Every user on this machine may connect.
    pub(crate) fn bind(path: &Path) -> Result<Self, OpenError> {
        let shown = path.display();
        if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
            let sentence = format!(
                "{shown} cannot be a status socket: give a path of 1 to 107 bytes, such as {SOCKETS}/default.sock"
            );
            return Err(OpenError::new(Problem::Wrong, sentence));
        }
        let claim = Claim::take_path("status", path, |rival| in_use(path, rival))?;
        let listener = listen(path)?;
        Ok(Self { path: path.to_owned(), listener, created: identity(path), _claim: claim })
    }

    /// Serves clients until the daemon drops its board.
    pub(crate) async fn run(self, mut board: watch::Receiver<Board>) {
        let mut followers = Vec::<UnixStream>::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => {
                    // A std stream, still non-blocking: client input must not wake this thread.
                    let Ok(client) = accepted.and_then(|(client, _)| client.into_std()) else {
                        sleep(PAUSE).await;
                        continue;
                    };
                    if followers.len() >= FOLLOWERS {
                        // Closed connections read as ended. Any input is discarded.
                        followers.retain(|mut follower| !matches!(follower.read(&mut [0; 64]), Ok(0)));
                    }
                    if send(&client, &line(&board)) && followers.len() < FOLLOWERS {
                        followers.push(client);
                    }
                }
                change = board.changed() => {
                    if change.is_err() {
                        return;
                    }
                    let line = if followers.is_empty() { Vec::new() } else { line(&board) };
                    followers.retain(|follower| send(follower, &line));
                }
            }
        }
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        // If another program removed this socket, the path may belong to another process by now.
        if self.created.is_some() && identity(&self.path) == self.created {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Device and inode of a path; no other file gets them while the socket is open.
pub(crate) fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::symlink_metadata(path).ok().map(|found| (found.dev(), found.ino()))
}

fn listen(path: &Path) -> Result<UnixListener, OpenError> {
    let shown = path.display();
    let failed = |error| OpenError::not_created(format_args!("the status socket {shown} cannot be created"), error);
    if let Ok(found) = fs::symlink_metadata(path) {
        if !found.file_type().is_socket() {
            let sentence = format!("{shown} exists and is not a socket: choose another path for the status socket");
            return Err(OpenError::new(Problem::Wrong, sentence));
        }
        match listener(path) {
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => fs::remove_file(path).map_err(failed)?,
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(failed(error)),
            answer => return Err(OpenError::new(Problem::Taken, in_use(path, &rival(answer.ok().flatten())))),
        }
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    open_to_all(path).map_err(failed)?;
    Ok(listener)
}

/// Lets every user connect to the socket at this path; changes nothing else.
fn open_to_all(path: &Path) -> io::Result<()> {
    let socket = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    if !socket.metadata()?.file_type().is_socket() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    fs::set_permissions(format!("/proc/self/fd/{}", socket.as_raw_fd()), Permissions::from_mode(0o666))
}

fn in_use(path: &Path, rival: &str) -> String {
    format!("{} is served by {rival}: give each its own status socket", path.display())
}

/// The status now, as a line.
fn line(board: &watch::Receiver<Board>) -> Vec<u8> {
    let line = serde_json::to_string(&board.borrow().snapshot()).unwrap_or_default();
    (line + "\n").into_bytes()
}

/// Sends the whole line at once. A client that does not keep up is dropped: waiting for it would delay samples.
fn send(mut client: &UnixStream, line: &[u8]) -> bool {
    matches!(client.write(line), Ok(written) if written == line.len())
}
