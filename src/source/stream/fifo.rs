//! A FIFO that another program writes the receiver's bytes to, fifo(7). It opens at once; reads of zero bytes show that it
//! has no writer. It is locked, because of two readers each gets what the other misses.

use std::convert::Infallible;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use tokio::time::{sleep, timeout};

use crate::core::event::{Event, Lost};
use crate::core::time::Span;
use crate::source::feed::{Closed, Feed, Presence, READ_MAX, RETRY, bytes_now, pump};
use crate::source::serial::holder::{readers, warn_of};
use crate::sys::bytes::ByteFile;
use crate::sys::error::{OpenError, Problem};
use crate::sys::flock;

/// Reads of what was written before the FIFO was opened: it holds 64 KiB.
const OLD_READS: usize = 16;

/// Whether this is a FIFO. It is not opened: a writer that finds a reader and loses it again is ended by SIGPIPE.
pub(super) fn check(path: &Path) -> Result<(), OpenError> {
    let shown = path.display();
    if fs::metadata(path).map_err(|error| refusal(path, error))?.file_type().is_fifo() {
        return Ok(());
    }
    let sentence =
        format!("{shown} is not a FIFO: name another path, or if it is a device give it as --serial {shown}");
    Err(OpenError::new(Problem::Wrong, sentence))
}

fn refusal(path: &Path, error: io::Error) -> OpenError {
    let what = match error.kind() {
        ErrorKind::NotFound => "is not there, make it with mkfifo",
        ErrorKind::PermissionDenied => "may not be read, give this program's user the right to",
        _ => "cannot be opened",
    };
    OpenError::io(format!("{} {what}", path.display()), error)
}

/// Opens and locks it; `before` is what we have open of it.
fn open(path: &Path, before: Option<&ByteFile>) -> Result<ByteFile, OpenError> {
    check(path)?;
    let opened = ByteFile::open(path).map_err(|error| refusal(path, error))?;
    // Our own lock keeps out what we open again, too. A file system without locks is no reason to refuse.
    let _ = before.map(flock::unlock);
    if !flock::try_lock(&opened).is_err_and(|error| error.kind() == ErrorKind::WouldBlock) {
        return Ok(opened);
    }
    let shown = path.display();
    let reader = readers(path).first().map_or("a program that only root can see".into(), ToString::to_string);
    let sentence = format!(
        "{shown} is read by {reader}, and each would miss what the other reads: stop it (fuser -v {shown} names it), or \
         give each a FIFO of its own"
    );
    Err(OpenError::new(Problem::Taken, sentence))
}

/// Waits for a writer, reads until the last one has closed, and opens the FIFO again.
pub(super) async fn follow(path: &Path, feed: &Feed) -> Result<Infallible, Closed> {
    let (mut presence, mut buffer) = (Presence::new(feed), vec![0; READ_MAX]);
    let no_writer = format!("no program writes to {}; it is waited for", path.display());
    // Kept until the next one is open, for the writer's sake.
    let mut before: Option<ByteFile> = None;
    loop {
        let file = match open(path, before.as_ref()) {
            Ok(file) => file,
            Err(error) => {
                before = None;
                let lost = if error.problem == Problem::Taken { Lost::Held } else { Lost::Writer };
                presence.lost(lost, format!("{error}; it is waited for")).await?;
                sleep(RETRY).await;
                continue;
            }
        };
        if before.is_none() {
            // What was written before would be dated by now.
            let _old = (0..OLD_READS).take_while(|_| matches!(file.try_read(&mut buffer), Ok(1..))).count();
        }
        let file = before.insert(file);
        let mut first = file.try_read(&mut buffer);
        if is_nothing(&first) {
            presence.lost(Lost::Writer, no_writer.clone()).await?;
            // The first bytes wake us. A writer that is silent does not: it is looked for each time.
            let is_woken = timeout(RETRY, file.readable()).await.is_ok();
            first = file.try_read(&mut buffer);
            if is_nothing(&first) {
                if is_woken {
                    sleep(RETRY).await; // a writer came and went
                }
                continue;
            }
        }
        let first = first.map(|length| bytes_now(buffer.get(..length).unwrap_or_default(), Span::ZERO));
        presence.opened(format!("reading {}", path.display())).await?;
        warn_of(&readers(path), path.display());
        if let Ok(bytes) = first {
            feed.send(Event::Bytes(bytes)).await?;
        }
        let _ended = pump(feed, file, Span::ZERO, |_| false).await?;
        presence.lost(Lost::Writer, no_writer.clone()).await?;
    }
}

/// Whether there was neither a byte nor a writer.
fn is_nothing(read: &io::Result<usize>) -> bool {
    read.as_ref().map_or_else(|error| error.kind() != ErrorKind::WouldBlock, |length| *length == 0)
}
