//! Which edge is on time. Edges of the last seconds are folded modulo one second; edges that repeat form a *track*, and
//! the gaps between tracks show the shape of the pulse. The convention or a setting determines where it starts.
//!
//! Nothing is remembered beyond the window: every answer is a function of the edges in it. Every edge counts, however
//! imprecise its converted timestamp. Edges are not counted as alternating: an edge belongs to a track because it
//! matches its phase.

use std::collections::VecDeque;

use crate::core::engine::clock_map::Dated;
use crate::core::event::{Contradiction, Edges as Grant, Reason};
use crate::core::time::{Instant, Raw, Span};
use tracks::{HITS, Track};

mod tracks;

/// Edges closer together than this are one cluster: a short pulse, or ringing.
const CLUSTER: Span = Span::from_micros(50);
/// So are edges closer together than recent such pairs plus this, so that a pulse of just that width is not split
/// occasionally, up to the maximum below.
const CLUSTER_AGAIN: Span = Span::from_micros(10);
const CLUSTER_MOST: Span = Span::from_micros(70);
/// The window: how long an edge is evidence, and how many clusters are kept.
const WINDOW: Span = Span::from_secs(12);
const KEPT: usize = 64;
/// After three consecutive seconds without an edge, a track is no longer seen and a pulse is absent.
pub(super) const SEEN_WITHIN: Span = Span::from_millis(3_500);
/// How long to wait for the other edge of a pair before it counts as lost.
const LOST_AFTER: Span = Span::from_secs(5);
/// From this up to one second minus this, the two gaps are too similar for the convention.
const AMBIGUOUS_FROM: Span = Span::from_millis(450);
/// If both gaps differ from the configured width by the same amount, to within this, it does not distinguish them.
const AS_NEAR: Span = Span::from_millis(1);
/// How much closer one of two edges must be than the other to the pulse's position according to the sentences.
const CLEARLY_NEARER: Span = Span::from_millis(100);
/// Tracks closer together than this are one wandering edge.
const ONE_PLACE: Span = Span::from_millis(1);
/// If more than one in this many edges is stray, the edges are noise.
const STRAYS: usize = 3;
/// This many hits of a track are enough, however many stray edges there are.
const ENOUGH: usize = 6;
/// Edges for this long without a track are noise.
const NOISE_AFTER: Span = Span::from_secs(8);

/// Edges at one position.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cluster {
    pub(super) first: Dated,
    pub(super) edges: usize,
    pub(super) width: Span,
}

/// The edges of the last seconds.
#[derive(Clone, Debug, Default)]
pub(crate) struct Edges {
    width: Option<Span>,
    /// Which edges the driver timestamps.
    pub(super) grant: Grant,
    clusters: VecDeque<Cluster>,
    /// Since when edges have arrived without a longer pause.
    since: Instant<Raw>,
    pulse: Pulse,
}

/// The on-time edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnTime {
    /// The measured width of the pulse; `None` if only one edge is seen.
    pub width: Option<Span>,
    /// When it last arrived.
    pub(super) last: Instant<Raw>,
    /// When it first arrived within the window.
    pub(super) since: Instant<Raw>,
    /// The second on `CLOCK_MONOTONIC_RAW`.
    pub(super) period: Span,
}

/// What is known about the pulse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(crate) enum Pulse {
    /// No edge for some seconds.
    #[default]
    Absent,
    /// Edges arrive; which one is on time is not settled.
    Measuring,
    /// The on-time edge is known.
    Settled(OnTime),
    /// The edges cannot be trusted, and the gaps that show it.
    Refused(Reason, Option<Contradiction>),
}

/// What distinguishes two edges that are about half a second apart.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Hint {
    /// How far the system clock may be off, if it is an independent check.
    pub(super) system: Option<Span>,
    /// The position of the pulse that the last sentences name, according to the configured delay.
    pub(super) sentences: Option<Instant<Raw>>,
    /// When the on-time edge last arrived, if sentences have confirmed its second.
    pub(super) confirmed: Option<Instant<Raw>>,
}

impl Edges {
    /// No edge so far; `width` is the configured pulse width.
    pub(crate) fn new(width: Option<Span>) -> Self {
        Self { width, ..Self::default() }
    }

    /// Forgets all edges.
    pub(crate) fn reset(&mut self) {
        *self = Self { grant: self.grant, ..Self::new(self.width) };
    }

    /// Takes an edge; edges arrive in the order of their timestamps. Returns the first edge of the on-time cluster if
    /// this edge completes it. `Ok(None)`: the other edge, or an edge of an on-time cluster that has fewer or more
    /// edges than usual so far. [`Reason::NotYet`]: the on-time edge of this pulse is not known.
    pub(crate) fn add(&mut self, edge: Dated, hint: Hint) -> Result<Option<Dated>, Reason> {
        let last = self.last();
        if last.is_some_and(|last| edge.raw <= last) {
            return Err(Reason::StaleEdge); // delivered again
        }
        if last.is_none_or(|last| edge.raw - last > SEEN_WITHIN) {
            self.since = edge.raw;
        }
        let lately = self.clusters.iter().rev().skip(1).take(4).filter(|cluster| cluster.edges > 1);
        let reach = lately.map(|cluster| cluster.width + CLUSTER_AGAIN).fold(CLUSTER, Span::max).min(CLUSTER_MOST);
        match self.clusters.back_mut() {
            Some(open) if edge.raw - open.first.raw <= reach => {
                open.edges += 1;
                open.width = edge.raw - open.first.raw;
            }
            _ => {
                if self.clusters.len() == KEPT {
                    self.clusters.pop_front();
                }
                self.clusters.push_back(Cluster { first: edge, edges: 1, width: Span::ZERO });
            }
        }
        self.clusters.retain(|cluster| edge.raw - cluster.first.raw <= WINDOW);
        self.judge(edge.raw, hint)
    }

    /// What is known about the pulse at `now`.
    pub(crate) fn view(&self, now: Instant<Raw>) -> Pulse {
        match (self.pulse, self.last()) {
            (_, None) => Pulse::Absent,
            (_, Some(last)) if now - last > SEEN_WITHIN => Pulse::Absent,
            // A pair's other edge may lag by most of a second: a pulse that stops is absent, not measured again.
            (Pulse::Settled(on_time), _) if now - on_time.last > SEEN_WITHIN + Span::SECOND => Pulse::Measuring,
            (pulse, Some(_)) => pulse,
        }
    }

    /// When the last edge arrived.
    fn last(&self) -> Option<Instant<Raw>> {
        self.clusters.back().map(|cluster| cluster.first.raw + cluster.width)
    }

    fn judge(&mut self, now: Instant<Raw>, hint: Hint) -> Result<Option<Dated>, Reason> {
        let tracks = tracks::fold(&self.clusters);
        let (seen, rivals): (Vec<&Track>, Vec<&Track>) =
            tracks.iter().partition(|track| track.is_found() && now - track.last() <= SEEN_WITHIN);
        self.pulse = match self.choose(now, &seen, hint) {
            // A rival may be the pulse's edge, occasionally lost, and a track that is seen may not belong to the pulse.
            Pulse::Settled(_) if rivals.iter().any(|rival| seen.iter().all(|track| track.has_rival(rival))) => {
                self.unsettled(now, LOST_AFTER, Reason::NotOneHertz)
            }
            Pulse::Settled(on_time) if self.is_noisy(&tracks, &seen, on_time.since) => {
                self.unsettled(now, NOISE_AFTER, Reason::Noise)
            }
            pulse => pulse,
        };
        let Some(newest) = self.clusters.back() else { return Ok(None) };
        let track = tracks.iter().find(|track| track.last() == newest.first.raw).ok_or(Reason::Stray)?;
        let Pulse::Settled(on_time) = self.pulse else { return Err(Reason::NotYet) };
        let is_on_time = track.last() == on_time.last && newest.edges == track.usual();
        Ok(is_on_time.then_some(newest.first))
    }

    fn choose(&self, now: Instant<Raw>, seen: &[&Track], hint: Hint) -> Pulse {
        match *seen {
            [] => self.unsettled(now, NOISE_AFTER, Reason::Noise),
            [lone] => self.choose_lone(now, lone),
            // On a NIC that timestamps one edge, a second one belongs to another pulse.
            [_, _] if self.grant == Grant::RisingOnly => Pulse::Refused(Reason::NotOneHertz, None),
            [a, b] if a.is_blurred(b) => Pulse::Measuring,
            [a, b] if a.is_pair(b) => self.choose_of_pair(a, b, hint),
            [_, _] => self.unsettled(now, LOST_AFTER, Reason::EdgeLost),
            [..] => Pulse::Refused(why_too_many(seen), None),
        }
    }

    /// Whether so many edges since then are not on a track that others could be on one by chance, or that they could be
    /// the remains of one.
    fn is_noisy(&self, tracks: &[Track], seen: &[&Track], since: Instant<Raw>) -> bool {
        let all = self.clusters.iter().filter(|cluster| cluster.first.raw >= since).count();
        let found: usize = tracks.iter().filter(|track| track.is_found()).map(|track| track.hits_since(since)).sum();
        let fewest = seen.iter().map(|track| track.hits_since(since)).min();
        found * STRAYS < all * (STRAYS - 1) || fewest < Some((HITS + all - found).min(ENOUGH))
    }

    /// Waits at first, and refuses after a while.
    fn unsettled(&self, now: Instant<Raw>, patience: Span, why: Reason) -> Pulse {
        if now - self.since > patience { Pulse::Refused(why, None) } else { Pulse::Measuring }
    }

    /// One position per second: a short pulse, a NIC that timestamps one edge, or a pair whose other edge is lost.
    fn choose_lone(&self, now: Instant<Raw>, lone: &Track) -> Pulse {
        match (lone.usual(), self.grant) {
            (2, Grant::Both | Grant::Unknown) => match (lone.width(), self.width) {
                (None, _) => Pulse::Refused(Reason::Ringing, None),
                (Some(seen), Some(width)) if (seen - width).abs() > closeness(width) => {
                    Pulse::Refused(Reason::WidthMismatch, Some(self.gaps(lone, seen)))
                }
                (width, _) => Pulse::Settled(lone.on_time(width)),
            },
            (1, Grant::RisingOnly) => Pulse::Settled(lone.on_time(None)),
            _ if now - self.since <= LOST_AFTER => Pulse::Measuring,
            (1, Grant::Both) => Pulse::Refused(Reason::EdgeLost, None),
            (1, Grant::Unknown) => Pulse::Refused(Reason::LoneEdge, None),
            // Also on a NIC that timestamps one edge: there, two at one position are not a short pulse.
            _ => Pulse::Refused(Reason::Ringing, None),
        }
    }

    /// Two edges per second: the on-time one starts the configured width, otherwise the shorter gap.
    fn choose_of_pair(&self, a: &Track, b: &Track, hint: Hint) -> Pulse {
        let (from_a, from_b) = (a.gap_to(b), b.gap_to(a));
        let is_first = match self.width {
            None if from_a.min(from_b) >= AMBIGUOUS_FROM => hint.choose(a, b),
            None => Some(from_a < from_b),
            Some(width) => {
                let (miss_a, miss_b) = ((from_a - width).abs(), (from_b - width).abs());
                if miss_a.min(miss_b) > closeness(width) {
                    return Pulse::Refused(Reason::WidthMismatch, Some(self.gaps(a, from_a)));
                }
                if (miss_a - miss_b).abs() <= AS_NEAR { hint.choose(a, b) } else { Some(miss_a < miss_b) }
            }
        };
        let (on_time, width) = match is_first {
            Some(true) => (a, from_a),
            Some(false) => (b, from_b),
            None => return Pulse::Refused(Reason::AmbiguousWidth, Some(self.gaps(a, from_a))),
        };
        // A track of two edges may be a short pulse, and the other track may not belong to it.
        match (a.usual(), b.usual()) {
            (1, 1) => Pulse::Settled(on_time.on_time(Some(width))),
            _ => Pulse::Refused(Reason::Ringing, None),
        }
    }

    fn gaps(&self, track: &Track, gap: Span) -> Contradiction {
        Contradiction::Width { configured: self.width, measured: [gap, track.period - gap] }
    }
}

impl Hint {
    /// Whether the first of two edges is on time, if one of them fits and the other does not.
    fn choose(self, a: &Track, b: &Track) -> Option<bool> {
        let by_system = self.system.and_then(|max_error| {
            let agrees = |track: &Track| track.sys_phase().is_some_and(|phase| phase.abs() <= max_error);
            (agrees(a) != agrees(b)).then(|| agrees(a))
        });
        let nearer = |at: Instant<Raw>| {
            let (from_a, from_b) = (a.distance(at), b.distance(at));
            ((from_a - from_b).abs() > CLEARLY_NEARER).then_some(from_a < from_b)
        };
        let [by_sentences, by_count] = [self.sentences, self.confirmed].map(|at| at.and_then(nearer));
        by_sentences.or(by_system).or(by_count)
    }
}

/// How close a measured width must be to the configured one: 5 ms plus 5 %.
fn closeness(width: Span) -> Span {
    Span::from_millis(5) + Span::from_nanos(width.nanos() / 20)
}

/// More than two tracks: a pulse of another rate, or edges that wander so much that they are several tracks at one
/// position.
fn why_too_many(seen: &[&Track]) -> Reason {
    let near = |a: &Track, b: &Track| a.gap_to(b).min(b.gap_to(a)) < ONE_PLACE;
    let is_first = |(n, track): &(usize, &&Track)| !seen.iter().take(*n).any(|other| near(track, other));
    let places = seen.iter().enumerate().filter(is_first).count();
    if places > 2 { Reason::NotOneHertz } else { Reason::UnevenPulse }
}
