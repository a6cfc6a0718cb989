//! One conversation with gpsd: what to ask, which device to follow, what to make of the answers. Pure: lines in, actions
//! out.

use std::collections::HashSet;

use super::GpsdConfig;
use super::protocol::{ASK_DEVICES, ASK_VERSION, Device, Message, watch};
use super::timing::{OutOfStep, Timing};
use crate::core::event::{Event, Lost, SourceChange};
use crate::core::time::{Instant, Raw, Span};

/// gpsd greets and lists its devices within this time.
const GREETS_WITHIN: Span = Span::from_millis(2_500);
/// After this silence gpsd is asked for its version, and has as long again to answer.
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
    /// Log this.
    Say(String),
    /// Log this as a warning.
    Warn(String),
    /// Close the connection, for this reason.
    End(String),
}

/// What the log says already, whatever the connection.
#[derive(Debug, Default)]
pub(super) struct Said {
    odd: HashSet<Odd>,
    missing: Option<String>,
}

/// What gpsd should not send. Each kind is logged once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Odd {
    Garbage,
    OtherDevice,
    OutOfStep,
}

impl Said {
    /// Whether something else was missing until now, or nothing.
    pub(super) fn is_news(&mut self, missing: &str) -> bool {
        self.missing.replace(missing.to_owned()).as_deref() != Some(missing)
    }
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Session<'a> {
    name: String,
    wanted: Option<&'a str>,
    said: &'a mut Said,
    /// What is to be done now, in this order.
    pub(super) acts: Vec<Act>,
    greeted: bool,
    followed: Option<Followed>,
    heard: Instant<Raw>,
    /// Since when its devices are unknown.
    unknown_since: Option<Instant<Raw>>,
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
    /// A conversation that begins at `now`.
    pub(super) fn new(config: &'a GpsdConfig, said: &'a mut Said, now: Instant<Raw>) -> Self {
        Self {
            name: format!("gpsd at {}", config.server),
            wanted: config.device.as_deref(),
            said,
            acts: Vec::new(),
            greeted: false,
            followed: None,
            heard: now,
            unknown_since: Some(now),
        }
    }

    /// A line that was read at this time.
    pub(super) fn line(&mut self, line: &[u8], at: Instant<Raw>) {
        self.heard = at;
        match line.starts_with(b"{").then(|| serde_json::from_slice(line)) {
            Some(Ok(Message::Version { .. })) if self.greeted => {}
            Some(Ok(Message::Version { release })) => {
                self.greeted = true;
                self.name += &release.map_or_else(String::new, |release| format!(" (release {release})"));
                self.acts.push(Act::Ask(ASK_DEVICES.into()));
            }
            _ if !self.greeted => self.acts.push(Act::End(format!("what answers as {} is not a gpsd", self.name))),
            Some(Ok(Message::Devices { devices: Some(devices) })) => self.devices(&devices, at),
            Some(Ok(Message::Device(device))) => self.device(&device, at),
            Some(Ok(Message::Toff(toff))) => self.hear(Some(&toff.device), at, |timing| timing.toff(&toff, at)),
            Some(Ok(Message::Tpv(tpv))) => self.hear(tpv.device.as_deref(), at, |timing| timing.tpv(&tpv, at)),
            Some(Ok(Message::Error { message })) => tracing::debug!("{}: {message}", self.name),
            Some(Ok(Message::Devices { devices: None } | Message::Other)) => {}
            Some(Err(error)) => self.odd(Odd::Garbage, &format!("a line that cannot be read ({error})")),
            None => match line.first() {
                Some(b'$') => self.hear(None, at, |timing| Ok(timing.sentence(line, at))),
                // AIS, and binary messages that gpsd renders in hexadecimal.
                Some(b'!' | b'#') => {}
                Some(_) | None => self.odd(Odd::Garbage, "a line that is neither JSON nor NMEA"),
            },
        }
    }

    /// Asks for what should be there and is not. To be called every second or so.
    pub(super) fn tick(&mut self, now: Instant<Raw>) {
        let silent = now - self.heard;
        let is_no_gpsd = self.unknown_since.is_some_and(|since| now - since > GREETS_WITHIN);
        match &self.followed {
            _ if silent > ANSWERS_WITHIN.times(2) || is_no_gpsd => {
                self.acts.push(Act::End(format!("{} does not answer", self.name)));
            }
            _ if !self.greeted => {}
            None => self.acts.push(Act::Ask(ASK_DEVICES.into())),
            Some(Followed { requested: Some(at), .. }) if now - *at > OPENS_WITHIN => self.lost(now),
            Some(_) if silent > ANSWERS_WITHIN => self.acts.push(Act::Ask(ASK_VERSION.into())),
            Some(_) => {}
        }
    }

    /// Chooses the device, or looks for the one that is followed.
    fn devices(&mut self, devices: &[Device], at: Instant<Raw>) {
        self.unknown_since = None;
        if let Some(followed) = &self.followed {
            return match devices.iter().find(|device| device.path == followed.path) {
                Some(device) if device.is_open() => self.device(device, at),
                Some(_) => {} // requested just now
                None => self.lost(at),
            };
        }
        let fits = |device: &&Device| self.wanted.map_or(device.is_receiver(), |wanted| device.path == wanted);
        let fitting: Vec<_> = devices.iter().filter(fits).collect();
        if let [device] = fitting.as_slice() {
            let (path, timing) = (device.path.clone(), Timing::new(at));
            self.acts.push(Act::Ask(watch(&path)));
            self.followed = Some(Followed { path, requested: Some(at), timing });
            return;
        }
        let paths: Vec<_> = devices.iter().map(|device| device.path.as_str()).collect();
        let (name, has) = (&self.name, if paths.is_empty() { "no device".to_owned() } else { paths.join(", ") });
        if fitting.is_empty() {
            let (wanted, add) = self.wanted.map_or(("a receiver", "DEVICE"), |wanted| (wanted, wanted));
            let sentence = format!("{name} does not have {wanted} (it has {has}): add it, as with `gpsdctl add {add}`");
            self.missing(Lost::GpsdDevice, &sentence, at);
        } else {
            self.missing(Lost::GpsdDevices, &format!("{name} has several devices: {has}; name one of them"), at);
        }
    }

    /// gpsd opened a device, or lost it.
    fn device(&mut self, device: &Device, at: Instant<Raw>) {
        let Some(followed) = self.followed.as_mut().filter(|followed| followed.path == device.path) else { return };
        if !device.is_open() {
            return self.lost(at);
        }
        if let Some(bps) = device.bps.filter(|bps| *bps > 0) {
            followed.timing.burst.bps(bps);
        }
        self.present(at);
    }

    /// Something is said of a device; without a name, of the one that is followed.
    fn hear(
        &mut self,
        device: Option<&str>,
        at: Instant<Raw>,
        hear: impl FnOnce(&mut Timing) -> Result<Option<Event>, OutOfStep>,
    ) {
        let Some(followed) = &mut self.followed else { return };
        if let Some(device) = device.filter(|device| *device != followed.path) {
            let what = format!("a report of {device}, though only {} was requested", followed.path);
            return self.odd(Odd::OtherDevice, &what);
        }
        let heard = hear(&mut followed.timing);
        self.present(at);
        match heard {
            Ok(event) => self.acts.extend(event.map(Act::Tell)),
            Err(out_of_step) => self.odd(Odd::OutOfStep, &out_of_step.to_string()),
        }
    }

    /// The followed device was heard of.
    fn present(&mut self, at: Instant<Raw>) {
        if let Some(followed) = &mut self.followed
            && followed.requested.take().is_some()
        {
            self.said.missing = None;
            self.acts.push(Act::Say(format!("following {} through {}", followed.path, self.name)));
            self.acts.push(Act::Tell(Event::Source { raw: at, change: SourceChange::SentencesOpen }));
        }
    }

    /// The followed device is not there.
    fn lost(&mut self, at: Instant<Raw>) {
        if let Some(Followed { path, .. }) = self.followed.take() {
            self.missing(Lost::GpsdDevice, &format!("{} cannot open {path}", self.name), at);
        }
    }

    fn missing(&mut self, lost: Lost, sentence: &str, at: Instant<Raw>) {
        if self.said.is_news(sentence) {
            self.acts.push(Act::Warn(format!("{sentence}; waiting for it")));
            self.acts.push(Act::Tell(Event::Source { raw: at, change: SourceChange::SentencesLost(lost) }));
        }
    }

    fn odd(&mut self, odd: Odd, what: &str) {
        if self.said.odd.insert(odd) {
            self.acts.push(Act::Say(format!("{} sent {what}: ignored, and not logged again", self.name)));
        }
    }
}

#[cfg(test)]
mod tests;
