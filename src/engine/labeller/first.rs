//! The first label: what several mentions agree on, unless something forbids it.

use crate::engine::labeller::{DELAY_STEADY, Label, Labeller, TO_BE_SURE, TO_LABEL, TO_RELABEL};
use crate::engine::mention::Mention;
use crate::engine::placing::{DELAY_FITS, Placed, are_clear, moved};
use crate::engine::track::Track;
use crate::event::{Contradiction, Reason};
use crate::time::{Span, UtcSecond};

impl Labeller {
    /// A first label, if the last mentions agree and nothing before them forbids it.
    pub(super) fn propose(&mut self, heard: &[Placed], track: &Track) {
        let heard = heard.get(..TO_BE_SURE).unwrap_or(heard);
        let Some(newest) = heard.first().filter(|_| self.unplaced(track).is_none()) else { return };
        let (agreed, before) = heard.split_at(heard.iter().take_while(|p| p.base == newest.base).count());
        if let Some(dissenter) = before.iter().find(|p| moved(newest, p)) {
            let figures = Contradiction::DelayMoved { before: dissenter.delay, now: newest.delay };
            self.refuse(self.why_moved(newest, dissenter), Some(figures));
            return;
        }
        let mut others = before.iter().filter(|p| p.base != newest.base);
        if let Some(other) = others.next()
            && agreed.len() < TO_LABEL
            && self.is_undecided()
            && 1 + others.count() >= TO_LABEL
        {
            let other = newest.utc.plus(other.base.posix().saturating_sub(newest.base.posix()));
            self.refuse(Reason::SentencesDisagree, Some(Contradiction::Sentences { one: newest.utc, other }));
            return;
        }
        self.refused = None;
        let needed = if !are_clear(agreed) {
            TO_BE_SURE
        } else if before.is_empty() {
            TO_LABEL
        } else {
            TO_RELABEL
        };
        if agreed.len() >= needed {
            self.settle(Label { track: track.id(), base: newest.base, delay: newest.delay }, newest.at);
            self.confirmed = 0;
        }
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
            self.propose(&self.heard(track), track);
        }
    }

    fn why_moved(&self, newest: &Placed, dissenter: &Placed) -> Reason {
        let near_pulse = |delay: Span| delay < DELAY_STEADY || delay > Span::SECOND - DELAY_STEADY;
        let both_near = near_pulse(newest.delay) && near_pulse(dissenter.delay);
        if self.delay.is_none() && both_near { Reason::StraddlingDelay } else { Reason::DelayMoved }
    }
}
