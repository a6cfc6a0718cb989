//! Which pulse an epoch names.

use crate::core::engine::Refusal;
use crate::core::engine::epochs::Epoch;
use crate::core::engine::label::{DELAY_JUMP, Label};
use crate::core::engine::phase::Phase;
use crate::core::event::{Contradiction, Reason};
use crate::core::time::{Instant, Raw, Span, UtcSecond};

/// Closer to a pulse than this, it is uncertain which pulse is named.
const MARGIN: Span = Span::from_millis(2);
/// A configured delay fits if the measured one is within this of it.
const DELAY_FITS: Span = Span::from_millis(300);

/// What an epoch says about the count.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Vote {
    /// UTC second of count 0.
    pub(super) base: UtcSecond,
    /// The second that it names.
    pub(super) utc: UtcSecond,
    /// From the pulse to the read with the first byte.
    pub(super) delay: Span,
    /// Whether the port's rate gives the same result.
    pub(super) is_sure: bool,
}

/// An epoch's vote, `None` while no pulse is counted.
pub(super) type Placed = Result<Option<Vote>, Refusal>;

/// The pulse that an epoch names: the last one before it or, with a configured delay, the one nearest to the position
/// given by that delay. `system` is the UTC second of count 0 by an independent clock: it decides if the epoch does
/// not.
pub(super) fn place(epoch: &Epoch, phase: &Phase, delay: Option<Span>, system: Option<UtcSecond>) -> Placed {
    let Epoch { utc, began: [earliest, latest], named, by_set_rate, is_saturated } = *epoch;
    let base = |index: i64| utc.plus(index.saturating_neg());
    let vote = |index, delay, is_sure| Ok(Some(Vote { base: base(index), utc, delay, is_sure }));
    if is_saturated {
        return Err((Reason::LineSaturated, None));
    }
    if let Some(configured) = delay {
        let Some((index, miss)) = phase.nearest(latest - configured) else { return Ok(None) };
        let measured = configured + miss;
        if miss.abs() > DELAY_FITS {
            return Err((Reason::DelayMismatch, Some(Contradiction::Delay { configured, measured })));
        }
        return vote(index, measured, true);
    }
    let Some((index, since)) = phase.before(named - MARGIN) else { return Ok(None) };
    let is_same = |at: Instant<Raw>| phase.before(at).is_some_and(|(other, _)| other == index);
    if is_same(earliest) && is_same(named + MARGIN) {
        return vote(index, since + MARGIN - (named - latest), is_same(by_set_rate));
    }
    // It names this pulse or one before it: a clock that knows the second can decide.
    let agreed = (index - 1..=index + 1).find(|&index| system == Some(base(index)));
    match agreed.zip(phase.before(latest)) {
        Some((index, (last, rest))) => vote(index, rest + phase.period.times(last - index), true),
        None => Err((Reason::StraddlingDelay, None)),
    }
}

/// Whether an epoch can name its second by a label, on either side of a pulse.
pub(super) fn may_name(epoch: &Epoch, phase: &Phase, label: UtcSecond) -> bool {
    let index = epoch.utc.since(label);
    let last = |at: Instant<Raw>| phase.before(at).map(|(index, _)| index);
    let [from, until] = [last(epoch.began[0] - MARGIN), last(epoch.named + MARGIN)];
    from.zip(until).is_none_or(|(from, until)| (from..=until).contains(&index))
}

impl Vote {
    /// By how many seconds it changes the label.
    pub(super) fn change(&self, label: &Label) -> i64 {
        self.base.since(label.base)
    }

    /// Whether it may name the adjacent second by this label, if sentences now arrive later or earlier than before.
    pub(super) fn may_be_late(&self, base: UtcSecond, delay: Span) -> bool {
        let seconds = base.since(self.base);
        seconds.abs() == 1 && (self.delay + Span::SECOND.times(seconds) - delay).abs() <= DELAY_JUMP
    }

    /// This vote and what was counted instead.
    pub(super) fn against(&self, label: &Label) -> Contradiction {
        Contradiction::Label { counted: self.utc.plus(label.base.since(self.base)), named: self.utc }
    }
}
