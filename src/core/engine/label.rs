//! Which second the pulse marks. Each epoch is a vote: it names the last pulse before it or, with a configured delay,
//! the pulse nearest to the position given by that delay. The label is the result on which the votes agree; from then
//! on, seconds are counted and votes confirm the count.
//!
//! A label that many votes have confirmed is evidence, too. How many votes it takes to leave it depends on the sequence
//! of names. A receiver that corrects itself names a second twice or skips one. If the names continue without a step,
//! the receiver has not corrected itself: either these sentences are late, or the earlier ones were; because no
//! sentence arrives before its pulse, the votes for the later second are right.

use std::collections::VecDeque;

use crate::core::engine::Refusal;
use crate::core::engine::epochs::Epoch;
use crate::core::engine::guard::is_past_leap_window;
use crate::core::engine::phase::Phase;
use crate::core::event::{Contradiction, Leap, Reason, Verdict};
use crate::core::time::{Span, UtcSecond};
use chain::{Chain, Names};
use place::{Placed, Vote, place};

mod chain;
mod place;

/// Epochs remembered for a first label.
const REMEMBERED: usize = 12;
/// Votes for a first label.
const TO_LABEL: usize = 3;
/// Votes to confirm it after a possible leap second, or to follow one that was shown.
const TO_CONFIRM: usize = 2;
/// Votes for a first label if earlier votes differed, or if the pace of the line makes a difference.
const TO_DECIDE: usize = 6;
/// Votes to leave a label.
const TO_RELABEL: usize = 5;
/// A label confirmed less often than this is left after as many votes as confirmed it.
const YOUNG: usize = 18;
/// This many agreeing epochs settle what nothing else can: the direction of a leap second.
const TO_PASS_A_LEAP: usize = 120;
/// No firmware's leap second count is outdated by more than this: a receiver may correct itself by up to this many
/// seconds.
const STALE_LEAP_SECONDS: i64 = 18;
/// Dissenting votes among the last eight that stop publishing: two receivers on one line dissent alternately.
const DISSENT_OF_EIGHT: u32 = 3;
/// Delays this far apart may be one delay that moved.
const DELAY_JUMP: Span = Span::from_millis(400);
/// Delays this close together are the same.
const SAME_DELAY: Span = Span::from_millis(100);

/// The label and what led to it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Labeller {
    delay: Option<Span>,
    /// The last epochs, for a first label.
    pub(super) epochs: VecDeque<Epoch>,
    /// The label, whether it is trusted now or not.
    pub(super) label: Option<Label>,
    pub(super) chain: Chain,
    /// Why the last epoch was not a vote.
    unplaced: Option<Refusal>,
    /// The seconds that the last epochs named for one pulse, if they differ and there is no label.
    disagreement: Option<Contradiction>,
}

/// A count tied to UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// UTC second of count 0.
    pub base: UtcSecond,
    /// Sentence delay when last confirmed, pulse to the read of the first byte.
    pub delay: Span,
    /// Votes that confirmed it.
    weight: usize,
    /// The last eight votes, one bit each: set if it dissented.
    dissent: u8,
    /// What the last votes all named instead, and how many they are.
    instead: Option<(Vote, usize)>,
    /// Votes that confirmed this label since a leap second may have occurred.
    over_leap: Option<usize>,
    /// Votes that must confirm it because seconds may have been missed.
    doubted: usize,
}

/// Evidence other than the receiver's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Beside {
    /// The UTC second of count 0 by a system clock that is an independent check.
    pub system: Option<UtcSecond>,
    /// The same by the system clock, whether or not it is an independent check.
    pub unsure: Option<UtcSecond>,
    /// The leap second announced for the last month's end that the count passed.
    pub leap: Leap,
}

impl Labeller {
    /// `delay` is the configured sentence delay.
    pub(crate) fn new(delay: Option<Span>) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Forgets the label and everything that led to it.
    pub(crate) fn reset(&mut self) {
        *self = Self::new(self.delay);
    }

    /// Forgets the label, because the pulse that it was counted on has moved. The epochs remain valid.
    pub(crate) fn count_anew(&mut self) {
        (self.label, self.disagreement) = (None, None);
    }

    /// Takes an epoch; returns a verdict if it dissents or changes the label. Within a leap window, it only continues
    /// the sequence of names.
    pub(crate) fn add(&mut self, epoch: Epoch, phase: &Phase, beside: Beside, in_leap_window: bool) -> Option<Verdict> {
        self.chain.add(epoch.utc, epoch.named);
        if in_leap_window {
            self.epochs.clear();
            return None;
        }
        if self.epochs.len() == REMEMBERED {
            self.epochs.pop_front();
        }
        self.epochs.push_back(epoch);
        let placed = place(&epoch, phase, self.delay, beside.system);
        if placed != Ok(None) {
            self.unplaced = placed.err();
        }
        match (placed, self.label) {
            (Ok(None), _) => None,
            (Err((Reason::StraddlingDelay, _)), Some(label)) => self.hold_against(label, &epoch, phase),
            (Err(_), _) => None,
            (Ok(Some(_)), None) => {
                self.propose(phase, beside);
                None
            }
            (Ok(Some(vote)), Some(label)) if label.base == vote.base => {
                self.chain.confirmed();
                self.label = Some(label.confirm(vote));
                None
            }
            (Ok(Some(vote)), Some(label)) => Some(self.dissent(label, vote, beside)),
        }
    }

    /// An epoch that may name either of two pulses contradicts a label by which it names neither.
    fn hold_against(&mut self, label: Label, epoch: &Epoch, phase: &Phase) -> Option<Verdict> {
        let dissents = !place::may_name(epoch, phase, label.base);
        // If names were missed, only consecutive votes show that bursts have not merely lost their beginning.
        let instead = label.instead.filter(|_| dissents || !self.chain.is_broken);
        self.label = Some(Label { dissent: label.dissent << 1 | u8::from(dissents), instead, ..label });
        dissents.then_some(Verdict::Rejected(Reason::LabelDissent))
    }

    /// A leap second may occur now, or may have occurred unseen.
    pub(crate) fn over_leap(&mut self) {
        self.label = self.label.map(|label| Label { over_leap: Some(0), ..label });
    }

    /// Seconds may have been missed.
    pub(crate) fn doubt(&mut self) {
        self.label = self.label.map(|label| Label { doubted: TO_CONFIRM, ..label });
    }

    /// A first label, if the last epochs agree and nothing before them contradicts it.
    pub(crate) fn propose(&mut self, phase: &Phase, beside: Beside) {
        let from = phase.since - phase.period;
        let epochs = self.epochs.iter().rev().take_while(|epoch| epoch.named >= from);
        let placed: Vec<Placed> = epochs.map(|epoch| place(epoch, phase, self.delay, beside.system)).collect();
        let Some(Ok(Some(newest))) = placed.first().copied().filter(|_| self.label.is_none()) else { return };
        let agreed: Vec<Vote> =
            placed.iter().map_while(|placed| (*placed).ok()?.filter(|v| v.base == newest.base)).collect();
        let rest = placed.get(agreed.len()..).unwrap_or_default();
        self.disagreement = rest.iter().find_map(|placed| {
            let vote = (*placed).ok()??;
            let other = newest.utc.plus(vote.base.since(newest.base));
            (other != newest.utc).then_some(Contradiction::Sentences { one: newest.utc, other })
        });
        // The same delay may lie on either side of a pulse.
        let may_be_late = |placed: &Placed| match placed {
            Ok(vote) => vote.is_some_and(|vote| vote.may_be_late(newest.base, newest.delay)),
            Err((reason, _)) => *reason != Reason::DelayMismatch,
        };
        let needed = if rest.iter().any(may_be_late) {
            REMEMBERED
        } else if !rest.is_empty() || agreed.iter().any(|vote| !vote.is_sure) {
            TO_DECIDE
        } else {
            TO_LABEL
        };
        if agreed.len() >= needed {
            // Soon after an announced leap second, the receiver may not have shown it yet.
            let since = newest.utc.plus(-(TO_PASS_A_LEAP as i64));
            let is_open =
                |&change: &i64| is_past_leap_window(since, newest.utc) && !self.chain.has_shown(change, newest.utc);
            let over_leap = beside.leap.change().filter(is_open).map(|_| 0);
            self.label = Some(Label { over_leap, ..Label::new(newest, agreed.len()) });
            self.chain.confirmed();
        }
    }

    fn dissent(&mut self, label: Label, vote: Vote, beside: Beside) -> Verdict {
        let votes = label.instead.filter(|(other, _)| other.base == vote.base).map_or(1, |(_, votes)| votes + 1);
        let label = Label { dissent: label.dissent << 1 | 1, instead: Some((vote, votes)), ..label };
        self.label = Some(label);
        if self.needed(&label, &vote, beside).is_none_or(|needed| votes < needed) {
            return Verdict::Rejected(Reason::LabelDissent);
        }
        self.chain.confirmed();
        self.label = Some(Label::new(vote, votes));
        Verdict::Relabeled { seconds: vote.change(&label) }
    }

    /// Consecutive votes that it takes to leave a label for this one; `None` if no number is enough.
    fn needed(&self, label: &Label, vote: &Vote, beside: Beside) -> Option<usize> {
        let change = vote.change(label);
        let agrees = |system: Option<UtcSecond>| system.map(|base| base == vote.base);
        let is_expected = beside.leap.change() == Some(change);
        match (agrees(beside.system), label.over_leap, self.chain.names()) {
            (Some(agrees), _, _) => agrees.then_some(TO_RELABEL),
            // Sentences never arrive before their pulse, so apart from the receiver's corrections they can only be
            // late, unless the system clock has shown that they do arrive before it.
            (None, _, Names::RunOn) if change > 0 => {
                (self.delay.is_some() || label.delay >= Span::ZERO).then_some(TO_RELABEL)
            }
            (None, ..) if self.is_late(label, vote) => None,
            (None, None, Names::Gap(_)) if change < 0 => Some(TO_PASS_A_LEAP),
            (None, Some(_), Names::Stepped(by)) if by == change && change.abs() == 1 => Some(TO_CONFIRM),
            // If names were missed, a few late sentences look like an inserted second.
            (None, Some(_), Names::Unknown) if is_expected => Some(REMEMBERED),
            (None, Some(_), _) if is_expected => Some(TO_CONFIRM),
            (None, Some(_), _) if change.abs() == 1 => Some(TO_PASS_A_LEAP),
            (None, None, Names::Unknown) if vote.may_be_late(label.base, label.delay) => Some(REMEMBERED),
            (None, _, _) if change.abs() <= STALE_LEAP_SECONDS => Some(TO_RELABEL),
            (None, _, _) if label.weight < YOUNG => Some(label.weight.max(TO_RELABEL)),
            (None, _, _) => (agrees(beside.unsure) == Some(true)).then_some(TO_RELABEL),
        }
    }

    /// Whether a vote comes from sentences that are late now.
    fn is_late(&self, label: &Label, vote: &Vote) -> bool {
        let same_delay = (vote.delay - label.delay).abs() <= SAME_DELAY;
        self.chain.names().is_late(vote.change(label), label.over_leap.is_some(), same_delay)
    }

    /// The label, if the epochs agree on one yet; an error if they contradict each other or the count. `leap` is what
    /// was announced for the end of the last month.
    pub(crate) fn view(&self, leap: Leap) -> Result<Option<Label>, Refusal> {
        let Some(label) = self.label else {
            return match (self.unplaced, self.epochs.len()) {
                (Some(refusal), 3..) => Err(refusal),
                (None, REMEMBERED) if self.disagreement.is_some() => {
                    Err((Reason::SentencesDisagree, self.disagreement))
                }
                _ => Ok(None),
            };
        };
        let announced = leap.change();
        let shown = label.instead.map(|(vote, _)| vote.change(&label));
        let figures = match announced.filter(|_| label.over_leap.is_some()) {
            Some(announced) => Some(Contradiction::Leap { announced, shown: shown.unwrap_or(0) }),
            None => label.instead.map(|(vote, _)| vote.against(&label)),
        };
        Err(match (label.over_leap, label.instead) {
            (Some(_), Some(_)) if shown == announced => (Reason::LeapWindow, None),
            (Some(_), Some(_)) => (Reason::LeapContradiction, figures),
            (Some(votes), None) if votes < TO_CONFIRM => (Reason::LeapWindow, None),
            (Some(votes), None) if announced.is_some() && votes < TO_PASS_A_LEAP => {
                (Reason::LeapContradiction, figures)
            }
            (None, Some((vote, _))) if self.is_late(&label, &vote) => {
                (Reason::DelayMoved, Some(Contradiction::DelayMoved { before: label.delay, now: vote.delay }))
            }
            (None, Some(_)) => (Reason::LabelDissent, figures),
            (_, None) if label.dissent.count_ones() >= DISSENT_OF_EIGHT => {
                (Reason::SentencesDisagree, self.disagreement)
            }
            (_, None) if label.doubted > 0 => return Ok(None),
            (_, None) => match self.unplaced {
                Some(refusal @ (Reason::DelayMismatch | Reason::LineSaturated, _)) => refusal,
                _ => return Ok(Some(label)),
            },
        })
    }
}

impl Label {
    fn new(vote: Vote, weight: usize) -> Self {
        let Vote { base, delay, .. } = vote;
        Self { base, delay, weight, dissent: 0, instead: None, over_leap: None, doubted: 0 }
    }

    fn confirm(self, vote: Vote) -> Self {
        let over_leap = self.over_leap.map(|votes| votes + 1).filter(|votes| *votes <= TO_PASS_A_LEAP);
        Self {
            delay: vote.delay,
            weight: self.weight.saturating_add(1),
            dissent: self.dissent << 1,
            instead: None,
            over_leap,
            doubted: self.doubted.saturating_sub(1),
            ..self
        }
    }
}
