//! What the thread does with an open PPS device: waits for edges, ten times a second, and reads the clocks after each
//! wait. Reading them costs nothing, so there is no schedule.

use std::convert::Infallible;
use std::time::Duration;

use tracing::debug;

use super::{KernelPps, PpsConfig, arm, cross_ts, setup};
use crate::core::event::{Event, SourceChange};
use crate::core::time::Span;
use crate::source::error::SourceError;
use crate::source::thread::{Device, Link, Served};
use crate::sys::clock::raw_now;

/// The shortest time between two cross timestamps: noise on the line gives thousands of edges a second.
const CROSS_GAP: Span = Span::from_millis(10);
/// This long without an edge, and the device is opened anew: where its node does not go with it, nothing else tells
/// that it is gone.
const WATCHDOG: Span = Span::from_secs(3);

impl Device for KernelPps {
    type Config = PpsConfig;
    type Error = SourceError;
    const LOST: SourceChange = SourceChange::PpsLost;

    fn open(config: &PpsConfig) -> Result<Self, SourceError> {
        Self::open(config)
    }

    fn is_absent(error: &SourceError) -> bool {
        matches!(error, SourceError::NotThere(_))
    }

    fn serve(&mut self, link: &Link) -> Result<Infallible, Served> {
        link.change(SourceChange::PpsOpen(self.edges()))?;
        let mut watched = raw_now();
        let mut crossed = watched - CROSS_GAP;
        loop {
            link.beat();
            link.rest(Duration::ZERO)?;
            let edges = self.next_edges().map_err(|error| setup::failed(&self.node, &error))?;
            if !self.node.is_there() {
                return Err(Served::Lost(setup::gone(&self.node)));
            }
            if !edges.is_empty() {
                // Settings are everybody's: since the last edge somebody may have changed them.
                arm(&self.node, &self.pps, self.edges)?;
                watched = raw_now();
            } else if raw_now() - watched >= WATCHDOG {
                debug!("no edge for 3 s: opening {} anew", self.node);
                *self = Self::find(&self.config)?;
                watched = raw_now();
            }
            for edge in edges {
                link.send(Event::Edge(edge))?;
            }
            let now = raw_now();
            if now - crossed >= CROSS_GAP {
                crossed = now;
                link.send(Event::CrossTs(cross_ts()))?;
            }
        }
    }
}

impl From<SourceError> for Served {
    fn from(error: SourceError) -> Self {
        Self::Lost(error.to_string())
    }
}
