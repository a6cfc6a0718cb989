//! What every source of bytes does with them: dates them and hands them on, in few reads.

use std::io;
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::core::event::{Bytes, Event, Lost, SourceChange};
use crate::core::time::Span;
use crate::sys::alarm::Alarm;
use crate::sys::bytes::ByteFile;
use crate::sys::clock::raw_now;

/// How long something missing is left alone before it is tried again.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Start bit, eight data bits, stop bit.
pub(crate) const BITS_PER_BYTE: i64 = 10;
/// A read returns at most what a terminal's buffer holds.
pub(super) const READ_MAX: usize = 4096;
/// The pause after a read of a source that nothing paces: well below the silence between bursts that the framer looks
/// for. The first bytes of a burst are read when they arrive, which is what its time depends on; each read saved after
/// that is a wake-up saved.
pub(super) const GATHER: Duration = Duration::from_millis(20);

/// The engine is gone: nothing is left to do.
pub(super) struct Closed;

/// The way to the engine.
#[derive(Debug)]
pub(super) struct Feed(Sender<Event>);

impl Feed {
    pub(super) fn new(events: Sender<Event>) -> Self {
        Self(events)
    }

    pub(super) async fn opened(&self) -> Result<(), Closed> {
        self.changed(SourceChange::SentencesOpen).await
    }

    pub(super) async fn lost(&self, lost: Lost) -> Result<(), Closed> {
        self.changed(SourceChange::SentencesLost(lost)).await
    }

    async fn changed(&self, change: SourceChange) -> Result<(), Closed> {
        self.send(Event::Source { raw: raw_now(), change }).await
    }

    pub(super) async fn send(&self, event: Event) -> Result<(), Closed> {
        self.0.send(event).await.map_err(|_| Closed)
    }

    /// Waits until the engine is gone.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }

    /// A sender of one's own, for another thread.
    pub(super) fn sender(&self) -> Sender<Event> {
        self.0.clone()
    }
}

/// The bytes that a read has just returned; `byte_time` is zero where no line paces them.
pub(super) fn bytes_now(read: &[u8], byte_time: Span) -> Bytes {
    Bytes { read_at: raw_now(), byte_time, data: read.into() }
}

/// How a source ended that nothing paces.
pub(super) struct End {
    /// Whether anything came of it.
    pub(super) heard: bool,
    /// What went wrong, unless the other side ended it.
    pub(super) error: Option<io::Error>,
}

/// Hands on what is read of a source that nothing paces, until it ends.
pub(super) async fn pump(feed: &Feed, file: &ByteFile) -> Result<End, Closed> {
    let mut buffer = vec![0; READ_MAX];
    let (mut heard, mut alarm) = (false, Alarm::new());
    loop {
        let length = match file.read(&mut buffer).await {
            Ok(0) => return Ok(End { heard, error: None }),
            Ok(length) => length,
            Err(error) => return Ok(End { heard, error: Some(error) }),
        };
        heard = true;
        feed.send(Event::Bytes(bytes_now(buffer.get(..length).unwrap_or_default(), Span::ZERO))).await?;
        alarm.sleep(GATHER).await;
    }
}
