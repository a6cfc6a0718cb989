//! The receiver's bytes from a TCP connection, a FIFO or standard input. No line paces them: a sentence is dated when it
//! is read. A stream that ends is waited for, except standard input, whose end is final.

mod fifo;

use std::convert::Infallible;
use std::fs;
use std::io::{self, ErrorKind, Read};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use rustix::net::sockopt;
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::task::spawn_blocking;
use tokio::time::{sleep, timeout};
use tracing::{error, info};

use super::feed::{Closed, Feed, Presence, READ_MAX, RETRY, bytes_now, pump};
use super::server::Server;
use crate::core::event::{Event, Lost};
use crate::core::time::Span;
use crate::sys::bytes::ByteFile;
use crate::sys::error::{OpenError, Problem};

/// The pause after a read of standard input: each read that is saved is a wake-up saved.
const GATHER: Duration = Duration::from_millis(20);
/// A server that does not answer within this is tried again.
const ANSWER: Duration = Duration::from_secs(5);
/// The first attempts after a loss; each further one waits twice as long, up to [`RETRY`].
const AT_FIRST: Duration = Duration::from_millis(125);
/// After a connection that ended sooner the pauses go on growing.
const BRIEF: Duration = Duration::from_secs(10);
/// After this silence the kernel asks a server whether it is still there, three times, this far apart, tcp(7).
const KEEP_ALIVE: [Duration; 2] = [Duration::from_secs(10), Duration::from_secs(5)];

/// Where the bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamConfig {
    /// A server that sends NMEA to each client: ser2net, gpsd's raw port, `nc -lk`.
    Tcp(Server),
    /// A FIFO that another program writes to.
    Fifo(PathBuf),
    /// Standard input.
    Stdin,
}

/// Checks once whether the stream can ever be opened; [`run`] opens it.
pub(super) fn check(config: &StreamConfig) -> Result<(), OpenError> {
    match config {
        StreamConfig::Tcp(_) => Ok(()),
        StreamConfig::Fifo(path) => fifo::check(path),
        StreamConfig::Stdin => check_stdin(),
    }
}

/// Follows the stream until the events have nowhere to go.
pub(super) async fn run(config: StreamConfig, events: Sender<Event>) {
    let feed = Feed::new(events);
    match config {
        StreamConfig::Tcp(server) => feed.until_closed(follow(&server, &feed)).await,
        StreamConfig::Fifo(path) => feed.until_closed(fifo::follow(&path, &feed)).await,
        StreamConfig::Stdin => feed.until_closed(read_stdin(&feed)).await,
    }
}

/// Connects, reads to the end, and connects again.
async fn follow(server: &Server, feed: &Feed) -> Result<Infallible, Closed> {
    let (mut presence, mut pause) = (Presence::new(feed), AT_FIRST);
    loop {
        let why = match connect(server).await {
            Ok(stream) => {
                // Not tokio's own stream, which wakes the thread for each packet.
                let (connection, began) = (ByteFile::from(OwnedFd::from(stream)), Instant::now());
                presence.opened(format!("connected to {server}")).await?;
                let ended = pump(feed, &connection, Span::ZERO, |_| false).await?;
                if began.elapsed() > BRIEF {
                    pause = AT_FIRST;
                }
                ended.err().map_or("closed the connection".into(), |error| format!("is lost: {error}"))
            }
            Err(why) => why,
        };
        presence.lost(Lost::Server, format!("{server} {why}; it is tried again")).await?;
        sleep(pause).await;
        pause = (pause * 2).min(RETRY);
    }
}

/// A connection, or what is wrong with the server.
pub(super) async fn connect(server: &Server) -> Result<std::net::TcpStream, String> {
    let connecting = TcpStream::connect((server.host.as_str(), server.port));
    let connected = timeout(ANSWER, connecting).await.unwrap_or_else(|_| Err(ErrorKind::TimedOut.into()));
    let cure = "check that the server runs, host and port, the network, and for the service IPAddressAllow=";
    let stream = connected.map_err(|error| format!("cannot be reached ({error}): {cure}"))?;
    let watch = |[idle, interval]: [Duration; 2]| {
        sockopt::set_tcp_keepidle(&stream, idle)?;
        sockopt::set_tcp_keepintvl(&stream, interval)?;
        sockopt::set_tcp_keepcnt(&stream, 3)?;
        sockopt::set_socket_keepalive(&stream, true)
    };
    watch(KEEP_ALIVE).map_err(|error| format!("cannot be watched: {error}"))?;
    stream.into_std().map_err(|error| format!("is lost: {error}"))
}

/// Refuses what can never bring sentences as they are spoken.
fn check_stdin() -> Result<(), OpenError> {
    let null = fs::metadata("/dev/null").map_or(0, |null| null.rdev());
    let what = match fs::metadata("/proc/self/fd/0") {
        Err(_) => "closed",
        Ok(input) if input.file_type().is_char_device() && input.rdev() == null => "/dev/null",
        Ok(input) if input.is_file() => "a file",
        Ok(_) => return Ok(()),
    };
    let cure = "use a pipeline, --serial or --fifo, and for a file gnss2shm decode";
    Err(OpenError::new(Problem::Wrong, format!("standard input is {what}, where no receiver speaks: {cure}")))
}

/// Reads standard input to its end, and stays. On a thread of its own: it may be anything, and to make it non-blocking
/// would do so for every process that shares it, such as the shell.
async fn read_stdin(feed: &Feed) -> Result<Infallible, Closed> {
    feed.opened().await?;
    info!("reading standard input");
    let events = feed.0.clone();
    let reading = spawn_blocking(move || {
        let mut buffer = vec![0; READ_MAX];
        loop {
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) => return Ok(()),
                Ok(length) => {
                    let bytes = bytes_now(buffer.get(..length).unwrap_or_default(), Span::ZERO);
                    if events.blocking_send(Event::Bytes(bytes)).is_err() {
                        return Ok(()); // the engine is gone
                    }
                    std::thread::sleep(GATHER);
                }
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    });
    if let Ok(Err(error)) = reading.await {
        error!("standard input cannot be read: {error}");
    }
    feed.lost(Lost::Stdin).await?;
    feed.closed().await;
    Err(Closed)
}
