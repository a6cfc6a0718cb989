//! The receiver behind gpsd: asks it for one device's time of day, and hands that on. A gpsd that is not there, or goes
//! away, or has not got the device, is waited for. What gpsd's lines mean is told in `timing`.

mod burst;
mod clock;
mod lines;
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

use super::feed::{Closed, Feed, READ_MAX};
use super::server::Server;
use crate::core::event::{Event, Lost, SourceChange};
use crate::core::printable::printable;
use crate::sys::clock::raw_now;
use clock::Arrival;
use lines::Lines;
use session::{Act, Said, Session};

/// How long gpsd is left alone before it is tried again, at first and at last. It is doubled in between.
const RETRY: [Duration; 2] = [Duration::from_millis(250), Duration::from_secs(2)];
/// A connection comes about within this, and a request goes out.
const PATIENCE: Duration = Duration::from_secs(2);
/// What is said of a host that sends nothing back.
const SILENT: &str = "it does not answer; has the service IPAddressAllow= for it?";
/// How often what is missing is asked for.
const TICK: Duration = Duration::from_secs(1);

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

impl GpsdConfig {
    /// What an operator may write.
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
    let feed = Feed::new(events);
    tokio::select! {
        () = feed.closed() => {}
        Err(Closed) = follow(&config, &feed) => {}
    }
}

async fn follow(config: &GpsdConfig, feed: &Feed) -> Result<Infallible, Closed> {
    let [first, last] = RETRY;
    let (mut retry, mut said, mut why) = (first, Said::default(), None);
    loop {
        let over = match connect(&config.server).await {
            Ok(stream) => converse(stream, config, &mut said, feed).await?,
            Err(error) => Over { why: format!("gpsd at {} cannot be reached: {error}", config.server), useful: false },
        };
        if over.useful {
            retry = first;
        }
        if over.useful || why.as_ref() != Some(&over.why) {
            warn!("{}; waiting for it", printable(&over.why));
            feed.lost(Lost::Gpsd).await?;
        }
        why = Some(over.why);
        sleep(retry).await;
        retry = (retry * 2).min(last);
    }
}

/// Tries each address of the server once.
async fn connect(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "it has no address");
    for address in lookup_host((server.host.as_str(), server.port)).await? {
        match timeout(PATIENCE, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => return Ok(stream),
            Ok(Err(error)) => last = error,
            Err(_) => last = io::Error::new(io::ErrorKind::TimedOut, SILENT),
        }
    }
    Err(last)
}

/// A conversation that is over.
struct Over {
    why: String,
    /// Whether a device was followed.
    useful: bool,
}

/// Whether gpsd can be on this machine. Through a tunnel it seems to be.
fn is_near(stream: &TcpStream) -> bool {
    match (stream.local_addr(), stream.peer_addr()) {
        (Ok(local), Ok(peer)) => peer.ip().is_loopback() || local.ip() == peer.ip(),
        _ => false,
    }
}

/// Talks to gpsd until it is gone, or is not worth talking to.
async fn converse(mut stream: TcpStream, config: &GpsdConfig, said: &mut Said, feed: &Feed) -> Result<Over, Closed> {
    let name = format!("gpsd at {}", config.server);
    let (near, mut useful) = (is_near(&stream), false);
    let mut session = Session::new(name.clone(), config.device.as_deref(), near, said, raw_now());
    let (mut lines, mut buffer, mut acts) = (Lines::default(), vec![0; READ_MAX], Vec::new());
    let mut tick = interval(TICK);
    tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            biased;
            read = stream.read(&mut buffer) => match read {
                Ok(length @ 1..) => {
                    let arrival = Arrival::now();
                    session.read(arrival);
                    let bytes = buffer.get(..length).unwrap_or_default();
                    lines.push(bytes, |line| session.line(&line, arrival, &mut acts));
                }
                Ok(0) => return Ok(Over { why: format!("{name} closed the connection"), useful }),
                Err(error) => return Ok(Over { why: format!("{name} is gone: {error}"), useful }),
            },
            _ = tick.tick() => session.tick(raw_now(), &mut acts),
        }
        for act in acts.drain(..) {
            match act {
                Act::Tell(event) => {
                    useful |= matches!(event, Event::Source { change: SourceChange::SentencesOpen, .. });
                    feed.send(event).await?;
                }
                Act::Say(sentence) => info!("{}", printable(&sentence)),
                Act::Warn(sentence) => warn!("{}", printable(&sentence)),
                Act::Ask(request) => match timeout(PATIENCE, stream.write_all(request.as_bytes())).await {
                    Ok(Ok(())) => {}
                    Ok(Err(error)) => return Ok(Over { why: format!("{name} is gone: {error}"), useful }),
                    Err(_) => return Ok(Over { why: format!("{name} does not read what it is asked"), useful }),
                },
                Act::End(why) => return Ok(Over { why, useful }),
            }
        }
    }
}
