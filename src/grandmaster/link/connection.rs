//! A socket that is connected to ptp4l's: a request and its answer, or a request without one.

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::own::OwnName;
use crate::grandmaster::management::{Answer, Conversation, Request};

/// More than any answer.
const DATAGRAM: usize = 1_500;

/// Which socket of ptp4l's this is: a restarted ptp4l has another one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    /// Device and inode.
    file: (u64, u64),
    /// Last change of the inode, because a new file may get the inode of a removed one.
    changed: (i64, i64),
}

impl Identity {
    /// The identity of the file at this path.
    pub(super) fn of(path: &Path) -> Option<Self> {
        let found = fs::metadata(path).ok()?;
        Some(Self { file: (found.dev(), found.ino()), changed: (found.ctime(), found.ctime_nsec()) })
    }

    /// Whether this is another file, and not the same one with a new mode or owner.
    pub(super) fn is_other_file(self, other: Self) -> bool {
        self.file != other.file
    }
}

/// The connected socket.
pub(super) struct Connection {
    pub socket: UnixDatagram,
    /// None if the kernel named our socket.
    pub own: Option<OwnName>,
    /// ptp4l's socket.
    pub path: PathBuf,
    pub identity: Option<Identity>,
}

impl Connection {
    /// Whether ptp4l's path is no longer that of the socket which this is connected to.
    pub(super) fn is_replaced(&self) -> bool {
        Identity::of(&self.path) != self.identity
    }

    /// Whether ptp4l can answer.
    pub(super) fn is_named(&self) -> bool {
        self.own.as_ref().is_none_or(OwnName::is_ours)
    }

    /// Sends a request of which the answer is not awaited.
    pub(super) fn send(&self, message: &[u8], limit: Duration) -> io::Result<()> {
        self.socket.set_write_timeout(Some(limit))?;
        self.socket.send(message).map(drop)
    }

    /// The answer; `None` if there is none in time.
    pub(super) fn exchange(&self, request: Request, of: Conversation, until: Instant) -> io::Result<Option<Answer>> {
        let left = || Some(until.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero());
        let is_late = |error: &io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        let Some(limit) = left() else { return Ok(None) };
        match self.send(&request.encode(of), limit) {
            Ok(()) => {}
            Err(error) if is_late(&error) => return Ok(None), // a stopped ptp4l: its queue is full
            Err(error) => return Err(error),
        }
        let mut datagram = [0; DATAGRAM];
        while let Some(limit) = left() {
            self.socket.set_read_timeout(Some(limit))?;
            match self.socket.recv(&mut datagram) {
                Ok(length) => {
                    let answer = request.answer(of, datagram.get(..length).unwrap_or_default());
                    if answer.is_some() {
                        return Ok(answer);
                    }
                }
                Err(error) if is_late(&error) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(None)
    }
}
