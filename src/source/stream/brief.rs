//! Streams that end soon after they began, again and again: each coming and going is told to the engine, but the log is
//! not filled with them.

use std::pin::pin;
use std::time::Duration;

use tokio::time::timeout;
use tracing::{debug, info, warn};

use crate::core::event::{Bytes, Event};
use crate::source::feed::{self, Closed, End, Feed};
use crate::sys::bytes::ByteFile;

/// A stream that has ended sooner was a brief one.
const BRIEF: Duration = Duration::from_secs(10);

/// What the log says of a stream already, and need not say again until one has lived.
#[derive(Debug, Default)]
pub(super) struct Said {
    opened: bool,
    /// Whether it is not open now, and the log has that.
    down: bool,
    lost: Vec<String>,
}

impl Said {
    /// Whether it is news that the stream is open. If so, what is wrong afterwards is news, too.
    fn is_opening_news(&mut self) -> bool {
        let is_news = !self.opened;
        if is_news {
            *self = Self { opened: true, ..Self::default() };
        }
        self.down = false;
        is_news
    }

    /// The stream has lived: whatever comes next is news.
    fn lived(&mut self) {
        *self = Self::default();
    }

    fn is_loss_news(&mut self, sentence: &str) -> bool {
        let is_news = !self.lost.iter().any(|said| said == sentence);
        if is_news {
            self.lost.push(sentence.to_owned());
        }
        is_news
    }

    /// Says what is wrong.
    pub(super) fn lose(&mut self, sentence: &str) {
        if self.is_loss_news(sentence) {
            warn!("{sentence}");
        } else if !self.down {
            debug!("{sentence}");
        }
        self.down = true;
    }
}

/// How a stream ended.
pub(super) struct Ended {
    pub(super) end: End,
    /// Whether it was more than a brief one.
    pub(super) lived: bool,
}

/// Tells that a stream is open, says so by this sentence, and hands on what was read `first` and what is read until it
/// ends.
pub(super) async fn pump(
    feed: &Feed,
    file: &ByteFile,
    first: Option<Bytes>,
    said: &mut Said,
    sentence: &str,
) -> Result<Ended, Closed> {
    let is_news = said.is_opening_news();
    if is_news {
        info!("{sentence}");
    } else {
        debug!("{sentence}");
    }
    feed.opened().await?;
    if let Some(bytes) = first {
        feed.send(Event::Bytes(bytes)).await?;
    }
    let mut pump = pin!(feed::pump(feed, file));
    if let Ok(end) = timeout(BRIEF, &mut pump).await {
        return Ok(Ended { end: end?, lived: false });
    }
    if !is_news {
        info!("{sentence}");
    }
    said.lived();
    Ok(Ended { end: pump.await?, lived: true })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_and_goes_is_said_once_and_anew_after_it_has_lived() {
        let mut said = Said::default();
        assert!(said.is_loss_news("refused") && !said.is_loss_news("refused"));
        // The last that was said must be true: after an opening, each loss is news once.
        assert!(said.is_opening_news());
        assert!(said.is_loss_news("refused") && said.is_loss_news("reset"));
        for _ in 0..3 {
            assert!(!said.is_opening_news() && !said.is_loss_news("reset") && !said.is_loss_news("refused"));
        }
        said.lived();
        assert!(said.is_loss_news("reset") && said.is_opening_news() && said.is_loss_news("reset"));
    }
}
