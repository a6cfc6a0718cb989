//! The receiver behind gpsd: requests the reports of one device and passes its time on. A gpsd that is not there, ends,
//! or does not have the device is waited for.

mod protocol;
mod session;
mod timing;

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::feed::{Closed, Presence, READ_MAX, RETRY};
use super::receiver::Server;
use super::stream;
use crate::core::event::{Event, Lost};
use crate::sys::clock::raw_now;
use protocol::{ASK_DEVICES, Device, Lines, Message};
use session::{Act, Session};

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
    let mut lines = BufReader::new(stream.take(1 << 20)).lines(); // a list of devices is much shorter
    while let Some(line) = lines.next_line().await.ok()? {
        if let Ok(Message::Devices { devices: Some(devices) }) = serde_json::from_str(&line) {
            return Some(devices.into_iter().filter(Device::is_receiver).map(|device| device.path).collect());
        }
    }
    None
}

async fn connect(server: &Server) -> Result<TcpStream, String> {
    TcpStream::from_std(stream::connect(server).await?).map_err(|error| format!("is lost: {error}"))
}

async fn follow(config: &GpsdConfig, events: &Sender<Event>) -> Result<Infallible, Closed> {
    let mut presence = Presence::new(events);
    loop {
        let why = match connect(&config.server).await {
            Ok(stream) => converse(stream, config, events, &mut presence).await?,
            Err(why) => why,
        };
        presence.lost(Lost::Gpsd, format!("gpsd at {} {why}; it is tried again", config.server)).await?;
        sleep(RETRY).await;
    }
}

/// Talks to gpsd until the connection ends; why it did.
async fn converse(
    mut stream: TcpStream,
    config: &GpsdConfig,
    events: &Sender<Event>,
    presence: &mut Presence<'_>,
) -> Result<String, Closed> {
    let GpsdConfig { server, device } = config;
    let mut session = Session::new(device.as_deref(), raw_now());
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
                ended => return Ok(ended.err().map_or("closed the connection".into(), |error| format!("is lost: {error}"))),
            },
            _ = tick.tick() => session.tick(raw_now()),
        }
        for act in std::mem::take(&mut session.acts) {
            match act {
                Act::Ask(request) => {
                    if let Err(error) = stream.write_all(request.as_bytes()).await {
                        return Ok(format!("is lost: {error}"));
                    }
                }
                Act::Tell(event) => events.send(event).await?,
                Act::Opened(path) => presence.opened(format!("following {path} through gpsd at {server}")).await?,
                Act::Lost(Lost::Gpsd, why) => return Ok(why),
                Act::Lost(lost, why) => presence.lost(lost, format!("gpsd at {server} {why}; waiting for it")).await?,
            }
        }
    }
}
