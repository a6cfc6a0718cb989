//! The receiver's bytes from a TCP connection, a FIFO or standard input. Nothing paces them: a sentence is dated when
//! it is read. What ends is waited for, except standard input, whose end is final.

mod brief;
mod fifo;
mod stdin;
mod tcp;

use std::path::PathBuf;

use tokio::sync::mpsc::Sender;

use super::error::SourceError;
use super::feed::{Closed, Feed};
use super::server::Server;
use crate::core::event::Event;

/// Where the bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamConfig {
    /// A server that sends NMEA.
    Tcp(Server),
    /// A FIFO.
    Fifo(PathBuf),
    /// Standard input.
    Stdin,
}

/// Looks once whether the stream can ever be opened; it is opened by [`run`].
pub fn check(config: &StreamConfig) -> Result<(), SourceError> {
    match config {
        StreamConfig::Tcp(_) => Ok(()),
        StreamConfig::Fifo(path) => fifo::check(path),
        StreamConfig::Stdin => stdin::check(),
    }
}

/// Follows the stream until the events have nowhere to go.
pub async fn run(config: StreamConfig, events: Sender<Event>) {
    let feed = Feed::new(events);
    // Each ends when the engine is gone, and only then.
    let Err(Closed) = tokio::select! {
        ended = async {
            match config {
                StreamConfig::Tcp(server) => tcp::follow(&server, &feed).await,
                StreamConfig::Fifo(path) => fifo::follow(&path, &feed).await,
                StreamConfig::Stdin => stdin::follow(&feed).await,
            }
        } => ended,
        () = feed.closed() => Err(Closed),
    };
}
