//! One conversation with gpsd: what to ask, which device to follow, what to make of the answers. Pure: lines in, actions
//! out.

use tracing::debug;

use super::protocol::{ASK_DEVICES, Device, Message, watch};
use super::timing::Timing;
use crate::core::event::{Event, Lost};
use crate::core::time::{Instant, Raw, Span};

/// gpsd lists its devices within this time; asked once more, within as long again.
const ANSWERS_WITHIN: Span = Span::from_secs(5);
/// A requested device is open within this time, or it is not there.
const OPENS_WITHIN: Span = Span::from_millis(1_500);

/// What the connection's owner has to do.
#[derive(Debug)]
pub(super) enum Act {
    /// Send this to gpsd.
    Ask(String),
    /// Pass this to the engine.
    Tell(Event),
    /// This device is followed from now on.
    Opened(String),
    /// The device is not there, and what gpsd says of it; if gpsd itself is not, close the connection.
    Lost(Lost, String),
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Session<'a> {
    wanted: Option<&'a str>,
    /// What is to be done now, in this order.
    pub(super) acts: Vec<Act>,
    followed: Option<Followed>,
    /// When gpsd last sent a line, or, while no device is followed, its list of devices.
    heard: Instant<Raw>,
}

/// The device that is followed.
#[derive(Debug)]
struct Followed {
    path: String,
    /// When it was requested, until it is heard of.
    requested: Option<Instant<Raw>>,
    timing: Timing,
}

impl<'a> Session<'a> {
    /// A conversation about this device that begins at `now`.
    pub(super) fn new(wanted: Option<&'a str>, now: Instant<Raw>) -> Self {
        Self { wanted, acts: Vec::new(), followed: None, heard: now }
    }

    /// A line that was read at this time.
    pub(super) fn line(&mut self, line: &[u8], at: Instant<Raw>) {
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

    /// Asks for what should be there and is not. To be called every second or so.
    pub(super) fn tick(&mut self, now: Instant<Raw>) {
        let silent = now - self.heard;
        let patience = ANSWERS_WITHIN.times(if self.followed.is_some() { 2 } else { 1 });
        match &self.followed {
            _ if silent > patience => self.acts.push(Act::Lost(Lost::Gpsd, "does not answer as gpsd does".into())),
            Some(Followed { requested: Some(at), .. }) if now - *at > OPENS_WITHIN => self.lost(),
            Some(_) if silent <= ANSWERS_WITHIN => {}
            _ => self.acts.push(Act::Ask(ASK_DEVICES.into())),
        }
    }

    /// Chooses the device, or looks for the one that is followed.
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
                let ask = Act::Ask(watch(&path));
                self.followed = Some(Followed { path, requested: Some(at), timing: Timing::new(at) });
                ask
            }
            [] => {
                let wanted = self.wanted.unwrap_or("a receiver");
                let why = format!("does not have {wanted} but [{has}]: add it, as with `gpsdctl add /dev/ttyS0`");
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

    /// Something is said of a device; without a name, of the one that is followed.
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

    /// The followed device is not there.
    fn lost(&mut self) {
        let path = self.followed.take().map(|followed| followed.path).unwrap_or_default();
        self.acts.push(Act::Lost(Lost::GpsdDevice, format!("cannot open {path}")));
    }
}

#[cfg(test)]
mod tests;
