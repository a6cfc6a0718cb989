//! Whether programs may rely on the time: follows the state with a delay, so that a short loss does not stop and
//! restart dependent services.

use crate::core::time::{Instant, Raw, Span};

/// When the gate opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GateConfig {
    /// Opens after this long with uninterrupted samples.
    pub opens_after: Span,
    /// Closes after this long without a sample.
    pub closes_after: Span,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { opens_after: Span::from_secs(10), closes_after: Span::from_secs(10) }
    }
}

/// A longer gap between two samples is an interruption.
const PAUSE: Span = Span::from_millis(2_500);

/// The gate.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Gate {
    config: GateConfig,
    pub(super) is_open: bool,
    /// When it opened or closed.
    pub(super) since: Instant<Raw>,
    /// The first and the last of the uninterrupted samples.
    samples: Option<(Instant<Raw>, Instant<Raw>)>,
}

impl Gate {
    /// A closed gate.
    pub(crate) fn new(config: GateConfig, now: Instant<Raw>) -> Self {
        Self { config, since: now, ..Self::default() }
    }

    /// A sample is published.
    pub(crate) fn sample(&mut self, now: Instant<Raw>) {
        let first = self.samples.filter(|(_, last)| now - *last <= PAUSE).map_or(now, |(first, _)| first);
        self.samples = Some((first, now));
    }

    /// Time passes, in a state that publishes samples or does not.
    pub(crate) fn pass(&mut self, now: Instant<Raw>, publishes: bool) {
        let Some((first, last)) = self.samples else { return };
        let flows = publishes && now - last <= PAUSE;
        let turns = if self.is_open {
            !flows && now - last >= self.config.closes_after
        } else {
            flows && now - first >= self.config.opens_after
        };
        if turns {
            (self.is_open, self.since) = (!self.is_open, now);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(ms: i64) -> Instant<Raw> {
        Instant::from_nanos(ms * 1_000_000)
    }

    /// When it opened and closed, given the seconds with a sample and the times at which the state publishes.
    fn turns(config: GateConfig, has_sample: impl Fn(i64) -> bool, publishes: impl Fn(i64) -> bool) -> Vec<i64> {
        let (mut gate, mut turned) = (Gate::new(config, at(0)), vec![]);
        for ms in (0..60_000).step_by(100) {
            let was = gate.is_open;
            if ms % 1_000 == 0 && has_sample(ms / 1_000) {
                gate.sample(at(ms));
            }
            gate.pass(at(ms), publishes(ms / 1_000));
            if gate.is_open != was {
                assert_eq!(gate.since, at(ms));
                turned.push(ms);
            }
        }
        turned
    }

    #[test]
    fn it_turns_only_after_its_time_and_a_short_loss_turns_nothing() {
        let config = GateConfig { opens_after: Span::from_secs(5), closes_after: Span::from_secs(8) };
        let turns = |has_sample: fn(i64) -> bool| turns(config, has_sample, |_| true);
        assert_eq!(turns(|_| false), [0_i64; 0], "a state that promises samples is none");
        assert_eq!(turns(|s| s >= 2), [7_000]);
        assert_eq!(turns(|s| s >= 2 && s != 4 && s != 20), [7_000], "one lost");
        assert_eq!(turns(|s| s >= 2 && !(4..6).contains(&s)), [11_000], "a pause: it begins anew");
        assert_eq!(turns(|s| s >= 2 && !(20..27).contains(&s)), [7_000], "back within its time");
        assert_eq!(turns(|s| s >= 2 && !(20..40).contains(&s)), [7_000, 27_000, 45_000]);
    }

    #[test]
    fn it_follows_a_state_that_says_that_no_more_come() {
        let config = GateConfig { opens_after: Span::ZERO, closes_after: Span::ZERO };
        assert_eq!(turns(config, |s| s != 10, |s| s != 10), [0, 10_000, 11_000]);
        let config = GateConfig { closes_after: Span::from_millis(1_500), ..config };
        assert_eq!(turns(config, |s| s < 10, |s| s < 10), [0, 10_500]);
    }
}
