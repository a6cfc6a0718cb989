//! Converts PHC time to the two system clocks, using cross timestamps.
//!
//! A moment on the PHC is interpolated between the cross timestamps right before and right after it. No model of any
//! clock is kept: what the clocks did in between bounds the error. The *bend* of a bracket is its difference from a
//! neighboring bracket's rate. One change of rate, or one step, inside a bracket cannot move an interpolated moment by
//! more than the smaller of the bends against the rates before and after it.
//!
//! If a kernel PPS device timestamps the edges, the system clock is the PHC and both readings of a cross timestamp are
//! the same; interpolating between two of them returns its input.

use std::collections::VecDeque;

use crate::core::event::{CrossTs, Reason};
use crate::core::time::{Clock, EdgeClock, Instant, Raw, Span, Sys};

/// Cross timestamps kept: several arrive per second, and an edge may be delivered a quarter of a second late.
const KEPT: usize = 24;
/// No PHC's rate is off by more than this: a servo sets an igb's by at most 6.25 % (`max_adj` in `igb_ptp.c`); for a
/// kernel PPS device, it is the system clock, slewed by at most 10 %.
pub(super) const RATE_PPM: i64 = 120_000;
/// By how much, beyond its rate, a bracket may be off unless its PHC was stepped.
const STEP: Span = Span::from_micros(20);
/// An edge whose time is less certain than this is not evidence of a phase.
const COARSE: Span = Span::from_millis(1);
/// Cross timestamps on either side from which rates are computed, and the time that they should and must span.
const NEIGHBORS: usize = 5;
const BASELINE: Span = Span::from_millis(50);
const LEAST: Span = Span::from_millis(4);
/// Brackets on either side in which a change may hide one in this, and those of about two seconds: what happened to a
/// clock within them may happen again right next to the edge.
const ALONE: usize = 2;
const RECENT: usize = 8;
/// Two rates of a clock that is not stepped differ by no more than this, relative to a PHC that may be slow by
/// [`RATE_PPM`]: the kernel slews the system clock by at most 10 % in either direction (adjtimex(2)).
const SLEW_PPM: i64 = 230_000;
/// By how much a servo usually changes the rate of a PHC between readings.
const SERVO_PPM: i64 = 100;
/// A moment whose system time is less certain than this does not make a sample; for a PHC that is slow to read, the
/// limit is [`WINDOWS`] times the narrowest window in memory.
const ERROR_LIMIT: Span = Span::from_micros(10);
const WINDOWS: i64 = 4;
/// A raw clock that stood still for longer than this was suspended with the machine.
const SUSPENDED: Span = Span::from_millis(100);
/// Nothing changes a clock's rate twice within this: servos run at most 16 times per second, chronyd less often.
const BRIEF: Span = Span::from_millis(30);

/// Converts PHC time to raw and system time.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClockMap {
    kept: VecDeque<CrossTs>,
}

/// A moment of the PHC on the other two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Dated {
    /// The moment itself.
    pub phc: Instant<EdgeClock>,
    /// On `CLOCK_MONOTONIC_RAW`.
    pub raw: Instant<Raw>,
    /// Bound of the error of `raw`.
    pub raw_error: Span,
    /// On `CLOCK_REALTIME`; or why that is too uncertain for a sample.
    pub sys: Result<Instant<Sys>, Reason>,
    /// Bound of the error of `sys`.
    pub error: Span,
    /// How far the pulse itself may be off in a sample. The latency of an interrupt is part of a PPS device's error.
    pub room: Span,
}

/// Whether `CLOCK_MONOTONIC_RAW` ran on since the previous cross timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Continuity {
    /// It ran on.
    Running,
    /// It stood still: PHC and system clock both ran on without it.
    Suspended,
    /// The system clock alone jumped ahead, and the PHC may have stood still, too, or have been reset; or the PHC alone
    /// jumped, and a virtual machine may have stood still with both clocks.
    Unsure,
}

impl ClockMap {
    /// Takes a cross timestamp. One that is not later than the last on the raw clock is ignored.
    pub(crate) fn add(&mut self, cross: CrossTs) -> Continuity {
        let last = self.kept.back().copied();
        if last.is_some_and(|last| cross.raw <= last.raw) {
            return Continuity::Running;
        }
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(cross);
        let Some(last) = last else { return Continuity::Running };
        let elapsed = cross.raw - last.raw;
        let (phc, sys) = (cross.phc - last.phc - elapsed, cross.sys - last.sys - elapsed);
        let jumps = |by: Span| by > SUSPENDED + elapsed.ppm(RATE_PPM);
        match (jumps(phc), jumps(sys)) {
            (true, true) => Continuity::Suspended,
            (false, false) if !jumps(phc.abs()) => Continuity::Running,
            _ => Continuity::Unsure,
        }
    }

    /// Converts a moment of the PHC that was read from the driver's queue at `read_at`. `None` if it is after the last
    /// cross timestamp: ask again after the next. [`Reason::StaleEdge`]: it is before all in memory.
    /// [`Reason::PhcStepped`]: the PHC was stepped there, or no neighboring bracket gives a rate yet.
    pub(crate) fn date(&self, phc: Instant<EdgeClock>, read_at: Instant<Raw>) -> Result<Option<Dated>, Reason> {
        if self.kept.back().is_none_or(|last| phc > last.phc) {
            return Ok(None);
        }
        let brackets = self.kept.iter().zip(self.kept.iter().skip(1)).enumerate();
        for (number, (before, after)) in brackets.rev() {
            // An edge read before this bracket began is not in it.
            if read_at <= before.raw {
                continue;
            }
            if !is_even(before, after) {
                return Err(Reason::PhcStepped);
            }
            if before.phc <= phc && phc <= after.phc {
                return self.interpolate(number, before, after, phc).ok_or(Reason::PhcStepped).map(Some);
            }
        }
        Err(Reason::StaleEdge)
    }

    fn interpolate(&self, number: usize, before: &CrossTs, after: &CrossTs, phc: Instant<EdgeClock>) -> Option<Dated> {
        let (part, whole) = (phc - before.phc, after.phc - before.phc);
        let between = |from: i64, to: i64| Span::from_nanos(to.saturating_sub(from)).scaled(part, whole);
        let window = before.window + between(before.window.nanos(), after.window.nanos());
        let half = Span::from_nanos(window.nanos() / 2 + 1);
        let nearest = part.min(whole - part);
        let raw_bend = self.bend(number, nearest, |c| c.raw)?;
        let sys_bend = self.bend(number, nearest, |c| c.sys)?;
        // Includes what a servo may have done since the nearest reading, and to the rates on either side. The clock of
        // a kernel PPS device is its own reading.
        let is_own = before.phc.nanos() == before.sys.nanos();
        let steered = nearest.ppm(SERVO_PPM) + raw_bend.at(nearest, whole);
        let raw_error = half + steered;
        if raw_error > COARSE {
            return None;
        }
        let narrowest = self.kept.iter().map(|cross| cross.window).min().unwrap_or_default();
        let limit = ERROR_LIMIT.max(narrowest.times(WINDOWS));
        let error = half + sys_bend.at(nearest, whole) + if is_own { Span::ZERO } else { steered };
        let sys = if error.max(raw_error) <= limit {
            Ok(before.sys + between(before.sys.nanos(), after.sys.nanos()))
        } else if half > limit {
            Err(Reason::ErrorTooLarge)
        } else if raw_error > limit && !is_own {
            Err(Reason::PhcStepped)
        } else {
            Err(Reason::SysStepped)
        };
        let raw = before.raw + between(before.raw.nanos(), after.raw.nanos());
        let room = if is_own { Span::from_nanos(i64::MAX) } else { limit - error };
        Some(Dated { phc, raw, raw_error, sys, error, room })
    }

    /// How far this bracket's clock deviates from the rates over the brackets around it, relative to the PHC.
    fn bend<C: Clock>(&self, number: usize, nearest: Span, of: impl Fn(&CrossTs) -> Instant<C>) -> Option<Bend> {
        let kept = &self.kept;
        let (before, after) = (kept.get(number)?, kept.get(number + 1)?);
        let (phc, clock) = (after.phc - before.phc, of(after) - of(before));
        let bends = |least: Span, most: usize, spans: &mut dyn Iterator<Item = [&CrossTs; 2]>| -> Vec<(Span, Span)> {
            let usable = spans.filter(|[a, b]| b.raw - a.raw >= LEAST.max(least) && is_even(a, b)).take(most);
            usable.map(|[a, b]| (b.raw - a.raw, ((of(b) - of(a)).scaled(phc, b.phc - a.phc) - clock).abs())).collect()
        };
        let brackets = || kept.iter().zip(kept.range(1..)).map(|(a, b)| [a, b]);
        let earlier = bends(phc.per(4), NEIGHBORS, &mut kept.range(..number).rev().map(|start| [start, before]));
        let later = bends(phc.per(4), NEIGHBORS, &mut kept.range(number + 2..).map(|end| [after, end]));
        let until = bends(nearest, RECENT, &mut brackets().take(number).rev());
        let from = bends(nearest, RECENT, &mut brackets().skip(number + 1));
        let is_slewed = |bend: &Span| *bend <= phc.ppm(SLEW_PPM);
        let most = |bends: &[(Span, Span)], of: usize| bends.iter().take(of).map(|b| b.1).filter(is_slewed).max();
        // On either side, the nearest span without a step counts, if possible one that is long enough. A change in it
        // and another one in this bracket may cancel out, so the nearest brackets count, too.
        let side = |spans: &[(Span, Span)], alone: &[(Span, Span)]| {
            let fit = || spans.iter().filter(|(_, bend)| is_slewed(bend));
            let next = fit().find(|(long, _)| *long >= BASELINE).or(fit().next_back()).or(spans.first())?;
            Some(next.1.max(most(alone, ALONE).unwrap_or_default()))
        };
        let step = side(&earlier, &until).into_iter().chain(side(&later, &from)).min()?;
        let spans = most(&earlier, NEIGHBORS).max(most(&later, NEIGHBORS)).filter(|_| phc > BRIEF);
        Some(Bend { step, rate: spans.max(most(&until, RECENT)).max(most(&from, RECENT)).unwrap_or_default() })
    }
}

/// By how much a bracket differs from the rates around it.
#[derive(Clone, Copy, Debug)]
struct Bend {
    /// The smaller of the differences from those before and after it, each a span or a bracket.
    step: Span,
    /// The largest difference, except from those with a step: how unevenly the clock runs here. If a bracket is too
    /// brief for two changes, only brackets count, not longer spans.
    rate: Span,
}

impl Bend {
    /// How far a moment may be off at this distance from the nearest reading, in a bracket of this length.
    fn at(self, nearest: Span, whole: Span) -> Span {
        // Two changes may partly hide each other.
        (self.step + self.rate.scaled(nearest, whole)).times(3).per(2)
    }
}

/// Whether the PHC ran on between these two readings without a step.
fn is_even(before: &CrossTs, after: &CrossTs) -> bool {
    let elapsed = after.raw - before.raw;
    let windows = before.window + after.window;
    let off = (after.phc - before.phc - elapsed).abs();
    after.phc > before.phc && off <= elapsed.ppm(RATE_PPM) + STEP + windows
}

#[cfg(test)]
mod tests;
