//! Counts the pulse: a phase on `CLOCK_MONOTONIC_RAW` and a number for each second. Also detects whether it keeps its rate,
//! which distinguishes a pulse that a receiver steers from one that runs free.

use std::collections::VecDeque;

use crate::core::engine::edges::OnTime;
use crate::core::time::{EdgeClock, Instant, Raw, Span};

/// How far an edge may be from its predicted position, apart from reading errors: the receiver's own noise.
const JITTER: Span = Span::from_micros(5);
/// This many edges at another position show that the pulse has moved there.
const TO_MOVE: u32 = 3;
/// A pulse that moved by no more than this may have crept there, and its earlier rate is still evidence.
const CREEP: Span = Span::from_micros(200);
/// The count ends after this long without an edge.
const KEPT_FOR: Span = Span::from_secs(64);
/// Maximum number of hits for the settled rate.
const SETTLED: usize = 48;
/// Minimum number of seconds that they span.
const TO_SETTLE: i64 = 16;
/// Number of the newest hits, which are compared with it.
const NEW: usize = 5;
/// A pulse that departs by more than this from both oscillators runs free. Both of them change less within a minute.
const FREE_PPM: i64 = 1;
/// A rate older than this is no longer evidence: both oscillators have changed since.
const OUTDATED: Span = Span::from_secs(120);
/// How far a pulse may drift from the count in each second without one.
const WANDER: Span = Span::from_nanos(250);
/// A hit less certain than this is not used for the rate, such as all hits of a kernel PPS device.
const COARSE: Span = Span::from_micros(8);
/// Accuracy of reading the clocks, at best.
const READING: Span = Span::from_nanos(300);

/// The count of the pulse.
#[derive(Clone, Debug, Default)]
pub(crate) struct Phase {
    /// Hits at the settled rate.
    settled: VecDeque<Hit>,
    /// The line of the settled hits before the pulse crept away.
    before: Option<Line>,
    /// The newest hits, which are not settled yet.
    new: VecDeque<Hit>,
    /// The second on `CLOCK_MONOTONIC_RAW`.
    pub(super) period: Span,
    /// When the count began.
    pub(super) since: Instant<Raw>,
    /// Consecutive edges at another position.
    off: u32,
}

#[derive(Clone, Copy, Debug)]
struct Hit {
    index: i64,
    raw: Instant<Raw>,
    phc: Instant<EdgeClock>,
    error: Span,
}

/// How a pulse follows the earlier ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Follows {
    /// At the predicted position, to within this.
    InPhase(i64, Span),
    /// At the predicted position, but it runs free.
    RunsFree(i64),
    /// The first of a new count; when the pulse moved there, if it did.
    Anew(Option<Instant<Raw>>),
}

impl Phase {
    /// Takes the on-time edge. `None` if it is at another position: not the pulse, or a pulse that moves.
    pub(crate) fn follow(&mut self, on_time: OnTime, phc: Instant<EdgeClock>, error: Span) -> Option<Follows> {
        let raw = on_time.last;
        let last = self.new.back().copied().filter(|last| raw - last.raw <= KEPT_FOR);
        let mut before = None;
        if let Some(last) = last {
            let (seconds, miss) = (raw - last.raw).nearest(self.period);
            let allowed = JITTER + last.error + error + WANDER.times(seconds);
            // A free-running pulse leaves the newest hits' line slowly; the last one may have been a stray edge.
            let nearest = miss.abs().min((miss - self.median_miss(last)).abs());
            if seconds > 0 && nearest <= allowed {
                (self.off, self.period) = (0, on_time.period);
                let index = last.index.saturating_add(seconds);
                let runs_free = self.add(Hit { index, raw, phc, error });
                return Some(if runs_free { Follows::RunsFree(index) } else { Follows::InPhase(index, miss.abs()) });
            }
            self.off += 1;
            if self.off < TO_MOVE {
                return None;
            }
            before = self.settled().filter(|_| miss.abs() <= CREEP);
        }
        let moved = last.map(|last| on_time.since.max(last.raw));
        *self = Self { before, period: on_time.period, since: on_time.since, ..Self::default() };
        self.new.push_back(Hit { index: 0, raw, phc, error });
        Some(Follows::Anew(moved))
    }

    /// The median distance of the newest hits from the positions that the last one predicts.
    fn median_miss(&self, last: Hit) -> Span {
        let miss = |hit: &Hit| (hit.raw - last.raw) - self.period.times(hit.index - last.index);
        let mut misses: Vec<Span> = self.new.iter().map(miss).collect();
        misses.sort_unstable();
        misses.get(misses.len() / 2).copied().unwrap_or_default()
    }

    /// Adds a hit; returns whether the newest ones depart from the settled rate on both oscillators.
    fn add(&mut self, hit: Hit) -> bool {
        self.new.push_back(hit);
        if self.settled().is_some_and(|line| hit.raw - line.end.raw > OUTDATED) {
            (self.settled, self.before) = (VecDeque::new(), None);
        }
        let runs_free = self.departs(|hit| hit.raw.nanos()) && self.departs(|hit| hit.phc.nanos());
        if self.new.len() > NEW
            && let Some(hit) = self.new.pop_front()
            && !runs_free
            && hit.error <= COARSE
        {
            if self.settled.len() == SETTLED {
                self.settled.pop_front();
            }
            self.settled.push_back(hit);
        }
        runs_free
    }

    /// The hits of the settled rate, if there are enough. A single hit far from the others does not make a rate.
    fn settled(&self) -> Option<Line> {
        let span = TO_SETTLE..=2 * self.settled.len() as i64;
        Line::through(&self.settled).filter(|line| span.contains(&line.seconds())).or(self.before)
    }

    /// Whether the newest hits depart from the settled rate, on one clock.
    fn departs(&self, on: impl Fn(&Hit) -> i64) -> bool {
        let (Some(old), Some(new)) = (self.settled(), Line::through(&self.new)) else { return false };
        let (off, allowed) = old.off([&new.start, &new.end], &on);
        let (bent, straight) = old.off([&old.start, &old.middle], &on);
        // Hits that are not on a line have no rate.
        new.seconds() > 0 && off.abs() > allowed && bent.abs() <= straight.per(3)
    }

    /// When the pulse last arrived.
    pub(crate) fn last(&self) -> Option<Instant<Raw>> {
        self.new.back().map(|hit| hit.raw)
    }

    /// The count of the last pulse at or before `raw`, and how long before.
    pub(crate) fn before(&self, raw: Instant<Raw>) -> Option<(i64, Span)> {
        let last = self.new.back()?;
        let (n, rest) = (raw - last.raw).div_rem(self.period);
        Some((last.index.saturating_add(n), rest))
    }

    /// The count of the pulse nearest to `raw`, and how far `raw` is after it.
    pub(crate) fn nearest(&self, raw: Instant<Raw>) -> Option<(i64, Span)> {
        let last = self.new.back()?;
        let (n, rest) = (raw - last.raw).nearest(self.period);
        Some((last.index.saturating_add(n), rest))
    }
}

/// Hits at one rate.
#[derive(Clone, Copy, Debug)]
struct Line {
    start: Hit,
    middle: Hit,
    end: Hit,
}

impl Line {
    fn through(hits: &VecDeque<Hit>) -> Option<Self> {
        Some(Self { start: *hits.front()?, middle: *hits.get(hits.len() / 2)?, end: *hits.back()? })
    }

    fn seconds(&self) -> i64 {
        self.end.index - self.start.index
    }

    /// By how much the time between two hits differs from this line's rate, on one clock, and the error bound of that.
    fn off(&self, [from, to]: [&Hit; 2], on: impl Fn(&Hit) -> i64) -> (Span, Span) {
        let span = |a: &Hit, b: &Hit| Span::from_nanos(on(b).saturating_sub(on(a)));
        let (whole, seconds) = (self.seconds(), to.index - from.index);
        let expected = span(&self.start, &self.end).scaled(Span::from_nanos(seconds), Span::from_nanos(whole));
        let known = (self.start.error + self.end.error).times(seconds).per(whole) + from.error + to.error;
        (span(from, to) - expected, Span::SECOND.times(seconds).ppm(FREE_PPM) + READING + known)
    }
}
