//! Receiver and pulse together: the engine judges the events of those that were found. Pure.

use super::figures::{Delays, EdgeCount};
use crate::core::engine::{Config, Engine};
use crate::core::event::{Contradiction, Event, State, Verdict};

/// Samples that show how the delay spreads.
const ENOUGH: usize = 8;

/// What the engine says of receiver and pulse together.
#[derive(Debug)]
pub struct Pairing {
    engine: Engine,
    /// Sentence delays.
    pub delays: Delays,
    /// Edges.
    pub edges: EdgeCount,
    /// What contradicted what last.
    pub contradiction: Option<Contradiction>,
}

impl Default for Pairing {
    fn default() -> Self {
        Self {
            engine: Engine::new(Config::default()),
            delays: Delays::default(),
            edges: EdgeCount::default(),
            contradiction: None,
        }
    }
}

impl Pairing {
    /// Takes an event of the chosen sources.
    pub fn take(&mut self, event: &Event) {
        if let Event::Edge(edge) = event {
            self.edges.add(edge.phc);
        }
        for verdict in self.engine.handle(event) {
            match (verdict, self.engine.label()) {
                (Verdict::Sample(_), Some(label)) => self.delays.add(label.delay),
                (Verdict::Contradiction(figures), _) => self.contradiction = Some(figures),
                _ => {}
            }
        }
    }

    /// Where the engine stands.
    pub fn state(&self) -> State {
        self.engine.state()
    }

    /// The engine.
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    /// Whether enough was seen.
    pub fn is_enough(&self) -> bool {
        self.delays.count() >= ENOUGH && self.state() == State::Locked
    }
}
