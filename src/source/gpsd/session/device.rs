//! Which of gpsd's devices is followed, and whether it is there.

use super::{Act, Followed, Session};
use crate::core::event::{Event, Lost, SourceChange};
use crate::core::time::{Instant, Raw};
use crate::source::gpsd::clock::Arrival;
use crate::source::gpsd::protocol::{self, Device};
use crate::source::gpsd::timing::Timing;

impl Session<'_> {
    /// gpsd says which devices it has.
    pub(super) fn devices(&mut self, devices: &[Device], arrival: Arrival, acts: &mut Vec<Act>) {
        let at = arrival.raw;
        self.unknown_since = None;
        if let Some(followed) = &self.followed {
            let path = followed.path.clone();
            match devices.iter().find(|device| device.path == path) {
                Some(device) if device.is_open() => self.opened(device, at, acts),
                // It was asked for just now, or it is waited for.
                Some(_) => {}
                None => self.lost(&path, at, acts),
            }
            return;
        }
        let fits = |device: &&Device| self.wanted.map_or(device.is_receiver(), |wanted| device.path == wanted);
        let fitting: Vec<_> = devices.iter().filter(fits).collect();
        match fitting.as_slice() {
            [] => {
                let sentence = format!("{} {}", self.name, missing(self.wanted, devices));
                self.no_device(SourceChange::SentencesLost(Lost::GpsdDevice), sentence, at, acts);
            }
            [device] => {
                let mut timing = Timing::new(self.near, at);
                timing.read(arrival);
                acts.push(Act::Ask(protocol::watch(&device.path)));
                self.followed = Some(Followed { path: device.path.clone(), asked: at, present: false, timing });
            }
            several => {
                let sentence = format!("{} has several devices: {}", self.name, list(several.iter().copied()));
                self.no_device(SourceChange::SentencesLost(Lost::GpsdDevices), sentence, at, acts);
            }
        }
    }

    /// gpsd says how one of its devices is.
    pub(super) fn device(&mut self, device: &Device, at: Instant<Raw>, acts: &mut Vec<Act>) {
        if self.followed.as_ref().is_some_and(|followed| followed.path == device.path) {
            if device.is_open() {
                self.opened(device, at, acts);
            } else {
                self.lost(&device.path, at, acts);
            }
        }
    }

    fn opened(&mut self, device: &Device, at: Instant<Raw>, acts: &mut Vec<Act>) {
        if let (Some(followed), Some(bps)) = (&mut self.followed, device.bps()) {
            followed.timing.bps(bps);
        }
        self.is_present(at, acts);
    }

    /// The device that is followed has been heard of.
    pub(super) fn is_present(&mut self, at: Instant<Raw>, acts: &mut Vec<Act>) {
        if let Some(followed) = self.followed.as_mut().filter(|followed| !followed.present) {
            followed.present = true;
            self.verdict = None;
            acts.push(Act::Say(format!("following {} through {}", followed.path, self.name)));
            acts.push(Act::Tell(Event::Source { raw: at, change: SourceChange::SentencesOpen }));
        }
    }

    /// The device that was followed is not there.
    pub(super) fn lost(&mut self, path: &str, at: Instant<Raw>, acts: &mut Vec<Act>) {
        self.followed = None;
        let sentence = format!("{} cannot open {path}", self.name);
        self.no_device(SourceChange::SentencesLost(Lost::GpsdDevice), sentence, at, acts);
    }

    fn no_device(&mut self, change: SourceChange, sentence: String, at: Instant<Raw>, acts: &mut Vec<Act>) {
        if self.verdict.as_ref() != Some(&sentence) {
            acts.push(Act::Warn(format!("{sentence}; it is waited for")));
            acts.push(Act::Tell(Event::Source { raw: at, change }));
            self.verdict = Some(sentence);
        }
    }
}

/// What gpsd has instead of a receiver, and what to do.
fn missing(wanted: Option<&str>, devices: &[Device]) -> String {
    match (wanted, devices) {
        (None, []) => "has no device: give it the receiver's, as with `gpsdctl add`".into(),
        (None, devices) => {
            format!("has {}, which is not a receiver: give it one, as with `gpsdctl add`", list(devices))
        }
        (Some(wanted), []) => format!("has no device: give it {wanted}, as with `gpsdctl add {wanted}`"),
        (Some(wanted), devices) => {
            format!("has {}, not {wanted}: give it that, or name the one that it has", list(devices))
        }
    }
}

/// The names of devices, for a sentence.
fn list<'a>(devices: impl IntoIterator<Item = &'a Device>) -> String {
    devices.into_iter().map(|device| device.path.as_str()).collect::<Vec<_>>().join(", ")
}
