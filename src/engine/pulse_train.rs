//! Which edge is on time. Fronts fall into tracks, edges that repeat every second; the gaps between the tracks say
//! what the pulse looks like, and the convention or the configured width says where it starts.
//!
//! Parity is never the memory: an edge belongs to a track because it meets its prediction, whatever came or was lost
//! before it. An on-time edge once chosen is kept as long as its track lives; a contradiction stops, it never switches.

use std::collections::VecDeque;

use crate::engine::front::Front;
use crate::engine::track::{SEEN_WITHIN, Shape, Track, TrackId};
use crate::event::{Contradiction, Edges, Reason};
use crate::time::{Instant, Raw, Span};
use choose::Choice;

mod choose;

/// Edges without a track that may yet become one, and for how long: two steps of at most three seconds.
const LOOSE_KEPT: usize = 32;
const LOOSE_FOR: Span = Span::from_secs(7);
/// Tracks kept: a 5 Hz pulse has ten, which is enough to say so.
const TRACKS_KEPT: usize = 16;
/// A track without a hit for this long is forgotten: its prediction has become too vague.
const FORGOTTEN_AFTER: Span = Span::from_secs(64);
/// Edges for this long, and no track: noise.
const NOISE_AFTER: Span = Span::from_secs(10);

/// Finds the on-time edge.
#[derive(Clone, Debug)]
pub struct PulseTrain {
    width: Option<Span>,
    promise: Edges,
    witness: Option<Span>,
    tracks: Vec<Track>,
    loose: VecDeque<Front>,
    next_id: u64,
    pair_seen: bool,
    on_time: Option<OnTime>,
    first_edge: Option<Instant<Raw>>,
    last_edge: Option<Instant<Raw>>,
    refused: Option<Reason>,
    gaps: Option<[Span; 2]>,
}

/// The on-time edge, as found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OnTime {
    /// Its track.
    pub track: TrackId,
    /// The measured width of the pulse; `None` where only one edge is seen.
    pub width: Option<Span>,
}

/// What a front was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// The on-time edge; its count, and how far it lies from its prediction.
    OnTime {
        /// Count of the second.
        index: i64,
        /// Distance from the prediction.
        miss: Span,
    },
    /// The pulse's other edge.
    OffTime,
    /// On the on-time track, but without the edges that always followed it: a short pulse torn apart.
    Torn,
    /// An edge of a pulse whose on-time edge is not settled.
    Unsettled,
    /// On no track.
    Stray,
}

/// How far the pulse is understood.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pulse {
    /// No edge for some seconds.
    Absent,
    /// Edges come; the on-time one is not settled.
    Measuring,
    /// The on-time edge is known.
    Settled(OnTime),
    /// The edges cannot be trusted.
    Refused(Reason),
}

impl PulseTrain {
    /// A pulse train of which nothing is known but, perhaps, the configured pulse width.
    pub fn new(width: Option<Span>) -> Self {
        Self {
            width,
            promise: Edges::Unknown,
            witness: None,
            tracks: Vec::new(),
            loose: VecDeque::new(),
            next_id: 0,
            pair_seen: false,
            on_time: None,
            first_edge: None,
            last_edge: None,
            refused: None,
            gaps: None,
        }
    }

    /// What the driver promised when it granted time stamps.
    pub fn promise(&mut self, edges: Edges) {
        self.promise = edges;
    }

    /// How far the system clock may be off, where it is an independent witness: settles which of two edges half a
    /// second apart is on time.
    pub fn witness(&mut self, max_error: Option<Span>) {
        self.witness = max_error;
    }

    /// The figures of a refusal for the pulse's width.
    pub fn contradiction(&self) -> Option<Contradiction> {
        let measured = self.gaps?;
        Some(match (self.refused, self.on_time) {
            (Some(Reason::EdgeContradiction), Some(OnTime { width: before, .. })) => {
                Contradiction::Edge { before, measured }
            }
            _ => Contradiction::Width { configured: self.width, measured },
        })
    }

    /// Takes a front.
    pub fn add(&mut self, front: &Front) -> Found {
        self.first_edge.get_or_insert(front.raw);
        self.last_edge = Some(front.raw);
        self.forget(front.raw);
        let met = self.tracks.iter_mut().find_map(|track| track.meets(front).map(|met| (track, met)));
        let Some((track, met)) = met else {
            let is_known = self.on_time.is_some();
            let found = self.begin(front);
            self.settle(front.raw);
            return if is_known { found } else { Found::Unsettled };
        };
        let (id, shape) = (track.id(), track.hit(front, met.index));
        self.settle(front.raw);
        match (self.refused, self.on_time, shape) {
            (Some(_), _, _) | (None, None, _) => Found::Unsettled,
            (None, Some(on_time), _) if on_time.track != id => Found::OffTime,
            (None, Some(_), Shape::Torn) => Found::Torn,
            (None, Some(_), Shape::Usual) => Found::OnTime { index: met.index, miss: met.miss },
        }
    }

    /// The on-time edge's track.
    pub fn on_time(&self) -> Option<&Track> {
        self.on_time.and_then(|on_time| self.track(on_time.track))
    }

    /// How far the pulse is understood at `now`.
    pub fn view(&self, now: Instant<Raw>) -> Pulse {
        let Some(last) = self.last_edge.filter(|&last| now - last <= SEEN_WITHIN) else { return Pulse::Absent };
        match (self.refused, self.on_time, self.on_time()) {
            (Some(reason), _, _) => Pulse::Refused(reason),
            // A second longer than the other edge may lag behind: a pulse that stops is absent, not being measured.
            (None, Some(on_time), Some(track)) if track.is_seen(now - Span::SECOND) => Pulse::Settled(on_time),
            _ if self.is_noise(last) => Pulse::Refused(Reason::Noise),
            _ => Pulse::Measuring,
        }
    }

    fn is_noise(&self, last: Instant<Raw>) -> bool {
        self.first_edge.is_some_and(|first| last - first > NOISE_AFTER)
            && !self.tracks.iter().any(|track| track.is_seen(last))
    }

    fn track(&self, id: TrackId) -> Option<&Track> {
        self.tracks.iter().find(|track| track.id() == id)
    }

    /// Drops what is too old to meet anything.
    fn forget(&mut self, now: Instant<Raw>) {
        self.tracks.retain(|track| now - track.last() <= FORGOTTEN_AFTER);
        self.loose.retain(|front| now - front.raw <= LOOSE_FOR);
        if self.on_time().is_none() {
            self.on_time = None;
        }
    }

    /// A front on no track: the third of one, or a stray, at least for now.
    fn begin(&mut self, front: &Front) -> Found {
        let id = TrackId(self.next_id);
        let found = self.loose.iter().enumerate().rev().find_map(|(second, middle)| {
            let earlier = self.loose.iter().enumerate().take(second).rev();
            earlier
                .into_iter()
                .find_map(|(first, start)| Track::found(id, [start, middle, front]).map(|track| (first, second, track)))
        });
        match found {
            Some((first, second, track)) if self.tracks.len() < TRACKS_KEPT => {
                self.next_id += 1;
                self.tracks.push(track);
                self.loose.remove(second);
                self.loose.remove(first);
                Found::Unsettled
            }
            Some(_) | None => {
                if self.loose.len() == LOOSE_KEPT {
                    self.loose.pop_front();
                }
                self.loose.push_back(*front);
                Found::Stray
            }
        }
    }

    /// Decides anew which track is on time; keeps the one that was as long as nothing speaks against it.
    fn settle(&mut self, now: Instant<Raw>) {
        let choice = self.choose(now);
        let kept = self.on_time().filter(|track| track.is_seen(now)).map(Track::id);
        self.refused = None;
        match (choice, kept) {
            (Choice::OnTime(new), Some(kept)) if new.track != kept => {
                self.refused = Some(Reason::EdgeContradiction);
            }
            (Choice::OnTime(new), _) => self.on_time = Some(new),
            (Choice::Refused(reason), _) => self.refused = Some(reason),
            (Choice::Undecided, _) => {}
        }
    }
}

#[cfg(test)]
mod tests;
