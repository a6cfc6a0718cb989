//! Feeds a recording to the engine and compares every sample with the truth, and with twins that start later.

use std::collections::BTreeMap;
use std::fmt;

use gnss2shm::Engine;
use gnss2shm::event::{Reason, Sample, State, Verdict};
use gnss2shm::time::{Instant, Raw, Span};

use crate::imported::Imported;
use crate::twins::{self, Compared};

/// Twins start at these shares of the recording, in per cent.
const STARTS: [i64; 4] = [10, 25, 45, 70];

/// A sample with a larger error is wrong, regardless of its bound.
const WRONG: Span = Span::from_micros(10);

/// The result of a recording.
pub(crate) struct Judgement {
    length: Span,
    pub(crate) right: usize,
    /// With its arrival time, and its error if there is such a second.
    wrong: Vec<(Span, Sample, Option<Span>)>,
    /// From the first valid second named to the first sample.
    to_lock: Option<Span>,
    names_seconds: bool,
    last: State,
    /// How long nothing was published for each reason.
    silent: BTreeMap<&'static str, Span>,
    rejected: BTreeMap<&'static str, usize>,
    twins: Compared,
}

pub(crate) fn judge(imported: &Imported) -> Judgement {
    let config = imported.header.config;
    let (mut engine, events) = (Engine::new(config), &imported.events);
    let began = events.first().map_or(Instant::default(), |event| event.head().0);
    let ended = events.last().map_or(began, |event| event.head().0);
    let mut judgement = Judgement {
        length: ended - began,
        right: 0,
        wrong: Vec::new(),
        to_lock: None,
        names_seconds: false,
        last: State::default(),
        silent: BTreeMap::new(),
        rejected: BTreeMap::new(),
        twins: twins(imported, began, ended),
    };
    let (mut before, mut named): (_, Option<Instant<Raw>>) = (began, None);
    for event in events {
        let at = event.head().0;
        if !judgement.last.publishes() {
            let time = judgement.silent.entry(why(judgement.last)).or_default();
            *time = *time + (at - before);
        }
        before = at;
        for verdict in engine.handle(event) {
            match verdict {
                Verdict::Sample(sample) => {
                    judgement.to_lock = judgement.to_lock.or(named.map(|named| at - named));
                    judgement.take(imported, at - began, sample);
                }
                Verdict::Rejected(reason) => *judgement.rejected.entry(reason.key()).or_default() += 1,
                _ => {}
            }
        }
        judgement.last = engine.state();
        named = named.or_else(|| engine.last_time().map(|_| at));
    }
    judgement.names_seconds = named.is_some();
    judgement
}

fn why(state: State) -> &'static str {
    match state {
        State::Measuring => "measuring",
        State::Pairing => "pairing",
        state => state.reason().map_or("locked", Reason::key),
    }
}

fn twins(imported: &Imported, began: Instant<Raw>, ended: Instant<Raw>) -> Compared {
    let (config, events) = (imported.header.config, &imported.events);
    let first = twins::samples(config, events, began);
    let mut all = Compared::default();
    for start in STARTS {
        // Anywhere in the second.
        let from = began + (ended - began).times(start).per(100) + Span::from_millis(start * 17);
        let twin = twins::compare(config, events, &first, from, twins::AGREE);
        all.both += twin.both;
        all.differ.extend(twin.differ);
        all.first_alone += twin.first_alone;
        all.twin_alone += twin.twin_alone;
    }
    all
}

impl Judgement {
    fn take(&mut self, imported: &Imported, since: Span, sample: Sample) {
        let truth = &imported.truth;
        if truth.seconds.is_empty() {
            return;
        }
        let error = truth.error(sample.label, sample.at);
        if error.is_some_and(|error| error.abs() <= sample.error.min(WRONG) + truth.known_to) {
            self.right += 1;
        } else {
            self.wrong.push((since, sample, error));
        }
    }

    /// Whether there is no failure.
    pub(crate) fn is_good(&self) -> bool {
        self.wrong.is_empty() && self.twins.differ.is_empty()
    }
}

/// One line for scripts.
impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { length, right, wrong, to_lock, names_seconds, last, silent, rejected, twins } = self;
        let tenths = |span: &Span| span.div_rem(Span::from_millis(100)).0;
        let lock = to_lock.as_ref().map(tenths).map_or_else(|| "never".into(), |n| format!("{}.{}", n / 10, n % 10));
        let main = silent.iter().max_by_key(|(_, time)| **time).map_or("none", |(why, _)| why);
        write!(
            f,
            "length={} names={names_seconds} right={right} wrong={}",
            length.div_rem(Span::SECOND).0,
            wrong.len()
        )?;
        write!(f, " lock={lock} last={}:{} silent={main}", last, why(*last))?;
        write!(f, " twins={}/{}", twins.differ.len(), twins.both)?;
        write!(f, " alone={}/{}", twins.first_alone, twins.twin_alone)?;
        let counts: Vec<_> = rejected.iter().map(|(reason, times)| format!("{reason}:{times}")).collect();
        write!(f, " rejected={}", counts.join(","))?;
        for (since, sample, error) in wrong.iter().take(3) {
            let off = error.map_or_else(|| "no such second".into(), |error| error.to_string());
            write!(f, "\n  wrong after {since}: {} off by {off}, bound {}", sample.label, sample.error)?;
        }
        for (second, twin, first) in twins.differ.iter().take(3) {
            write!(f, "\n  second {second}: the twin says {} {}, the first {} {}", twin.0, twin.1, first.0, first.1)?;
        }
        Ok(())
    }
}
