//! What keeps samples from chronyd, in the operator's words.

use std::fmt;
use std::io;
use std::path::PathBuf;

use crate::sys::claim::Rival;

/// How it stands between us and chronyd's socket. Displayed, it goes on after the path: what is wrong, what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Samples go to a socket that somebody has open.
    Reached,
    /// There is no such socket, or not yet.
    Missing,
    /// The socket is there, but nobody has it open.
    Deserted,
    /// The socket's queue is full.
    Full,
    /// We may not write to it, or not enter its directory.
    Denied,
    /// It is a socket of another kind.
    Foreign,
    /// Something else, by its errno.
    Failed(i32),
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Reached => f.write_str("is there"),
            Self::Missing => f.write_str(
                "is not there: start chronyd with a line `refclock SOCK` that names it in chrony.conf (where AppArmor \
                 confines chronyd, as on Debian, only /run/chrony.NAME.sock and names in /run/chrony/ work); it is waited for",
            ),
            Self::Deserted => f.write_str(
                "was left behind by a chronyd that has ended: start chronyd with a line `refclock SOCK` that names it; it \
                 is waited for",
            ),
            Self::Full => {
                f.write_str("is full: chronyd does not read it, see whether it hangs; samples are dropped meanwhile")
            }
            Self::Denied => f.write_str(
                "may not be written to: chronyd makes it root's, and /run/chrony/ is closed to others; run as root, or \
                 name it /run/chrony.NAME.sock and let `ExecStartPost=+chmod 0666` of chrony.service open it to everybody; \
                 it is tried again",
            ),
            Self::Foreign => f.write_str(
                "is a socket of another kind, not a refclock's: name the one of chrony.conf's line `refclock SOCK`",
            ),
            Self::Failed(errno) => {
                write!(f, "cannot be written to ({}); it is tried again", io::Error::from_raw_os_error(*errno))
            }
        }
    }
}

/// Why samples cannot go to a path. Displayed, it is one sentence.
#[derive(Debug)]
pub enum SockError {
    /// No socket can have this name.
    NoName {
        /// Which.
        path: PathBuf,
    },
    /// It is chronyd's command socket.
    Commands {
        /// Which.
        path: PathBuf,
    },
    /// It is something else.
    NoSocket {
        /// Which.
        path: PathBuf,
    },
    /// Another process sends its samples there.
    Taken {
        /// Where.
        path: PathBuf,
        /// Which process.
        rival: Rival,
    },
    /// There are no sockets to be had.
    Os {
        /// For which path.
        path: PathBuf,
        /// What the system answered.
        source: io::Error,
    },
}

impl fmt::Display for SockError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoName { path } => write!(
                f,
                "{:?} can be no socket's name: give a path of 1 to 107 bytes, as in /run/chrony.gnss.sock",
                path.display()
            ),
            Self::Commands { path } => write!(
                f,
                "{} is the socket for chronyc's commands: name the one of chrony.conf's line `refclock SOCK`",
                path.display()
            ),
            Self::NoSocket { path } => write!(
                f,
                "{} is there and is not a socket: name the one of chrony.conf's line `refclock SOCK`, as in \
                 /run/chrony.gnss.sock",
                path.display()
            ),
            Self::Taken { path, rival } => write!(
                f,
                "{}: {rival} sends to it, and chronyd would take the samples of both: end that one, or give each a socket \
                 and a line `refclock SOCK` of its own",
                path.display()
            ),
            Self::Os { path, source } => write!(f, "no socket can be made to write to {} ({source})", path.display()),
        }
    }
}

impl std::error::Error for SockError {}
