//! The receiver's bytes from a TCP connection, a FIFO or standard input.

use std::path::PathBuf;

use tokio::sync::mpsc::Sender;

use super::error::SourceError;
use super::server::Server;
use crate::event::Event;

/// Where the bytes come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StreamConfig {
    /// A server that sends NMEA.
    Tcp(Server),
    /// A FIFO, or a character device that is no tty, such as `/dev/gnss0`.
    Fifo(PathBuf),
    /// Standard input.
    Stdin,
}

/// Looks once whether the stream can ever be opened; it is opened by [`run`].
pub fn check(config: &StreamConfig) -> Result<(), SourceError> {
    let _ = config;
    Ok(())
}

/// Follows the stream until the events have nowhere to go.
pub async fn run(config: StreamConfig, events: Sender<Event>) {
    let _ = (config, events);
    std::future::pending::<()>().await;
}
