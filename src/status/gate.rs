//! Whether time can be relied on, for programs that must not start before it can, or must stop when it cannot: like the
//! state, but slower, so that a short loss does not make them flap.

use crate::time::{Instant, Raw, Span};

/// When the gate opens and closes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GateConfig {
    /// Opens when samples have been published for this long without a pause.
    pub opens_after: Span,
    /// Closes when none has been published for this long.
    pub closes_after: Span,
}

impl Default for GateConfig {
    fn default() -> Self {
        Self { opens_after: Span::from_secs(10), closes_after: Span::from_secs(10) }
    }
}

/// The gate.
#[derive(Clone, Copy, Debug)]
pub struct Gate {
    config: GateConfig,
    is_open: bool,
    /// Since when it is as it is.
    since: Instant<Raw>,
    /// Since when the state is one that would turn it.
    turning: Option<Instant<Raw>>,
}

impl Gate {
    /// A gate that is closed.
    pub fn new(config: GateConfig, now: Instant<Raw>) -> Self {
        Self { config, is_open: false, since: now, turning: None }
    }

    /// Time passes, in a state that publishes or does not.
    pub fn pass(&mut self, now: Instant<Raw>, publishes: bool) {
        if publishes == self.is_open {
            self.turning = None;
            return;
        }
        let turning = *self.turning.get_or_insert(now);
        let after = if publishes { self.config.opens_after } else { self.config.closes_after };
        if now - turning >= after {
            (self.is_open, self.since, self.turning) = (publishes, now, None);
        }
    }

    /// Whether it is open.
    pub fn is_open(&self) -> bool {
        self.is_open
    }

    /// Since when it is open or closed.
    pub fn since(&self) -> Instant<Raw> {
        self.since
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_turns_only_after_its_time_and_a_short_change_turns_nothing() {
        let at = |s: i64| Instant::<Raw>::from_parts(s, 0);
        let config = GateConfig { opens_after: Span::from_secs(5), closes_after: Span::from_secs(3) };
        let mut gate = Gate::new(config, at(0));
        // second, publishes, open after it
        for (s, publishes, open) in [
            (1, true, false),
            (5, true, false),
            (6, true, true),
            (10, false, true),
            (12, false, true),
            (13, true, true), // back within its time
            (14, false, true),
            (16, false, true),
            (17, false, false),
            (18, true, false),
            (22, true, false),
            (22, false, false), // begins anew
            (23, true, false),
            (27, true, false),
            (28, true, true),
        ] {
            gate.pass(at(s), publishes);
            assert_eq!(gate.is_open(), open, "at {s} s");
        }
        assert_eq!(gate.since(), at(28));
    }

    #[test]
    fn without_hysteresis_it_follows_the_state() {
        let at = |s: i64| Instant::<Raw>::from_parts(s, 0);
        let config = GateConfig { opens_after: Span::ZERO, closes_after: Span::ZERO };
        let mut gate = Gate::new(config, at(0));
        for (s, publishes) in [(1, true), (2, false), (3, true)] {
            gate.pass(at(s), publishes);
            assert_eq!(gate.is_open(), publishes);
        }
    }
}
