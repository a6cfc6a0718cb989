//! Which second the pulse marks. Each epoch is a vote: it names the last pulse before it or, with a configured delay,
//! the pulse nearest to where that delay puts it. The label is what the votes agree on; from then on seconds are counted
//! and votes confirm.
//!
//! A label that many votes have confirmed is evidence, too. What it takes to leave it depends on what the sequence of
//! names says. A receiver that corrects itself names a second twice, or leaves one out. Where the names run on without
//! a step, the receiver has not changed its mind: then either these sentences come late, or those before did; and as no
//! sentence comes before its pulse, the votes for the later second are right.

use std::collections::VecDeque;

use crate::core::engine::epochs::Epoch;
use crate::core::engine::guard::is_past_leap_window;
use crate::core::engine::phase::Phase;
use crate::core::event::{Contradiction, Leap, Reason};
use crate::core::time::{Span, UtcSecond};
use chain::{Chain, Names};
use place::{Placed, Vote, place};

mod chain;
mod place;

/// Epochs remembered for a first label.
const REMEMBERED: usize = 12;
/// Votes that make a first label, ...
const TO_LABEL: usize = 3;
/// ... that confirm it after a leap second may have come, or follow one that was shown, ...
const TO_CONFIRM: usize = 2;
/// ... where votes before them differed, or where the pace of the line makes a difference, ...
const TO_DECIDE: usize = 6;
/// ... and to leave a label.
const TO_RELABEL: usize = 5;
/// A label confirmed less often than this is left after as many votes as made it.
const YOUNG: usize = 18;
/// Epochs that agree over this long settle what nothing else does: which way a leap second went.
const TO_PASS_A_LEAP: usize = 120;
/// No firmware's count of leap seconds is older than by this many: a receiver may correct itself by so much, no more.
const STALE_LEAP_SECONDS: i64 = 18;
/// Dissenting votes among the last eight that stop publishing: two receivers on one line dissent by turns.
const DISSENT_OF_EIGHT: u32 = 3;
/// Delays this far apart may be one delay that moved.
const DELAY_JUMP: Span = Span::from_millis(400);
/// Delays this near are the same.
const SAME_DELAY: Span = Span::from_millis(100);

/// The label and what led to it.
#[derive(Clone, Debug, Default)]
pub struct Labeller {
    delay: Option<Span>,
    /// The last epochs, for a first label.
    pub(super) epochs: VecDeque<Epoch>,
    /// The label, whether or not it can be trusted just now.
    pub(super) label: Option<Label>,
    pub(super) chain: Chain,
    /// Why the last epochs make no vote.
    unplaced: Option<(Reason, Option<Contradiction>)>,
    /// The seconds that the last ones named for one pulse, where they differ and there is no label.
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
    /// The last eight votes, one bit each: set where it dissents.
    dissent: u8,
    /// What the last votes named instead, all of them, and how many they are.
    instead: Option<(Vote, usize)>,
    /// Over a time at which a leap second may have come: how many votes have confirmed this label since.
    over_leap: Option<usize>,
    /// Seconds may have been missed: so many votes have to confirm it.
    doubted: usize,
}

/// How far the labels are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labelling {
    /// No agreement yet.
    Open,
    /// Agreed.
    Agreed(Label),
    /// Epochs contradict each other or the count.
    Refused(Reason, Option<Contradiction>),
}

/// Evidence besides the receiver's.
#[derive(Clone, Copy, Debug, Default)]
pub struct Beside {
    /// The UTC second of count 0 by a system clock that is an independent check.
    pub system: Option<UtcSecond>,
    /// The same by a system clock that may be anything.
    pub unsure: Option<UtcSecond>,
    /// The leap second announced for the last month's end that the count came over.
    pub leap: Leap,
}

/// Effect of an epoch on the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No label yet, or the epoch confirms it, or says nothing.
    None,
    /// It named another second than the count.
    Dissent,
    /// The label changed by that many seconds.
    Relabeled(i64),
}

impl Labeller {
    /// `delay` is the configured sentence delay.
    pub fn new(delay: Option<Span>) -> Self {
        Self { delay, ..Self::default() }
    }

    /// Forgets the label and all that led to it.
    pub fn reset(&mut self) {
        *self = Self::new(self.delay);
    }

    /// Forgets the label: the pulse that it was counted on has moved. The receiver's words still stand.
    pub fn count_anew(&mut self) {
        (self.label, self.disagreement) = (None, None);
    }

    /// Takes an epoch. One within a leap window only says how the names run.
    pub fn add(&mut self, epoch: Epoch, phase: &Phase, beside: Beside, in_leap_window: bool) -> Effect {
        self.chain.add(epoch.utc, epoch.named);
        if in_leap_window {
            self.epochs.clear();
            return Effect::None;
        }
        if self.epochs.len() == REMEMBERED {
            self.epochs.pop_front();
        }
        self.epochs.push_back(epoch);
        let vote = match place(&epoch, phase, self.delay, beside.system) {
            Placed::Vote(vote) => vote,
            Placed::Unknown => return Effect::None,
            placed => {
                self.unplaced = placed.why(self.delay);
                return self.hold_against(&epoch, placed, phase);
            }
        };
        self.unplaced = None;
        match self.label {
            None => {
                self.propose(phase, beside);
                Effect::None
            }
            Some(label) if label.base == vote.base => {
                self.chain.confirmed();
                self.label = Some(label.confirm(vote));
                Effect::None
            }
            Some(label) => self.dissent(label, vote, beside),
        }
    }

    /// An epoch that may name either of two pulses speaks against a label by which it names neither.
    fn hold_against(&mut self, epoch: &Epoch, placed: Placed, phase: &Phase) -> Effect {
        let Some(label) = self.label.as_mut().filter(|_| placed == Placed::Straddles) else { return Effect::None };
        let dissents = !place::may_name(epoch, phase, label.base);
        label.dissent = label.dissent << 1 | u8::from(dissents);
        // Where names were missed, only votes in a row tell that bursts have not just lost their beginning.
        label.instead = label.instead.filter(|_| dissents || !self.chain.is_broken);
        if dissents { Effect::Dissent } else { Effect::None }
    }

    /// The pulse has come to this second, at which a leap second may come or has come unseen.
    pub fn over_leap(&mut self) {
        self.label = self.label.map(|label| Label { over_leap: Some(0), ..label });
    }

    /// Seconds may have been missed.
    pub fn doubt(&mut self) {
        self.label = self.label.map(|label| Label { doubted: TO_CONFIRM, ..label });
    }

    /// A first label, if the last epochs agree and nothing before them speaks against it.
    pub fn propose(&mut self, phase: &Phase, beside: Beside) {
        let from = phase.since - phase.period;
        let epochs = self.epochs.iter().rev().take_while(|epoch| epoch.named >= from);
        let placed: Vec<Placed> = epochs.map(|epoch| place(epoch, phase, self.delay, beside.system)).collect();
        let Some(Placed::Vote(newest)) = placed.first().copied().filter(|_| self.label.is_none()) else { return };
        let same = |placed: &&Placed| matches!(placed, Placed::Vote(vote) if vote.base == newest.base);
        let agreed = placed.iter().take_while(same).count();
        let rest = placed.get(agreed..).unwrap_or_default();
        self.disagreement = rest.iter().find_map(|placed| placed.against(&newest));
        let needed = if rest.iter().any(|placed| placed.may_be_late(&newest)) {
            REMEMBERED
        } else if !rest.is_empty() || placed.iter().take(agreed).any(|placed| !placed.is_sure()) {
            TO_DECIDE
        } else {
            TO_LABEL
        };
        if agreed >= needed {
            // Soon after an announced leap second the receiver may yet have to show it.
            let since = newest.utc.plus(-(TO_PASS_A_LEAP as i64));
            let is_open =
                |&change: &i64| is_past_leap_window(since, newest.utc) && !self.chain.has_shown(change, newest.utc);
            let over_leap = beside.leap.change().filter(is_open).map(|_| 0);
            self.label = Some(Label { over_leap, ..Label::new(newest, agreed) });
            self.chain.confirmed();
        }
    }

    fn dissent(&mut self, label: Label, vote: Vote, beside: Beside) -> Effect {
        let votes = label.instead.filter(|(other, _)| other.base == vote.base).map_or(1, |(_, votes)| votes + 1);
        let label = Label { dissent: label.dissent << 1 | 1, instead: Some((vote, votes)), ..label };
        self.label = Some(label);
        if self.needed(&label, &vote, beside).is_none_or(|needed| votes < needed) {
            return Effect::Dissent;
        }
        self.chain.confirmed();
        self.label = Some(Label::new(vote, votes));
        Effect::Relabeled(vote.change(&label))
    }

    /// Votes in a row that it takes to leave a label for this one; `None` where no number is enough.
    fn needed(&self, label: &Label, vote: &Vote, beside: Beside) -> Option<usize> {
        let change = vote.change(label);
        let agrees = |system: Option<UtcSecond>| system.map(|base| base == vote.base);
        let is_expected = beside.leap.change() == Some(change);
        match (agrees(beside.system), label.over_leap, self.chain.names()) {
            (Some(agrees), _, _) => agrees.then_some(TO_RELABEL),
            // Sentences never come before their pulse: beside what the receiver corrected, they only come later. Unless the
            // system clock has shown that they do come before it.
            (None, _, Names::RunOn) if change > 0 => {
                (self.delay.is_some() || label.delay >= Span::ZERO).then_some(TO_RELABEL)
            }
            (None, ..) if self.is_late(label, vote) => None,
            (None, None, Names::Gap(_)) if change < 0 => Some(TO_PASS_A_LEAP),
            (None, Some(_), Names::Stepped(by)) if by == change && change.abs() == 1 => Some(TO_CONFIRM),
            // Where names were missed, a few sentences that come late look like an inserted second.
            (None, Some(_), Names::Unknown) if is_expected => Some(REMEMBERED),
            (None, Some(_), _) if is_expected => Some(TO_CONFIRM),
            (None, Some(_), _) if change.abs() == 1 => Some(TO_PASS_A_LEAP),
            (None, None, Names::Unknown) if vote.may_be_late(label.base, label.delay) => Some(REMEMBERED),
            (None, _, _) if change.abs() <= STALE_LEAP_SECONDS => Some(TO_RELABEL),
            (None, _, _) if label.weight < YOUNG => Some(label.weight.max(TO_RELABEL)),
            (None, _, _) => (agrees(beside.unsure) == Some(true)).then_some(TO_RELABEL),
        }
    }

    /// Whether a vote comes of sentences that are late now.
    fn is_late(&self, label: &Label, vote: &Vote) -> bool {
        let same_delay = (vote.delay - label.delay).abs() <= SAME_DELAY;
        self.chain.names().is_late(vote.change(label), label.over_leap.is_some(), same_delay)
    }

    /// How far the labels are understood; `leap` is what was announced for the last month's end.
    pub fn view(&self, leap: Leap) -> Labelling {
        let Some(label) = self.label else {
            return match (self.unplaced, self.epochs.len()) {
                (Some((reason, figures)), 3..) => Labelling::Refused(reason, figures),
                (None, REMEMBERED) if self.disagreement.is_some() => {
                    Labelling::Refused(Reason::SentencesDisagree, self.disagreement)
                }
                _ => Labelling::Open,
            };
        };
        let announced = leap.change();
        let shown = label.instead.map(|(vote, _)| vote.change(&label));
        let figures = match announced.filter(|_| label.over_leap.is_some()) {
            Some(announced) => Some(Contradiction::Leap { announced, shown: shown.unwrap_or(0) }),
            None => label.instead.map(|(vote, _)| vote.against(&label)),
        };
        match (label.over_leap, label.instead) {
            (Some(_), Some(_)) if shown == announced => Labelling::Refused(Reason::LeapWindow, None),
            (Some(_), Some(_)) => Labelling::Refused(Reason::LeapContradiction, figures),
            (Some(votes), None) if votes < TO_CONFIRM => Labelling::Refused(Reason::LeapWindow, None),
            (Some(votes), None) if announced.is_some() && votes < TO_PASS_A_LEAP => {
                Labelling::Refused(Reason::LeapContradiction, figures)
            }
            (_, Some((vote, _))) if self.is_late(&label, &vote) => {
                let (before, now) = (label.delay, vote.delay);
                Labelling::Refused(Reason::DelayMoved, Some(Contradiction::DelayMoved { before, now }))
            }
            (_, Some(_)) => Labelling::Refused(Reason::LabelDissent, figures),
            (_, None) if label.dissent.count_ones() >= DISSENT_OF_EIGHT => {
                Labelling::Refused(Reason::SentencesDisagree, self.disagreement)
            }
            (_, None) if label.doubted > 0 => Labelling::Open,
            (_, None) => match self.unplaced {
                Some((reason @ (Reason::DelayMismatch | Reason::LineSaturated), figures)) => {
                    Labelling::Refused(reason, figures)
                }
                _ => Labelling::Agreed(label),
            },
        }
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
