//! What the log shows an operator: a line for each change of state, and a summary every ten minutes.

use std::collections::BTreeMap;
use std::fmt;

use tracing::{debug, info, warn};

use crate::core::engine::Engine;
use crate::core::event::{Reason, State, Verdict};

/// Ticks of the event loop, one per second, from one summary to the next.
const TICKS: u32 = 600;

/// Edges, pulses, and sentences that were not used, by reason.
#[derive(Debug, Default)]
pub(crate) struct Rejections(BTreeMap<&'static str, (u64, Reason)>);

impl Rejections {
    /// Counts a verdict if it is a rejection.
    pub(crate) fn count(&mut self, verdict: &Verdict) {
        if let Verdict::Rejected(reason) = verdict {
            self.0.entry(reason.key()).or_insert((0, *reason)).0 += 1;
        }
    }
}

/// A line for each reason.
impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(key, (times, reason))| writeln!(f, "rejected {times} x {key}: {reason}"))
    }
}

/// Counts since the last summary.
#[derive(Debug, Default)]
pub(crate) struct Summary {
    ticks: u32,
    samples: u32,
    rejected: Rejections,
}

impl Summary {
    /// Counts a verdict.
    pub(crate) fn count(&mut self, verdict: &Verdict) {
        self.samples += u32::from(matches!(verdict, Verdict::Sample(_)));
        self.rejected.count(verdict);
    }

    /// Counts a second; returns the summary if it is due.
    pub(crate) fn tick(&mut self) -> Option<Self> {
        self.ticks += 1;
        (self.ticks >= TICKS).then(|| std::mem::take(self))
    }

    /// `Locked: 600 samples in 600 s, rejected: 3 stray-edge, 1 phc-stepped`
    pub(crate) fn line(&self, state: State) -> String {
        let why = state.reason().map_or(String::new(), |reason| format!("{reason}; "));
        let rejected: Vec<_> = self.rejected.0.iter().map(|(key, (times, _))| format!("{times} {key}")).collect();
        let rejected = if rejected.is_empty() { "nothing".into() } else { rejected.join(", ") };
        format!("{state}: {why}{} samples in {} s, rejected: {rejected}", self.samples, self.ticks)
    }
}

/// Logs a verdict for the operator: one line for each change of state, nothing every second.
pub(crate) fn log(engine: &Engine, verdict: &Verdict) {
    match verdict {
        Verdict::StateChanged { from, to } => {
            let (line, reason) = (state_line(engine, *from, *to), to.reason().map(Reason::key));
            let state = to.to_string();
            match to {
                State::Searching(Reason::Starting) | State::Measuring | State::Pairing | State::Locked => {
                    info!(state, reason, "{line}");
                }
                State::Coasting | State::Searching(_) | State::Refusing(_) => warn!(state, reason, "{line}"),
            }
        }
        Verdict::Relabeled { seconds } => warn!(
            seconds,
            "the sentences agree on a different second than before ({seconds:+} s): a leap second occurred, or the receiver \
             has now received the leap second count"
        ),
        Verdict::Contradiction(figures) => warn!("{figures}"),
        Verdict::RolledOver { weeks } => warn!(weeks, "correcting the receiver's dates by {weeks} weeks"),
        Verdict::WitnessOverruled { offset } => warn!(
            "the system clock is synchronized and disagrees by {offset}; publishing nevertheless, because \
             witness is \"warn\""
        ),
        Verdict::Sample(sample) => debug!(
            label = %sample.label,
            offset_ns = sample.offset().nanos(),
            error_ns = sample.error.nanos(),
            "sample"
        ),
        Verdict::Rejected(reason) => debug!(reason = reason.key(), "rejected: {reason}"),
    }
}

/// The state and its cause, in one line for the operator.
pub(crate) fn state_line(engine: &Engine, from: State, to: State) -> String {
    match to {
        State::Searching(Reason::Starting) | State::Measuring | State::Pairing => to.to_string(),
        State::Locked => {
            let width = engine.on_time().and_then(|on_time| on_time.width);
            let edge = width.map_or("the only one".into(), |width| format!("the one that starts {width}"));
            let delay = engine.label().map(|label| label.delay).unwrap_or_default();
            format!("Locked: the on-time edge is {edge}, sentences arrive {delay} after it")
        }
        State::Coasting => {
            let missing = engine.missing().map_or("no sentences confirm the second", Reason::sentence);
            format!("Coasting: {missing}; counting seconds by pulses alone")
        }
        State::Searching(reason) | State::Refusing(reason) => {
            let consequence = if from.publishes() { "; nothing is published" } else { "" };
            format!("{to}: {reason}{consequence}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_ten_minutes_it_says_what_came_since_the_last() {
        let mut summary = Summary::default();
        for (round, says) in [
            (0, "Locked: 0 samples in 600 s, rejected: 1200 phc-stepped, 600 stray-edge"),
            (1, "Locked: 0 samples in 600 s, rejected: nothing"),
        ] {
            let said: Vec<_> = (0..TICKS)
                .filter_map(|_| {
                    if round == 0 {
                        summary.count(&Verdict::Rejected(Reason::PhcStepped));
                        summary.count(&Verdict::Rejected(Reason::Stray));
                        summary.count(&Verdict::Rejected(Reason::PhcStepped));
                    }
                    summary.tick()
                })
                .map(|summary| summary.line(State::Locked))
                .collect();
            assert_eq!(said, [says]);
        }
    }

    #[test]
    fn where_nothing_is_published_it_says_why() {
        let summary = Summary { ticks: TICKS, ..Summary::default() };
        for (state, says) in [
            (State::Locked, "Locked: 0 samples in 600 s, rejected: nothing".to_owned()),
            (
                State::Searching(Reason::Stray),
                format!("Searching: {}; 0 samples in 600 s, rejected: nothing", Reason::Stray.sentence()),
            ),
        ] {
            assert_eq!(summary.line(state), says);
        }
    }
}
