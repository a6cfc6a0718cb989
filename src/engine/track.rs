//! One edge of the pulse, second after second: a phase that repeats, its period as learnt, and its count.

use std::collections::VecDeque;

use crate::engine::front::{Front, Tail};
use crate::time::{Instant, Raw, Span};

/// As often as this in a row must a front show the same edges before that is its usual shape, ...
const RUN_TO_BELIEVE: u32 = 3;
/// ... and as often must it show a single edge where it ever showed two: either of a short pulse's edges may be lost.
/// What was a single edge for so long may ring for a while, and is one again after the shorter run.
const RUN_TO_BELIEVE_SINGLE: u32 = 16;
/// Without a hit for this long, three in a row missing, a track is not seen any more; its count goes on.
pub(super) const SEEN_WITHIN: Span = Span::from_millis(3_500);
/// What the second may measure on `CLOCK_MONOTONIC_RAW` before it is learnt.
const PERIOD_PPM: i64 = 500;
/// How far an edge may lie from its prediction, reading errors apart: the receiver's own noise.
const JITTER: Span = Span::from_micros(5);
/// How much a learnt period may wander from one second to the next.
const WANDER: Span = Span::from_nanos(200);
/// Hits remembered: the period is taken across them.
const REMEMBERED: usize = 16;
/// Reading errors count up to this much: beyond, a prediction would match anything.
const ERROR_CAP: Span = Span::from_micros(50);
/// Two short pulses are of the same width if they differ by less.
const SAME_WIDTH: Span = Span::from_micros(5);

/// A track's name: never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TrackId(pub(super) u64);

/// One edge of the pulse, second after second.
#[derive(Clone, Debug)]
pub struct Track {
    id: TrackId,
    since: Instant<Raw>,
    period: Span,
    hits: u32,
    /// When the hits that came without a longer pause began, and how many they are.
    unbroken: (Instant<Raw>, u32),
    recent: VecDeque<Hit>,
    /// What usually follows this edge at once, once that is known.
    usual: Option<Tail>,
    /// What followed it last, and how often in a row.
    run: (Tail, u32),
    /// Whether anything ever followed it at once.
    was_double: bool,
    /// Whether nothing ever followed it for so long that it is no short pulse.
    was_single: bool,
    /// How far its last hit lay from a whole second of the system clock.
    sys_phase: Option<Span>,
}

#[derive(Clone, Copy, Debug)]
struct Hit {
    index: i64,
    raw: Instant<Raw>,
    error: Span,
}

/// A front that meets a track's prediction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Met {
    /// The count of the second.
    pub(super) index: i64,
    /// How far from the prediction.
    pub(super) miss: Span,
}

impl Track {
    /// A track from its first three fronts, if they repeat with one period of about a second: within
    /// [`PERIOD_PPM`], and evenly, over one to three seconds each.
    pub(super) fn found(id: TrackId, fronts: [&Front; 3]) -> Option<Self> {
        let [first, second, third] = fronts;
        let (before, after) = (whole_seconds(first, second)?, whole_seconds(second, third)?);
        let period = per(third.raw - first.raw, before + after);
        let miss = second.raw - (first.raw + period.times(before));
        let allowed = JITTER + first.error.min(ERROR_CAP) + second.error.min(ERROR_CAP) + third.error.min(ERROR_CAP);
        (miss.abs() <= allowed).then(|| {
            let mut track = Self {
                id,
                since: first.raw,
                period,
                hits: 0,
                unbroken: (first.raw, 0),
                recent: VecDeque::new(),
                usual: None,
                run: (first.tail, 0),
                was_double: false,
                was_single: false,
                sys_phase: None,
            };
            for (front, index) in [(first, 0), (second, before), (third, before + after)] {
                track.hit(front, index);
            }
            track
        })
    }

    /// Its name.
    pub fn id(&self) -> TrackId {
        self.id
    }

    /// When its first hit came.
    pub fn since(&self) -> Instant<Raw> {
        self.since
    }

    /// When the hits that came without a longer pause began, and how many they are.
    pub fn unbroken(&self) -> (Instant<Raw>, u32) {
        self.unbroken
    }

    /// When its last hit came.
    pub fn last(&self) -> Instant<Raw> {
        self.recent.back().map_or(self.since, |hit| hit.raw)
    }

    /// Count of its last hit.
    fn last_index(&self) -> i64 {
        self.recent.back().map_or(0, |hit| hit.index)
    }

    /// The second as this track measures it on `CLOCK_MONOTONIC_RAW`.
    pub fn period(&self) -> Span {
        self.period
    }

    /// Whether it was hit lately.
    pub fn is_seen(&self, now: Instant<Raw>) -> bool {
        now - self.last() <= SEEN_WITHIN
    }

    /// When the edge of that count comes or came.
    pub fn time_of(&self, index: i64) -> Instant<Raw> {
        self.last() + self.period.times(index.saturating_sub(self.last_index()))
    }

    /// The count of the last edge at or before `raw`, and how long before it was.
    pub fn before(&self, raw: Instant<Raw>) -> (i64, Span) {
        let (n, rest) = (raw - self.last()).div_rem(self.period);
        (self.last_index().saturating_add(n), rest)
    }

    /// The count of the edge nearest to `raw`, and how far `raw` is after it.
    pub fn nearest(&self, raw: Instant<Raw>) -> (i64, Span) {
        let (n, rest) = (raw - self.last()).nearest(self.period);
        (self.last_index().saturating_add(n), rest)
    }

    /// Whether this front meets the track's prediction, across any number of seconds without a hit.
    pub(super) fn meets(&self, front: &Front) -> Option<Met> {
        let (newest, oldest) = (self.recent.back()?, self.recent.front()?);
        let (seconds, miss) = (front.raw - newest.raw).nearest(self.period);
        let per_second = per(newest.error + oldest.error, newest.index - oldest.index) + WANDER;
        let allowed = JITTER + newest.error + front.error.min(ERROR_CAP) + per_second.times(seconds);
        (seconds >= 1 && miss.abs() <= allowed)
            .then(|| Met { index: newest.index.saturating_add(seconds), miss: miss.abs() })
    }

    /// Takes a front that [`Track::meets`] the prediction; says whether it had its usual shape.
    pub(super) fn hit(&mut self, front: &Front, index: i64) -> Shape {
        self.unbroken = match self.unbroken {
            (since, hits) if self.is_seen(front.raw) => (since, hits.saturating_add(1)),
            _ => (front.raw, 1),
        };
        if self.recent.len() == REMEMBERED {
            self.recent.pop_front();
        }
        self.recent.push_back(Hit { index, raw: front.raw, error: front.error.min(ERROR_CAP) });
        self.hits = self.hits.saturating_add(1);
        self.sys_phase = front.sys.ok().map(|sys| (sys - Instant::default()).nearest(Span::SECOND).1.abs());
        if let (Some(new), Some(old), 3..) = (self.recent.back(), self.recent.front(), self.hits) {
            self.period = per(new.raw - old.raw, new.index - old.index);
        }
        let shape =
            if self.usual.is_some_and(|usual| same_tail(usual, front.tail)) { Shape::Usual } else { Shape::Torn };
        let run = if same_tail(self.run.0, front.tail) { self.run.1.saturating_add(1) } else { 1 };
        self.run = (front.tail, run);
        self.was_double |= front.tail != Tail::None;
        self.was_single |= front.tail == Tail::None && run >= RUN_TO_BELIEVE_SINGLE;
        let believed = match front.tail {
            Tail::Width(_) => run >= RUN_TO_BELIEVE,
            Tail::None if self.was_double && !self.was_single => run >= RUN_TO_BELIEVE_SINGLE,
            Tail::None => run >= RUN_TO_BELIEVE,
            Tail::Ringing => false,
        };
        if believed {
            self.usual = Some(front.tail);
        }
        shape
    }

    /// What follows this edge at once, once that is known.
    pub(super) fn usual_tail(&self) -> Option<Tail> {
        self.usual
    }

    /// How far its last hit lay from a whole second of the system clock.
    pub(super) fn sys_phase(&self) -> Option<Span> {
        self.sys_phase
    }

    /// In how many of the seconds remembered both tracks were hit.
    pub(super) fn seconds_shared(&self, other: &Self) -> usize {
        let near = |a: &Hit| other.recent.iter().any(|b| (b.raw - a.raw).abs() < self.period);
        let both = self.recent.iter().filter(|hit| near(hit)).count();
        both.min(other.recent.len())
    }

    /// How far the other track's edge comes after this one's, within the second.
    pub(super) fn gap_to(&self, other: &Self) -> Span {
        (other.last() - self.last()).div_rem(self.period).1
    }
}

/// Whether a front had the shape that its track's fronts usually have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Shape {
    /// The same edges as ever.
    Usual,
    /// An edge more or less than usual, or nothing is usual yet.
    Torn,
}

/// How many seconds lie between two fronts, if it is about a whole number of them, one to three.
pub(super) fn whole_seconds(earlier: &Front, later: &Front) -> Option<i64> {
    let (seconds, miss) = (later.raw - earlier.raw).nearest(Span::SECOND);
    let allowed = Span::SECOND.times(seconds).ppm(PERIOD_PPM) + JITTER;
    (matches!(seconds, 1..=3) && miss.abs() <= allowed).then_some(seconds)
}

/// A span divided by a number of seconds.
fn per(span: Span, seconds: i64) -> Span {
    span.scaled(Span::from_nanos(1), Span::from_nanos(seconds.max(1)))
}

fn same_tail(a: Tail, b: Tail) -> bool {
    match (a, b) {
        (Tail::None, Tail::None) | (Tail::Ringing, Tail::Ringing) => true,
        (Tail::Width(a), Tail::Width(b)) => (a - b).abs() < SAME_WIDTH,
        (Tail::None | Tail::Width(_) | Tail::Ringing, _) => false,
    }
}
