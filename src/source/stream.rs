//! The receiver's bytes from a TCP connection, a FIFO, or standard input. No serial line paces them: a sentence is
//! dated when it is read. A stream that ends is reopened, except standard input, whose end is final.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::net::sockopt;
use tokio::io::{AsyncReadExt, stdin};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::time::{sleep, timeout};
use tracing::{error, info};

use super::feed::{Closed, Presence, READ_MAX, RETRY, bytes_now, change, pump};
use super::serial::holder::{readers, warn_of};
use crate::core::event::{Event, Lost, SourceChange};
use crate::core::time::Span;
use crate::sys::error::{OpenError, Problem};
use crate::sys::tty::ByteFile;

/// The pause after a read of standard input: fewer reads mean fewer wake-ups.
const GATHER: Duration = Duration::from_millis(20);
/// Time limit for a server to answer.
const ANSWER: Duration = Duration::from_secs(5);
/// After this silence, the kernel sends three keepalive probes at this interval, tcp(7).
const KEEP_ALIVE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(5)];
/// Reads that discard what was written before the FIFO was opened: it holds 64 KiB.
const OLD_READS: usize = 16;

/// Where a program listens: `localhost:2947`, `192.0.2.1:5000`, `[2001:db8::1]:2947`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Server {
    /// A name or an address, an IPv6 address without its brackets.
    pub host: String,
    /// The TCP port.
    pub port: u16,
}

impl FromStr for Server {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let parse = || {
            let (host, port) = text.rsplit_once(':')?;
            let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
            let host = address.or(Some(host).filter(|host| !host.contains(':')))?;
            let port = port.parse().ok().filter(|port| *port > 0)?;
            (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
        };
        parse().ok_or_else(|| {
            format!(
                "`{text}` is invalid: it must be a host and port, such as \"localhost:2947\" or \"[2001:db8::1]:2947\""
            )
        })
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { host, port } = self;
        if host.contains(':') { write!(f, "[{host}]:{port}") } else { write!(f, "{host}:{port}") }
    }
}

/// Connects, and reads to the end.
pub(super) async fn follow_tcp(server: &Server, presence: &mut Presence<'_>) -> Result<(), Closed> {
    let lost = |error| format!("is lost: {error}");
    let why = match connect(server).await.and_then(|stream| stream.into_std().map_err(lost)) {
        Ok(stream) => {
            // Not tokio's own stream, which wakes the thread for each packet.
            let connection = ByteFile(OwnedFd::from(stream).into());
            presence.opened(format!("connected to {server}")).await?;
            let ended = pump(presence.events, &connection, Span::ZERO, |_| false).await?;
            ended.err().map_or("closed the connection".into(), lost)
        }
        Err(why) => why,
    };
    presence.gone(Lost::Server, format!("{server} {why}; retrying"), RETRY).await
}

/// A connection, or why there is none.
pub(super) async fn connect(server: &Server) -> Result<TcpStream, String> {
    let connecting = TcpStream::connect((server.host.as_str(), server.port));
    let connected = timeout(ANSWER, connecting).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    let cure = "check that the server is running, its host and port, the network and, for the service, IPAddressAllow=";
    let stream = connected.map_err(|error| format!("cannot be reached ({error}): {cure}"))?;
    let watch = |[idle, interval]: [Duration; 2]| {
        sockopt::set_tcp_keepidle(&stream, idle)?;
        sockopt::set_tcp_keepintvl(&stream, interval)?;
        sockopt::set_tcp_keepcnt(&stream, 3)?;
        sockopt::set_socket_keepalive(&stream, true)
    };
    watch(KEEP_ALIVE).map_err(|error| format!("cannot be watched: {error}"))?;
    Ok(stream)
}

/// Whether this is a FIFO. It is not opened: a writer whose reader disappears is killed by SIGPIPE.
pub(super) fn check_fifo(path: &Path) -> Result<(), OpenError> {
    let shown = path.display();
    if fs::metadata(path).map_err(|error| OpenError::io(&shown, error))?.file_type().is_fifo() {
        return Ok(());
    }
    let cure = "use another path, or give a device with --serial";
    Err(OpenError::new(Problem::Wrong, format!("{shown} is not a FIFO: {cure} {shown}")))
}

/// Opens a FIFO, fifo(7), and locks it, because two readers would share its bytes. `before` is the previous descriptor:
/// it stays open until the new one is, so that the writer always has a reader. Without it, earlier input is discarded,
/// because its time is unknown.
fn open_fifo(path: &Path, before: Option<ByteFile>, buffer: &mut [u8]) -> Result<ByteFile, OpenError> {
    check_fifo(path)?;
    let opened = ByteFile::open(path).map_err(|error| OpenError::io(path.display(), error))?;
    if before.is_none() {
        let _old = (0..OLD_READS).take_while(|_| matches!(opened.try_read(buffer), Ok(1..))).count();
    }
    // Its lock would conflict with the new one. A file system without locks is accepted.
    drop(before);
    if flock(&opened.0, FlockOperation::NonBlockingLockExclusive) != Err(Errno::WOULDBLOCK) {
        return Ok(opened);
    }
    let shown = path.display();
    let reader = readers(path).first().map_or("a program that only root can see".into(), ToString::to_string);
    let sentence = format!(
        "{shown} is read by {reader}, and each would miss the bytes that the other reads: stop it (`fuser -v {shown}` \
         shows it), or give each its own FIFO"
    );
    Err(OpenError::new(Problem::Taken, sentence))
}

/// Waits for a writer, and reads until the last one has closed. The descriptor is kept until the FIFO is reopened: only
/// a new descriptor can wait for a new writer.
pub(super) async fn follow_fifo(
    path: &Path,
    before: &mut Option<ByteFile>,
    presence: &mut Presence<'_>,
) -> Result<(), Closed> {
    let (shown, mut buffer) = (path.display(), vec![0; READ_MAX]);
    let file = match open_fifo(path, before.take(), &mut buffer) {
        Ok(file) => file,
        Err(error) => {
            let lost = if error.problem == Problem::Taken { Lost::Held } else { Lost::Writer };
            return presence.gone(lost, format!("{error}; waiting for it"), RETRY).await;
        }
    };
    // The first bytes end the wait. A silent writer does not: check for one each time.
    let _silent = timeout(RETRY, file.readable()).await;
    let read = file.try_read(&mut buffer);
    if matches!(&read, Ok(1..)) || read.as_ref().is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
        presence.opened(format!("reading {shown}")).await?;
        warn_of(&readers(path), &shown);
        if let Ok(length) = read {
            presence.events.send(Event::Bytes(bytes_now(&buffer, length, Span::ZERO))).await?;
        }
        let _ended = pump(presence.events, &file, Span::ZERO, |_| false).await?;
    }
    *before = Some(file);
    presence.lost(Lost::Writer, format!("no program writes to {shown}; waiting for one")).await
}

/// Refuses input that can never be a live stream of sentences.
pub(super) fn check_stdin() -> Result<(), OpenError> {
    let what = match fs::metadata("/proc/self/fd/0") {
        Ok(input) if input.is_file() => "a file",
        // Also if it was closed: Rust's runtime then opens /dev/null.
        Ok(input) if input.rdev() == libc::makedev(1, 3) => "/dev/null",
        _ => return Ok(()),
    };
    let cure = "use a pipeline, --serial, or --fifo; for a file, use gnss2shm decode";
    Err(OpenError::new(Problem::Wrong, format!("standard input is {what}, not a stream from a receiver: {cure}")))
}

/// Reads standard input to its end, and then waits forever. tokio reads it on a separate thread: it may be any file,
/// and making it non-blocking would affect every process that shares it, such as the shell.
pub(super) async fn read_stdin(events: &Sender<Event>) -> Result<(), Closed> {
    events.send(change(SourceChange::SentencesOpen)).await?;
    info!("reading standard input");
    let (mut input, mut buffer) = (stdin(), vec![0; READ_MAX]);
    loop {
        match input.read(&mut buffer).await {
            Ok(length @ 1..) => events.send(Event::Bytes(bytes_now(&buffer, length, Span::ZERO))).await?,
            Ok(_) => break,
            Err(error) => {
                error!("standard input cannot be read: {error}");
                break;
            }
        }
        sleep(GATHER).await;
    }
    events.send(change(SourceChange::SentencesLost(Lost::Stdin))).await?;
    events.closed().await;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_and_ports_are_read_and_written_back() {
        for text in ["localhost:2947", "192.0.2.1:5000", "[2001:db8::1]:2947"] {
            assert_eq!(text.parse::<Server>().unwrap().to_string(), text);
        }
        for text in ["", "localhost", ":2947", "localhost:", "localhost:0", "localhost:65536", "::1:2947", "[::1:2947"]
        {
            assert!(text.parse::<Server>().is_err(), "{text}");
        }
    }
}
