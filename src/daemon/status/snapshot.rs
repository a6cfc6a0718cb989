//! The status as one object: a line of JSON on the status socket, and the text of `gnss2shm status`.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::core::engine::audit::Audit;
use crate::core::event::State;
use crate::core::event::text::Word;
use crate::core::time::Span;

/// The status. Ages and durations are in ms, measured values in ns.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Snapshot {
    /// Version of the program that answers.
    pub version: String,
    /// The state.
    pub state: String,
    /// The state in the terms of other programs: `LOCKED`, `HOLDOVER`, `FREERUN`.
    pub sync: String,
    /// When the state began, by the system clock, UTC.
    pub since: String,
    /// Age of the state.
    pub for_ms: i64,
    /// Key of the reason why nothing is published.
    pub reason: Option<String>,
    /// The reason's sentence, for the operator.
    pub sentence: Option<String>,
    /// The two values that contradict each other, if that is the reason.
    pub contradiction: Option<String>,
    /// Other things that are wrong with pulse and receiver.
    #[serde(default)]
    pub besides: Vec<ReasonView>,
    /// Whether programs that need the time can rely on it.
    pub gate: GateView,
    /// The receiver.
    pub receiver: ReceiverView,
    /// The pulse.
    pub pulse: PulseView,
    /// The PHC compared with the pulse; none with a kernel PPS device.
    #[serde(default)]
    pub phc: Option<PhcView>,
    /// The last sample.
    pub sample: Option<SampleView>,
    /// Samples so far.
    pub samples: u64,
    /// Pulses, edges and sentences not used so far, by reason.
    pub rejected: BTreeMap<String, u64>,
}

/// A reason.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReasonView {
    /// Its key.
    pub reason: String,
    /// Its sentence, for the operator.
    pub sentence: String,
}

/// The gate.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct GateView {
    /// Whether it is open.
    pub open: bool,
    /// For how long it has been open or closed.
    pub for_ms: i64,
}

/// The receiver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ReceiverView {
    /// Where its sentences come from.
    pub source: String,
    /// Whether that is open.
    pub open: bool,
    /// How often it was opened.
    pub opened: u64,
    /// Bytes so far.
    pub bytes: u64,
    /// Sentences with a correct checksum so far.
    pub sentences: u64,
    /// Lines that are not sentences, so far.
    pub broken: u64,
    /// Age of the last byte, or of gpsd's last report.
    pub last_byte_ms: Option<i64>,
    /// Age of the last sentence that named a valid second.
    pub last_time_ms: Option<i64>,
    /// Sentence delay, pulse to first byte.
    pub delay_ns: Option<i64>,
    /// TAI minus UTC in seconds, as far as the receiver reports it.
    #[serde(default)]
    pub tai_offset_s: Option<i64>,
}

/// The pulse.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PulseView {
    /// Where its edges come from.
    pub source: String,
    /// Whether that is open.
    pub open: bool,
    /// How often it was opened.
    pub opened: u64,
    /// How often pin and channel were set again because no edges arrived.
    pub rearmed: u64,
    /// Edges so far.
    pub edges: u64,
    /// Age of the last edge when it was read.
    pub last_edge_ms: Option<i64>,
    /// Whether the on-time edge is known.
    pub settled: bool,
    /// Measured pulse width; none if only one edge is seen.
    pub width_ns: Option<i64>,
    /// Window of the last cross timestamp.
    pub cross_window_ns: Option<i64>,
}

/// The PHC compared with GNSS at the last pulse whose second is known.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct PhcView {
    /// Time scale that the PHC shows to within half a second: `TAI`, `UTC`, or `ARB`, an arbitrary one.
    pub timescale: String,
    /// How far UTC is ahead of the PHC; none while a leap second may have occurred.
    pub utc_offset_ns: Option<i64>,
    /// How far TAI is ahead of the PHC; none while no source gives TAI - UTC.
    pub tai_offset_ns: Option<i64>,
    /// Error bound of both: the resolution of the timestamps.
    pub error_ns: i64,
    /// How much faster than GNSS the PHC runs, in parts per billion.
    pub rate_ppb: Option<i64>,
    /// Age of the pulse.
    pub age_ms: i64,
}

/// A sample.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct SampleView {
    /// The UTC second that the on-time edge marks.
    pub second: String,
    /// How far UTC is ahead of the system clock.
    pub offset_ns: i64,
    /// Error bound of the offset.
    pub error_ns: i64,
    /// Leap second announced for the end of the day: `none`, `insert`, `delete`.
    pub leap: String,
    /// Age of the sample.
    pub age_ms: i64,
}

impl From<&Audit> for PhcView {
    fn from(audit: &Audit) -> Self {
        Self {
            timescale: audit.timescale().word().into(),
            utc_offset_ns: audit.utc.map(Span::nanos),
            tai_offset_ns: audit.tai.map(Span::nanos),
            error_ns: audit.error.nanos(),
            rate_ppb: audit.rate_ppb,
            age_ms: 0,
        }
    }
}

/// `TAI, offset +12 ns, error below 50 ns, rate -3 ppb`, or how far UTC is ahead of an arbitrary time scale.
impl fmt::Display for PhcView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { timescale, utc_offset_ns: utc, tai_offset_ns, error_ns, rate_ppb, .. } = self;
        let exact = |scale: &str, offset: i64| format!("{scale} offset {offset:+} ns, error below {error_ns} ns");
        let shown = match (timescale.as_str(), tai_offset_ns) {
            ("TAI", Some(tai)) => exact("TAI,", *tai),
            ("UTC", _) => exact("UTC,", utc.unwrap_or_default()),
            _ => format!("neither TAI nor UTC, UTC is {} ahead", Span::from_nanos(utc.unwrap_or_default())),
        };
        let rate = rate_ppb.map_or_else(String::new, |rate| format!(", rate {rate:+} ppb"));
        write!(f, "{shown}{rate}")
    }
}

/// The state in the terms of other programs.
pub(super) fn sync(state: State) -> &'static str {
    match state {
        State::Locked => "LOCKED",
        State::Coasting => "HOLDOVER",
        State::Searching(_) | State::Measuring | State::Pairing | State::Refusing(_) => "FREERUN",
    }
}

/// As text.
impl fmt::Display for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { state, sync, since, samples, receiver, pulse, gate, .. } = self;
        let ms = |ms: i64| Span::from_millis(ms);
        let ago = |age: Option<i64>| age.map_or("never".into(), |age| format!("{} ago", ms(age)));
        let presence = |open| if open { "" } else { ", missing" };
        let sample = |SampleView { second, offset_ns, error_ns, leap, age_ms }: &SampleView| {
            let age = ms(*age_ms);
            format!("{second}, offset {offset_ns:+} ns, error below {error_ns} ns, leap {leap}, {age} ago")
        };
        let edge = match (pulse.settled, pulse.width_ns) {
            (false, _) => "on-time edge unknown".into(),
            (true, None) => "on-time edge is the only one".into(),
            (true, Some(width)) => format!("on-time edge is the one that starts {}", Span::from_nanos(width)),
        };
        let (there, last, PulseView { source, edges, .. }) = (presence(pulse.open), ago(pulse.last_edge_ms), pulse);
        let pulse = format!("{source}{there}: {edge}, {edges} edges, last {last}");
        let delay = receiver.delay_ns.map_or("not known".into(), |delay| Span::from_nanos(delay).to_string());
        let (there, last) = (presence(receiver.open), ago(receiver.last_time_ms));
        let ReceiverView { source, sentences, broken, .. } = receiver;
        let receiver =
            format!("{source}{there}: delay {delay}, {sentences} sentences, {broken} broken lines, last second {last}");
        let mut lines = vec![("state", format!("{state} ({sync}) since {since}"))];
        lines.extend(self.sentence.iter().map(|sentence| ("reason", sentence.clone())));
        lines.extend(self.contradiction.iter().map(|figures| ("figures", figures.clone())));
        lines.extend(self.besides.iter().map(|view| ("besides", view.sentence.clone())));
        lines.push(("sample", self.sample.as_ref().map_or("none yet".into(), sample)));
        lines.push(("pulse", pulse));
        lines.extend(self.phc.iter().map(|phc| ("phc", format!("{phc}, {} ago", ms(phc.age_ms)))));
        lines.push(("receiver", receiver));
        lines.push(("gate", format!("{} for {}", if gate.open { "open" } else { "closed" }, ms(gate.for_ms))));
        lines.iter().try_for_each(|(label, text)| writeln!(f, "{label:10} {text}"))?;
        write!(f, "counters   {samples} samples")?;
        self.rejected.iter().try_for_each(|(reason, times)| write!(f, ", {times} x {reason}"))
    }
}
