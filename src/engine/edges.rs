//! From the NIC's edges to samples: each edge waits until it can be dated, fronts go to the pulse train, and the on-time
//! one becomes a sample if everything else stands.

use crate::engine::Engine;
use crate::engine::clock_map::{Dating, Era};
use crate::engine::front::{Front, Taken};
use crate::engine::guard::{Passage, in_leap_window, is_past_leap_window};
use crate::engine::hearing::HEARD_WITHIN;
use crate::engine::pulse_train::Found;
use crate::event::{CrossTs, Edge, Reason, Sample, Verdict};
use crate::time::{Instant, Span, UtcSecond};

/// Edges that wait for the cross time stamp after them. The kernel's queue holds 128.
const PENDING_KEPT: usize = 128;

impl Engine {
    pub(super) fn on_edge(&mut self, edge: Edge, said: &mut Vec<Verdict>) {
        if self.pending.len() == PENDING_KEPT {
            self.pending.pop_front();
            said.push(Verdict::Rejected(Reason::StaleEdge));
        }
        self.pending.push_back(edge);
    }

    pub(super) fn on_cross_ts(&mut self, cross: CrossTs, said: &mut Vec<Verdict>) {
        let pending = self.pending.len();
        if self.clock_map.add(cross) == Era::New {
            // Edges read before this moment may be stamped in the old era or the new one.
            self.pending.retain(|edge| edge.read_at > cross.raw);
            let dropped = pending - self.pending.len();
            said.extend(std::iter::repeat_n(Verdict::Rejected(self.stamper.stepped()), dropped));
        }
        for _ in 0..self.pending.len() {
            let Some(edge) = self.pending.pop_front() else { break };
            match self.clock_map.date(edge.phc) {
                Dating::TooNew if self.now - edge.read_at <= HEARD_WITHIN => self.pending.push_back(edge),
                Dating::TooNew | Dating::TooOld => said.push(Verdict::Rejected(Reason::StaleEdge)),
                Dating::Uneven => said.push(Verdict::Rejected(self.stamper.stepped())),
                // It was read before it came: stamped before the clock was set back.
                Dating::Dated(dated) if dated.raw > edge.read_at + dated.error => {
                    said.push(Verdict::Rejected(self.stamper.stepped()));
                }
                Dating::Dated(dated) => match self.fronts.add(dated.stamped_within(self.stamper.error())) {
                    Taken::Began(Some(front)) => self.on_front(&front, said),
                    Taken::Began(None) | Taken::Joined => {}
                    Taken::Stale => said.push(Verdict::Rejected(Reason::StaleEdge)),
                },
            }
        }
    }

    pub(super) fn complete_front(&mut self, said: &mut Vec<Verdict>) {
        // The next edge may still wait for a cross time stamp: only the time of the last one is known to have passed.
        if let Some(front) = self.clock_map.latest().and_then(|latest| self.fronts.complete(latest)) {
            self.on_front(&front, said);
        }
    }

    fn on_front(&mut self, front: &Front, said: &mut Vec<Verdict>) {
        // Whatever is said of the system clock is said of the true second.
        let front = &Front { sys: front.sys.map(|at| at - self.config.offset), ..*front };
        self.train.witness(self.guard.witness(self.now));
        let found = self.train.add(front);
        if let Some(track) = self.train.on_time() {
            self.labeller.follow(track);
        }
        match found {
            Found::OnTime { index, miss } => {
                self.ask_witness(front, index);
                self.on_pulse(front, index, miss, said);
            }
            Found::OffTime => {}
            Found::Torn => self.pass_over(front, Reason::TornPulse, said),
            Found::Unsettled => said.push(Verdict::Rejected(self.assess_input().reason().unwrap_or(Reason::NotYet))),
            Found::Stray => said.push(Verdict::Rejected(Reason::Stray)),
        }
    }

    /// Which second this pulse is by the system clock, where that is an independent witness.
    fn ask_witness(&mut self, front: &Front, index: i64) {
        let (Some(max_error), Ok(sys)) = (self.guard.witness(self.now), front.sys) else { return };
        let (second, off) = (sys - Instant::default()).nearest(Span::SECOND);
        if off.abs() <= max_error
            && let Some(track) = self.train.on_time()
        {
            self.labeller.witness(UtcSecond::from_posix(second.saturating_sub(index)), track);
        }
    }

    /// The on-time edge of a second: a sample, if everything else stands.
    fn on_pulse(&mut self, front: &Front, index: i64, miss: Span, said: &mut Vec<Verdict>) {
        self.mind_leap_window(index);
        let state = self.assess_input();
        let (true, Some(label)) = (state.publishes(), self.label()) else {
            said.push(Verdict::Rejected(state.reason().unwrap_or(Reason::NotYet)));
            return;
        };
        let utc = label.base.plus(index);
        let at = match front.sys {
            Ok(at) => at,
            Err(reason) => return self.pass_over(front, reason, said),
        };
        let at = if self.config.sawtooth { at + self.ublox.correction(utc, front.raw) } else { at };
        match self.guard.pass(self.now, utc, at, self.is_configured()) {
            Passage::Open => {}
            Passage::Overruled(offset) => said.push(Verdict::WitnessOverruled { offset }),
            Passage::Held(reason) => {
                said.push(Verdict::Rejected(reason));
                return;
            }
        }
        (self.has_published, self.passed_over) = (true, None);
        self.update_state(said); // before the sample, so that nobody meets one in a state that gives none
        let error = front.error + miss;
        said.push(Verdict::Sample(Sample { label: utc, at, error, leap: self.guard.leap(utc) }));
    }

    /// No sample comes of this pulse, though everything else stands.
    fn pass_over(&mut self, front: &Front, reason: Reason, said: &mut Vec<Verdict>) {
        let since = self.passed_over.map_or(front.raw, |(since, _)| since);
        self.passed_over = Some((since, reason));
        said.push(Verdict::Rejected(reason));
    }

    /// In a leap window, and after one that passed without a pulse, the label has to be confirmed again.
    fn mind_leap_window(&mut self, index: i64) {
        let Some(utc) = self.labeller.counted(index) else { return };
        let last = self.last_counted.replace(utc).unwrap_or(utc);
        if in_leap_window(utc) || is_past_leap_window(last, utc) {
            self.labeller.enter_leap_window(self.guard.expected_change(utc));
        }
    }
}
