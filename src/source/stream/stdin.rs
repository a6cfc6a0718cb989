//! Standard input. A thread of its own reads it, for it may be anything, and making it non-blocking would do so for
//! everybody who shares it, the shell for one. Its end is final, and whoever runs this ends, too.

use std::convert::Infallible;
use std::fs::{self, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::thread::{Builder, sleep};

use tokio::sync::oneshot;
use tracing::{error, info};

use crate::core::event::{Event, Lost};
use crate::core::time::Span;
use crate::source::error::SourceError;
use crate::source::feed::{Closed, Feed, GATHER, READ_MAX, bytes_now};

/// What can never bring sentences as they are spoken is refused.
pub(super) fn check() -> Result<(), SourceError> {
    let wrong = |sentence: &str| Err(SourceError::Wrong(sentence.into()));
    let Ok(input) = fs::metadata("/proc/self/fd/0") else { return wrong("standard input is closed") };
    if is_null(&input) {
        return wrong(
            "standard input is /dev/null, which is what a service manager gives: have it start a pipeline, or use --fifo",
        );
    }
    if input.is_file() {
        return wrong(
            "standard input is a file, whose sentences are not spoken now: have gnss2shm decode read it, or name the \
             receiver's device with --serial",
        );
    }
    Ok(())
}

fn is_null(input: &Metadata) -> bool {
    let null = fs::metadata("/dev/null").map(|null| null.rdev());
    input.file_type().is_char_device() && null.is_ok_and(|null| null == input.rdev())
}

/// Reads to the end, and stays.
pub(super) async fn follow(feed: &Feed) -> Result<Infallible, Closed> {
    feed.opened().await?;
    info!("reading standard input");
    let (ended, end) = oneshot::channel();
    let events = feed.sender();
    let reader = Builder::new().name("stdin".into()).spawn(move || {
        let mut buffer = vec![0; READ_MAX];
        let result = loop {
            match io::stdin().lock().read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(length) => {
                    let bytes = bytes_now(buffer.get(..length).unwrap_or_default(), Span::ZERO);
                    if events.blocking_send(Event::Bytes(bytes)).is_err() {
                        break Ok(());
                    }
                    sleep(GATHER);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
        };
        // Nobody listens any more where the program is ending.
        let _ = ended.send(result);
    });
    match reader {
        Ok(_) => {
            if let Ok(Err(why)) = end.await {
                error!("standard input cannot be read any more: {why}");
            }
        }
        Err(why) => error!("no thread can be started to read standard input: {why}"),
    }
    feed.lost(Lost::Stdin).await?;
    feed.closed().await;
    Err(Closed)
}
