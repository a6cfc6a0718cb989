//! satpulse's event log: edges of a pulse with the PHC's time of the edge and of a reading after it, and what the
//! receiver said, all with the host's clock. All times are real except the raw clock's, which the log does not have:
//! its monotonic clock is slewed like the host's, and is corrected by the seconds that the receiver names.

use crate::sentence::{Shown, SimSentence};
use gnss2shm::event::{Bytes, CrossTs, Edge, Edges, Event, SourceChange};
use gnss2shm::time::{EdgeClock, Instant, Raw, Span, Sys, UtcSecond};
use serde::Deserialize;

use crate::imported::{Imported, Truth};
use crate::invented::header;
use crate::packets::host_time;

/// The log does not say how long a reading took.
const WINDOW: Span = Span::from_micros(20);
/// One reading per edge, taken by a program: accuracy of the truth.
const KNOWN_TO: Span = Span::from_millis(1);
/// A byte at 115200 baud.
const BYTE_TIME: Span = Span::from_nanos(86_805);
const BEGINS_AT: Span = Span::from_secs(1_000);

#[derive(Deserialize)]
struct Line {
    r#type: String,
    t: String,
    mono: serde_json::Number,
    data: Data,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    t: Option<String>,
    t_read: Option<String>,
    tai_time: Option<String>,
    utc_offset: Option<i64>,
}

/// An edge, and the reading after it.
struct Stamped {
    mono: Span,
    phc: Instant<EdgeClock>,
    read: Instant<EdgeClock>,
    sys: Instant<Sys>,
}

pub(crate) fn import(text: &str) -> Result<Imported, String> {
    let (mut edges, mut named) = (Vec::new(), Vec::new());
    for (number, line) in text.lines().enumerate() {
        let wrong = || format!("line {}: no event of satpulse", number + 1);
        let line: Line = serde_json::from_str(line).map_err(|error| format!("{}: {error}", wrong()))?;
        let mono = decimal(&line.mono.to_string()).ok_or_else(wrong)?;
        match line.data {
            Data { t: Some(phc), t_read: Some(read), .. } if line.r#type == "pulseEdge" => edges.push(Stamped {
                mono,
                phc: Instant::default() + decimal(&phc).ok_or_else(wrong)?,
                read: Instant::default() + decimal(&read).ok_or_else(wrong)?,
                sys: Instant::default() + host_time(&line.t).ok_or_else(wrong)?,
            }),
            // Without the offset to UTC, it describes the next pulse and does not name a second.
            Data { tai_time: Some(tai), utc_offset: Some(offset), .. } => {
                let (tai, _) = decimal(&tai).ok_or_else(wrong)?.nearest(Span::SECOND);
                named.push((mono, UtcSecond::from_posix(tai - offset)));
            }
            _ => {}
        }
    }
    let raw = RawClock::of(&named).ok_or("too few seconds named")?;
    let truth = truth(&edges, &named, &raw)?;
    let mut events = Vec::new();
    for edge in &edges {
        let read_at = raw.at(edge.mono);
        events.push(Event::Edge(Edge { phc: edge.phc, read_at }));
        events.push(Event::CrossTs(CrossTs { phc: edge.read, sys: edge.sys, raw: read_at, window: WINDOW }));
        events.push(Event::Tick { raw: read_at + Span::from_millis(300) });
    }
    for &(mono, utc) in &named {
        let data = SimSentence::Rmc.text(Shown { utc, is_sixty: false, has_fix: true }).into_bytes().into();
        events.push(Event::Bytes(Bytes { read_at: raw.at(mono), byte_time: BYTE_TIME, data }));
    }
    events.sort_by_key(|event| event.head().0);
    let open = |change| Event::Source { raw: raw.at(Span::ZERO), change };
    events.splice(0..0, [open(SourceChange::SentencesOpen), open(SourceChange::PulseOpen(Edges::Unknown))]);
    let notes = vec![
        "receiver: an event log of satpulse: times are real, the sentences say what was said then".into(),
        "nic: real, two edges a second; the raw clock is invented from the monotonic one".into(),
    ];
    Ok(Imported { header: header(), notes, truth, events })
}

/// How far the monotonic clock advanced during the receiver's seconds.
struct RawClock {
    mono: Span,
    true_time: Span,
}

impl RawClock {
    fn of(named: &[(Span, UtcSecond)]) -> Option<Self> {
        let ((began, first), (ended, last)) = (*named.first()?, *named.last()?);
        let clock = Self { mono: ended - began, true_time: Span::from_secs(last.posix() - first.posix()) };
        (clock.true_time > Span::SECOND).then_some(clock)
    }

    fn at(&self, mono: Span) -> Instant<Raw> {
        Instant::default() + BEGINS_AT + mono.scaled(self.true_time, self.mono)
    }
}

/// The edge before the shorter gap begins the pulse, and its second is the one named in the half second after it.
fn truth(edges: &[Stamped], named: &[(Span, UtcSecond)], raw: &RawClock) -> Result<Truth, String> {
    let half = Span::from_millis(500);
    let mut truth = Truth { known_to: KNOWN_TO, ..Truth::default() };
    let mut counted: Option<(Instant<Raw>, UtcSecond)> = None;
    for pair in edges.windows(2) {
        let [edge, next] = pair else { continue };
        let at = raw.at(edge.mono);
        if raw.at(next.mono) - at > half {
            continue;
        }
        let said = named.iter().find(|(mono, _)| (Span::ZERO..half).contains(&(raw.at(*mono) - at)));
        let count = |(before, utc): (Instant<Raw>, UtcSecond)| utc.plus((at - before).nearest(Span::SECOND).0);
        let Some(label) = said.map(|(_, utc)| *utc).or(counted.map(count)) else { continue };
        if counted.is_some_and(|before| count(before) != label) {
            return Err(format!("{label}: the receiver's seconds and the pulses do not go together"));
        }
        counted = Some((at, label));
        // The host's clock at the edge, extrapolated from the reading after it with the rates of both clocks.
        let since = (edge.read - edge.phc).scaled(next.sys - edge.sys, next.read - edge.read);
        truth.seconds.insert(label, edge.sys - since);
    }
    Ok(truth)
}

/// Seconds with a decimal point.
fn decimal(text: &str) -> Option<Span> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let nanos = format!("{fraction:0<9}").get(..9)?.parse().ok()?;
    Some(Span::from_secs(whole.parse().ok()?) + Span::from_nanos(nanos))
}
