//! From edges to samples: each edge waits until its timestamp can be converted; the on-time one becomes a sample if
//! everything else permits.

use crate::core::engine::Engine;
use crate::core::engine::clock_map::{Continuity, Dated};
use crate::core::engine::edges::{Hint, OnTime};
use crate::core::engine::guard::{in_leap_window, is_past_leap_window};
use crate::core::engine::phase::Follows;
use crate::core::engine::receiver::HEARD_WITHIN;
use crate::core::event::{CrossTs, Edge, Reason, Sample, Verdict};
use crate::core::time::{EdgeClock, Instant, Span, UtcSecond};

/// Edges that wait for the cross timestamp after them. The kernel's queue holds 128.
const PENDING_KEPT: usize = 128;

impl Engine {
    pub(super) fn on_edge(&mut self, edge: Edge, verdicts: &mut Vec<Verdict>) {
        if self.pending.len() == PENDING_KEPT {
            self.pending.pop_front();
            verdicts.push(Verdict::Rejected(Reason::StaleEdge));
        }
        self.pending.push_back(edge);
    }

    pub(super) fn on_cross_ts(&mut self, cross: CrossTs, verdicts: &mut Vec<Verdict>) {
        match self.clock_map.add(cross) {
            Continuity::Suspended => self.on_suspension(),
            Continuity::Unsure => self.labeller.doubt(),
            Continuity::Running => {}
        }
        for _ in 0..self.pending.len() {
            let Some(edge) = self.pending.pop_front() else { break };
            match self.clock_map.date(edge.phc, edge.read_at) {
                Ok(None) if self.now - edge.read_at <= HEARD_WITHIN => self.pending.push_back(edge),
                Ok(None) | Err(Reason::StaleEdge) => verdicts.push(Verdict::Rejected(Reason::StaleEdge)),
                // Read before it came: it was timestamped before the clock was set back.
                Ok(Some(dated)) if dated.raw <= edge.read_at + dated.raw_error => {
                    self.on_dated(dated, edge.phc, verdicts);
                }
                Ok(Some(_)) | Err(_) => verdicts.push(Verdict::Rejected(self.timestamper.stepped)),
            }
        }
    }

    fn on_dated(&mut self, dated: Dated, phc: Instant<EdgeClock>, verdicts: &mut Vec<Verdict>) {
        // The system time is that of the true second.
        let stamp = self.timestamper.error;
        let dated = Dated {
            sys: dated.sys.map(|at| at - self.config.offset),
            error: dated.error + stamp,
            raw_error: dated.raw_error + stamp,
            ..dated
        };
        let rejected = match self.edges.add(dated, self.hint()) {
            Ok(Some(on_time)) => self.on_pulse(on_time, phc, verdicts).err(),
            Ok(None) => None,
            Err(Reason::NotYet) => Some(self.input_state().reason().unwrap_or(Reason::NotYet)),
            Err(reason) => Some(reason),
        };
        verdicts.extend(rejected.map(Verdict::Rejected));
    }

    /// What tells apart two edges half a second apart.
    fn hint(&self) -> Hint {
        let confirmed = self.labeller.label.and_then(|_| self.phase.last());
        let sentences = self.labeller.epochs.back().zip(self.config.delay).map(|(epoch, delay)| epoch.began[1] - delay);
        Hint { system: self.guard.system_error(self.now), sentences, confirmed }
    }

    /// The on-time edge of a second: a sample, if everything else stands.
    fn on_pulse(&mut self, dated: Dated, phc: Instant<EdgeClock>, verdicts: &mut Vec<Verdict>) -> Result<(), Reason> {
        let Some(on_time) = self.on_time() else { return Ok(()) };
        let (index, miss) = self.count(on_time, phc, dated).ok_or(Reason::Stray)?;
        self.mind_leap_window(index);
        let state = self.input_state();
        let (true, Some(label)) = (state.publishes(), self.label()) else {
            return Err(state.reason().unwrap_or(Reason::NotYet));
        };
        let utc = label.base.plus(index);
        let error = dated.error + miss;
        let certain = dated.sys.and_then(|at| if miss <= dated.room { Ok(at) } else { Err(Reason::UnevenPulse) });
        let at = certain.inspect_err(|reason| {
            let since = self.passed_over.map_or(dated.raw, |(since, _)| since);
            self.passed_over = Some((since, *reason));
        })?;
        let at = if self.config.sawtooth { at + self.ublox.correction(utc, dated.raw) } else { at };
        // Also for a lone edge: only the width shows that it is the one that starts the pulse.
        let is_configured = self.config.width.is_some() && self.config.delay.is_some();
        let overruled = self.guard.pass(self.now, utc, at, is_configured)?;
        verdicts.extend(overruled.map(|offset| Verdict::WitnessOverruled { offset }));
        (self.has_published, self.passed_over) = (true, None);
        self.update_state(verdicts); // before the sample, so that no sample comes in a state that gives none
        verdicts.push(Verdict::Sample(Sample { label: utc, at, error, leap: self.guard.leap(utc, 0) }));
        Ok(())
    }

    /// Counts the pulse; doubts one that moved or runs free. `None` if it is not where it should be.
    fn count(&mut self, on_time: OnTime, phc: Instant<EdgeClock>, dated: Dated) -> Option<(i64, Span)> {
        let counted = match self.phase.follow(on_time, phc, dated.raw_error)? {
            // On the system clock, which may be slewed by a tenth.
            Follows::InPhase(index, miss) => (index, miss + miss.per(10)),
            Follows::RunsFree(index) => {
                self.doubted = Some(dated.raw);
                (index, Span::ZERO)
            }
            Follows::Anew(moved) => {
                self.labeller.count_anew();
                self.last_counted = None;
                self.doubted = self.doubted.max(moved);
                (0, Span::ZERO)
            }
        };
        self.by_system = dated.sys.ok().map(|at| {
            let (second, _) = (at - Instant::default()).nearest(Span::SECOND);
            UtcSecond::from_posix(second.saturating_sub(counted.0))
        });
        let beside = self.beside();
        self.labeller.propose(&self.phase, beside);
        Some(counted)
    }

    /// In a leap window, and after one that passed without a pulse, the label has to be confirmed again.
    fn mind_leap_window(&mut self, index: i64) {
        let Some(label) = self.labeller.label else { return };
        let utc = label.base.plus(index);
        let last = self.last_counted.replace(utc).unwrap_or(utc);
        if in_leap_window(utc) || is_past_leap_window(last, utc) {
            self.labeller.over_leap();
        }
    }
}
