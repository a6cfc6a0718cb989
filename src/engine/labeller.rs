//! Which second the on-time edge marks. A mention names the last on-time edge before it (or, with a configured delay,
//! the edge nearest to where that delay puts it); the label is what several mentions agree on. From then on seconds
//! are counted on the edges and mentions only confirm.
//!
//! What a mention cannot say is how many whole seconds late it is. So a sentence that slides across the pulse is never
//! followed: when mentions begin to name another edge, their delay must say that the *label* changed, not the delay.

use std::collections::VecDeque;

use crate::engine::mention::Mention;
use crate::engine::track::{Track, TrackId};
use crate::event::Reason;
use crate::time::{Span, UtcSecond};

/// Mentions remembered.
const REMEMBERED: usize = 16;
/// Mentions that must agree before the first label, ...
const TO_LABEL: usize = 3;
/// ... for another one than before, or after mentions that said otherwise, ...
const TO_RELABEL: usize = 5;
/// ... and to return to the one that was.
const TO_RETURN: usize = 3;
/// Dissenting mentions in a row that stop publishing.
const DISSENT: usize = 2;
/// Mentions older than this say nothing any more.
const REMEMBERED_FOR: Span = Span::from_secs(64);
/// Nearer than this to the pulse, a mention's edge is a guess.
const MARGIN: Span = Span::from_millis(2);
/// Delays that keep this far from the pulse, or as far as they scatter, are clear of it. Others must agree as often as
/// is remembered.
const CLEAR: Span = Span::from_millis(60);
/// A delay may jump this far and still be the same receiver at work.
const DELAY_JUMP: Span = Span::from_millis(400);
/// A delay that stayed within this has not moved at all.
const DELAY_STEADY: Span = Span::from_millis(150);

/// Labels the on-time edge.
#[derive(Clone, Debug)]
pub struct Labeller {
    delay: Option<Span>,
    mentions: VecDeque<Mention>,
    label: Option<Label>,
    /// Whether mentions speak for the label, or since how many against it.
    standing: Standing,
    refused: Option<Reason>,
    unplaced: usize,
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
    /// The last mention agreed, or there was one dissent only.
    Trusted { dissent: usize },
    /// Publishing is stopped; that many mentions in a row agreed again.
    Suspended { agreed: usize },
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

/// A mention as seen from the on-time track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Placed {
    base: UtcSecond,
    delay: Span,
    /// How much less or more delay would make it name another edge.
    clear: Span,
}

impl Labeller {
    /// A labeller; `delay` is the configured sentence delay.
    pub fn new(delay: Option<Span>) -> Self {
        Self {
            delay,
            mentions: VecDeque::new(),
            label: None,
            standing: Standing::Trusted { dissent: 0 },
            refused: None,
            unplaced: 0,
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
        let Some(placed) = self.place(&mention, track) else {
            self.unplaced = self.unplaced.saturating_add(1);
            if self.unplaced >= TO_LABEL && self.label.is_none() {
                self.refused = Some(Reason::StraddlingDelay);
            }
            return Effect::None;
        };
        self.unplaced = 0;
        match self.label {
            None => {
                self.propose(track);
                Effect::None
            }
            Some(label) if label.base == placed.base => {
                self.confirm(label, placed);
                Effect::None
            }
            Some(label) => self.dissent(label, track),
        }
    }

    /// The on-time track may have become known or another one since the last mention.
    pub fn follow(&mut self, track: &Track) {
        if self.label.is_some_and(|label| label.track != track.id()) {
            self.label = None;
            self.refused = None;
        }
        if self.label.is_none() {
            self.propose(track);
        }
    }

    /// Forgets the label: what it was counted on, or what confirmed it, has been gone for too long.
    pub fn reset(&mut self) {
        *self = Self::new(self.delay);
    }

    /// How far the labels are understood.
    pub fn view(&self) -> Labelling {
        match (self.refused, self.label, self.standing) {
            (Some(reason), _, _) => Labelling::Refused(reason),
            (None, Some(_), Standing::Suspended { .. }) => Labelling::Refused(Reason::LabelDissent),
            (None, Some(label), Standing::Trusted { .. }) => Labelling::Agreed(label),
            (None, None, _) => Labelling::Open,
        }
    }

    /// The edge that a mention names. `None` where that is a guess: within [`MARGIN`] of a pulse, or with a pulse
    /// between the burst's first byte and the sentence that names the second.
    fn place(&self, mention: &Mention, track: &Track) -> Option<Placed> {
        let (index, delay, clear) = match self.delay {
            Some(configured) => {
                let (index, miss) = track.nearest(mention.first_byte - configured);
                (index, configured + miss, Span::from_millis(500) - miss.abs())
            }
            None => {
                let (index, delay) = track.before(mention.first_byte);
                if track.before(mention.burst_start).0 != index {
                    return None;
                }
                (index, delay, delay.min(track.period() - delay))
            }
        };
        (clear >= MARGIN).then(|| Placed { base: mention.utc.plus(-index), delay, clear })
    }

    /// A first label, if the last mentions agree and nothing before them forbids it.
    fn propose(&mut self, track: &Track) {
        let Some(newest) = self.mentions.back() else { return };
        let heard_from = (track.since() - track.period()).max(newest.first_byte - REMEMBERED_FOR);
        let placed: Vec<Placed> = (self.mentions.iter().rev())
            .take_while(|mention| mention.first_byte >= heard_from)
            .filter_map(|mention| self.place(mention, track))
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
            self.standing = Standing::Trusted { dissent: 0 };
        }
    }

    fn why_moved(&self, newest: &Placed, dissenter: &Placed) -> Reason {
        let near_pulse = |delay: Span| delay < DELAY_STEADY || delay > Span::SECOND - DELAY_STEADY;
        let both_near = near_pulse(newest.delay) && near_pulse(dissenter.delay);
        if self.delay.is_none() && both_near { Reason::StraddlingDelay } else { Reason::DelayMoved }
    }

    fn confirm(&mut self, mut label: Label, placed: Placed) {
        self.standing = match self.standing {
            Standing::Suspended { agreed } if agreed + 1 < TO_RETURN => Standing::Suspended { agreed: agreed + 1 },
            Standing::Suspended { .. } | Standing::Trusted { .. } => Standing::Trusted { dissent: 0 },
        };
        if let Standing::Trusted { .. } = self.standing {
            self.refused = None;
            label.delay = placed.delay;
            self.label = Some(label);
        }
    }

    fn dissent(&mut self, label: Label, track: &Track) -> Effect {
        self.standing = match self.standing {
            Standing::Trusted { dissent } if dissent + 1 < DISSENT => Standing::Trusted { dissent: dissent + 1 },
            Standing::Trusted { .. } | Standing::Suspended { .. } => Standing::Suspended { agreed: 0 },
        };
        let recent: Vec<Placed> =
            (self.mentions.iter().rev().take(TO_RELABEL)).filter_map(|mention| self.place(mention, track)).collect();
        let Some(newest) = recent.first() else { return Effect::Dissent };
        if recent.len() < TO_RELABEL || recent.iter().any(|p| p.base != newest.base) {
            return Effect::Dissent;
        }
        if (newest.delay - label.delay).abs() <= DELAY_STEADY {
            self.label = Some(Label { base: newest.base, delay: newest.delay, ..label });
            self.standing = Standing::Trusted { dissent: 0 };
            self.refused = None;
            return Effect::Relabelled(newest.base.posix() - label.base.posix());
        }
        self.refused = Some(Reason::DelayMoved);
        Effect::Dissent
    }
}

/// Whether these mentions keep their distance from where they would name another edge.
fn are_clear(placed: &[Placed]) -> bool {
    let delays = || placed.iter().map(|p| p.delay);
    let scatter = delays().max().unwrap_or_default() - delays().min().unwrap_or_default();
    placed.iter().all(|p| p.clear >= scatter.min(CLEAR))
}

/// Whether two mentions that name different labels differ because the delay moved across the pulse: under the newer
/// one's label, the older one's delay lies outside the second, but near enough to have been the same delay.
fn moved(newest: &Placed, older: &Placed) -> bool {
    let seconds = newest.base.posix().saturating_sub(older.base.posix());
    let under_newest = older.delay + Span::SECOND.times(seconds);
    seconds != 0 && (under_newest - newest.delay).abs() <= DELAY_JUMP
}

#[cfg(test)]
mod tests;
