//! Which pulse an epoch names.

use crate::core::engine::epochs::Epoch;
use crate::core::engine::label::{DELAY_JUMP, Label};
use crate::core::engine::phase::Phase;
use crate::core::event::{Contradiction, Reason};
use crate::core::time::{Instant, Raw, Span, UtcSecond};

/// Nearer than this to the pulse, which one it names is a guess.
const MARGIN: Span = Span::from_millis(2);
/// A configured delay fits while the measured one lies this near to it.
const DELAY_FITS: Span = Span::from_millis(300);

/// What an epoch says of the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vote {
    /// UTC second of count 0.
    pub(super) base: UtcSecond,
    /// The second that it names.
    pub(super) utc: UtcSecond,
    /// Pulse to the read that brought the first byte.
    pub(super) delay: Span,
    /// Whether the rate that the port is set to would not make it another one.
    sure: bool,
}

/// What came of placing an epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Placed {
    Vote(Vote),
    /// No pulse is counted.
    Unknown,
    /// A pulse lies within the time in which it may have begun.
    Straddles,
    /// The line has not been silent for more than a second: how many seconds it is late, nobody knows.
    Saturated,
    /// The configured delay is another one than this.
    Misfit(Span),
}

/// The pulse that an epoch names: the last one before it or, with a configured delay, the one nearest to where that
/// delay puts it. `system` is the UTC second of count 0 by an independent clock: it decides where the epoch does not.
pub(super) fn place(epoch: &Epoch, phase: &Phase, delay: Option<Span>, system: Option<UtcSecond>) -> Placed {
    let Epoch { utc, began: [earliest, latest], named, by_set_rate, is_saturated } = *epoch;
    let base = |index: i64| utc.plus(index.saturating_neg());
    let vote = |index, delay, sure| Placed::Vote(Vote { base: base(index), utc, delay, sure });
    if is_saturated {
        return Placed::Saturated;
    }
    if let Some(delay) = delay {
        let Some((index, miss)) = phase.nearest(latest - delay) else { return Placed::Unknown };
        return if miss.abs() > DELAY_FITS { Placed::Misfit(delay + miss) } else { vote(index, delay + miss, true) };
    }
    let Some((index, since)) = phase.before(named - MARGIN) else { return Placed::Unknown };
    let is_same = |at: Instant<Raw>| phase.before(at).is_some_and(|(other, _)| other == index);
    if is_same(earliest) && is_same(named + MARGIN) {
        let sure = is_same(by_set_rate);
        let delay = since + MARGIN - (named - latest);
        return vote(index, delay, sure);
    }
    // It names this pulse or one before it: a clock that knows the second tells which.
    let agreed = (index - 1..=index + 1).find(|&index| system == Some(base(index)));
    let Some((index, (last, rest))) = agreed.zip(phase.before(latest)) else { return Placed::Straddles };
    vote(index, rest + phase.period.times(last - index), true)
}

/// Whether an epoch can name its second by a label, on whichever side of a pulse it began.
pub(super) fn may_name(epoch: &Epoch, phase: &Phase, label: UtcSecond) -> bool {
    let index = epoch.utc.posix().saturating_sub(label.posix());
    let last = |at: Instant<Raw>| phase.before(at).map(|(index, _)| index);
    let [from, until] = [last(epoch.began[0] - MARGIN), last(epoch.named + MARGIN)];
    from.zip(until).is_none_or(|(from, until)| (from..=until).contains(&index))
}

impl Placed {
    pub(super) fn is_sure(&self) -> bool {
        matches!(self, Self::Vote(vote) if vote.sure)
    }

    /// Whether one of these and the newest vote may be the same delay, on either side of a pulse.
    pub(super) fn may_be_late(&self, newest: &Vote) -> bool {
        let is_near = matches!(self, Self::Vote(vote) if vote.may_be_late(newest.base, newest.delay));
        is_near || matches!(self, Self::Straddles | Self::Saturated)
    }

    /// The seconds that this one and the newest vote name for one pulse, where they differ.
    pub(super) fn against(&self, newest: &Vote) -> Option<Contradiction> {
        let Self::Vote(vote) = self else { return None };
        let other = newest.utc.plus(vote.base.posix().saturating_sub(newest.base.posix()));
        (other != newest.utc).then_some(Contradiction::Sentences { one: newest.utc, other })
    }

    /// Why there is no vote.
    pub(super) fn why(&self, configured: Option<Span>) -> Option<(Reason, Option<Contradiction>)> {
        match *self {
            Self::Vote(_) | Self::Unknown => None,
            Self::Straddles => Some((Reason::StraddlingDelay, None)),
            Self::Saturated => Some((Reason::LineSaturated, None)),
            Self::Misfit(measured) => {
                let figures = configured.map(|configured| Contradiction::Delay { configured, measured });
                Some((Reason::DelayMismatch, figures))
            }
        }
    }
}

impl Vote {
    /// By how many seconds the label changes with it.
    pub(super) fn change(&self, label: &Label) -> i64 {
        self.base.posix().saturating_sub(label.base.posix())
    }

    /// Whether it may have meant the second next to it by this label, if sentences come later or sooner than they did.
    pub(super) fn may_be_late(&self, base: UtcSecond, delay: Span) -> bool {
        let seconds = base.posix().saturating_sub(self.base.posix());
        seconds.abs() == 1 && (self.delay + Span::SECOND.times(seconds) - delay).abs() <= DELAY_JUMP
    }

    /// This vote and what was counted instead.
    pub(super) fn against(&self, label: &Label) -> Contradiction {
        let later = label.base.posix().saturating_sub(self.base.posix());
        Contradiction::Label { counted: self.utc.plus(later), named: self.utc }
    }
}
