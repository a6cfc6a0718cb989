//! The receiver behind gpsd: requests the reports of one device and passes its time on. A gpsd that is not there, ends,
//! or does not have the device is waited for.

mod protocol;
mod session;
mod timing;

use std::convert::Infallible;
use std::io;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, lookup_host};
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};
use tracing::{info, warn};

use super::feed::{Closed, READ_MAX, RETRY, change};
use super::server::Server;
use crate::core::event::{Event, Lost, SourceChange};
use crate::sys::clock::raw_now;
use protocol::{ASK_DEVICES, Device, Lines, Message};
use session::{Act, Said, Session};

/// Time limit of a connection attempt, and of sending a request.
const PATIENCE: Duration = Duration::from_secs(2);
/// How often to ask for what is missing.
const TICK: Duration = Duration::from_secs(1);

/// Which gpsd, and which of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GpsdConfig {
    /// Where gpsd listens.
    pub server: Server,
    /// The device, as gpsd names it. Without it, gpsd must have exactly one receiver.
    pub device: Option<String>,
}

impl Default for GpsdConfig {
    fn default() -> Self {
        Self { server: Server { host: "localhost".into(), port: 2947 }, device: None }
    }
}

impl GpsdConfig {
    /// What is allowed, for messages.
    pub const ALLOWED: &'static str =
        "a host and port, as in \"localhost:2947\", and a device, if need be: \"localhost:2947:/dev/ttyS0\"";
}

impl FromStr for GpsdConfig {
    type Err = String;
    /// `HOST:PORT` or `HOST:PORT:DEVICE`; a device begins with a slash.
    fn from_str(text: &str) -> Result<Self, String> {
        let (server, device) = match text.split_once(":/") {
            Some((server, device)) => (server, Some(format!("/{device}"))),
            None => (text, None),
        };
        let wrong = |_| format!("`{text}` is not a host and port: allowed is {}", Self::ALLOWED);
        Ok(Self { server: server.parse().map_err(wrong)?, device })
    }
}

/// Follows gpsd until the events have nowhere to go.
pub async fn run(config: GpsdConfig, events: Sender<Event>) {
    let Err(Closed) = follow(&config, &events).await;
}

/// The receivers of this gpsd, as it names them; `None` where no gpsd answers. Once it is connected, this may take
/// seconds: gpsd opens its devices for its first client, and answers after that.
pub(crate) async fn receivers(server: &Server) -> Option<Vec<String>> {
    let mut stream = connect(server).await.ok()?;
    stream.write_all(ASK_DEVICES.as_bytes()).await.ok()?;
    let (mut lines, mut buffer, mut listed) = (Lines::default(), vec![0; READ_MAX], None);
    while listed.is_none() {
        let length = stream.read(&mut buffer).await.ok().filter(|length| *length > 0)?;
        lines.push(buffer.get(..length)?, |line| {
            if let Ok(Message::Devices { devices: Some(devices) }) = serde_json::from_slice(line) {
                let receivers = devices.into_iter().filter(Device::is_receiver);
                listed = Some(receivers.map(|device| device.path).collect());
            }
        });
    }
    listed
}

async fn follow(config: &GpsdConfig, feed: &Sender<Event>) -> Result<Infallible, Closed> {
    let mut said = Said::default();
    loop {
        let why = match connect(&config.server).await {
            Ok(stream) => converse(stream, config, &mut said, feed).await?,
            Err(error) => format!("gpsd at {} cannot be reached: {error}", config.server),
        };
        if said.is_news(&why) {
            warn!("{why}; waiting for it");
            feed.send(change(SourceChange::SentencesLost(Lost::Gpsd))).await?;
        }
        sleep(RETRY).await;
    }
}

/// Tries each address of the server once.
async fn connect(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in lookup_host((server.host.as_str(), server.port)).await? {
        last = match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => error,
            Err(_) => io::Error::other("it does not answer; has the service IPAddressAllow= for it?"),
        };
    }
    Err(last)
}

/// Talks to gpsd until the connection ends; why it did.
async fn converse(
    mut stream: TcpStream,
    config: &GpsdConfig,
    said: &mut Said,
    feed: &Sender<Event>,
) -> Result<String, Closed> {
    let name = format!("gpsd at {}", config.server);
    let mut session = Session::new(config, said, raw_now());
    let (mut lines, mut buffer) = (Lines::default(), vec![0; READ_MAX]);
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            read = stream.read(&mut buffer) => match read {
                Ok(length @ 1..) => {
                    let read_at = raw_now();
                    lines.push(buffer.get(..length).unwrap_or_default(), |line| session.line(line, read_at));
                }
                Ok(0) => return Ok(format!("{name} closed the connection")),
                Err(error) => return Ok(format!("{name} is gone: {error}")),
            },
            _ = tick.tick() => session.tick(raw_now()),
        }
        for act in std::mem::take(&mut session.acts) {
            match act {
                Act::Tell(event) => feed.send(event).await?,
                Act::Say(sentence) => info!("{sentence}"),
                Act::Warn(sentence) => warn!("{sentence}"),
                Act::Ask(request) => match timeout(PATIENCE, stream.write_all(request.as_bytes())).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Ok(format!("{name} is gone: {error}")),
                    Err(_) => return Ok(format!("{name} does not read requests")),
                },
                Act::End(why) => return Ok(why),
            }
        }
    }
}
