//! The pulse as it is counted: a phase on `CLOCK_MONOTONIC_RAW` and a number for each second; and whether the pulse has
//! lain still, which is what tells a pulse that a receiver steers from one that runs free.

use std::collections::VecDeque;

use crate::engine::edges::{OnTime, per};
use crate::time::{Instant, Phc, Raw, Span};

/// An on-time edge nearer than this to where the count puts it continues the count.
const SAME_PHASE: Span = Span::from_millis(1);
/// Further than this from where it was, and more than its error, a pulse has moved.
const MOVED: Span = Span::from_micros(10);
/// Without an edge for this long the count ends.
const KEPT_FOR: Span = Span::from_secs(64);
/// Hits remembered: the settled rate is taken over the older ones.
const HITS: usize = 48;
/// The newest hits are compared with the settled rate over this many seconds, ...
const NEW: usize = 4;
/// ... once that rate was taken over at least as many as these.
const SETTLED: usize = 16;
/// By more than this against both oscillators, a pulse runs free. Both of them change less within a minute.
const FREE_PPM: i64 = 1;
/// What reading the clocks is good to, where it is as good as can be.
const READING: Span = Span::from_nanos(300);

/// The count of the pulse.
#[derive(Clone, Debug, Default)]
pub struct Phase {
    hits: VecDeque<Hit>,
    period: Span,
    since: Instant<Raw>,
}

#[derive(Clone, Copy, Debug)]
struct Hit {
    index: i64,
    raw: Instant<Raw>,
    phc: Instant<Phc>,
    error: Span,
}

/// How a pulse follows those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Follows {
    /// As counted.
    InPhase(i64),
    /// As counted, but it moved, or runs free.
    Moved(i64),
    /// It is the first of a new count; whether another one was going on.
    Anew {
        /// Another phase was counted until now.
        from_another: bool,
    },
}

impl Phase {
    /// Takes the on-time edge.
    pub fn follow(&mut self, on_time: OnTime, phc: Instant<Phc>, error: Span) -> Follows {
        let raw = on_time.last;
        self.period = on_time.period;
        let last = self.hits.back().copied().filter(|last| raw - last.raw <= KEPT_FOR);
        let (seconds, miss) = last.map_or((0, Span::ZERO), |last| (raw - last.raw).nearest(self.period));
        let Some(last) = last.filter(|_| seconds > 0 && miss.abs() <= SAME_PHASE) else {
            *self = Self { period: on_time.period, since: on_time.since, ..Self::default() };
            self.hits.push_back(Hit { index: 0, raw, phc, error });
            return Follows::Anew { from_another: last.is_some() };
        };
        if self.hits.len() == HITS {
            self.hits.pop_front();
        }
        let index = last.index.saturating_add(seconds);
        self.hits.push_back(Hit { index, raw, phc, error });
        let wander = Span::SECOND.times(seconds).ppm(FREE_PPM);
        let moved = miss.abs() > MOVED + last.error + error + wander;
        if moved || self.runs_free() { Follows::Moved(index) } else { Follows::InPhase(index) }
    }

    /// Whether the newest hits move against both oscillators.
    fn runs_free(&self) -> bool {
        let by_raw = self.departure(|hit| hit.raw.nanos());
        let by_phc = self.departure(|hit| hit.phc.nanos());
        by_raw && by_phc
    }

    /// Whether the newest hits leave the line through the older ones, on one clock.
    fn departure(&self, on: impl Fn(&Hit) -> i64) -> bool {
        let newest = self.hits.len().saturating_sub(1);
        let (Some(end), Some(bend), Some(start)) =
            (self.hits.get(newest), self.hits.get(newest.saturating_sub(NEW)), self.hits.front())
        else {
            return false;
        };
        let (before, after) = (bend.index - start.index, end.index - bend.index);
        if before < SETTLED as i64 || after < 1 {
            return false;
        }
        let span = |a: &Hit, b: &Hit| Span::from_nanos(on(b).saturating_sub(on(a)));
        let expected = per(span(start, bend).times(after), before);
        let departure = (span(bend, end) - expected).abs();
        departure > Span::SECOND.times(after).ppm(FREE_PPM) + READING + per(end.error + bend.error, 2)
    }

    /// Ends the count.
    pub fn reset(&mut self) {
        *self = Self::default();
    }

    /// The count's first moment, on the far side of which nothing is known.
    pub fn since(&self) -> Instant<Raw> {
        self.since
    }

    /// The second on `CLOCK_MONOTONIC_RAW`.
    pub fn period(&self) -> Span {
        self.period
    }

    /// When the pulse came last.
    pub fn last(&self) -> Option<Instant<Raw>> {
        self.hits.back().map(|hit| hit.raw)
    }

    /// The count of the last pulse at or before `raw`, and how long before.
    pub fn before(&self, raw: Instant<Raw>) -> Option<(i64, Span)> {
        let last = self.hits.back()?;
        let (n, rest) = (raw - last.raw).div_rem(self.period);
        Some((last.index.saturating_add(n), rest))
    }

    /// The count of the pulse nearest to `raw`, and how far `raw` is after it.
    pub fn nearest(&self, raw: Instant<Raw>) -> Option<(i64, Span)> {
        let last = self.hits.back()?;
        let (n, rest) = (raw - last.raw).nearest(self.period);
        Some((last.index.saturating_add(n), rest))
    }
}
