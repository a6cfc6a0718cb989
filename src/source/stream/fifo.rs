//! A FIFO that another program writes the receiver's bytes to. Opening it waits for nobody; that nobody writes shows in
//! reads of zero bytes.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::FileTypeExt;
use std::path::Path;

use tokio::time::{sleep, timeout};
use tracing::{info, warn};

use crate::event::{Bytes, Event, Lost};
use crate::source::error::SourceError;
use crate::source::feed::{self, Closed, Feed, READ_MAX, RETRY, bytes_now};
use crate::sys::bytes::ByteFile;
use crate::time::Span;

/// Looks whether this is a FIFO, without opening it: a writer that found a reader and lost it again would be ended.
pub(super) fn check(path: &Path) -> Result<(), SourceError> {
    let shown = path.display();
    match fs::metadata(path) {
        Ok(meta) if meta.file_type().is_fifo() => Ok(()),
        Ok(meta) if meta.file_type().is_char_device() => {
            Err(SourceError::Wrong(format!("{shown} is a device and no FIFO: give it as --serial {shown}")))
        }
        Ok(_) => Err(SourceError::Wrong(format!("{shown} is no FIFO: make one with mkfifo {shown}"))),
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

/// What a program that writes is found by.
enum Writer {
    /// It is there.
    Silent,
    /// It has written this.
    Spoke(Bytes),
}

/// Waits for a writer, reads until the last one has closed, and opens the FIFO anew.
pub(super) async fn follow(path: &Path, feed: &Feed) -> Result<Infallible, Closed> {
    let mut said = None;
    // Kept until the next one is open: a writer that found a reader and lost it again would be ended.
    let mut file: Option<ByteFile> = None;
    loop {
        let opened = check(path).and_then(|()| ByteFile::open(path).map_err(|error| failed(path, &error)));
        let why = match opened {
            Ok(opened) => {
                if file.is_none() {
                    drop_received(&opened);
                }
                let file = file.insert(opened);
                if let Some(writer) = written(file).await {
                    info!("reading {}", path.display());
                    feed.opened().await?;
                    if let Writer::Spoke(bytes) = writer {
                        feed.send(Event::Bytes(bytes)).await?;
                    }
                    feed::pump(feed, file).await?;
                    said = None;
                }
                nobody(path)
            }
            Err(error) => {
                file = None;
                sleep(RETRY).await;
                error.to_string()
            }
        };
        if said.as_ref() != Some(&why) {
            warn!("{why}; it is waited for");
            feed.lost(Lost::Writer).await?;
            said = Some(why);
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
