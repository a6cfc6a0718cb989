//! Which of the edges that repeat is on time: by the convention, the configured width or the witness.

use crate::engine::front::Tail;
use crate::engine::pulse_train::{OnTime, PulseTrain};
use crate::engine::track::{Track, whole_seconds};
use crate::event::{Edges, Reason};
use crate::time::{Instant, Raw, Span};

/// Seconds in which both edges must have been seen before they are a pair.
const SECONDS_SHARED: usize = 3;
/// A lone edge is believed after this many hits where the driver promised the rising edge alone, ...
const LONE_HITS_PROMISED: u32 = 4;
/// ... and where it promised nothing: long enough that a second edge, were it lost now and then, would have shown.
const LONE_HITS: u32 = 10;
/// From here on to a second less it the two gaps are too alike for the convention.
const AMBIGUOUS_FROM: Span = Span::from_millis(450);
/// Where the two gaps miss the configured width by as much, but for this, it does not tell them apart.
const AS_NEAR: Span = Span::from_millis(1);
/// Tracks nearer to each other than this are one edge that wanders.
const ONE_PLACE: Span = Span::from_millis(1);

/// What the edges seen lately amount to.
pub(super) enum Choice {
    Undecided,
    OnTime(OnTime),
    Refused(Reason),
}

impl PulseTrain {
    /// Which edge is on time by the tracks that are seen now.
    pub(super) fn choose(&mut self, now: Instant<Raw>) -> Choice {
        let seen: Vec<&Track> = self.tracks.iter().filter(|track| track.is_seen(now)).collect();
        match seen.as_slice() {
            [] => Choice::Undecided,
            [lone] => {
                let choice = self.choose_lone(lone);
                if let Some(Tail::Width(width)) = lone.usual_tail() {
                    self.gaps = Some([width, lone.period() - width]);
                }
                choice
            }
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
            Edges::Both | Edges::Unknown => LONE_HITS,
        };
        let on_time = |width| Choice::OnTime(OnTime { track: lone.id(), width });
        match lone.usual_tail() {
            Some(Tail::Width(measured))
                if self.width.is_some_and(|width| (measured - width).abs() > closeness(width)) =>
            {
                Choice::Refused(Reason::WidthMismatch)
            }
            // The end of a long pulse may ring and look like a short pulse: only what comes all alone is one at once.
            Some(Tail::Width(width))
                if !self.has_company(lone) || !self.has_rival(lone) && lone.unbroken().1 >= needed =>
            {
                on_time(Some(width))
            }
            Some(Tail::None) if !self.pair_seen && !self.has_rival(lone) && lone.unbroken().1 >= needed => {
                on_time(None)
            }
            Some(Tail::None | Tail::Width(_) | Tail::Ringing) | None => Choice::Undecided,
        }
    }

    /// Whether any other edge came while this track did, or just before.
    fn has_company(&self, lone: &Track) -> bool {
        let from = lone.unbroken().0 - Span::SECOND;
        self.loose.iter().any(|front| front.raw >= from)
            || self.tracks.iter().any(|track| track.id() != lone.id() && track.last() >= from)
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
                if miss_a.min(miss_b) > closeness(width) {
                    Choice::Refused(Reason::WidthMismatch)
                } else if (miss_a - miss_b).abs() <= AS_NEAR {
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

/// How near a measured width must be to the configured one: to 5 ms and a twentieth of it.
fn closeness(width: Span) -> Span {
    Span::from_millis(5) + Span::from_nanos(width.nanos() / 20)
}

/// More than two tracks: a pulse of another rate, or edges that wander so much that they are several tracks in one place.
fn why_too_many(seen: &[&Track]) -> Reason {
    let near = |a: &Track, b: &Track| a.gap_to(b).min(b.gap_to(a)) < ONE_PLACE;
    let is_first = |(n, track): &(usize, &&Track)| !seen.iter().take(*n).any(|other| near(track, other));
    let places = seen.iter().enumerate().filter(is_first).count();
    if places > 2 { Reason::NotOneHertz } else { Reason::UnevenPulse }
}
