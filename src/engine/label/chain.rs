//! The sequence of the names that a receiver gives to seconds, whenever they come.

use crate::time::{Instant, Raw, Span, UtcSecond};

/// Names that come nearer together than this follow each other: none between them was missed.
const TOGETHER: Span = Span::from_millis(1_600);

/// How the names ran since the label was confirmed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Names {
    /// One second after the other: the receiver has not changed its mind.
    RunOn,
    /// They stepped by this many seconds in all, and none was missed there.
    Stepped(i64),
    /// Names were missed where they stepped.
    Unknown,
}

impl Names {
    /// Whether a label that changes so comes of sentences that are late now: the names do not say so much. A receiver
    /// that steps where no leap second can be may be another one, and its delay as well.
    pub(super) fn is_late(self, change: i64, over_leap: bool) -> bool {
        match self {
            Self::RunOn => change < 0,
            Self::Stepped(seconds) => over_leap && change < seconds,
            Self::Unknown => false,
        }
    }
}

/// The last name, and how they ran to it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Chain {
    last: Option<(UtcSecond, Instant<Raw>)>,
    stepped: Option<i64>,
    is_broken: bool,
}

impl Chain {
    pub(super) fn add(&mut self, utc: UtcSecond, at: Instant<Raw>) {
        let Some((name, before)) = self.last.replace((utc, at)) else { return };
        let named = utc.posix().saturating_sub(name.posix());
        let (seconds, _) = (at - before).nearest(Span::SECOND);
        match named {
            1 => {}
            _ if named == seconds => {}
            _ if at - before <= TOGETHER => self.step(named - 1),
            _ => self.is_broken = true,
        }
    }

    /// A second 60 stands between its neighbors.
    pub(super) fn leap_second(&mut self, at: Instant<Raw>) {
        if let Some((_, last)) = &mut self.last {
            *last = at;
            self.step(-1);
        }
    }

    fn step(&mut self, seconds: i64) {
        self.stepped = Some(self.stepped.unwrap_or(0).saturating_add(seconds));
    }

    /// The label is confirmed: what came before has no meaning.
    pub(super) fn confirmed(&mut self) {
        (self.stepped, self.is_broken) = (None, false);
    }

    pub(super) fn names(&self) -> Names {
        match (self.is_broken, self.stepped) {
            (true, _) => Names::Unknown,
            (false, None | Some(0)) => Names::RunOn,
            (false, Some(seconds)) => Names::Stepped(seconds),
        }
    }
}
