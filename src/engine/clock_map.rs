//! From the PHC's time to the system's two clocks, by cross time stamps.
//!
//! A moment on the PHC is interpolated between the cross time stamp before and the one after it. No model of any clock
//! is kept beyond that: a PHC that runs 1000 ppm fast or a system clock that chronyd slews by 10 % is as good as any,
//! as long as it does so evenly around the moment. Whether it does is judged by the rate it had just before: what
//! the bracket's ends differ from that rate is the bracket's *bend*. A bend beyond what reading the clocks explains is
//! a step or a change of rate; nothing is dated inside such a bracket, and rates are learnt anew after it.
//!
//! Where a kernel PPS device stamps the edges, the system clock is the PHC, and every cross time stamp carries the same
//! reading for both. Nothing here has to know: a straight line through two such readings gives back the very moment
//! that it is asked for, and a step of the system clock is one of the PHC.

use std::collections::VecDeque;

use crate::event::{CrossTs, Reason};
use crate::time::{Clock, Instant, Phc, Raw, Span, Sys};

/// Cross time stamps kept: several a second come in, and an edge may be delivered half a second late.
const KEPT: usize = 24;
/// A bend that reading the clocks does not explain.
const BEND_LIMIT: Span = Span::from_micros(5);
/// The rate before a bracket is taken over at least this span, rather over [`LONG_BASELINE`].
const SHORT_BASELINE: Span = Span::from_millis(50);
/// Long enough for the noise of two readings to be some parts per million.
const LONG_BASELINE: Span = Span::from_millis(400);
/// A moment whose system time is less certain than this makes no sample; where a PHC is slow to read by nature, less
/// certain than [`WINDOWS`] times the narrowest window in memory. What the time stamp may be off by itself comes on top.
const ERROR_LIMIT: Span = Span::from_micros(10);
const WINDOWS: i64 = 4;

/// Converts PHC time to raw and system time.
#[derive(Clone, Debug, Default)]
pub struct ClockMap {
    kept: VecDeque<Entry>,
}

/// Whether the PHC's time continues what it was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Era {
    /// It does.
    Same,
    /// It was stepped, changed its rate, or is read for the first time.
    New,
}

/// A moment of the PHC on the other two clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dated {
    /// On `CLOCK_MONOTONIC_RAW`.
    pub raw: Instant<Raw>,
    /// On `CLOCK_REALTIME`; or why that cannot be said well enough for a sample.
    pub sys: Result<Instant<Sys>, Reason>,
    /// Bound of the error of both.
    pub error: Span,
}

impl Dated {
    /// The same, of a time stamp that may be off by this much itself.
    #[must_use]
    pub fn stamped_within(self, error: Span) -> Self {
        Self { error: self.error + error, ..self }
    }
}

/// What became of the attempt to date a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dating {
    /// It lies between two cross time stamps.
    Dated(Dated),
    /// It lies after the last cross time stamp: ask again after the next.
    TooNew,
    /// It lies before everything in memory.
    TooOld,
    /// The PHC did not run evenly there, or its rate is not known yet.
    Uneven,
}

#[derive(Clone, Copy, Debug)]
struct Entry {
    cross: CrossTs,
    /// How the PHC and the system clock came here from the entry before.
    phc: Course,
    sys: Course,
}

/// How a clock came from one cross time stamp to the next, as against `CLOCK_MONOTONIC_RAW`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Course {
    /// At the rate it had before, but for this bend.
    Even(Span),
    /// There is no rate to compare with yet.
    Unjudged,
    /// Stepped, or changed its rate: a new era begins. So does the first reading of all.
    Broken,
}

impl ClockMap {
    /// Takes a cross time stamp, and says whether the PHC kept its era or began a new one. A cross time stamp that is
    /// not later than the last on the raw clock is ignored.
    pub fn add(&mut self, cross: CrossTs) -> Era {
        let Some(last) = self.kept.back().map(|entry| entry.cross) else {
            self.kept.push_back(Entry { cross, phc: Course::Broken, sys: Course::Broken });
            return Era::New;
        };
        if cross.raw <= last.raw {
            return Era::Same;
        }
        let entry = Entry {
            cross,
            phc: self.course(last, cross, |c| c.phc, |entry| entry.phc),
            sys: self.course(last, cross, |c| c.sys, |entry| entry.sys),
        };
        if self.kept.len() == KEPT {
            self.kept.pop_front();
        }
        self.kept.push_back(entry);
        if entry.phc == Course::Broken { Era::New } else { Era::Same }
    }

    /// Forgets everything, as when the PHC was opened anew.
    pub fn reset(&mut self) {
        self.kept.clear();
    }

    /// When the last cross time stamp was taken.
    pub fn latest(&self) -> Option<Instant<Raw>> {
        self.kept.back().map(|entry| entry.cross.raw)
    }

    /// Dates a moment of the PHC.
    pub fn date(&self, phc: Instant<Phc>) -> Dating {
        let mut entries = self.kept.iter().rev();
        let Some(mut after) = entries.next() else { return Dating::TooNew };
        if phc > after.cross.phc {
            return Dating::TooNew;
        }
        for before in entries {
            let is_here = before.cross.phc <= phc;
            match after.phc {
                Course::Even(bend) if is_here => {
                    return Dating::Dated(self.interpolate(&before.cross, after, phc, bend));
                }
                // Before a break lies another era: on which side of it the moment belongs cannot be told.
                Course::Broken => return Dating::Uneven,
                Course::Unjudged if is_here => return Dating::Uneven,
                Course::Even(_) | Course::Unjudged => after = before,
            }
        }
        Dating::TooOld
    }

    fn interpolate(&self, before: &CrossTs, after: &Entry, phc: Instant<Phc>, phc_bend: Span) -> Dated {
        let (part, whole) = (phc - before.phc, after.cross.phc - before.phc);
        let raw = before.raw + (after.cross.raw - before.raw).scaled(part, whole);
        let sys = before.sys + (after.cross.sys - before.sys).scaled(part, whole);
        let windows = before.window + (after.cross.window - before.window).scaled(part, whole);
        let half = Span::from_nanos(windows.nanos() / 2 + 1);
        let error = half + phc_bend;
        match after.sys {
            Course::Broken | Course::Unjudged => Dated { raw, sys: Err(Reason::SysStepped), error },
            Course::Even(bend) => {
                let error = error + bend;
                let sys = if error <= self.error_limit() { Ok(sys) } else { Err(Reason::ErrorTooLarge) };
                Dated { raw, sys, error }
            }
        }
    }

    fn error_limit(&self) -> Span {
        let narrowest = self.kept.iter().map(|entry| entry.cross.window).min().unwrap_or_default();
        ERROR_LIMIT.max(narrowest.times(WINDOWS))
    }

    /// How clock `of` came from `last` to `next`, judged by its rate in its present era.
    fn course<C: Clock>(
        &self,
        last: CrossTs,
        next: CrossTs,
        of: impl Fn(&CrossTs) -> Instant<C>,
        course: impl Fn(&Entry) -> Course,
    ) -> Course {
        let elapsed = next.raw - last.raw;
        let allowed = BEND_LIMIT + last.window + next.window;
        let Some(reference) = self.baseline(last.raw, course) else { return Course::Unjudged };
        let baseline = last.raw - reference.raw;
        let expected = (of(&last) - of(&reference)).scaled(elapsed, baseline);
        let bend = (of(&next) - of(&last) - expected).abs();
        // The baseline's own reading noise grows with the distance it is carried over.
        let carried = (reference.window + last.window).scaled(elapsed, baseline);
        if bend <= allowed + carried { Course::Even(bend) } else { Course::Broken }
    }

    /// The reading at the far end of the baseline that ends at `end`: in the same era, at least [`LONG_BASELINE`] away
    /// or else as far as there is, but not nearer than [`SHORT_BASELINE`].
    fn baseline(&self, end: Instant<Raw>, course: impl Fn(&Entry) -> Course) -> Option<CrossTs> {
        let mut far = None;
        for entry in self.kept.iter().rev() {
            far = Some(entry.cross);
            if course(entry) == Course::Broken || end - entry.cross.raw >= LONG_BASELINE {
                break;
            }
        }
        far.filter(|cross| end - cross.raw >= SHORT_BASELINE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Three clocks: the PHC 1000 ppm fast at a far epoch, the system clock 10 % slow, read exactly.
    fn at(ms: i64, phc_step: i64, sys_step: i64) -> CrossTs {
        CrossTs {
            phc: Instant::from_nanos(7_000_000_000_000 + ms * 1_001_000 + phc_step),
            sys: Instant::from_nanos(1_000_000_000_000 + ms * 900_000 + sys_step),
            raw: Instant::from_nanos(ms * 1_000_000),
            window: Span::from_nanos(200),
        }
    }

    fn map(readings: impl IntoIterator<Item = CrossTs>) -> ClockMap {
        let mut map = ClockMap::default();
        for cross in readings {
            map.add(cross);
        }
        map
    }

    #[test]
    fn a_fast_phc_and_a_slewed_system_clock_are_dated_exactly() {
        let map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), at(1_001, 0, 0)]);
        let edge = at(1_000, 0, 0);
        let Dating::Dated(dated) = map.date(edge.phc) else { panic!() };
        assert_eq!((dated.raw, dated.sys), (edge.raw, Ok(edge.sys)));
        assert!(dated.error < Span::from_nanos(200), "{}", dated.error);
    }

    #[test]
    fn a_system_clock_step_around_the_edge_drops_its_system_time_and_only_that() {
        for step in [-1_000_000_000_000, -50_000, 50_000, 1_000_000_000] {
            let mut map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), at(1_001, 0, step)]);
            let Dating::Dated(dated) = map.date(at(1_000, 0, 0).phc) else { panic!() };
            assert_eq!((dated.raw, dated.sys), (at(1_000, 0, 0).raw, Err(Reason::SysStepped)), "step {step}");
            // A second later all is well again.
            for ms in [1_011, 1_500, 1_990, 2_001] {
                map.add(at(ms, 0, step));
            }
            let Dating::Dated(dated) = map.date(at(2_000, 0, 0).phc) else { panic!() };
            assert_eq!(dated.sys, Ok(at(2_000, 0, step).sys), "step {step}");
        }
    }

    #[test]
    fn a_phc_step_around_the_edge_leaves_it_undated() {
        for step in [-37_000_000_000, -100_000, 100_000, 37_000_000_000] {
            let mut map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), at(1_001, step, 0)]);
            for phc in [at(1_000, 0, 0).phc, at(1_000, step, 0).phc] {
                assert!(!matches!(map.date(phc), Dating::Dated(_)), "step {step}");
            }
            for ms in [1_011, 1_500, 1_990, 2_001] {
                map.add(at(ms, step, 0));
            }
            let Dating::Dated(dated) = map.date(at(2_000, step, 0).phc) else { panic!() };
            assert_eq!(dated.sys, Ok(at(2_000, 0, 0).sys), "step {step}");
        }
    }

    #[test]
    fn an_edge_delivered_late_is_found_in_an_older_bracket() {
        let map = map([0, 100, 200, 700, 990, 1_001, 1_011, 1_250].map(|ms| at(ms, 0, 0)));
        let Dating::Dated(dated) = map.date(at(1_000, 0, 0).phc) else { panic!() };
        assert_eq!(dated.raw, at(1_000, 0, 0).raw);
    }

    #[test]
    fn before_memory_and_after_the_last_reading_nothing_is_dated() {
        let map = map([0, 100, 200].map(|ms| at(ms, 0, 0)));
        assert_eq!(map.date(at(300, 0, 0).phc), Dating::TooNew);
        assert_eq!(map.date(at(50, 0, 0).phc), Dating::Uneven, "no rate was known yet");
        assert_eq!(ClockMap::default().date(Instant::from_nanos(0)), Dating::TooNew);
    }

    #[test]
    fn a_reading_that_took_too_long_gives_no_sample() {
        let mut slow = at(1_001, 0, 0);
        slow.window = Span::from_millis(2);
        let map = map([at(0, 0, 0), at(100, 0, 0), at(200, 0, 0), at(990, 0, 0), slow]);
        let Dating::Dated(dated) = map.date(at(1_000, 0, 0).phc) else { panic!() };
        assert_eq!(dated.sys, Err(Reason::ErrorTooLarge));
    }
}
