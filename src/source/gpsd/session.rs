//! One conversation with gpsd: what is asked, what becomes of the answers. Pure: lines in, actions out. Which device is
//! followed is decided in `device`.

mod device;

use std::collections::HashSet;

use crate::core::event::Event;
use crate::core::time::{Instant, Raw, Span};

use super::clock::Arrival;
use super::lines::Line;
use super::protocol::{self, ASK_DEVICES, ASK_VERSION, Message, Toff, Version};
use super::timing::{Naming, Timing};

/// gpsd greets, and says which devices it has, within this.
const GREETS_WITHIN: Span = Span::from_millis(2_500);
/// Nothing is wrong while gpsd says something so often. It is asked then, and given as long to answer.
const ANSWERS_WITHIN: Span = Span::from_secs(5);
/// A device that was asked for is open within this, or it is not there.
const OPENS_WITHIN: Span = Span::from_millis(1_500);

/// What is to be done.
#[derive(Debug)]
pub(super) enum Act {
    /// This is to be said to gpsd.
    Ask(String),
    /// This is for the engine.
    Tell(Event),
    /// The operator should know.
    Say(String),
    /// The operator should do something about it.
    Warn(String),
    /// The conversation is over: it is not worth going on, for this reason.
    End(String),
}

/// What has been said in the log and need not be said again, whatever the connection.
#[derive(Debug, Default)]
pub(super) struct Said(HashSet<Trouble>);

/// What gpsd may do wrong. Each is said once.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Trouble {
    Garbage,
    TooLong,
    OtherDevice,
    OutOfStep,
}

impl Said {
    fn first(&mut self, trouble: Trouble) -> bool {
        self.0.insert(trouble)
    }
}

/// A conversation.
#[derive(Debug)]
pub(super) struct Session<'a> {
    name: String,
    wanted: Option<&'a str>,
    near: bool,
    said: &'a mut Said,
    greeted: bool,
    followed: Option<Followed>,
    /// What was said of the devices last: it is said again only if it changes.
    verdict: Option<String>,
    heard: Instant<Raw>,
    /// Since when nothing is known of its devices.
    unknown_since: Option<Instant<Raw>>,
}

/// The device that is followed.
#[derive(Debug)]
struct Followed {
    path: String,
    asked: Instant<Raw>,
    present: bool,
    timing: Timing,
}

impl<'a> Session<'a> {
    /// A conversation that begins at `now` with the gpsd of that name. `near`: it can be on this machine.
    pub(super) fn new(
        name: String,
        wanted: Option<&'a str>,
        near: bool,
        said: &'a mut Said,
        now: Instant<Raw>,
    ) -> Self {
        Self {
            name,
            wanted,
            near,
            said,
            greeted: false,
            followed: None,
            verdict: None,
            heard: now,
            unknown_since: Some(now),
        }
    }

    /// Bytes were read; their lines follow.
    pub(super) fn read(&mut self, arrival: Arrival) {
        self.heard = arrival.raw;
        if let Some(followed) = &mut self.followed {
            followed.timing.read(arrival);
        }
    }

    /// A line of the last read.
    pub(super) fn line(&mut self, line: &Line<'_>, arrival: Arrival, acts: &mut Vec<Act>) {
        let line = match line {
            Line::TooLong => {
                self.trouble(Trouble::TooLong, "a line longer than gpsd's are", acts);
                return self.must_have_greeted(acts);
            }
            Line::Whole(line) => *line,
        };
        let at = arrival.raw;
        if !line.starts_with(b"{") {
            return self.other(line, at, acts);
        }
        match protocol::parse(line) {
            Ok(Message::Version(version)) => self.version(&version, acts),
            Ok(_) if !self.greeted => self.must_have_greeted(acts),
            Ok(Message::Devices(devices)) => self.devices(&devices, arrival, acts),
            Ok(Message::Device(device)) => self.device(&device, at, acts),
            Ok(Message::Tpv(tpv)) => self.tpv(&tpv, at, acts),
            Ok(Message::Sky(sky)) => self.sky(&sky, at, acts),
            Ok(Message::Toff(toff)) => self.toff(&toff, at, acts),
            Ok(Message::Error(message)) => tracing::debug!("{}: {message}", self.name),
            Ok(Message::Other) => {}
            Err(error) => {
                self.trouble(Trouble::Garbage, &format!("a line that cannot be read ({error})"), acts);
                self.must_have_greeted(acts);
            }
        }
    }

    /// Time passes: asks for what should be there and is not. To be called every second or so.
    pub(super) fn tick(&mut self, now: Instant<Raw>, acts: &mut Vec<Act>) {
        let silent = now - self.heard;
        let is_no_gpsd = self.unknown_since.is_some_and(|since| now - since > GREETS_WITHIN);
        match &mut self.followed {
            _ if silent > ANSWERS_WITHIN.times(2) || is_no_gpsd => {
                acts.push(Act::End(format!("{} does not answer", self.name)));
            }
            _ if !self.greeted => {}
            None => acts.push(Act::Ask(ASK_DEVICES.into())),
            Some(followed) if !followed.present && now - followed.asked > OPENS_WITHIN => {
                let path = followed.path.clone();
                self.lost(&path, now, acts);
            }
            Some(_) if silent > ANSWERS_WITHIN => acts.push(Act::Ask(ASK_VERSION.into())),
            Some(_) => {}
        }
    }

    fn must_have_greeted(&self, acts: &mut Vec<Act>) {
        if !self.greeted {
            acts.push(Act::End(format!("what answers as {} is not a gpsd", self.name)));
        }
    }

    fn trouble(&mut self, trouble: Trouble, what: &str, acts: &mut Vec<Act>) {
        if self.said.first(trouble) {
            acts.push(Act::Say(format!("{} sent {what}: passed over, and not said again", self.name)));
        }
    }

    fn version(&mut self, version: &Version, acts: &mut Vec<Act>) {
        if !self.greeted {
            self.greeted = true;
            if let Some(release) = &version.release {
                self.name = format!("{} (release {release})", self.name);
            }
            acts.push(Act::Ask(ASK_DEVICES.into()));
        }
    }

    /// The device that is followed, if this line is about it.
    fn about(&mut self, device: Option<&str>, at: Instant<Raw>, acts: &mut Vec<Act>) -> Option<&mut Timing> {
        let path = &self.followed.as_ref()?.path;
        if let Some(device) = device.filter(|device| device != path) {
            let what = format!("word of {device}, though only {path} was asked for");
            self.trouble(Trouble::OtherDevice, &what, acts);
            return None;
        }
        self.is_present(at, acts);
        self.followed.as_mut().map(|followed| &mut followed.timing)
    }

    fn toff(&mut self, toff: &Toff, at: Instant<Raw>, acts: &mut Vec<Act>) {
        if let Some(timing) = self.about(Some(&toff.device), at, acts) {
            let naming = timing.toff(toff, at);
            self.named(naming, acts);
        }
    }

    fn tpv(&mut self, tpv: &gpsd_proto::Tpv, at: Instant<Raw>, acts: &mut Vec<Act>) {
        if let Some(timing) = self.about(tpv.device.as_deref(), at, acts) {
            let (event, naming) = timing.tpv(tpv, at);
            acts.extend(event.map(Act::Tell));
            self.named(naming, acts);
        }
    }

    fn named(&mut self, naming: Naming, acts: &mut Vec<Act>) {
        match naming {
            Naming::Taken => {}
            Naming::OutOfStep(utc, due) => {
                self.trouble(Trouble::OutOfStep, &format!("second {utc} where {due} was due"), acts);
            }
        }
    }

    fn sky(&mut self, sky: &gpsd_proto::Sky, at: Instant<Raw>, acts: &mut Vec<Act>) {
        if self.about(sky.device.as_deref(), at, acts).is_some()
            && let Some(satellites) = &sky.satellites
        {
            let used = satellites.iter().filter(|satellite| satellite.used).count();
            tracing::debug!(seen = satellites.len(), used, "satellites");
        }
    }

    /// A line that is no JSON: a sentence of the receiver, which gpsd passes on as it came.
    fn other(&mut self, line: &[u8], at: Instant<Raw>, acts: &mut Vec<Act>) {
        // `$`: NMEA; `!`: ships' positions; `#`: gpsd's rendering of what it cannot pass on.
        let is_passed_on = matches!(line.first(), Some(b'$' | b'!' | b'#'));
        match &mut self.followed {
            _ if !self.greeted => self.must_have_greeted(acts),
            Some(followed) if line.starts_with(b"$") => {
                let event = followed.timing.sentence(line, at);
                self.is_present(at, acts);
                acts.extend(event.map(Act::Tell));
            }
            Some(_) | None if is_passed_on => {}
            Some(_) | None => self.trouble(Trouble::Garbage, "a line that is neither JSON nor NMEA", acts),
        }
    }
}

#[cfg(test)]
mod tests;
