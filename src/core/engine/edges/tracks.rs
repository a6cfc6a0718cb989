//! Finds the edges in the window that repeat every second.

use std::collections::VecDeque;

use crate::core::engine::edges::{CLUSTER_MOST, Cluster, OnTime};
use crate::core::time::{Instant, Raw, Span};

/// How far a second may deviate on `CLOCK_MONOTONIC_RAW`.
const PERIOD_PPM: i64 = 500;
/// How far an edge may be from its track's phase, apart from reading errors: the receiver's own noise.
const JITTER: Span = Span::from_micros(5);
/// How much the period may wander from one second to the next.
const WANDER: Span = Span::from_nanos(200);
/// Two edges closer together than this are one edge timestamped twice: no pulse is that short.
const SHORTEST: Span = Span::from_nanos(800);
/// Two edges as far apart as their tracks, to within this, belong to the same second.
const SAME_SECOND: Span = Span::from_millis(1);
/// Hits that make a track.
pub(super) const HITS: usize = 3;
/// This many recent hits show what an edge looks like now.
const RECENT: usize = 5;
/// How many seconds back to look for a period.
const SECONDS: i64 = 12;
/// More clusters per second than this are noise: no track is searched for.
const BUSY: usize = 4;

/// One edge of the pulse, second after second; its hits are newest first.
#[derive(Clone, Debug)]
pub(super) struct Track {
    hits: Vec<Cluster>,
    pub(super) period: Span,
}

/// The tracks among these clusters, that of the newest cluster first if it is on one.
pub(super) fn fold(clusters: &VecDeque<Cluster>) -> Vec<Track> {
    let (Some(newest), Some(oldest)) = (clusters.back(), clusters.front()) else { return Vec::new() };
    let seconds = (newest.first.raw - oldest.first.raw).div_rem(Span::SECOND).0 as usize + 1;
    if clusters.len() > 2 * HITS * BUSY && clusters.len() > seconds * BUSY * 3 {
        return Vec::new();
    }
    // Any edge except a stray one gives the period, and the newest may be stray: use the period with which most
    // clusters repeat.
    let mut best: Option<(usize, Span)> = None;
    // The newest is tried last: a period that matches only a few others may also match a stray one.
    for end in clusters.iter().rev().skip(1).take(BUSY).chain(clusters.back()) {
        let Some((hits, span)) = period(clusters, end) else { continue };
        best = best.filter(|(most, _)| *most >= hits).or(Some((hits, span)));
        if hits + 2 >= seconds {
            break;
        }
    }
    let Some((_, period)) = best else { return Vec::new() };
    let mut tracks: Vec<Track> = Vec::new();
    for cluster in clusters.iter().rev() {
        match tracks.iter_mut().find(|track| track.meets(cluster)) {
            Some(track) => track.hits.push(*cluster),
            None => tracks.push(Track { hits: vec![*cluster], period }),
        }
    }
    tracks.retain(|track| track.hits.len() > 1);
    tracks
}

/// The period with which most clusters up to this one repeat, and how many; among equals, the one with the longest
/// baseline.
fn period(clusters: &VecDeque<Cluster>, end: &Cluster) -> Option<(usize, Span)> {
    let mut best: Option<(usize, Span)> = None;
    for start in clusters.iter().take_while(|start| start.first.raw < end.first.raw) {
        let (seconds, miss) = (end.first.raw - start.first.raw).nearest(Span::SECOND);
        let allowed = Span::SECOND.times(seconds).ppm(PERIOD_PPM) + JITTER + errors(start, end);
        if !(1..=SECONDS).contains(&seconds) || miss.abs() > allowed {
            continue;
        }
        let period = (end.first.raw - start.first.raw).per(seconds);
        let track = Track { hits: vec![*end], period };
        let hits = clusters.iter().filter(|cluster| track.meets(cluster)).count();
        if hits as i64 >= seconds && seconds >= HITS as i64 {
            return Some((hits, period));
        }
        best = best.filter(|(most, _)| *most >= hits).or(Some((hits, period)));
    }
    best.filter(|(hits, _)| *hits >= HITS - 1)
}

fn errors(a: &Cluster, b: &Cluster) -> Span {
    a.first.raw_error + b.first.raw_error
}

impl Track {
    pub(super) fn hits_since(&self, since: Instant<Raw>) -> usize {
        self.hits.iter().filter(|hit| hit.first.raw >= since).count()
    }

    /// When its first hit arrived.
    fn since(&self) -> Instant<Raw> {
        self.hits.last().map_or(self.last(), |hit| hit.first.raw)
    }

    /// Whether it has enough hits to be a track.
    pub(super) fn is_found(&self) -> bool {
        self.hits.len() >= HITS
    }

    /// When its last hit arrived.
    pub(super) fn last(&self) -> Instant<Raw> {
        self.hits.first().map_or(Instant::default(), |hit| hit.first.raw)
    }

    /// Whether this cluster is an earlier hit.
    fn meets(&self, cluster: &Cluster) -> bool {
        self.hits.first().is_some_and(|newest| {
            let (seconds, miss) = (newest.first.raw - cluster.first.raw).nearest(self.period);
            seconds >= 1 && miss.abs() <= JITTER + errors(newest, cluster) + WANDER.times(seconds)
        })
    }

    /// Edges in its complete clusters: at least one in four has this many. The newest is left out, because it may get
    /// another edge.
    pub(super) fn usual(&self) -> usize {
        let of = |edges: usize| self.hits.iter().skip(1).filter(|hit| hit.edges.min(3) == edges).count();
        (2..=3).rev().find(|&edges| of(edges) * 4 >= self.hits.len()).unwrap_or(1)
    }

    /// Width of its last clusters of two edges, if all are equally wide: a short pulse, not ringing.
    pub(super) fn width(&self) -> Option<Span> {
        let mut widths = self.hits.iter().filter(|hit| hit.edges == 2).take(RECENT).map(|hit| hit.width);
        let newest = widths.next()?;
        (newest >= SHORTEST && widths.all(|width| (width - newest).abs() <= JITTER)).then_some(newest)
    }

    /// Distance of its last hit from a whole second of the system clock.
    pub(super) fn sys_phase(&self) -> Option<Span> {
        let sys = self.hits.iter().find_map(|hit| hit.first.sys.ok())?;
        Some((sys - Instant::default()).nearest(Span::SECOND).1)
    }

    /// Distance of this moment from its nearest hit, past or future.
    pub(super) fn distance(&self, at: Instant<Raw>) -> Span {
        (at - self.last()).nearest(self.period).1.abs()
    }

    /// How long after this track's edge the other's arrives, within the second.
    pub(super) fn gap_to(&self, other: &Self) -> Span {
        (other.last() - self.last()).div_rem(self.period).1
    }

    /// Whether these two are so close that it is unknown which comes first.
    pub(super) fn is_blurred(&self, other: &Self) -> bool {
        let error = |of: &Self| of.hits.iter().take(RECENT).map(|hit| hit.first.raw_error).max().unwrap_or_default();
        self.gap_to(other).min(other.gap_to(self)) <= error(self) + error(other)
    }

    /// Whether these two are the edges of one pulse: since both have hits, most seconds with one have the other, too.
    pub(super) fn is_pair(&self, other: &Self) -> bool {
        let since = self.since().max(other.since()) - Span::SECOND;
        let gap = self.gap_to(other);
        let partner = |a: &&Cluster| other.hits.iter().any(|b| (b.first.raw - a.first.raw - gap).abs() < SAME_SECOND);
        let shared = self.hits.iter().filter(partner).count();
        shared >= HITS && shared * 5 >= self.hits_since(since).max(other.hits_since(since)) * 3
    }

    /// Whether the other occurred in addition to it, and not at its position, where a short pulse that lost its first
    /// edge would be.
    pub(super) fn has_rival(&self, other: &Self) -> bool {
        other.hits_since(self.since()) > 1 && self.gap_to(other).min(other.gap_to(self)) > CLUSTER_MOST
    }

    pub(super) fn on_time(&self, width: Option<Span>) -> OnTime {
        OnTime { width, last: self.last(), since: self.since(), period: self.period }
    }
}
