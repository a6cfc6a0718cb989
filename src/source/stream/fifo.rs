//! A FIFO that another program writes the receiver's bytes to. Opening it waits for nobody; that nobody writes shows in
//! reads of zero bytes. It is locked, for of two readers each gets what the other misses; who reads it all the same is
//! named.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;
use std::time::Duration;

use tokio::task::yield_now;
use tokio::time::{sleep, timeout};
use tracing::warn;

use super::brief::{self, Said};
use crate::core::event::{Bytes, Lost};
use crate::core::time::Span;
use crate::source::error::SourceError;
use crate::source::feed::{Closed, Feed, READ_MAX, RETRY, bytes_now};
use crate::source::serial::holder;
use crate::sys::bytes::ByteFile;
use crate::sys::flock;
use crate::sys::processes::{Process, only_reads};

/// How often it is looked whether another program reads it, too.
const LOOK: Duration = Duration::from_secs(60);
/// Descriptors of a process that are looked at before others get their turn.
const AT_ONCE: usize = 64;

/// Looks whether this is a FIFO, without opening it: a writer that found a reader and lost it again would be ended.
pub(super) fn check(path: &Path) -> Result<(), SourceError> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(meta) if meta.file_type().is_fifo() => Ok(()),
        Ok(meta) if meta.file_type().is_char_device() => {
            Err(SourceError::Wrong(format!("{shown} is a device and no FIFO: give it as --serial {shown}")))
        }
        Ok(_) => Err(SourceError::Wrong(format!("{shown} is there and is no FIFO: name another path"))),
        Err(error) => Err(failed(path, &error)),
    }
}

fn failed(path: &Path, error: &io::Error) -> SourceError {
    let shown = path.display();
    match error.kind() {
        io::ErrorKind::NotFound => SourceError::NotThere(format!("{shown} is not there: make it with mkfifo {shown}")),
        io::ErrorKind::PermissionDenied => {
            SourceError::Denied(format!("{shown} may not be read: give this program's user the right to"))
        }
        _ => SourceError::Other(format!("{shown} cannot be opened: {error}")),
    }
}

/// Opens it and locks it; `before` is what we have open of it.
fn open(path: &Path, before: Option<&ByteFile>) -> Result<ByteFile, SourceError> {
    let opened = ByteFile::open(path).map_err(|error| failed(path, &error))?;
    // Our own lock keeps out what we open anew, too. A file system without locks is no reason to refuse.
    let _ = before.map(flock::unlock);
    match flock::try_lock(&opened) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => Err(SourceError::Busy(held(path))),
        Ok(()) | Err(_) => Ok(opened),
    }
}

fn held(path: &Path) -> String {
    let shown = path.display();
    let holder = fs::canonicalize(path).ok().and_then(|real| {
        let reads = |process: &Process| process.fds().is_ok_and(|mut fds| fds.any(|fd| only_reads(&fd, &real)));
        Process::others().find(reads)
    });
    let (who, cure) = match holder {
        Some(holder) => (holder.to_string(), "stop it".into()),
        None => ("another program".into(), format!("stop it (`fuser -v {shown}` as root names it)")),
    };
    format!(
        "{shown} is read by {who}, and each would miss what the other reads: {cure}, or give each a FIFO of its own"
    )
}

/// Says who else reads it without asking for the lock, as `cat` does: once for each change. Those who also write to it
/// only keep it open.
async fn watch_for_others(path: &Path) -> Infallible {
    let mut said = String::new();
    loop {
        let others = match fs::canonicalize(path) {
            Ok(real) => readers(&real).await,
            Err(_) => Vec::new(),
        };
        let now = holder::list(&others);
        if !others.is_empty() && now != said {
            warn!("{} is also read by {now}: what they read of it is lost here; stop them", path.display());
        }
        said = now;
        sleep(LOOK).await;
    }
}

/// The other processes that only read it. There may be many descriptors, and bytes are dated when they are read.
async fn readers(real: &Path) -> Vec<Process> {
    let mut readers = Vec::new();
    for process in Process::others() {
        yield_now().await;
        for (n, fd) in process.fds().into_iter().flatten().enumerate() {
            if n % AT_ONCE == AT_ONCE - 1 {
                yield_now().await;
            }
            if only_reads(&fd, real) {
                readers.push(process);
                break;
            }
        }
    }
    readers
}

/// What a program that writes is found by.
enum Writer {
    /// It is there.
    Silent,
    /// It has written this.
    Spoke(Bytes),
}

/// Waits for a writer, reads until the last one has closed, and opens the FIFO anew.
pub(super) async fn follow(path: &Path, feed: &Feed) -> Result<Infallible, Closed> {
    let (mut said, mut told) = (Said::default(), None);
    let sentence = format!("reading {}", path.display());
    // Kept until the next one is open: a writer that found a reader and lost it again would be ended.
    let mut file: Option<ByteFile> = None;
    loop {
        let opened = check(path).and_then(|()| open(path, file.as_ref()));
        let (why, lost) = match opened {
            Ok(opened) => {
                if file.is_none() {
                    drop_received(&opened);
                }
                let file = file.insert(opened);
                if let Some(writer) = written(file).await {
                    let first = match writer {
                        Writer::Silent => None,
                        Writer::Spoke(bytes) => Some(bytes),
                    };
                    tokio::select! {
                        ended = brief::pump(feed, file, first, &mut said, &sentence) => { ended?; }
                        never = watch_for_others(path) => match never {},
                    }
                    told = None;
                }
                (nobody(path), Lost::Writer)
            }
            Err(error) => {
                file = None;
                sleep(RETRY).await;
                (error.to_string(), if matches!(error, SourceError::Busy(_)) { Lost::Held } else { Lost::Writer })
            }
        };
        said.lose(&format!("{why}; it is waited for"));
        if told != Some(lost) {
            feed.lost(lost).await?;
            told = Some(lost);
        }
    }
}

/// Drops what was written before anybody read: it would be dated by now. A FIFO holds 64 KiB.
fn drop_received(file: &ByteFile) {
    let mut buffer = vec![0; READ_MAX];
    for _ in 0..16 {
        if !matches!(file.try_read(&mut buffer), Ok(1..)) {
            return;
        }
    }
}

fn nobody(path: &Path) -> String {
    format!("no program writes to {}", path.display())
}

/// Waits a while for a program that writes. Opened anew, a FIFO does not remember that one has closed it, so that
/// nothing wakes until the next one writes; that there is one is asked now and then.
async fn written(file: &ByteFile) -> Option<Writer> {
    let mut buffer = vec![0; READ_MAX];
    match file.try_read(&mut buffer) {
        Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Some(Writer::Silent),
        Ok(0) => {}
        Ok(length) => return Some(spoke(&buffer, length)),
        Err(_) => {
            sleep(RETRY).await;
            return None;
        }
    }
    match timeout(RETRY, file.read(&mut buffer)).await {
        Ok(Ok(length @ 1..)) => Some(spoke(&buffer, length)),
        // It came and went.
        Ok(_) => {
            sleep(RETRY).await;
            None
        }
        Err(_) => match file.try_read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Some(Writer::Silent),
            Ok(length @ 1..) => Some(spoke(&buffer, length)),
            Ok(0) | Err(_) => None,
        },
    }
}

fn spoke(buffer: &[u8], length: usize) -> Writer {
    Writer::Spoke(bytes_now(buffer.get(..length).unwrap_or_default(), Span::ZERO))
}
