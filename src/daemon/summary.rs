//! The log line of every ten minutes: state, number of samples, what was rejected.

use std::collections::BTreeMap;

use crate::core::event::{State, Verdict};

/// Ticks of the event loop, a second each, from one summary to the next.
const TICKS: u32 = 600;

/// Counts since the last summary.
#[derive(Debug, Default)]
pub struct Summary {
    ticks: u32,
    samples: u32,
    rejected: BTreeMap<&'static str, u32>,
}

impl Summary {
    /// Counts a verdict.
    pub fn count(&mut self, verdict: &Verdict) {
        match verdict {
            Verdict::Sample(_) => self.samples += 1,
            Verdict::Rejected(reason) => *self.rejected.entry(reason.key()).or_default() += 1,
            Verdict::StateChanged { .. }
            | Verdict::Relabeled { .. }
            | Verdict::Contradiction(_)
            | Verdict::RolledOver { .. }
            | Verdict::WitnessOverruled { .. } => {}
        }
    }

    /// A second has passed; the summary, if it is due.
    pub fn tick(&mut self) -> Option<Self> {
        self.ticks += 1;
        (self.ticks >= TICKS).then(|| std::mem::take(self))
    }

    /// `Locked: 600 samples in 600 s, rejected: 3 stray-edge, 1 phc-stepped`
    pub fn line(&self, state: State) -> String {
        let why = state.reason().map_or(String::new(), |reason| format!("{reason}; "));
        let rejected: Vec<_> = self.rejected.iter().map(|(reason, times)| format!("{times} {reason}")).collect();
        let rejected = if rejected.is_empty() { "nothing".into() } else { rejected.join(", ") };
        format!("{state}: {why}{} samples in {} s, rejected: {rejected}", self.samples, self.ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Reason;

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
