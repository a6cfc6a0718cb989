//! The receiver behind gpsd: requests the reports of one device and passes its time on. If gpsd is missing, ends, or
//! does not have the device, it retries.

mod protocol;
mod timing;

use std::str::FromStr;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::mpsc::Sender;
use tokio::time::{MissedTickBehavior, interval};
use tracing::debug;

use super::feed::{Closed, Presence, READ_MAX, RETRY};
use super::stream;
use super::stream::Server;
use crate::core::event::{Event, Lost};
use crate::core::time::{Instant, Raw, Span};
use crate::sys::clock::raw_now;
use protocol::{ASK_DEVICES, Device, Lines, Message, watch};
use timing::Timing;

/// How often to ask for what is missing.
const TICK: Duration = Duration::from_secs(1);
/// gpsd lists its devices within this time; asked once more, within as long again.
const ANSWERS_WITHIN: Span = Span::from_secs(5);
/// Time limit for gpsd to open a requested device.
const OPENS_WITHIN: Span = Span::from_millis(1_500);

/// Which gpsd, and which of its devices.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct GpsdConfig {
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

impl FromStr for GpsdConfig {
    type Err = String;
    /// `HOST:PORT` or `HOST:PORT:DEVICE`; a device begins with a slash.
    fn from_str(text: &str) -> Result<Self, String> {
        let (server, device) = match text.split_once(":/") {
            Some((server, device)) => (server, Some(format!("/{device}"))),
            None => (text, None),
        };
        let wrong = |_| {
            format!(
                "`{text}` is invalid: it must be a host and port, such as \"localhost:2947\", and optionally a device: \"localhost:2947:/dev/ttyS0\""
            )
        };
        Ok(Self { server: server.parse().map_err(wrong)?, device })
    }
}

/// Follows gpsd until the event channel is closed.
pub(crate) async fn run(config: GpsdConfig, events: Sender<Event>) {
    let mut presence = Presence::new(&events);
    while follow(&config, &mut presence).await.is_ok() {}
}

/// The receivers of this gpsd, as it names them; `None` if no gpsd answers. Once it is connected, this may take
/// seconds: gpsd opens its devices for its first client, and answers after that.
pub(crate) async fn receivers(server: &Server) -> Option<Vec<String>> {
    let mut stream = stream::connect(server).await.ok()?;
    stream.write_all(ASK_DEVICES.as_bytes()).await.ok()?;
    let mut lines = BufReader::new(stream.take(1 << 20)).lines(); // a list of devices is much shorter
    while let Some(line) = lines.next_line().await.ok()? {
        if let Ok(Message::Devices { devices: Some(devices) }) = serde_json::from_str(&line) {
            return Some(devices.into_iter().filter(Device::is_receiver).map(|device| device.path).collect());
        }
    }
    None
}

/// Connects to gpsd, and talks to it until the connection ends.
async fn follow(config: &GpsdConfig, presence: &mut Presence<'_>) -> Result<(), Closed> {
    let why = match stream::connect(&config.server).await {
        Ok(stream) => converse(stream, config, presence).await?,
        Err(why) => why,
    };
    presence.gone(Lost::Gpsd, format!("gpsd at {} {why}; retrying", config.server), RETRY).await
}

/// Talks to gpsd until the connection ends; returns why.
async fn converse(
    mut stream: TcpStream,
    GpsdConfig { server, device }: &GpsdConfig,
    presence: &mut Presence<'_>,
) -> Result<String, Closed> {
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
                Act::Tell(event) => presence.events.send(event).await?,
                Act::Opened(path) => presence.opened(format!("following {path} through gpsd at {server}")).await?,
                Act::Lost(Lost::Gpsd, why) => return Ok(why),
                Act::Lost(lost, why) => presence.lost(lost, format!("gpsd at {server} {why}; waiting for it")).await?,
            }
        }
    }
}

/// An action for the connection's owner.
#[derive(Debug)]
enum Act {
    /// Send this to gpsd.
    Ask(String),
    /// Pass this to the engine.
    Tell(Event),
    /// This device is followed from now on.
    Opened(String),
    /// The device is missing, and why; if gpsd itself is, close the connection.
    Lost(Lost, String),
}

/// One conversation with gpsd: its requests, the device to follow, and the handling of answers. Pure: lines in, actions
/// out.
struct Session<'a> {
    wanted: Option<&'a str>,
    /// The actions to take now, in this order.
    acts: Vec<Act>,
    followed: Option<Followed>,
    /// When gpsd last sent a line, or, while no device is followed, its list of devices.
    heard: Instant<Raw>,
}

/// The device that is followed.
struct Followed {
    path: String,
    /// When it was requested, until gpsd reports it.
    requested: Option<Instant<Raw>>,
    timing: Timing,
}

impl<'a> Session<'a> {
    /// A conversation about this device that begins at `now`.
    fn new(wanted: Option<&'a str>, now: Instant<Raw>) -> Self {
        Self { wanted, acts: Vec::new(), followed: None, heard: now }
    }

    /// Handles a line that was read at this time.
    fn line(&mut self, line: &[u8], at: Instant<Raw>) {
        if self.followed.is_some() {
            self.heard = at;
        }
        match serde_json::from_slice(line) {
            Ok(Message::Devices { devices: Some(devices) }) => self.devices(&devices, at),
            Ok(Message::Device(device)) => self.device(&device),
            Ok(Message::Toff(toff)) => self.hear(Some(&toff.device), |timing| {
                timing.toff(&toff, at);
                None
            }),
            Ok(Message::Tpv(tpv)) => self.hear(tpv.device.as_deref(), |timing| timing.tpv(&tpv, at)),
            Ok(Message::Devices { devices: None } | Message::Other) => {}
            Err(_) if line.starts_with(b"$") => self.hear(None, |timing| timing.sentence(line, at)),
            Err(error) => debug!("gpsd sent a line that is neither JSON nor NMEA: {error}"),
        }
    }

    /// Requests what is missing. Call this about once per second.
    fn tick(&mut self, now: Instant<Raw>) {
        let silent = now - self.heard;
        let patience = ANSWERS_WITHIN.times(if self.followed.is_some() { 2 } else { 1 });
        match &self.followed {
            _ if silent > patience => self.acts.push(Act::Lost(Lost::Gpsd, "does not answer like gpsd".into())),
            Some(Followed { requested: Some(at), .. }) if now - *at > OPENS_WITHIN => self.lost(),
            Some(_) if silent <= ANSWERS_WITHIN => {}
            _ => self.acts.push(Act::Ask(ASK_DEVICES.into())),
        }
    }

    /// Chooses the device, or checks for the one that is followed.
    fn devices(&mut self, devices: &[Device], at: Instant<Raw>) {
        self.heard = at;
        if let Some(followed) = &self.followed {
            return match devices.iter().find(|device| device.path == followed.path) {
                Some(device) if device.is_open() => self.device(device),
                Some(_) => {} // requested just now
                None => self.lost(),
            };
        }
        let fits = |device: &&Device| self.wanted.map_or(device.is_receiver(), |wanted| device.path == wanted);
        let fitting: Vec<_> = devices.iter().filter(fits).collect();
        let has = devices.iter().map(|device| device.path.as_str()).collect::<Vec<_>>().join(", ");
        self.acts.push(match fitting.as_slice() {
            [device] => {
                let path = device.path.clone();
                self.followed = Some(Followed { path, requested: Some(at), timing: Timing::new(at) });
                Act::Ask(watch(&device.path))
            }
            [] => {
                let wanted = self.wanted.unwrap_or("a receiver");
                let why = format!("does not have {wanted}, only [{has}]: add it, as with `gpsdctl add /dev/ttyS0`");
                Act::Lost(Lost::GpsdDevice, why)
            }
            _ => Act::Lost(Lost::GpsdDevices, format!("has several devices: {has}; name one of them")),
        });
    }

    /// gpsd opened a device, or lost it.
    fn device(&mut self, device: &Device) {
        let is_followed = self.followed.as_ref().is_some_and(|followed| followed.path == device.path);
        if is_followed && !device.is_open() {
            self.lost();
        } else {
            self.hear(Some(&device.path), |timing| {
                timing.burst.bps(device.bps);
                None
            });
        }
    }

    /// A report about a device; without a name, about the followed one.
    fn hear(&mut self, device: Option<&str>, hear: impl FnOnce(&mut Timing) -> Option<Event>) {
        let Some(followed) = &mut self.followed else { return };
        if let Some(other) = device.filter(|device| *device != followed.path) {
            return debug!("gpsd sent a report of {other}, though only {} was requested", followed.path);
        }
        let heard = hear(&mut followed.timing);
        if followed.requested.take().is_some() {
            self.acts.push(Act::Opened(followed.path.clone()));
        }
        self.acts.extend(heard.map(Act::Tell));
    }

    /// The followed device is missing.
    fn lost(&mut self) {
        let path = self.followed.take().map(|followed| followed.path).unwrap_or_default();
        self.acts.push(Act::Lost(Lost::GpsdDevice, format!("cannot open {path}")));
    }
}

#[cfg(test)]
mod tests;
