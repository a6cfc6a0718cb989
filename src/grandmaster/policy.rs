//! What ptp4l's grandmaster settings may claim, from what was measured: a pure function of the status lines, TAI - UTC,
//! and the time. Class 6 is claimed only while every condition is seen to hold.

mod leap;
mod tai;
mod why;

use crate::core::event::Leap;
use crate::core::event::text::{Word, words};
use crate::core::time::{Date, Instant, NANOS, Raw, Span, UtcSecond};
use crate::daemon::status::snapshot::{PhcView, SampleView, Snapshot};
use leap::LeapWatch;

use super::management::GrandmasterSettings;
pub(crate) use tai::TaiSources;
pub(crate) use why::Why;

/// The PHC's time scale for class 6, in the status.
const TAI: &str = "TAI";
/// The state for class 6.
const LOCKED: &str = "Locked";
/// The reason of the state around the end of a month: nothing but a leap second is in doubt.
const LEAP_WINDOW: &str = "leap-window";
/// Class 6 is kept for this long around the end of a month; then the gate is open again.
const BRIDGED: Span = Span::from_secs(60);
/// A pulse that is this old when its status line arrives does not count.
const PULSE_OLD: Span = Span::from_millis(1_300);
/// A receiver that has named no valid second for this long at a pulse has lost its fix, or is gone. One lost burst is not
/// enough.
const TIME_OLD: Span = Span::from_millis(2_000);
/// What was measured at a pulse holds for this long after it.
const HOLDS_FOR: Span = Span::from_millis(1_500);
/// `timeSource` (IEEE 1588-2019, table 6): GNSS, and the internal oscillator.
const GNSS: u8 = 0x20;
const INTERNAL_OSCILLATOR: u8 = 0xa0;
/// `offsetScaledLogVariance` of a clock that follows GNSS (ITU-T G.8275.1, table 2), and of an unknown one.
const VARIANCE_LOCKED: u16 = 0x4e5d;
const VARIANCE_UNKNOWN: u16 = 0xffff;
/// `clockAccuracy` (IEEE 1588-2019, table 5): each value covers this much; then the unknown one.
const ACCURACIES: [(Span, u8); 16] = [
    (Span::from_nanos(25), 0x20),
    (Span::from_nanos(100), 0x21),
    (Span::from_nanos(250), 0x22),
    (Span::from_micros(1), 0x23),
    (Span::from_nanos(2_500), 0x24),
    (Span::from_micros(10), 0x25),
    (Span::from_micros(25), 0x26),
    (Span::from_micros(100), 0x27),
    (Span::from_micros(250), 0x28),
    (Span::from_millis(1), 0x29),
    (Span::from_micros(2_500), 0x2a),
    (Span::from_millis(10), 0x2b),
    (Span::from_millis(25), 0x2c),
    (Span::from_millis(100), 0x2d),
    (Span::from_millis(250), 0x2e),
    (Span::from_secs(1), 0x2f),
];
const ACCURACY_UNKNOWN: u8 = 0xfe;

/// The values for a clock that is not synchronized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Profile {
    /// IEEE 1588: class 52.
    #[default]
    Ieee1588,
    /// ITU-T G.8275.1 and G.8275.2: class 248.
    G8275,
}

words! { Profile:
    (Self::Ieee1588) = "1588",
    (Self::G8275) = "g8275",
}

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
            (Some(port), _, _) => (self.free(), Why::Follows(port)),
            (None, Some(ended), _) if ended < Span::ZERO && self.lacks.is_none() => {
                let accuracy = accuracy(self.config.bound);
                (traceable(6, accuracy, VARIANCE_LOCKED, GNSS), Why::Locked(self.config.bound))
            }
            (None, Some(_), Some(((length, bound), ended))) if ended < length => {
                let settings = traceable(7, accuracy(bound), VARIANCE_UNKNOWN, INTERNAL_OSCILLATOR);
                (settings, Why::Holdover(length - ended.max(Span::ZERO), Box::new(lacks)))
            }
            (None, _, _) => (self.free(), lacks),
        };
        let settings = GrandmasterSettings { ptp_timescale: self.is_tai.unwrap_or(has.ptp_timescale), ..settings };
        Decision { settings: self.with_utc(now, settings, has), why }
    }

    /// What to claim at the end: nothing.
    pub(crate) fn withdrawn(&self, now: Instant<Raw>, has: &GrandmasterSettings) -> GrandmasterSettings {
        let free = GrandmasterSettings {
            ptp_timescale: self.is_tai.unwrap_or(has.ptp_timescale),
            current_utc_offset: has.current_utc_offset,
            ..self.free()
        };
        if self.leap.is_hands_off(now) { utc_of(free, has) } else { free }
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

    /// A clock that is not synchronized.
    fn free(&self) -> GrandmasterSettings {
        GrandmasterSettings {
            clock_class: match self.config.profile {
                Profile::Ieee1588 => 52,
                Profile::G8275 => 248,
            },
            clock_accuracy: ACCURACY_UNKNOWN,
            offset_scaled_log_variance: VARIANCE_UNKNOWN,
            time_source: INTERNAL_OSCILLATOR,
            ..GrandmasterSettings::default()
        }
    }
}

/// Whether the daemon vouches for the time.
fn is_locked(status: &Snapshot, bridges: bool) -> Result<(), Why> {
    let reason = status.sentence.as_ref().map(|sentence| format!(": {sentence}")).unwrap_or_default();
    match (status.state.as_str(), status.gate.open) {
        (LOCKED, _) if status.receiver.last_time_ms.is_some_and(|age| Span::from_millis(age) > TIME_OLD) => {
            Err(Why::NoTime(Span::from_millis(status.receiver.last_time_ms.unwrap_or_default())))
        }
        (LOCKED, true) => Ok(()),
        (LOCKED, false) if bridges => Ok(()),
        _ if bridges && is_leap_window(status) => Ok(()),
        (LOCKED, false) => Err(Why::GateClosed),
        (state, _) => Err(Why::NotLocked(format!("{state}{reason}"))),
    }
}

/// Whether nothing is in doubt but a leap second at the end of this month.
fn is_leap_window(status: &Snapshot) -> bool {
    status.reason.as_deref() == Some(LEAP_WINDOW)
}

/// The PHC as measured at the last pulse.
fn measured(status: &Snapshot) -> Result<&PhcView, Why> {
    let phc = status.phc.as_ref().ok_or(Why::NotCompared)?;
    if Span::from_millis(phc.age_ms) < PULSE_OLD { Ok(phc) } else { Err(Why::NoPulse) }
}

/// Whether the PHC is within the bound of TAI, to the whole seconds; then the age of the pulse. Only if TAI is counted over the
/// end of a month, UTC need not be known.
fn is_within(phc: &PhcView, tai_offset: i64, bound: Span, is_counted: bool) -> Result<Span, Why> {
    if phc.timescale != TAI {
        return Err(Why::NotTai(phc.timescale.clone()));
    }
    let by_utc = phc.utc_offset_ns.map(|utc| Span::from_nanos(utc) + Span::from_secs(tai_offset));
    let counted = phc.tai_offset_ns.filter(|_| is_counted).map(Span::from_nanos);
    let offset = by_utc.or(counted).ok_or(Why::NotCompared)?;
    let error = Span::from_nanos(phc.error_ns).abs();
    if offset.abs() + error > bound {
        return Err(Why::Off(offset, error, bound));
    }
    Ok(Span::from_millis(phc.age_ms.max(0)))
}

/// UTC when this status was given, from its last sample.
pub(crate) fn second(status: &Snapshot) -> Option<UtcSecond> {
    let (second, age, _) = status.sample.as_ref().and_then(read)?;
    Some(second.plus(age.div_rem(Span::SECOND).0))
}

/// The second of a sample, its age, and the leap second that it announces.
fn read(sample: &SampleView) -> Option<(UtcSecond, Span, Leap)> {
    let (date, time) = sample.second.strip_suffix('Z')?.split_once('T')?;
    let number = |text: &str| text.parse::<u32>().ok();
    let mut date = date.split('-').map(number);
    let mut time = time.split(':').map(number);
    let (year, month, day) = (date.next()??, date.next()??, date.next()??);
    let (hour, minute, second) = (time.next()??, time.next()??, time.next()??);
    let date = Date::new(year.try_into().ok()?, month.try_into().ok()?, day.try_into().ok()?)?;
    let second_of_day = hour.checked_mul(3_600)?.checked_add(minute.checked_mul(60)?)?.checked_add(second)?;
    let leap = Leap::from_word(sample.leap.as_bytes())?;
    Some((UtcSecond::from_civil(date, second_of_day), Span::from_millis(sample.age_ms.max(0)), leap))
}

/// The smallest value that covers this.
fn accuracy(bound: Span) -> u8 {
    ACCURACIES.iter().find(|(covered, _)| *covered >= bound).map_or(ACCURACY_UNKNOWN, |(_, value)| *value)
}

/// A clock that is traceable to TAI.
fn traceable(class: u8, accuracy: u8, variance: u16, source: u8) -> GrandmasterSettings {
    GrandmasterSettings {
        clock_class: class,
        clock_accuracy: accuracy,
        offset_scaled_log_variance: variance,
        time_traceable: true,
        frequency_traceable: true,
        time_source: source,
        ..GrandmasterSettings::default()
    }
}

/// The same with ptp4l's own fields about UTC.
fn utc_of(settings: GrandmasterSettings, has: &GrandmasterSettings) -> GrandmasterSettings {
    GrandmasterSettings {
        current_utc_offset: has.current_utc_offset,
        current_utc_offset_valid: has.current_utc_offset_valid,
        leap61: has.leap61,
        leap59: has.leap59,
        ..settings
    }
}

#[cfg(test)]
mod tests;
