//! What ptp4l's grandmaster settings may claim, from what was measured: a pure function of the status lines, TAI - UTC,
//! and the time. Class 6 is claimed only while every condition is seen to hold.

mod claims;
mod evidence;
mod leap;
mod tai;
mod why;

use crate::core::time::{Instant, NANOS, Raw, Span, UtcSecond};
use crate::daemon::status::snapshot::{PhcView, Snapshot};
use claims::utc_of;
use evidence::{LOCKED, TAI, is_leap_window, is_locked, is_within, measured, read};
use leap::LeapWatch;

use super::management::GrandmasterSettings;
pub(crate) use claims::Profile;
pub(crate) use evidence::second;
pub(crate) use tai::TaiSources;
pub(crate) use why::Why;

/// Class 6 is kept for this long around the end of a month; then the gate is open again.
const BRIDGED: Span = Span::from_secs(60);
/// What was measured at a pulse holds for this long after it.
const HOLDS_FOR: Span = Span::from_millis(1_500);

/// The settings of the policy.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct PolicyConfig {
    /// How to say that the clock is not synchronized.
    pub profile: Profile,
    /// Maximum distance of the PHC from TAI for class 6.
    pub bound: Span,
    /// Every pulse must have been within the bound for this long.
    pub steady: Span,
    /// How long class 7 follows class 6, and the maximum distance of the PHC from TAI meanwhile.
    pub holdover: Option<(Span, Span)>,
}

impl Default for PolicyConfig {
    fn default() -> Self {
        let (bound, steady) = (Span::from_micros(1), Span::from_secs(5));
        Self { profile: Profile::default(), bound, steady, holdover: None }
    }
}

/// What is to be claimed, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub settings: GrandmasterSettings,
    pub why: Why,
}

/// What has been seen so far.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    config: PolicyConfig,
    /// What the last status line lacks for class 6; none if nothing.
    lacks: Option<Why>,
    /// The pulses that met all conditions, without interruption: the first and the last.
    good: Option<(Instant<Raw>, Instant<Raw>)>,
    /// The end of class 6, unless another pulse extends it; of the last class 6 if that is over.
    locked_until: Option<Instant<Raw>>,
    /// Whether class 7 may follow it.
    may_hold: bool,
    tai: TaiSources,
    /// TAI - UTC as last agreed.
    agreed: Option<i64>,
    /// When a status line last came.
    heard: Option<Instant<Raw>>,
    /// Whether the PHC showed TAI when it was last measured.
    is_tai: Option<bool>,
    leap: LeapWatch,
    /// Whether at the last pulse `run` and this process agreed on TAI - UTC.
    same_tai: bool,
    /// The beginning of the end of a month that class 6 is kept over: without an announced leap second, nothing but UTC is
    /// in doubt, and the PHC is compared with the pulse all the while.
    bridge: Option<Instant<Raw>>,
}

impl Policy {
    /// A policy that has seen nothing yet.
    pub(crate) fn new(config: PolicyConfig) -> Self {
        Self {
            config,
            lacks: Some(Why::NoStatus("no status has come yet".into())),
            good: None,
            locked_until: None,
            may_hold: false,
            tai: TaiSources::default(),
            agreed: None,
            heard: None,
            is_tai: None,
            leap: LeapWatch::default(),
            same_tai: false,
            bridge: None,
        }
    }

    /// Takes a status line that arrived at `now`, with TAI - UTC of the kernel and of the table.
    pub(crate) fn see(&mut self, now: Instant<Raw>, status: &Snapshot, kernel: Option<i64>, table: Option<i64>) {
        self.tai = TaiSources { kernel, table, receiver: status.receiver.tai_offset_s };
        self.heard = Some(now);
        self.agreed = self.tai.agreed().or(self.agreed);
        if let Some(phc) = &status.phc {
            self.is_tai = Some(phc.timescale == TAI);
        }
        let bridges = self.bridges(now, status);
        let within = |agreed: Option<i64>, bound| {
            let phc = measured(status)?;
            is_within(phc, agreed.ok_or(Why::NotAgreed(self.tai))?, bound, bridges)
        };
        if let Some((_, bound)) = self.config.holdover
            && matches!(within(self.agreed, bound), Err(Why::NotTai(_) | Why::Off(..)))
        {
            self.may_hold = false;
        }
        let fit = within(self.tai.agreed(), self.config.bound);
        if let Some((second, age, leap)) = status.sample.as_ref().and_then(read) {
            self.leap.see(second, now - age, leap, self.tai.agreed(), fit.is_ok());
        }
        let seconds = |phc: &PhcView| Some(phc.tai_offset_ns?.saturating_sub(phc.utc_offset_ns?) / NANOS);
        if let Some(offset) = status.phc.as_ref().and_then(seconds) {
            self.same_tai = self.tai.agreed() == Some(offset);
        }
        match is_locked(status, bridges).and(fit) {
            Ok(pulse_age) => self.good_pulse(now - pulse_age),
            Err(why) => self.doubt(now, why),
        }
    }

    /// Whether class 6 is kept over the end of a month.
    fn bridges(&mut self, now: Instant<Raw>, status: &Snapshot) -> bool {
        let is_class_6 = self.lacks.is_none() && self.locked_until.is_some_and(|until| now < until);
        let is_over = status.state == LOCKED && status.gate.open;
        let may_begin = is_leap_window(status) && self.same_tai && !self.leap.is_announced();
        let since = self.bridge.or(may_begin.then_some(now));
        self.bridge = since.filter(|since| is_class_6 && !is_over && now - *since <= BRIDGED);
        self.bridge.is_some()
    }

    /// Every condition was met at this pulse.
    fn good_pulse(&mut self, at: Instant<Raw>) {
        let unbroken = self.good.filter(|(_, last)| at - *last <= HOLDS_FOR);
        let first = unbroken.map_or(at, |(first, _)| first);
        self.good = Some((first, at));
        let steady = at - first;
        self.lacks = (steady < self.config.steady).then_some(Why::NotSteady(steady, self.config.steady));
        if self.lacks.is_none() {
            (self.locked_until, self.may_hold) = (Some(at + HOLDS_FOR), true);
        }
    }

    /// A condition is not met.
    fn doubt(&mut self, now: Instant<Raw>, why: Why) {
        (self.good, self.lacks) = (None, Some(why));
        self.locked_until = self.locked_until.map(|until| until.min(now));
    }

    /// The status can no longer be heard: nothing is known, and class 7 does not follow.
    pub(crate) fn lose(&mut self, now: Instant<Raw>, why: String) {
        self.doubt(now, Why::NoStatus(why));
        (self.heard, self.may_hold) = (None, false);
    }

    /// Takes TAI - UTC of the kernel and of the table between status lines.
    pub(crate) fn refresh(&mut self, now: Instant<Raw>, kernel: Option<i64>, table: Option<i64>) {
        let receiver = self.tai.receiver.filter(|_| self.heard.is_some_and(|heard| now - heard <= HOLDS_FOR));
        self.tai = TaiSources { kernel, table, receiver };
    }

    /// UTC, counted from the last sample on.
    pub(crate) fn utc(&self, now: Instant<Raw>) -> Option<UtcSecond> {
        self.leap.utc(now)
    }

    /// When class 6 ends if no further pulse comes.
    pub(crate) fn expires(&self, now: Instant<Raw>) -> Option<Span> {
        self.locked_until.map(|until| until - now).filter(|left| *left > Span::ZERO)
    }

    /// What to claim at `now`. ptp4l has these settings, and follows another clock on this port.
    pub(crate) fn decide(&self, now: Instant<Raw>, has: &GrandmasterSettings, follows: Option<u16>) -> Decision {
        let ended = self.locked_until.map(|until| now - until);
        let holdover = self.config.holdover.filter(|_| self.may_hold).zip(ended);
        let lacks = self.lacks.clone().unwrap_or(Why::NoPulse);
        let (settings, why) = match (follows, ended, holdover) {
            (Some(port), _, _) => (claims::free(self.config.profile), Why::Follows(port)),
            (None, Some(ended), _) if ended < Span::ZERO && self.lacks.is_none() => {
                (claims::locked(self.config.bound), Why::Locked(self.config.bound))
            }
            (None, Some(_), Some(((length, bound), ended))) if ended < length => {
                (claims::holdover(bound), Why::Holdover(length - ended.max(Span::ZERO), Box::new(lacks)))
            }
            (None, _, _) => (claims::free(self.config.profile), lacks),
        };
        let settings = GrandmasterSettings { ptp_timescale: self.is_tai.unwrap_or(has.ptp_timescale), ..settings };
        Decision { settings: self.with_utc(now, settings, has), why }
    }

    /// What to claim at the end: nothing.
    pub(crate) fn withdrawn(&self, now: Instant<Raw>, has: &GrandmasterSettings) -> GrandmasterSettings {
        let free = GrandmasterSettings {
            ptp_timescale: self.is_tai.unwrap_or(has.ptp_timescale),
            current_utc_offset: has.current_utc_offset,
            ..claims::free(self.config.profile)
        };
        if self.leap.is_hands_off(now) { utc_of(free, has) } else { free }
    }

    /// Whether ptp4l changes its fields about UTC by itself, so that they must be asked for before a SET.
    pub(crate) fn is_hands_off(&self, now: Instant<Raw>) -> bool {
        self.leap.is_hands_off(now)
    }

    /// Adds the fields about UTC.
    fn with_utc(&self, now: Instant<Raw>, to: GrandmasterSettings, has: &GrandmasterSettings) -> GrandmasterSettings {
        if self.leap.is_hands_off(now) {
            return utc_of(to, has);
        }
        let agreed = self.tai.agreed().and_then(|seconds| i16::try_from(seconds).ok());
        let (leap61, leap59) = self.leap.flags(now);
        GrandmasterSettings {
            current_utc_offset: agreed.unwrap_or(has.current_utc_offset),
            current_utc_offset_valid: agreed.is_some(),
            leap61,
            leap59,
            ..to
        }
    }
}

#[cfg(test)]
mod tests;
