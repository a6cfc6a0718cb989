//! Dated edges to fronts. A pulse of some microseconds shows as two edges in one place: a *front* is an edge together
//! with whatever follows it within [`SHORT_PULSE`]. Longer pulses show as two fronts, which the pulse train tells apart.

use crate::engine::clock_map::Dated;
use crate::event::Reason;
use crate::time::{Instant, Raw, Span, Sys};

/// Two edges nearer than this are one front.
pub const SHORT_PULSE: Span = Span::from_micros(50);
/// A front is complete when this much time has passed: both its edges have been delivered by then.
const COMPLETE_AFTER: Span = Span::from_millis(5);

/// An edge, and what followed it at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Front {
    /// The first edge on `CLOCK_MONOTONIC_RAW`.
    pub raw: Instant<Raw>,
    /// The first edge on `CLOCK_REALTIME`; or why that cannot be said.
    pub sys: Result<Instant<Sys>, Reason>,
    /// Bound of the error of both.
    pub error: Span,
    /// The edges after the first.
    pub tail: Tail,
}

/// What followed the first edge within [`SHORT_PULSE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tail {
    /// Nothing.
    None,
    /// One edge: the end of a short pulse, that wide.
    Width(Span),
    /// More edges than a pulse has.
    Ringing,
}

/// Gathers edges into fronts.
#[derive(Clone, Debug, Default)]
pub struct Fronts {
    open: Option<Front>,
    last: Option<Instant<Raw>>,
}

/// What became of an edge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Taken {
    /// It began a front; the one before it is complete, if there was one.
    Began(Option<Front>),
    /// It belongs to the front that is open.
    Joined,
    /// It is not later than the edge before it: delivered a second time.
    Stale,
}

impl Fronts {
    /// Takes an edge. Edges come in the order in which the hardware stamped them.
    pub fn add(&mut self, edge: Dated) -> Taken {
        if self.last.is_some_and(|last| edge.raw <= last) {
            return Taken::Stale;
        }
        self.last = Some(edge.raw);
        match &mut self.open {
            Some(front) if edge.raw - front.raw <= SHORT_PULSE => {
                front.tail = match front.tail {
                    Tail::None => Tail::Width(edge.raw - front.raw),
                    Tail::Width(_) | Tail::Ringing => Tail::Ringing,
                };
                Taken::Joined
            }
            open => {
                Taken::Began(open.replace(Front { raw: edge.raw, sys: edge.sys, error: edge.error, tail: Tail::None }))
            }
        }
    }

    /// The open front, if nothing can join it any more.
    pub fn complete(&mut self, now: Instant<Raw>) -> Option<Front> {
        self.open.take_if(|front| now - front.raw >= COMPLETE_AFTER)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn edge(ns: i64) -> Dated {
        Dated { raw: Instant::from_nanos(ns), sys: Ok(Instant::from_nanos(ns)), error: Span::ZERO }
    }

    #[test]
    fn edges_of_a_short_pulse_are_one_front() {
        let mut fronts = Fronts::default();
        assert_eq!(fronts.add(edge(1_000)), Taken::Began(None));
        assert_eq!(fronts.add(edge(2_000)), Taken::Joined);
        assert_eq!(fronts.complete(Instant::from_nanos(1_000_000)), None, "too early");
        let front = fronts.complete(Instant::from_nanos(5_001_000)).unwrap();
        assert_eq!((front.raw.nanos(), front.tail), (1_000, Tail::Width(Span::from_nanos(1_000))));
    }

    #[test]
    fn edges_further_apart_are_fronts_of_their_own() {
        let mut fronts = Fronts::default();
        fronts.add(edge(0));
        let Taken::Began(Some(first)) = fronts.add(edge(50_001)) else { panic!() };
        assert_eq!((first.raw.nanos(), first.tail), (0, Tail::None));
    }

    #[test]
    fn a_third_edge_in_one_place_is_ringing() {
        let mut fronts = Fronts::default();
        for ns in [0, 100, 200, 300] {
            fronts.add(edge(ns));
        }
        assert_eq!(fronts.complete(Instant::from_nanos(10_000_000)).unwrap().tail, Tail::Ringing);
    }

    #[test]
    fn an_edge_seen_before_is_stale() {
        let mut fronts = Fronts::default();
        fronts.add(edge(1_000));
        assert_eq!(fronts.add(edge(1_000)), Taken::Stale);
        assert_eq!(fronts.add(edge(-1_000_000_000)), Taken::Stale);
    }
}
