//! Which second the on-time edge marks. A mention names the last on-time edge before it (or, with a configured delay,
//! the edge nearest to where that delay puts it); the label is what several mentions agree on. From then on seconds
//! are counted on the edges and mentions only confirm.
//!
//! What a mention cannot say is how many whole seconds late it is. So a sentence that slides across the pulse is never
//! followed: when mentions begin to name another edge, their delay must say that the *label* changed, not the delay.

use std::collections::VecDeque;

use crate::engine::mention::Mention;
use crate::engine::placing::{DELAY_FITS, DELAY_JUMP, Placed, Unplaced, are_clear, moved};
use crate::engine::track::{Track, TrackId};
use crate::event::{Contradiction, Reason};
use crate::time::{Span, UtcSecond};

/// Mentions remembered.
const REMEMBERED: usize = 16;
/// Mentions that must agree before the first label, ...
const TO_LABEL: usize = 3;
/// ... for another one than before, or after mentions that said otherwise, ...
const TO_RELABEL: usize = 5;
/// ... and to return to the one that was.
const TO_RETURN: usize = 3;
/// ... as over a leap second.
const TO_PASS_A_LEAP: usize = 2;
/// Dissenting mentions in a row that stop publishing, ...
const DISSENT: u32 = 2;
/// ... and dissenting ones among the last eight: two receivers on one line dissent every other time.
const DISSENT_OF_EIGHT: u32 = 3;
/// Mentions older than this say nothing any more.
const REMEMBERED_FOR: Span = Span::from_secs(64);
/// Mentions that may come without a label before that is said.
const UNDECIDED: usize = 8;
/// So many crossings of the pulse among the last 64 mentions, and delays straddle it.
const CROSSINGS: u32 = 3;
/// A delay that stayed within this has not moved at all.
const DELAY_STEADY: Span = Span::from_millis(150);

/// Labels the on-time edge.
#[derive(Clone, Debug)]
pub struct Labeller {
    configured: Option<Span>,
    /// The delay that places mentions: the configured one, or the one that the witness settled.
    delay: Option<Span>,
    /// The track that mentions are placed on.
    track: Option<TrackId>,
    mentions: VecDeque<Mention>,
    label: Option<Label>,
    /// What mentions say of the label now.
    standing: Standing,
    refused: Option<Reason>,
    contradiction: Option<Contradiction>,
    /// A bit for each of the last mentions, the newest lowest: whether it dissented.
    dissents: u8,
    /// A bit for each of the last mentions: whether its delay crossed the pulse since the one before.
    crossings: u64,
    previous: Option<Placed>,
    unplaced: usize,
    /// Mentions that came since the on-time edge is known, and left it without a label.
    undecided: usize,
    /// Mentions that confirmed the label.
    confirmed: usize,
}

/// The count of a track, tied to UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// The track whose count it is.
    pub track: TrackId,
    /// UTC second of count 0.
    pub base: UtcSecond,
    /// Sentence delay when last confirmed: pulse to first byte.
    pub delay: Span,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    /// It is published.
    Trusted,
    /// It is not; that many mentions in a row agreed again.
    Suspended { agreed: usize },
    /// A leap second may have come; that many mentions in a row agreed on this.
    AfterLeap { base: UtcSecond, agreed: usize, expected: Option<i64> },
}

/// How far the labels are understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Labelling {
    /// No agreement yet.
    Open,
    /// Agreed.
    Agreed(Label),
    /// Mentions contradict each other or the count.
    Refused(Reason),
}

/// What a mention did to the label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Nothing: no label yet, or the mention confirms it.
    None,
    /// It named another second than the count.
    Dissent,
    /// The label changed by that many seconds.
    Relabelled(i64),
}

impl Labeller {
    /// A labeller; `delay` is the configured sentence delay.
    pub fn new(delay: Option<Span>) -> Self {
        Self {
            configured: delay,
            delay,
            track: None,
            mentions: VecDeque::new(),
            label: None,
            standing: Standing::Trusted,
            refused: None,
            contradiction: None,
            dissents: 0,
            crossings: 0,
            previous: None,
            unplaced: 0,
            undecided: 0,
            confirmed: 0,
        }
    }

    /// Takes a mention, with the on-time track if it is known.
    pub fn add(&mut self, mention: Mention, track: Option<&Track>) -> Effect {
        if self.mentions.len() == REMEMBERED {
            self.mentions.pop_front();
        }
        self.mentions.push_back(mention);
        let Some(track) = track else { return Effect::None };
        self.follow(track);
        self.undecided = if self.label.is_some() { 0 } else { self.undecided.saturating_add(1) };
        match self.place(&mention, track) {
            Ok(placed) => {
                self.unplaced = 0;
                let crossed = self.previous.replace(placed).is_some_and(|before| moved(&placed, &before));
                self.crossings = self.crossings << 1 | u64::from(crossed);
                if crossed && self.confirmed < REMEMBERED {
                    // So young a label may have been agreed on the wrong side of the pulse.
                    self.label = None;
                }
                if self.straddles() {
                    // The label stays: only sentences that agree with it again may bring it back.
                    self.standing = Standing::Suspended { agreed: 0 };
                    self.refused = Some(Reason::StraddlingDelay);
                    return Effect::None;
                }
                self.weigh(placed, mention.utc, track)
            }
            Err(unplaced) => {
                self.unplaced = self.unplaced.saturating_add(1);
                if self.unplaced >= TO_LABEL {
                    self.refuse_unplaced(unplaced);
                }
                Effect::None
            }
        }
    }

    /// Whether delays keep crossing the pulse. Where there is no label yet, it takes less to stay away from one.
    fn straddles(&self) -> bool {
        let enough = if self.label.is_some() { CROSSINGS } else { 1 };
        self.delay.is_none() && self.crossings.count_ones() >= enough
    }

    fn weigh(&mut self, placed: Placed, named: UtcSecond, track: &Track) -> Effect {
        match (self.label, self.standing) {
            (None, _) => {
                self.propose(track);
                Effect::None
            }
            (Some(label), Standing::AfterLeap { base, agreed, expected }) => {
                self.pass_leap(label, placed, (base, agreed, expected))
            }
            (Some(label), Standing::Trusted | Standing::Suspended { .. }) if label.base == placed.base => {
                self.confirm(label, placed);
                Effect::None
            }
            (Some(label), Standing::Trusted | Standing::Suspended { .. }) => {
                let counted = named.plus(label.base.posix() - placed.base.posix());
                self.contradiction = Some(Contradiction::Label { counted, named });
                self.dissent(label, track)
            }
        }
    }

    /// The on-time track may have become known or another one since the last mention.
    pub fn follow(&mut self, track: &Track) {
        if self.track != Some(track.id()) {
            // What was seen from another track says nothing of this one; the mentions are the same.
            let mentions = std::mem::take(&mut self.mentions);
            *self = Self { mentions, track: Some(track.id()), ..Self::new(self.configured) };
        }
        if self.label.is_none() && !self.straddles() {
            self.propose(track);
        }
    }

    /// Forgets the label: what it was counted on, or what confirmed it, has been gone for too long.
    pub fn reset(&mut self) {
        *self = Self::new(self.configured);
    }

    /// A leap second may come now: what was counted has to be confirmed again. `expected` is by how much the label will
    /// have to change, if that is known. To be called throughout the window, in which mentions are not to be added.
    pub fn enter_leap_window(&mut self, expected: Option<i64>) {
        if let Some(label) = self.label {
            self.standing = Standing::AfterLeap { base: label.base, agreed: 0, expected };
            self.refused = None;
        }
        self.mentions.clear();
    }

    /// An independent clock says which second count 0 was. Settles what the sentences leave open: how late they are.
    pub fn witness(&mut self, base: UtcSecond, track: &Track) {
        let is_open = matches!(self.refused, Some(Reason::StraddlingDelay | Reason::DelayMoved));
        if self.label.is_some() || !is_open || self.configured.is_some() {
            return;
        }
        let late = |mention: &Mention| {
            let index = mention.utc.posix().saturating_sub(base.posix());
            mention.first_byte - track.time_of(index)
        };
        let delays = || self.mentions.iter().map(late);
        let (Some(least), Some(most)) = (delays().min(), delays().max()) else { return };
        if self.mentions.len() >= TO_LABEL && most - least < DELAY_FITS.times(2) {
            self.delay = Some(least + Span::from_nanos((most - least).nanos() / 2));
            self.refused = None;
            self.propose(track);
        }
    }

    /// How far the labels are understood.
    pub fn view(&self) -> Labelling {
        match (self.refused, self.label, self.standing) {
            (Some(reason), _, _) => Labelling::Refused(reason),
            (None, Some(_), Standing::AfterLeap { .. }) => Labelling::Refused(Reason::LeapWindow),
            (None, Some(_), Standing::Suspended { .. }) => Labelling::Refused(Reason::LabelDissent),
            (None, Some(label), Standing::Trusted) => Labelling::Agreed(label),
            // Sentences that cannot agree for so long come too close to the pulse, or across it.
            (None, None, _) if self.undecided > UNDECIDED => Labelling::Refused(Reason::StraddlingDelay),
            (None, None, _) => Labelling::Open,
        }
    }

    /// The second of that count, whether or not it can be trusted just now.
    pub fn counted(&self, index: i64) -> Option<UtcSecond> {
        self.label.map(|label| label.base.plus(index))
    }

    /// The figures of a refusal.
    pub fn contradiction(&self) -> Option<Contradiction> {
        self.contradiction
    }

    fn place(&self, mention: &Mention, track: &Track) -> Result<Placed, Unplaced> {
        Placed::new(mention, track, self.delay)
    }

    fn refuse_unplaced(&mut self, unplaced: Unplaced) {
        match (unplaced, self.configured) {
            (Unplaced::Misfit(measured), Some(configured)) => {
                self.refused = Some(Reason::DelayMismatch);
                self.contradiction = Some(Contradiction::Delay { configured, measured });
            }
            (Unplaced::Misfit(_), None) => self.refused = Some(Reason::DelayMoved),
            (Unplaced::Guess, _) => self.refused = Some(Reason::StraddlingDelay),
        }
    }

    /// A first label, if the last mentions agree and nothing before them forbids it.
    fn propose(&mut self, track: &Track) {
        let Some(newest) = self.mentions.back() else { return };
        let heard_from = (track.since() - track.period()).max(newest.first_byte - REMEMBERED_FOR);
        let placed: Vec<Placed> = (self.mentions.iter().rev())
            .take_while(|mention| mention.first_byte >= heard_from)
            .filter_map(|mention| self.place(mention, track).ok())
            .collect();
        let Some(newest) = placed.first() else { return };
        let (agreed, before) = placed.split_at(placed.iter().take_while(|p| p.base == newest.base).count());
        if let Some(dissenter) = before.iter().find(|p| moved(newest, p)) {
            self.refused = Some(self.why_moved(newest, dissenter));
            return;
        }
        self.refused = None;
        let needed = if !are_clear(agreed) {
            REMEMBERED
        } else if before.is_empty() {
            TO_LABEL
        } else {
            TO_RELABEL
        };
        if agreed.len() >= needed {
            self.label = Some(Label { track: track.id(), base: newest.base, delay: newest.delay });
            self.standing = Standing::Trusted;
            self.dissents = 0;
            self.confirmed = 0;
        }
    }

    fn why_moved(&self, newest: &Placed, dissenter: &Placed) -> Reason {
        let near_pulse = |delay: Span| delay < DELAY_STEADY || delay > Span::SECOND - DELAY_STEADY;
        let both_near = near_pulse(newest.delay) && near_pulse(dissenter.delay);
        if self.delay.is_none() && both_near { Reason::StraddlingDelay } else { Reason::DelayMoved }
    }

    fn confirm(&mut self, label: Label, placed: Placed) {
        self.dissents <<= 1;
        self.confirmed = self.confirmed.saturating_add(1);
        self.standing = match self.standing {
            Standing::Suspended { agreed } if agreed + 1 < TO_RETURN => Standing::Suspended { agreed: agreed + 1 },
            Standing::Suspended { .. } | Standing::Trusted | Standing::AfterLeap { .. } => Standing::Trusted,
        };
        if self.standing == Standing::Trusted {
            self.refused = None;
            self.label = Some(Label { delay: placed.delay, ..label });
        }
    }

    fn dissent(&mut self, label: Label, track: &Track) -> Effect {
        self.dissents = self.dissents << 1 | 1;
        let in_a_row = self.dissents.trailing_ones();
        if in_a_row >= DISSENT || self.dissents.count_ones() >= DISSENT_OF_EIGHT || self.standing != Standing::Trusted {
            self.standing = Standing::Suspended { agreed: 0 };
        }
        let recent: Vec<Placed> = (self.mentions.iter().rev().take(TO_RELABEL))
            .filter_map(|mention| self.place(mention, track).ok())
            .collect();
        let Some(newest) = recent.first() else { return Effect::Dissent };
        if recent.len() < TO_RELABEL || recent.iter().any(|p| p.base != newest.base) {
            return Effect::Dissent;
        }
        let moved = |placed: &Placed| (placed.delay - label.delay).abs() > DELAY_STEADY;
        if self.refused == Some(Reason::DelayMoved) || recent.iter().any(moved) {
            self.refused = Some(Reason::DelayMoved);
            return Effect::Dissent;
        }
        self.relabel(label, newest)
    }

    /// A mention after a leap second, or after a time at which there could have been one.
    fn pass_leap(&mut self, label: Label, placed: Placed, so_far: (UtcSecond, usize, Option<i64>)) -> Effect {
        let (base, agreed, expected) = so_far;
        let agreed = if base == placed.base { agreed + 1 } else { 1 };
        self.standing = Standing::AfterLeap { base: placed.base, agreed, expected };
        let change = placed.base.posix().saturating_sub(label.base.posix());
        let is_steady = (placed.delay - label.delay).abs() <= DELAY_JUMP;
        match expected {
            Some(expected) if change != expected => {
                self.refused = (agreed >= TO_PASS_A_LEAP).then_some(Reason::LeapContradiction);
                Effect::None
            }
            Some(_) | None if agreed < TO_PASS_A_LEAP || !is_steady || change.abs() > 1 => Effect::None,
            Some(_) | None => self.relabel(label, &placed),
        }
    }

    fn relabel(&mut self, label: Label, placed: &Placed) -> Effect {
        self.label = Some(Label { base: placed.base, delay: placed.delay, ..label });
        self.standing = Standing::Trusted;
        self.refused = None;
        self.dissents = 0;
        match placed.base.posix().saturating_sub(label.base.posix()) {
            0 => Effect::None,
            seconds => Effect::Relabelled(seconds),
        }
    }
}

#[cfg(test)]
mod tests;
