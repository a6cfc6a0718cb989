//! Receiver and pulse together: what the engine says of their events, and what was measured. Pure.

use crate::core::engine::{Config, Engine};
use crate::core::event::{Event, Verdict};
use crate::core::time::Span;

/// What the engine says of receiver and pulse together.
#[derive(Debug)]
pub struct Pairing {
    /// The engine.
    pub engine: Engine,
    /// Sentence delays, pulse to first byte, in order.
    delays: Vec<Span>,
}

impl Default for Pairing {
    fn default() -> Self {
        Self { engine: Engine::new(Config::default()), delays: Vec::new() }
    }
}

impl Pairing {
    /// Takes an event of the chosen sources.
    pub fn take(&mut self, event: &Event) {
        for verdict in self.engine.handle(event) {
            if let (Verdict::Sample(_), Some(label)) = (verdict, self.engine.label()) {
                self.delays.push(label.delay);
            }
        }
        self.delays.sort();
    }

    /// Samples so far.
    pub fn samples(&self) -> usize {
        self.delays.len()
    }

    /// Shortest, median and longest delay.
    pub fn spread(&self) -> Option<[Span; 3]> {
        Some([*self.delays.first()?, *self.delays.get(self.delays.len() / 2)?, *self.delays.last()?])
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
}
