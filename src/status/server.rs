//! The status socket: whoever connects gets a [`Snapshot`](super::snapshot::Snapshot) as a line of JSON, and another
//! one at each change of state for as long as he stays. Nothing that a client sends is read, so there is nothing that
//! a client can ask for.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use tokio::net::UnixListener;
use tokio::sync::watch;

use super::{Board, PAUSE};

/// Clients that stay connected, at most. Whoever comes when it is full gets his line and is let go.
const FOLLOWERS: usize = 32;

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
}

/// Why there can be no status socket.
#[derive(Debug)]
pub enum StatusError {
    /// Another process answers there.
    InUse(PathBuf),
    /// Something else is there.
    NotASocket(PathBuf),
    /// It cannot be made.
    Io(PathBuf, io::Error),
}

impl fmt::Display for StatusError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InUse(path) => {
                write!(f, "{} is answered by another gnss2shm: give each its own status socket", path.display())
            }
            Self::NotASocket(path) => {
                write!(f, "{} is there and is no socket: choose another path for the status socket", path.display())
            }
            Self::Io(path, error) => write!(f, "the status socket {} cannot be made: {error}", path.display()),
        }
    }
}

impl std::error::Error for StatusError {}

impl StatusServer {
    /// Listens at this path. A socket that a killed process left behind is replaced. Everybody on this machine may read.
    pub fn bind(path: &Path) -> Result<Self, StatusError> {
        let cannot = |error| StatusError::Io(path.to_owned(), error);
        match std::fs::symlink_metadata(path) {
            Ok(found) if !found.file_type().is_socket() => return Err(StatusError::NotASocket(path.to_owned())),
            Ok(_) if UnixStream::connect(path).is_ok() => return Err(StatusError::InUse(path.to_owned())),
            Ok(_) => std::fs::remove_file(path).map_err(cannot)?,
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(cannot(error)),
        }
        let listener = UnixListener::bind(path).map_err(cannot)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o666)).map_err(cannot)?;
        Ok(Self { path: path.to_owned(), listener })
    }

    /// Serves clients until nobody can change the state any more.
    pub async fn run(self, board: SharedBoard, mut changed: watch::Receiver<()>) {
        let mut followers: Vec<UnixStream> = Vec::new();
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
}

impl Drop for StatusServer {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path); // another's, by now, only if somebody removed ours
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
