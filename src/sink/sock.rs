//! chrony's SOCK refclock: a datagram for each sample to a Unix socket that chronyd makes.
//!
//! [`SockSink`] never waits. Each sample is sent to the path, not to a connection, so that a chronyd that was restarted
//! gets the next one; what cannot be sent is dropped, for the next sample is better. Source: chrony's
//! `refclock_sock.c`.

mod error;
mod wire;

use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use crate::core::event::Sample;
use crate::sys::claim::{Claim, ClaimError};

pub use error::{SockError, Standing};
pub use wire::{LAYOUT, SIZE};

/// The name of the socket that chronyc talks to: it takes datagrams from anybody and answers none of ours.
const COMMANDS: &str = "chronyd.sock";

/// The writing end.
#[derive(Debug)]
pub struct SockSink {
    path: PathBuf,
    socket: UnixDatagram,
    standing: Option<Standing>,
    /// Held while it is ours: chronyd cannot tell two writers apart.
    _claim: Claim,
}

impl SockSink {
    /// A sink for the socket that chronyd makes at this path. Says in the log whether it is there: it is waited for.
    ///
    /// # Errors
    /// The path can never be such a socket's, or another process sends to it.
    pub fn open(path: &Path) -> Result<Self, SockError> {
        check(path)?;
        let os = |source| SockError::Os { path: path.to_owned(), source };
        let claim = Claim::take_path("sock", path).map_err(|error| match error {
            ClaimError::Taken(rival) => SockError::Taken { path: path.to_owned(), rival },
            ClaimError::Os(source) => os(source),
        })?;
        let unconnected = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let (socket, probe) = (unconnected().map_err(os)?, unconnected().map_err(os)?);
        let mut sink = Self { path: path.to_owned(), socket, standing: None, _claim: claim };
        sink.turn(Standing::of(probe.connect(path)));
        Ok(sink)
    }

    /// Sends the sample, if chronyd is there.
    pub fn publish(&mut self, sample: &Sample) {
        let sent = self.socket.send_to(&wire::datagram(sample), &self.path);
        self.turn(Standing::of(sent.map(|_| ())));
    }

    /// How it went the last time.
    pub fn standing(&self) -> Option<Standing> {
        self.standing
    }

    /// Says once what has changed.
    fn turn(&mut self, now: Standing) {
        if self.standing.replace(now) == Some(now) {
            return;
        }
        let path = self.path.display();
        match now {
            Standing::Reached => info!("{path} is there: chronyd's SOCK refclock gets the samples"),
            trouble => warn!("{path} {trouble}"),
        }
    }
}

/// What waiting does not cure.
fn check(path: &Path) -> Result<(), SockError> {
    if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
        return Err(SockError::NoName { path: path.to_owned() });
    }
    if path.file_name().is_some_and(|name| name == COMMANDS) {
        return Err(SockError::Commands { path: path.to_owned() });
    }
    match fs::metadata(path) {
        Ok(found) if !found.file_type().is_socket() => Err(SockError::NoSocket { path: path.to_owned() }),
        _there_or_not_yet => Ok(()),
    }
}

impl Standing {
    fn of(sent: io::Result<()>) -> Self {
        let Err(error) = sent else { return Self::Reached };
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Self::Missing,
            ErrorKind::ConnectionRefused => Self::Deserted,
            ErrorKind::WouldBlock => Self::Full,
            ErrorKind::PermissionDenied => Self::Denied,
            _ => match error.raw_os_error() {
                Some(libc::ENOBUFS) => Self::Full,
                Some(libc::EPROTOTYPE) => Self::Foreign,
                other => Self::Failed(other.unwrap_or_default()),
            },
        }
    }
}
