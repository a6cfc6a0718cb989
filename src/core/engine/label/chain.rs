//! The sequence of seconds that a receiver names.

use crate::core::engine::guard;
use crate::core::time::{Instant, Raw, Span, UtcSecond};

/// Names closer together than this are consecutive: none between them was missed.
const TOGETHER: Span = Span::from_millis(1_600);
/// Bursts this far apart belong to different seconds.
const APART: Span = Span::from_millis(500);

/// How the names continued since the label was last confirmed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Names {
    /// One second after another: the receiver has not corrected itself.
    RunOn,
    /// The same, but the line was silent for this many seconds: the names after it are late by that, or corrected by
    /// that.
    Gap(i64),
    /// They stepped by this many seconds in total, with no name missed at the steps.
    Stepped(i64),
    /// Names were missed where they stepped.
    Unknown,
}

impl Names {
    /// Whether such a change of the label means that sentences are late now, because the names do not step that far. A
    /// receiver that steps where no leap second is possible may be another one, with another delay. After silence, it
    /// is a correction if the delay is the same as before.
    pub(crate) fn is_late(self, change: i64, over_leap: bool, same_delay: bool) -> bool {
        match self {
            Self::RunOn => change < 0,
            Self::Gap(seconds) => change < 0 && !over_leap && !(same_delay && change == -seconds),
            Self::Stepped(seconds) => over_leap && change < seconds,
            Self::Unknown => false,
        }
    }
}

/// The last name, and how the names continued up to it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Chain {
    last: Option<(UtcSecond, Instant<Raw>)>,
    stepped: i64,
    /// The last step, and the name after it.
    last_step: Option<(i64, UtcSecond)>,
    gap: i64,
    /// It is unknown which names were missed in between.
    pub(crate) is_broken: bool,
    /// When the first burst after the last name began, whatever it contains.
    heard: Option<Instant<Raw>>,
}

impl Chain {
    pub(crate) fn add(&mut self, utc: UtcSecond, at: Instant<Raw>) {
        let Some((name, before)) = self.last.replace((utc, at)) else { return };
        let named = utc.since(name);
        let (seconds, _) = (at - before).nearest(Span::SECOND);
        let spoke = self.heard.take().is_some_and(|heard| at - heard > APART);
        match named {
            1 if at - before <= TOGETHER => {}
            _ if named == seconds => {}
            _ if at - before <= TOGETHER => self.step(named - 1),
            1 if !spoke => self.gap += seconds - 1,
            _ => self.is_broken = true,
        }
    }

    /// A burst began at this time, or continues.
    pub(crate) fn hear(&mut self, began: Instant<Raw>) {
        if self.last.is_some_and(|(_, last)| began - last > APART) {
            self.heard.get_or_insert(began);
        }
    }

    /// Second 60 counts once, between its neighbors, however many sentences name it.
    pub(crate) fn leap_second(&mut self, at: Instant<Raw>) {
        let Some((name, last)) = self.last.as_mut().filter(|(_, last)| at - *last > APART) else { return };
        let (seconds, _) = (at - *last).nearest(Span::SECOND);
        (*name, *last) = (name.plus(seconds - 1), at);
        self.step(-1);
    }

    fn step(&mut self, seconds: i64) {
        self.stepped = self.stepped.saturating_add(seconds);
        self.last_step = self.last.map(|(name, _)| (seconds, name));
    }

    /// Whether the names stepped by `change` at the last possible leap second before `utc`, or since.
    pub(crate) fn has_shown(&self, change: i64, utc: UtcSecond) -> bool {
        self.last_step.is_some_and(|(by, at)| by == change && !guard::is_past_leap_window(at.plus(guard::REACH), utc))
    }

    /// The label is confirmed: earlier names no longer matter.
    pub(crate) fn confirmed(&mut self) {
        (self.stepped, self.gap, self.is_broken) = (0, 0, false);
    }

    pub(crate) fn names(&self) -> Names {
        match (self.is_broken, self.stepped) {
            (true, _) => Names::Unknown,
            (false, 0) if self.gap > 0 => Names::Gap(self.gap),
            (false, 0) => Names::RunOn,
            (false, seconds) => Names::Stepped(seconds),
        }
    }
}
