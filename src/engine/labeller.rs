//! Which second the on-time edge marks. A mention names the last on-time edge before it (or, with a configured delay,
//! the edge nearest to where that delay puts it); the label is what several mentions agree on. From then on seconds
//! are counted on the edges and mentions only confirm.
//!
//! What a mention cannot say is how many whole seconds late it is. So a sentence that slides across the pulse is never
//! followed: when mentions begin to name another edge, their delay must say that the *label* changed, not the delay.

use std::collections::VecDeque;

use crate::engine::mention::Mention;
use crate::engine::placing::{Placed, Unplaced, moved};
use crate::engine::track::{Track, TrackId};
use crate::event::{Contradiction, Reason};
use crate::time::{Instant, Raw, Span, UtcSecond};
use standing::Standing;

mod first;
mod standing;

/// Mentions remembered, and for how long: older ones say nothing any more.
const REMEMBERED: usize = 64;
const REMEMBERED_FOR: Span = Span::from_secs(64);
/// So many of them are looked at for a first label, must agree where they are not clear of the pulse, and make a label
/// that is not young any more.
const TO_BE_SURE: usize = 16;
/// Mentions that must agree before the first label, ...
const TO_LABEL: usize = 3;
/// ... for another one than before, or after mentions that said otherwise, ...
const TO_RELABEL: usize = 5;
/// Mentions that may come without a label before that is said.
const UNDECIDED: usize = 8;
/// So many crossings of the pulse among the mentions remembered, and delays straddle it.
const CROSSINGS: usize = 3;
/// A delay that stayed within this has not moved at all.
const DELAY_STEADY: Span = Span::from_millis(150);

/// Labels the on-time edge.
#[derive(Clone, Debug)]
pub struct Labeller {
    configured: Option<Span>,
    /// The delay that places mentions: the configured one, or the one that the witness settled.
    delay: Option<Span>,
    /// The track that mentions are placed on, and the moment before which they say nothing of it.
    track: Option<(TrackId, Instant<Raw>)>,
    mentions: VecDeque<Mention>,
    label: Option<Label>,
    /// When the label was settled: what came before says nothing of it.
    settled: Instant<Raw>,
    /// Mentions that confirmed the label.
    confirmed: usize,
    /// What mentions say of the label now.
    standing: Standing,
    refused: Option<Reason>,
    contradiction: Option<Contradiction>,
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
            settled: Instant::default(),
            confirmed: 0,
            standing: Standing::Trusted,
            refused: None,
            contradiction: None,
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
        let Ok(placed) = self.place(&mention, track) else {
            self.refuse_unplaced(track);
            return Effect::None;
        };
        let heard = self.heard(track);
        let crossed = matches!(heard.as_slice(), [newest, before, ..] if moved(newest, before));
        if crossed && self.confirmed < TO_BE_SURE {
            // So young a label may have been agreed on the wrong side of the pulse.
            self.label = None;
        }
        if let Some(figures) = self.straddles(&heard) {
            // The label stays: only sentences that agree with it again may bring it back.
            self.standing = Standing::Suspended { agreed: 0 };
            self.refuse(Reason::StraddlingDelay, Some(figures));
            return Effect::None;
        }
        self.weigh(placed, &heard, track)
    }

    /// The mentions that have a place on this track, the newest first.
    fn heard(&self, track: &Track) -> Vec<Placed> {
        let since = self.mentions.back().map_or(track.since(), |newest| newest.first_byte - REMEMBERED_FOR);
        (self.mentions.iter().rev())
            .take_while(|mention| mention.first_byte >= since.max(heard_from(track)))
            .filter_map(|mention| self.place(mention, track).ok())
            .collect()
    }

    /// Whether delays keep crossing the pulse, and how they did last. Where there is no label yet, it takes less to stay
    /// away from one.
    fn straddles(&self, heard: &[Placed]) -> Option<Contradiction> {
        let enough = if self.label.is_some() { CROSSINGS } else { 1 };
        let mut crossings = heard.windows(2).filter_map(|pair| match pair {
            [newer, older] if moved(newer, older) => {
                Some(Contradiction::DelayMoved { before: older.delay, now: newer.delay })
            }
            _ => None,
        });
        let last = crossings.next();
        last.filter(|_| self.delay.is_none() && 1 + crossings.count() >= enough)
    }

    /// The on-time track may have become known or another one since the last mention.
    pub fn follow(&mut self, track: &Track) {
        if self.track.is_none_or(|(id, _)| id != track.id()) {
            // What was seen from another track says nothing of this one; the mentions are the same.
            let mentions = std::mem::take(&mut self.mentions);
            *self = Self { mentions, track: Some((track.id(), heard_from(track))), ..Self::new(self.configured) };
        }
        if self.label.is_none() {
            let heard = self.heard(track);
            if self.straddles(&heard).is_none() {
                self.propose(&heard, track);
            }
        }
    }

    /// Forgets the label: what it was counted on, or what confirmed it, has been gone for too long.
    pub fn reset(&mut self) {
        *self = Self::new(self.configured);
    }

    /// A leap second may come now: what was counted has to be confirmed again. `expected` is by how much the label will
    /// have to change, if that is known. To be called throughout the window, in which mentions are not to be added.
    pub fn enter_leap_window(&mut self, expected: Option<i64>) {
        if let Some(label) = self.label
            && !self.is_astray()
        {
            self.standing = Standing::AfterLeap { base: label.base, agreed: 0, expected };
            self.refused = None;
        }
        self.mentions.clear();
    }

    /// How far the labels are understood.
    pub fn view(&self) -> Labelling {
        match (self.refused, self.label, self.standing) {
            (Some(reason), _, _) => Labelling::Refused(reason),
            (None, Some(_), Standing::AfterLeap { .. }) => Labelling::Refused(Reason::LeapWindow),
            (None, Some(_), Standing::Suspended { .. }) => Labelling::Refused(Reason::LabelDissent),
            (None, Some(label), Standing::Trusted) => Labelling::Agreed(label),
            // Sentences that cannot agree for so long come too close to the pulse, or across it.
            (None, None, _) if self.is_undecided() => Labelling::Refused(Reason::StraddlingDelay),
            (None, None, _) => Labelling::Open,
        }
    }

    /// The second of that count, whether or not it can be trusted just now.
    pub fn counted(&self, index: i64) -> Option<UtcSecond> {
        self.label.map(|label| label.base.plus(index))
    }

    /// Whether many mentions came since the on-time edge is known.
    fn is_undecided(&self) -> bool {
        let since = |(_, since)| self.mentions.iter().rev().take_while(|mention| mention.first_byte >= since).count();
        self.track.map_or(0, since) > UNDECIDED
    }

    /// The figures of a refusal.
    pub fn contradiction(&self) -> Option<Contradiction> {
        self.contradiction
    }

    fn place(&self, mention: &Mention, track: &Track) -> Result<Placed, Unplaced> {
        Placed::new(mention, track, self.delay)
    }

    /// Why the last mentions have no place, if none of them has. Where the line was saturated for one of many, there is
    /// no first label: a pause too few or too many, and the others would be believed.
    fn unplaced(&self, track: &Track) -> Option<Unplaced> {
        let said = |mention: &&Mention| mention.first_byte >= heard_from(track);
        let lately = || self.mentions.iter().rev().take_while(said).map(|mention| self.place(mention, track));
        if self.label.is_none() && lately().take(TO_BE_SURE).any(|placed| placed == Err(Unplaced::Saturated)) {
            return Some(Unplaced::Saturated);
        }
        let newest = lately().next()?.err()?;
        (lately().take(TO_LABEL).filter(Result::is_err).count() == TO_LABEL).then_some(newest)
    }

    fn refuse_unplaced(&mut self, track: &Track) {
        match (self.unplaced(track), self.configured, self.delay) {
            (None, _, _) => {}
            (Some(Unplaced::Saturated), _, _) => self.refuse(Reason::LineSaturated, None),
            (Some(Unplaced::Misfit(measured)), Some(configured), _) => {
                self.refuse(Reason::DelayMismatch, Some(Contradiction::Delay { configured, measured }));
            }
            (Some(Unplaced::Misfit(now)), None, before) => {
                let figures = before.map(|before| Contradiction::DelayMoved { before, now });
                self.refuse(Reason::DelayMoved, figures);
            }
            (Some(Unplaced::Guess), _, _) => self.refuse(Reason::StraddlingDelay, None),
        }
    }

    fn refuse(&mut self, reason: Reason, figures: Option<Contradiction>) {
        (self.refused, self.contradiction) = (Some(reason), figures);
    }

    /// From `at` on this is the label.
    fn settle(&mut self, label: Label, at: Instant<Raw>) {
        (self.label, self.settled, self.standing) = (Some(label), at, Standing::Trusted);
    }
}

/// What was said before this says nothing of the track.
fn heard_from(track: &Track) -> Instant<Raw> {
    track.since() - track.period()
}

#[cfg(test)]
mod tests;
