//! The status socket: a client gets a [`Snapshot`](super::snapshot::Snapshot) as a line of JSON, and another one at each
//! change of state while it stays connected. Client input is never interpreted, so there is nothing to attack.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, ErrorKind, Read, Write};
use std::os::fd::AsRawFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::os::unix::net::{SocketAddr, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio::time::{MissedTickBehavior, interval};
use tracing::warn;

use super::{Board, PAUSE};
use crate::sys::claim::{Claim, rival};
use crate::sys::error::{OpenError, Problem};
use crate::sys::listener;

/// Maximum number of clients that stay connected. When full, send one snapshot and close.
pub const FOLLOWERS: usize = 32;
/// Interval of the check that the socket still has its name.
const LOOK: Duration = Duration::from_secs(5);

/// A board that the daemon writes to and servers read.
pub type SharedBoard = Arc<Mutex<Board>>;

/// The listening end. Its name is removed when it is dropped.
#[derive(Debug)]
pub struct StatusServer {
    path: PathBuf,
    listener: UnixListener,
    /// What was created at the path; `None` if it was gone at once.
    created: Option<Identity>,
    /// Of two processes that find a stale socket, the slower would remove the faster one's.
    _claim: Claim,
}

/// A socket in the file system: its device and its inode.
type Identity = (u64, u64);

impl StatusServer {
    /// Listens at this path. Replaces a socket that a killed process left behind. Every user on this machine may connect.
    pub fn bind(path: &Path) -> Result<Self, OpenError> {
        if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
            let sentence = format!(
                "the status socket cannot be {}: give a path of 1 to 107 bytes, as in /run/gnss2shm/default.sock",
                path.display()
            );
            return Err(OpenError::new(Problem::Wrong, sentence));
        }
        let claim = Claim::take_path("status", path).map_err(|error| {
            error.explain(format_args!("the status socket {} cannot be claimed", path.display()), |rival| {
                in_use(path, &rival)
            })
        })?;
        let listener = listen(path)?;
        Ok(Self { path: path.to_owned(), listener, created: socket_at(path), _claim: claim })
    }

    /// Serves clients until no sender of changes is left. Creates a removed socket again.
    pub async fn run(mut self, board: SharedBoard, mut changed: watch::Receiver<()>) {
        let mut followers: Vec<UnixStream> = Vec::new();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = String::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((client, _)) => {
                        // A plain stream, still non-blocking: client input must not wake this thread.
                        let Ok(client) = client.into_std() else { continue };
                        if followers.len() >= FOLLOWERS {
                            followers.retain(is_connected);
                        }
                        if send(&client, &line(&board)) && followers.len() < FOLLOWERS {
                            followers.push(client);
                        }
                    }
                    Err(_) => tokio::time::sleep(PAUSE).await,
                },
                _ = look.tick() => self.renew(&mut said),
                change = changed.changed() => {
                    if change.is_err() {
                        return;
                    }
                    let line = line(&board);
                    followers.retain(|follower| send(follower, &line));
                }
            }
        }
    }

    fn is_ours(&self) -> bool {
        self.created.is_some() && socket_at(&self.path) == self.created
    }

    /// Creates the socket again if its name is gone. Connected clients stay. Logs a failure once.
    fn renew(&mut self, said: &mut String) {
        if self.is_ours() {
            return;
        }
        match listen(&self.path) {
            Ok(listener) => {
                (self.listener, self.created) = (listener, socket_at(&self.path));
                said.clear();
                warn!("the status socket {} was removed and has been created again", self.path.display());
            }
            Err(error) => {
                let error = error.to_string();
                if *said != error {
                    warn!("{error}; the old one was removed, trying again");
                    *said = error;
                }
            }
        }
    }
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        // If another program removed ours, the path may be another process's by now.
        if self.is_ours() {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

fn listen(path: &Path) -> Result<UnixListener, OpenError> {
    let shown = path.display();
    let failed = |error| OpenError::not_created(format_args!("the status socket {shown} cannot be created"), error);
    let taken = |rival: String| Err(OpenError::new(Problem::Taken, in_use(path, &rival)));
    match std::fs::symlink_metadata(path) {
        Ok(found) if !found.file_type().is_socket() => {
            let sentence = format!("{shown} exists and is not a socket: choose another path for the status socket");
            return Err(OpenError::new(Problem::Wrong, sentence));
        }
        Ok(_) => match listener::pid(path) {
            Ok(pid) => return taken(rival(pid)),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return taken(rival(None)),
            Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                std::fs::remove_file(path).map_err(failed)?;
            }
            Err(error) => return Err(failed(error)),
        },
        Err(error) if error.kind() == ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let listener = UnixListener::bind(path).map_err(failed)?;
    open_to_all(path).map_err(failed)?;
    Ok(listener)
}

fn in_use(path: &Path, rival: &str) -> String {
    format!("{} is answered by {rival}: give each its own status socket", path.display())
}

/// The socket at this path.
fn socket_at(path: &Path) -> Option<Identity> {
    let found = std::fs::symlink_metadata(path).ok().filter(|found| found.file_type().is_socket())?;
    Some((found.dev(), found.ino()))
}

/// Lets every user connect to the socket at this path, and changes nothing that is not a socket.
fn open_to_all(path: &Path) -> io::Result<()> {
    let socket = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    if !socket.metadata()?.file_type().is_socket() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    std::fs::set_permissions(format!("/proc/self/fd/{}", socket.as_raw_fd()), Permissions::from_mode(0o666))
}

/// A snapshot of the board as a line.
fn line(board: &SharedBoard) -> Vec<u8> {
    let snapshot = board.lock().unwrap_or_else(PoisonError::into_inner).snapshot();
    let mut line = serde_json::to_vec(&snapshot).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Sends the whole line at once. A client that does not keep up is dropped: waiting for it would cost samples.
fn send(mut client: &UnixStream, line: &[u8]) -> bool {
    matches!(client.write(line), Ok(written) if written == line.len())
}

/// Whether the client is still connected. Its input is discarded.
fn is_connected(mut client: &UnixStream) -> bool {
    let mut input = [0; 64];
    match client.read(&mut input) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
