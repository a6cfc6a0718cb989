//! What all sources of bytes have in common: they timestamp bytes and pass them on in few reads, and tell the engine and
//! the log when they come and go.

mod pauses;

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendError;
use tracing::{info, warn};

use crate::core::event::{Bytes, Event, Lost, SourceChange};
use crate::core::time::Span;
use crate::sys::alarm::Alarm;
use crate::sys::bytes::ByteFile;
use crate::sys::clock::raw_now;
use pauses::Pauses;

/// How often something that is missing is looked for.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Start bit, eight data bits, stop bit.
pub(crate) const BITS_PER_BYTE: i64 = 10;
/// A read returns at most what a terminal's buffer holds.
pub(super) const READ_MAX: usize = 4096;
/// This many changes an hour are logged of a source that comes and goes.
const LINES: u32 = 20;
const HOUR: Duration = Duration::from_secs(3_600);

/// The engine is gone: nothing is left to do.
pub(super) struct Closed;

impl From<SendError<Event>> for Closed {
    fn from(_: SendError<Event>) -> Self {
        Self
    }
}

/// What has happened to a source just now.
pub(super) fn change(change: SourceChange) -> Event {
    Event::Source { raw: raw_now(), change }
}

/// Tells the engine and the log of each change of a source that comes and goes, once.
#[derive(Debug)]
pub(super) struct Presence<'a> {
    events: &'a Sender<Event>,
    /// Why the source is not there, as the engine knows.
    lost: Option<Lost>,
    /// The last sentence in the log.
    last: String,
    /// How many there were in the hour that began then.
    lines: u32,
    hour: Instant,
}

impl<'a> Presence<'a> {
    pub(super) fn new(events: &'a Sender<Event>) -> Self {
        Self { events, lost: None, last: String::new(), lines: 0, hour: Instant::now() }
    }

    pub(super) async fn opened(&mut self, sentence: String) -> Result<(), Closed> {
        if let Some(sentence) = self.news(sentence) {
            info!("{sentence}");
        }
        self.lost = None;
        Ok(self.events.send(change(SourceChange::SentencesOpen)).await?)
    }

    pub(super) async fn lost(&mut self, lost: Lost, sentence: String) -> Result<(), Closed> {
        if let Some(sentence) = self.news(sentence) {
            warn!("{sentence}");
        }
        if self.lost.replace(lost) != Some(lost) {
            self.events.send(change(SourceChange::SentencesLost(lost))).await?;
        }
        Ok(())
    }

    /// The line for the log: nothing if it is the last one again, or there were too many within the hour.
    fn news(&mut self, mut sentence: String) -> Option<String> {
        if sentence == self.last {
            return None;
        }
        self.last.clone_from(&sentence);
        if self.hour.elapsed() >= HOUR {
            (self.lines, self.hour) = (0, Instant::now());
        }
        self.lines += 1;
        if self.lines == LINES {
            sentence += "; this changes often: no more of it is logged for an hour";
        }
        (self.lines <= LINES).then_some(sentence)
    }
}

/// The bytes that a read has just put into the buffer; `byte_time` is zero if no line paces them.
pub(super) fn bytes_now(buffer: &[u8], length: usize, byte_time: Span) -> Bytes {
    Bytes { read_at: raw_now(), byte_time, data: buffer.get(..length).unwrap_or_default().into() }
}

/// Passes on what is read until the source ends, or the bytes of a read are the last that are wanted. An error if the
/// other side did not end it.
pub(super) async fn pump(
    events: &Sender<Event>,
    file: &ByteFile,
    byte_time: Span,
    mut is_enough: impl FnMut(&Bytes) -> bool,
) -> Result<io::Result<()>, Closed> {
    let (mut buffer, mut alarm, mut pauses) = (vec![0; READ_MAX], Alarm::new(), Pauses::default());
    loop {
        let length = match file.read(&mut buffer).await {
            Ok(length @ 1..) => length,
            ended => return Ok(ended.map(drop)),
        };
        let bytes = bytes_now(&buffer, length, byte_time);
        let (pause, is_enough) = (pauses.after(&bytes), is_enough(&bytes));
        events.send(Event::Bytes(bytes)).await?;
        if is_enough {
            return Ok(Ok(()));
        }
        if pause > Span::ZERO {
            alarm.sleep(Duration::from_nanos(pause.nanos().unsigned_abs())).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_change_is_logged_once_and_no_more_than_twenty_an_hour() {
        let (events, _) = tokio::sync::mpsc::channel(1);
        let mut presence = Presence::new(&events);
        let mut says = |sentence: &str| presence.news(sentence.into());
        assert!(says("refused").is_some() && says("refused").is_none(), "it is waited for");
        assert!(says("connected").is_some() && says("refused").is_some(), "each change");
        let lines: Vec<_> = (0..100).filter_map(|n| says(["closed", "connected"][n % 2])).collect();
        assert_eq!(lines.len() + 3, LINES as usize);
        assert!(lines.last().unwrap().contains("; this changes often"), "{lines:?}");
        presence.hour -= HOUR;
        assert!(presence.news("closed".into()).is_some(), "an hour later");
    }
}
