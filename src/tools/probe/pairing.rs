//! Receiver and pulse together: what the engine says of their events, and what was measured. Pure.

use crate::core::engine::{Config, Engine};
use crate::core::event::{Contradiction, Event, State, Verdict};
use crate::core::time::{Instant, Phc, Span};

/// Samples that show how the delay spreads.
const ENOUGH: usize = 8;
/// Edges that are counted.
const EDGES_MAX: usize = 1_024;

/// What the engine says of receiver and pulse together.
#[derive(Debug)]
pub struct Pairing {
    /// The engine.
    pub engine: Engine,
    /// What contradicted what last.
    pub(super) contradiction: Option<Contradiction>,
    edges: Vec<Instant<Phc>>,
    /// Sentence delays, pulse to first byte, in order.
    delays: Vec<Span>,
}

impl Default for Pairing {
    fn default() -> Self {
        let engine = Engine::new(Config::default());
        Self { engine, contradiction: None, edges: Vec::new(), delays: Vec::new() }
    }
}

impl Pairing {
    /// Takes an event of the chosen sources.
    pub fn take(&mut self, event: &Event) {
        if let Event::Edge(edge) = event
            && self.edges.len() < EDGES_MAX
        {
            self.edges.push(edge.phc);
        }
        for verdict in self.engine.handle(event) {
            match (verdict, self.engine.label()) {
                (Verdict::Sample(_), Some(label)) => self.delays.push(label.delay),
                (Verdict::Contradiction(figures), _) => self.contradiction = Some(figures),
                _ => {}
            }
        }
        self.delays.sort();
    }

    /// Samples so far.
    pub fn samples(&self) -> usize {
        self.delays.len()
    }

    /// Whether enough was seen.
    pub(super) fn is_enough(&self) -> bool {
        self.samples() >= ENOUGH && self.engine.state() == State::Locked
    }

    /// Shortest, median and longest delay.
    pub fn spread(&self) -> Option<[Span; 3]> {
        Some([*self.delays.first()?, *self.delays.get(self.delays.len() / 2)?, *self.delays.last()?])
    }

    /// Edges a second, in tenths: over the whole seconds since the first edge.
    pub fn edges_in_ten_seconds(&self) -> Option<i64> {
        let (first, last) = (*self.edges.first()?, *self.edges.last()?);
        let slack = Span::from_millis(50); // the last second's first edge does not belong to it
        let seconds = (last - first + slack).div_rem(Span::SECOND).0;
        let end = first + Span::from_secs(seconds) - slack;
        let count = self.edges.iter().filter(|edge| **edge < end).count() as i64;
        (seconds > 0).then(|| (count * 10 + seconds / 2) / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(ms: &[i64]) -> Pairing {
        let mut delays: Vec<_> = ms.iter().map(|ms| Span::from_millis(*ms)).collect();
        delays.sort();
        Pairing { delays, ..Pairing::default() }
    }

    #[test]
    fn delays_have_a_spread() {
        let delays = delays(&[310, 290, 300]);
        assert_eq!(delays.spread(), Some([290, 300, 310].map(Span::from_millis)));
        assert_eq!(Pairing::default().spread(), None);
    }

    #[test]
    fn edges_are_counted_over_whole_seconds_of_a_phc_that_is_off() {
        for (edges_ms, expected) in [(&[0][..], Some(10)), (&[0, 100], Some(20)), (&[0, 200, 400, 600, 800], Some(50))]
        {
            for ppm in [-1_000, 0, 1_000] {
                let mut pairing = Pairing::default();
                for second in 0..8 {
                    for ms in edges_ms {
                        pairing.edges.push(Instant::from_nanos((second * 1_000 + ms) * (1_000_000 + ppm)));
                    }
                }
                assert_eq!(pairing.edges_in_ten_seconds(), expected, "{edges_ms:?} {ppm}");
            }
        }
        assert_eq!(Pairing::default().edges_in_ten_seconds(), None);
    }
}
