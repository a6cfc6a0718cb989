//! What mentions do to a label that is settled: they confirm it, dissent, or agree on another one.

use crate::engine::labeller::{DELAY_STEADY, Effect, Label, Labeller, TO_RELABEL};
use crate::engine::placing::{DELAY_JUMP, Placed};
use crate::engine::track::Track;
use crate::event::{Contradiction, Reason};
use crate::time::UtcSecond;

/// Mentions in a row that must agree to return to the label that was, ...
const TO_RETURN: usize = 3;
/// ... and over a time at which there could have been a leap second.
const TO_PASS_A_LEAP: usize = 2;
/// Dissenting mentions in a row that stop publishing, ...
const DISSENT: usize = 2;
/// ... and dissenting ones among the last eight: two receivers on one line dissent every other time.
const DISSENT_OF_EIGHT: usize = 3;

/// Whether a label is believed now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is published.
    Trusted,
    /// It is not; that many mentions in a row agreed again.
    Suspended { agreed: usize },
    /// A leap second may have come; that many mentions in a row agreed on this.
    AfterLeap { base: UtcSecond, agreed: usize, expected: Option<i64> },
}

impl Labeller {
    /// Takes the newest of the mentions heard.
    pub(super) fn weigh(&mut self, placed: Placed, heard: &[Placed], track: &Track) -> Effect {
        match (self.label, self.standing) {
            (None, _) => {
                self.propose(heard, track);
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
                let (named, later) = (placed.utc, label.base.posix().saturating_sub(placed.base.posix()));
                let counted = named.plus(later);
                self.contradiction = Some(Contradiction::Label { counted, named });
                self.dissent(label, heard)
            }
        }
    }

    fn confirm(&mut self, label: Label, placed: Placed) {
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

    fn dissent(&mut self, label: Label, heard: &[Placed]) -> Effect {
        let dissents = || heard.iter().take_while(|p| p.at >= self.settled).map(|p| p.base != label.base);
        let in_a_row = dissents().take_while(|&dissents| dissents).count();
        let of_eight = dissents().take(8).filter(|&dissents| dissents).count();
        if in_a_row >= DISSENT || of_eight >= DISSENT_OF_EIGHT || self.standing != Standing::Trusted {
            self.standing = Standing::Suspended { agreed: 0 };
        }
        let Some(recent @ [newest, .., oldest]) = heard.get(..TO_RELABEL) else { return Effect::Dissent };
        // One without a place among them says that the others are too near to the pulse to be followed.
        let all_placed = self.mentions.iter().rev().nth(TO_RELABEL - 1).is_some_and(|m| m.first_byte == oldest.at);
        if !all_placed || recent.iter().any(|p| p.base != newest.base) {
            return Effect::Dissent;
        }
        let moved = |placed: &Placed| (placed.delay - label.delay).abs() > DELAY_STEADY;
        if self.is_astray() || recent.iter().any(moved) {
            let figures = Contradiction::DelayMoved { before: label.delay, now: newest.delay };
            self.refuse(Reason::DelayMoved, Some(figures));
            return Effect::Dissent;
        }
        self.relabel(label, newest)
    }

    /// Whether the delay is known to have left the second in which the label was agreed. By how many seconds, no
    /// sentence says: only those that agree with the label again can bring it back.
    pub(super) fn is_astray(&self) -> bool {
        matches!(self.refused, Some(Reason::DelayMoved | Reason::StraddlingDelay | Reason::LineSaturated))
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
                if agreed >= TO_PASS_A_LEAP {
                    let figures = Contradiction::Leap { announced: expected, shown: change };
                    self.refuse(Reason::LeapContradiction, Some(figures));
                } else {
                    self.refused = None;
                }
                Effect::None
            }
            Some(_) | None if agreed < TO_PASS_A_LEAP || !is_steady || change.abs() > 1 => Effect::None,
            Some(_) | None => self.relabel(label, &placed),
        }
    }

    fn relabel(&mut self, label: Label, placed: &Placed) -> Effect {
        self.settle(Label { base: placed.base, delay: placed.delay, ..label }, placed.at);
        self.refused = None;
        match placed.base.posix().saturating_sub(label.base.posix()) {
            0 => Effect::None,
            seconds => Effect::Relabelled(seconds),
        }
    }
}
