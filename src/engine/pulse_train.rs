//! Which edge is on time. Fronts fall into tracks, edges that repeat every second; the gaps between the tracks say
//! what the pulse looks like, and the convention or the configured width says where it starts.
//!
//! Parity is never the memory: an edge belongs to a track because it meets its prediction, whatever came or was lost
//! before it. An on-time edge once chosen is kept as long as its track lives; a contradiction stops, it never switches.

use std::collections::VecDeque;

use crate::engine::front::{Front, Tail};
use crate::engine::track::{SEEN_WITHIN, Shape, Track, TrackId, whole_seconds};
use crate::event::{Contradiction, Edges, Reason};
use crate::time::{Instant, Raw, Span};

/// Edges without a track that may yet become one, and for how long: two steps of at most three seconds.
const LOOSE_KEPT: usize = 32;
const LOOSE_FOR: Span = Span::from_secs(7);
/// Tracks kept: a 5 Hz pulse has ten, which is enough to say so.
const TRACKS_KEPT: usize = 16;
/// A track without a hit for this long is forgotten: its prediction has become too vague.
const FORGOTTEN_AFTER: Span = Span::from_secs(64);
/// Seconds in which both edges must have been seen before they are a pair.
const SECONDS_SHARED: usize = 3;
/// A lone edge is believed after this many hits where the driver promised the rising edge alone, ...
const LONE_HITS_PROMISED: u32 = 4;
/// ... and where it promised nothing: long enough that a second edge, were it lost now and then, would have shown.
const LONE_HITS: u32 = 10;
/// Edges for this long, and no track: noise.
const NOISE_AFTER: Span = Span::from_secs(10);
/// From here on to a second less it the two gaps are too alike for the convention.
const AMBIGUOUS_FROM: Span = Span::from_millis(450);

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

/// What the edges seen lately amount to.
enum Choice {
    Undecided,
    OnTime(OnTime),
    Refused(Reason),
}

impl PulseTrain {
    /// A pulse train of which nothing is known but, perhaps, the configured pulse width.
    pub fn new(width: Option<Span>) -> Self {
        Self {
            width,
            promise: Edges::BothOrUnknown,
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

    fn choose(&mut self, now: Instant<Raw>) -> Choice {
        let seen: Vec<&Track> = self.tracks.iter().filter(|track| track.is_seen(now)).collect();
        match seen.as_slice() {
            [] => Choice::Undecided,
            [lone] => self.choose_lone(lone),
            &[a, b] if a.seconds_shared(b) >= SECONDS_SHARED => {
                let (choice, gaps) = (self.choose_of_pair(a, b), [a.gap_to(b), b.gap_to(a)]);
                (self.pair_seen, self.gaps) = (true, Some(gaps));
                choice
            }
            [_, _] => Choice::Undecided,
            [_, _, _, ..] => Choice::Refused(why_too_many(&seen)),
        }
    }

    /// One edge a second: of a NIC that stamps one, of a short pulse, or of a pair whose other edge is lost just now.
    fn choose_lone(&self, lone: &Track) -> Choice {
        let needed = match self.promise {
            Edges::RisingOnly => LONE_HITS_PROMISED,
            Edges::BothOrUnknown => LONE_HITS,
        };
        let on_time = |width| Choice::OnTime(OnTime { track: lone.id(), width });
        match lone.usual_tail() {
            Some(Tail::Width(width)) => on_time(Some(width)),
            Some(Tail::None) if !self.pair_seen && !self.has_rival(lone) && lone.unbroken().1 >= needed => {
                on_time(None)
            }
            Some(Tail::None | Tail::Ringing) | None => Choice::Undecided,
        }
    }

    /// Whether anything else repeats beside this track: another track, or two loose edges that may become one.
    fn has_rival(&self, lone: &Track) -> bool {
        let loose = |(n, later)| self.loose.iter().take(n).any(|earlier| whole_seconds(earlier, later).is_some());
        self.tracks.iter().any(|track| track.id() != lone.id() && track.last() >= lone.unbroken().0)
            || self.loose.iter().enumerate().any(loose)
    }

    /// Two edges a second: the on-time one starts the configured width, or else the shorter gap.
    fn choose_of_pair(&self, a: &Track, b: &Track) -> Choice {
        let (from_a, from_b) = (a.gap_to(b), b.gap_to(a));
        let starts_at = |track: &Track, width| Choice::OnTime(OnTime { track: track.id(), width: Some(width) });
        match self.width {
            None if from_a.min(from_b) >= AMBIGUOUS_FROM => self.choose_by_witness(a, b),
            None if from_a < from_b => starts_at(a, from_a),
            None => starts_at(b, from_b),
            Some(width) => {
                let (miss_a, miss_b) = ((from_a - width).abs(), (from_b - width).abs());
                let close = Span::from_millis(5) + Span::from_nanos(width.nanos() / 20);
                if miss_a.min(miss_b) > close {
                    Choice::Refused(Reason::WidthMismatch)
                } else if (miss_a - miss_b).abs() <= Span::from_millis(1) {
                    self.choose_by_witness(a, b)
                } else if miss_a < miss_b {
                    starts_at(a, from_a)
                } else {
                    starts_at(b, from_b)
                }
            }
        }
    }

    /// Two edges about half a second apart: the one that comes with the system clock's second, if that is synchronised
    /// well enough to tell. What was chosen once stays so.
    fn choose_by_witness(&self, a: &Track, b: &Track) -> Choice {
        let chosen = |track: &Track| self.on_time.is_some_and(|on_time| on_time.track == track.id());
        let agrees = |track: &Track| match (self.witness, track.sys_phase()) {
            (Some(max_error), Some(phase)) => phase <= max_error,
            (Some(_) | None, _) => false,
        };
        let on_time = |track: &Track, other: &Track| {
            Choice::OnTime(OnTime { track: track.id(), width: Some(track.gap_to(other)) })
        };
        match (chosen(a), chosen(b), agrees(a), agrees(b)) {
            (true, _, _, _) => on_time(a, b),
            (false, true, _, _) => on_time(b, a),
            (false, false, true, false) => on_time(a, b),
            (false, false, false, true) => on_time(b, a),
            (false, false, true, true) | (false, false, false, false) => Choice::Refused(Reason::AmbiguousWidth),
        }
    }
}

/// More than two tracks: a pulse of another rate, or edges that wander so much that they are several tracks in one place.
fn why_too_many(seen: &[&Track]) -> Reason {
    let near = |a: &Track, b: &Track| a.gap_to(b).min(b.gap_to(a)) < Span::from_millis(1);
    let is_first = |(n, track): &(usize, &&Track)| !seen.iter().take(*n).any(|other| near(track, other));
    let places = seen.iter().enumerate().filter(is_first).count();
    if places > 2 { Reason::NotOneHertz } else { Reason::UnevenPulse }
}

#[cfg(test)]
mod tests;
