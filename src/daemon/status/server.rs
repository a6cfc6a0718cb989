//! The status socket: whoever connects gets a [`Snapshot`](super::snapshot::Snapshot) as a line of JSON, and another
//! one at each change of state for as long as he stays. Nothing that a client sends is read, so there is nothing that
//! a client can ask for.

use std::fmt;
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
use crate::sys::claim::{Claim, ClaimError, Rival};
use crate::sys::listener;

/// Clients that stay connected, at most. Whoever comes when it is full gets his line and is let go.
pub const FOLLOWERS: usize = 32;
/// How often it is looked whether the socket still has its name.
const LOOK: Duration = Duration::from_secs(5);

/// A board that the daemon writes to and others read.
pub type SharedBoard = Arc<Mutex<Board>>;

/// A snapshot of the board, as it goes over the socket: a line.
fn line(board: &SharedBoard) -> Vec<u8> {
    let snapshot = board.lock().unwrap_or_else(PoisonError::into_inner).snapshot();
    let mut line = serde_json::to_vec(&snapshot).unwrap_or_default();
    line.push(b'\n');
    line
}

/// The listening end. Dropped, its name is removed.
#[derive(Debug)]
pub struct StatusServer {
    path: PathBuf,
    listener: UnixListener,
    /// What was made at the path; none where it was gone at once.
    made: Option<Identity>,
    /// Held while the path is ours: of two who find a socket left behind, the slower would remove the faster's.
    _claim: Claim,
}

/// A socket in the file system: its device and its inode.
type Identity = (u64, u64);

/// The socket at this path.
fn socket_at(path: &Path) -> Option<Identity> {
    let found = std::fs::symlink_metadata(path).ok().filter(|found| found.file_type().is_socket())?;
    Some((found.dev(), found.ino()))
}

/// Lets everybody connect to the socket at this path, and touches nothing else, whatever is there by now.
fn open_to_all(path: &Path) -> io::Result<()> {
    let socket = OpenOptions::new().read(true).custom_flags(libc::O_PATH | libc::O_NOFOLLOW).open(path)?;
    if !socket.metadata()?.file_type().is_socket() {
        return Err(ErrorKind::AlreadyExists.into());
    }
    std::fs::set_permissions(format!("/proc/self/fd/{}", socket.as_raw_fd()), Permissions::from_mode(0o666))
}

/// Why there can be no status socket.
#[derive(Debug)]
pub enum StatusError {
    /// Another process answers there, or is about to.
    InUse(PathBuf, Rival),
    /// No socket can have this path.
    NoName(PathBuf),
    /// Something else is there.
    NotASocket(PathBuf),
    /// It cannot be made.
    Io(PathBuf, io::Error),
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path, rival) => {
                write!(f, "{} is answered by {rival}: give each its own status socket", path.display())
            }
            Self::NoName(path) => write!(
                f,
                "the status socket cannot be {}: give a path of 1 to 107 bytes, as in /run/gnss2shm/default.sock",
                path.display()
            ),
            Self::NotASocket(path) => {
                write!(f, "{} is there and is not a socket: choose another path for the status socket", path.display())
            }
            Self::Io(path, error) => write!(f, "the status socket {} cannot be made: {error}", path.display()),
        }
    }
}

impl std::error::Error for StatusError {}

impl StatusServer {
    /// Listens at this path. A socket that a killed process left behind is replaced. Everybody on this machine may read.
    pub fn bind(path: &Path) -> Result<Self, StatusError> {
        if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
            return Err(StatusError::NoName(path.to_owned()));
        }
        let claim = Claim::take_path("status", path).map_err(|error| match error {
            ClaimError::Taken(rival) => StatusError::InUse(path.to_owned(), rival),
            ClaimError::Os(error) => StatusError::Io(path.to_owned(), error),
        })?;
        let listener = Self::listen(path)?;
        Ok(Self { path: path.to_owned(), listener, made: socket_at(path), _claim: claim })
    }

    fn listen(path: &Path) -> Result<UnixListener, StatusError> {
        let cannot = |error| StatusError::Io(path.to_owned(), error);
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(StatusError::NotASocket(path.to_owned())),
            Ok(_) => match listener::pid(path) {
                Ok(pid) => return Err(StatusError::InUse(path.to_owned(), Rival::new(pid))),
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Err(StatusError::InUse(path.to_owned(), Rival::default()));
                }
                Err(error) if error.kind() == ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(cannot)?;
                }
                Err(error) => return Err(cannot(error)),
            },
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(error)),
        }
        let listener = UnixListener::bind(path).map_err(cannot)?;
        open_to_all(path).map_err(cannot)?;
        Ok(listener)
    }

    /// Serves clients until nobody can change the state any more.
    /// A socket that somebody removed is made anew.
    pub async fn run(mut self, board: SharedBoard, mut changed: watch::Receiver<()>) {
        let mut followers: Vec<UnixStream> = Vec::new();
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut said = String::new();
        loop {
            tokio::select! {
                accepted = self.listener.accept() => match accepted {
                    Ok((client, _)) => {
                        // As a plain stream, still without blocking: nothing wakes us up for what he sends.
                        let Ok(client) = client.into_std() else { continue };
                        if followers.len() >= FOLLOWERS {
                            followers.retain(is_connected);
                        }
                        if tell(&client, &line(&board)) && followers.len() < FOLLOWERS {
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
                    followers.retain(|follower| tell(follower, &line));
                }
            }
        }
    }

    /// Makes the socket anew where its name is gone. Those who are connected stay. Says once why it cannot.
    fn renew(&mut self, said: &mut String) {
        if self.made.is_some() && socket_at(&self.path) == self.made {
            return;
        }
        match Self::listen(&self.path) {
            Ok(listener) => {
                (self.listener, self.made) = (listener, socket_at(&self.path));
                said.clear();
                warn!("the status socket {} was removed and is made anew", self.path.display());
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
        // Another's, by now, if somebody removed ours.
        if self.made.is_some() && socket_at(&self.path) == self.made {
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Gives the client the whole line at once. One who does not keep up is let go: waiting for him would cost samples.
fn tell(mut client: &UnixStream, line: &[u8]) -> bool {
    matches!(client.write(line), Ok(written) if written == line.len())
}

/// Whether the client is still there. What he says is thrown away.
fn is_connected(mut client: &UnixStream) -> bool {
    let mut said = [0; 64];
    match client.read(&mut said) {
        Ok(0) => false,
        Ok(_) => true,
        Err(error) => error.kind() == ErrorKind::WouldBlock,
    }
}
