//! chrony's SOCK refclock: one datagram per sample to a Unix socket that chronyd creates.
//!
//! [`SockSink`] never blocks. Each sample is sent to the path, not to a connection, so that a restarted chronyd gets the
//! next one; a sample that cannot be sent is dropped, because the next one is better. Source: chrony's
//! `refclock_sock.c`.

mod wire;

use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::Sink;
use crate::core::event::Sample;
use crate::sys::claim::Claim;
use crate::sys::error::{OpenError, Problem};

pub use wire::SIZE;

/// The name of chronyd's command socket: it accepts datagrams from everybody and answers none of ours.
const COMMANDS: &str = "chronyd.sock";

/// The writing end.
#[derive(Debug)]
pub struct SockSink {
    path: PathBuf,
    socket: UnixDatagram,
    report: String,
    /// chronyd cannot tell two writers apart.
    _claim: Claim,
}

impl SockSink {
    /// A sink for the socket that chronyd creates at this path. Logs whether it exists yet: the sink waits for it.
    ///
    /// # Errors
    /// The path can never be such a socket's, or another process sends to it.
    pub fn open(path: &Path) -> Result<Self, OpenError> {
        check(path)?;
        let shown = path.display();
        let claim = Claim::take_path("sock", path).map_err(|error| {
            error.explain(format_args!("{shown} cannot be claimed"), |rival| {
                format!(
                    "{shown}: {rival} sends to it, and chronyd would take the samples of both: stop that one, or give each \
                     its own socket and `refclock SOCK` line"
                )
            })
        })?;
        let unconnected = || {
            let socket = UnixDatagram::unbound()?;
            socket.set_nonblocking(true)?;
            Ok(socket)
        };
        let failed = |error| OpenError::io(format_args!("cannot create a socket to write to {shown}"), error);
        let (socket, probe) = (unconnected().map_err(failed)?, unconnected().map_err(failed)?);
        let mut sink = Self { path: path.to_owned(), socket, report: String::new(), _claim: claim };
        sink.report(&probe.connect(path).map(|()| 0));
        Ok(sink)
    }

    /// The line that the log has about the last attempt to send.
    pub fn last_report(&self) -> &str {
        &self.report
    }

    /// Logs the outcome of an attempt, once per change.
    fn report(&mut self, sent: &io::Result<usize>) {
        let path = self.path.display();
        let report = match sent {
            Ok(_) => format!("{path} is there: chronyd's SOCK refclock gets the samples"),
            Err(error) => format!("{path} {}", trouble(error)),
        };
        if report == self.report {
            return;
        }
        match sent {
            Ok(_) => info!("{report}"),
            Err(_) => warn!("{report}"),
        }
        self.report = report;
    }
}

impl Sink for SockSink {
    fn publish(&mut self, sample: &Sample) {
        let sent = self.socket.send_to(&wire::datagram(sample), &self.path);
        self.report(&sent);
    }
}

/// What no retry cures.
fn check(path: &Path) -> Result<(), OpenError> {
    let shown = path.display();
    let is_socket = fs::metadata(path).ok().map(|found| found.file_type().is_socket());
    let sentence = if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
        format!("\"{shown}\" cannot be a socket's name: give a path of 1 to 107 bytes, as in /run/chrony.gnss.sock")
    } else if path.file_name().is_some_and(|name| name == COMMANDS) {
        format!("{shown} is the socket for chronyc's commands: give the one of the `refclock SOCK` line in chrony.conf")
    } else if is_socket == Some(false) {
        format!(
            "{shown} exists and is not a socket: give the one of the `refclock SOCK` line in chrony.conf, as in \
             /run/chrony.gnss.sock"
        )
    } else {
        return Ok(());
    };
    Err(OpenError::new(Problem::Wrong, sentence))
}

/// What keeps samples from chronyd, by the errors of unix(7), and what to do; continues after the path.
fn trouble(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => {
            "is not there: start chronyd with a `refclock SOCK` line that names it in chrony.conf (where AppArmor confines \
             chronyd, as on Debian, only /run/chrony.NAME.sock and names in /run/chrony/ work); waiting for it"
        }
        Some(libc::ECONNREFUSED) => {
            "was left behind by a chronyd that has ended: start chronyd with a `refclock SOCK` line that names it; waiting \
             for it"
        }
        Some(libc::EAGAIN | libc::ENOBUFS) => {
            "is full: chronyd does not read it, check whether it hangs; samples are dropped meanwhile"
        }
        Some(libc::EACCES | libc::EPERM) => {
            "may not be written to: chronyd creates it for root, and /run/chrony/ is closed to others; run as root, or name \
             it /run/chrony.NAME.sock and let `ExecStartPost=+chmod 0666` in chrony.service open it to everybody; trying \
             again"
        }
        Some(libc::EPROTOTYPE) => {
            "is a socket of another kind, not a refclock's: give the one of the `refclock SOCK` line in chrony.conf"
        }
        _ => return format!("cannot be written to ({error}); trying again"),
    }
    .into()
}
