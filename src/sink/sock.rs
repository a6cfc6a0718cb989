//! chrony's SOCK refclock: one datagram per sample to a Unix socket that the reader creates: chronyd, or ntpd-rs, which
//! ignores the time in it and takes the offset for that of its arrival.
//!
//! [`SockSink`] never blocks. Each sample is sent to the path, not to a connection, so that a restarted chronyd gets
//! the next one; a sample that cannot be sent is dropped, because the next one supersedes it. Source: chrony's
//! `refclock_sock.c`.

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

/// `SOCK_MAGIC`: "SOCK".
const MAGIC: i32 = 0x534f_434b;

/// Length of a datagram. chronyd drops datagrams of any other length.
pub(crate) const SIZE: usize = 40;

// chronyd would misread any other layout of timeval: such a target must not compile.
const _: () = assert!(size_of::<libc::timeval>() == 16 && size_of::<libc::time_t>() == 8);

/// The name of chronyd's command socket: it accepts any datagram, so samples sent to it would be lost silently.
const COMMANDS: &str = "chronyd.sock";

/// The sending end.
#[derive(Debug)]
pub(crate) struct SockSink {
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
    /// The path can never be such a socket, or another process sends to it.
    pub(crate) fn open(path: &Path) -> Result<Self, OpenError> {
        check(path)?;
        let shown = path.display();
        let claim = Claim::take_path("sock", path, |rival| {
            format!(
                "{shown}: {rival} sends to it, and chronyd would take the samples of both: stop that program, or give \
                 each its own socket and `refclock SOCK` line"
            )
        })?;
        let failed = |error| OpenError::io(format_args!("cannot create a socket to write to {shown}"), error);
        let socket = UnixDatagram::unbound().map_err(failed)?;
        socket.set_nonblocking(true).map_err(failed)?;
        let mut sink = Self { path: path.to_owned(), socket, report: String::new(), _claim: claim };
        // Not the sink's socket, which stays unconnected.
        sink.report(&UnixDatagram::unbound().and_then(|probe| probe.connect(path)));
        Ok(sink)
    }

    /// The last logged line about sending.
    #[cfg(test)]
    pub(crate) fn last_report(&self) -> &str {
        &self.report
    }

    /// Logs the outcome of an attempt, once per change.
    fn report(&mut self, sent: &io::Result<()>) {
        let path = self.path.display();
        let report = match sent {
            Ok(()) => format!("{path} exists: sending samples to it"),
            Err(error) => format!("{path} {}", trouble(error)),
        };
        if report == self.report {
            return;
        }
        match sent {
            Ok(()) => info!("{report}"),
            Err(_) => warn!("{report}"),
        }
        self.report = report;
    }
}

impl Sink for SockSink {
    fn publish(&mut self, sample: &Sample) {
        let sent = self.socket.send_to(&datagram(sample), &self.path);
        self.report(&sent.map(drop));
    }
}

/// Problems that retrying does not fix.
fn check(path: &Path) -> Result<(), OpenError> {
    let shown = path.display();
    let what = if path.as_os_str().is_empty() || SocketAddr::from_pathname(path).is_err() {
        "cannot be the name of a socket: it must have 1 to 107 bytes"
    } else if path.file_name().is_some_and(|name| name == COMMANDS) {
        "is chronyd's command socket"
    } else if fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket()) {
        "exists and is not a socket"
    } else {
        return Ok(());
    };
    let cure = "use the path from the `refclock SOCK` line in chrony.conf, such as /run/chrony.gnss.sock";
    Err(OpenError::cured(Problem::Wrong, format!("\"{shown}\" {what}"), cure))
}

/// Why samples do not reach chronyd, from the errors in unix(7), and what to do; follows the path in the sentence.
fn trouble(error: &io::Error) -> String {
    match error.raw_os_error() {
        Some(libc::ENOENT | libc::ENOTDIR) => {
            "does not exist: start chronyd with a `refclock SOCK` line that names it (where AppArmor confines chronyd, \
             as on Debian, it must be /run/chrony.NAME.sock), or ntpd-rs with a `sock` source; waiting for it"
        }
        Some(libc::ECONNREFUSED) => {
            "was left behind by a chronyd or ntpd-rs that has ended: start it again; waiting for it"
        }
        Some(libc::EAGAIN | libc::ENOBUFS) => {
            "is full: check whether chronyd, or ntpd-rs, is hung; samples are dropped until then"
        }
        Some(libc::EACCES | libc::EPERM) => {
            "cannot be written to (permission denied), because chronyd creates it for root: run as root, or name it \
             /run/chrony.NAME.sock and open it to all users with `ExecStartPost=+chmod 0666` in chrony.service \
             (ntpd-rs: with `UMask=0007` in ntpd-rs.service and `SupplementaryGroups=ntpd-rs` in gnss2shm@.service); \
             retrying"
        }
        Some(libc::EPROTOTYPE) => {
            "is a socket of the wrong type: use the path from the `refclock SOCK` line in chrony.conf"
        }
        _ => return format!("cannot be written to ({error}); retrying"),
    }
    .into()
}

/// The sample as chronyd reads it: at `tv` of the system clock, UTC was ahead by `offset` seconds.
///
/// Nanoseconds that do not fit into `tv` must not be added to the offset, and dropping them loses nothing: an offset
/// measured now holds for the surrounding microsecond. chronyd truncates the offset to whole nanoseconds, sometimes to
/// the one below. The offset is the only floating-point number in a sample, because chrony's protocol has it. Its
/// resolution is a picosecond at an offset of an hour; a quarter of a microsecond at one of decades, which chronyd
/// steps away before it continues.
#[allow(clippy::cast_precision_loss)] // as said
fn datagram(sample: &Sample) -> [u8; SIZE] {
    let (sec, nsec) = sample.at.parts();
    let mut fields = (sec.to_ne_bytes().into_iter()) // tv.tv_sec
        .chain(i64::from(nsec / 1_000).to_ne_bytes()) // tv.tv_usec
        .chain((sample.offset().nanos() as f64 / 1e9).to_ne_bytes()) // offset
        .chain(0_i32.to_ne_bytes()) // pulse: no, the second is known and needs no other source
        .chain((sample.leap as i32).to_ne_bytes()) // leap
        .chain(0_i32.to_ne_bytes()) // _pad
        .chain(MAGIC.to_ne_bytes()); // magic
    std::array::from_fn(|_| fields.next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Leap;
    use crate::core::time::{Instant, NANOS, Span, UtcSecond};

    fn field<const N: usize>(bytes: &[u8; SIZE], at: usize) -> [u8; N] {
        bytes[at..at + N].try_into().unwrap()
    }

    #[test]
    fn the_offset_is_utc_minus_system_time_to_the_nanosecond() {
        for (label, at, tv, offset) in [
            (100, 100 * NANOS - 1, (99, 999_999), 1e-9),
            (100, 100 * NANOS + 1, (100, 0), -1e-9),
            (100, 100 * NANOS + 1_999, (100, 1), -1.999e-6),
            (1_100, 100 * NANOS + 123_456_789, (100, 123_456), 999.876_543_211),
            (0, -1, (-1, 999_999), 1e-9),
        ] {
            let sample = Sample {
                label: UtcSecond::from_posix(label),
                at: Instant::from_nanos(at),
                error: Span::from_nanos(50),
                leap: Leap::Delete,
            };
            let bytes = datagram(&sample);
            let int = |at| i32::from_ne_bytes(field(&bytes, at));
            assert_eq!((i64::from_ne_bytes(field(&bytes, 0)), i64::from_ne_bytes(field(&bytes, 8))), tv);
            assert!((f64::from_ne_bytes(field(&bytes, 16)) - offset).abs() < 1e-12, "{label} {at}");
            assert_eq!((int(24), int(28), int(32), int(36)), (0, 2, 0, 0x534f_434b));
        }
    }
}
