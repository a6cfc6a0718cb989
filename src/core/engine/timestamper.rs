//! What timestamps the edges: how well, and what is reported when something is wrong with it.

use crate::core::event::Reason;
use crate::core::time::Span;

/// What timestamps the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Timestamper {
    /// Bound of a timestamp's own error.
    pub(super) error: Span,
    /// It is missing.
    pub(super) lost: Reason,
    /// It is there, but gives no timestamp.
    pub(super) silent: Reason,
    /// Its clock was stepped or changed its rate.
    pub(super) stepped: Reason,
}

impl Timestamper {
    /// A PTP hardware clock, at the edge; its error is its resolution, and the pulse's.
    pub(super) const PHC: Self = Self {
        error: Span::from_nanos(50),
        lost: Reason::PhcLost,
        silent: Reason::NoPulse,
        stepped: Reason::PhcStepped,
    };
    /// The kernel, in the interrupt after the edge, by the system clock. How long its handler takes to read the clock, at
    /// most, is an assumption: nothing inside the machine can tell. How much later an edge comes than the others is
    /// visible, and is added to its sample's error bound.
    pub(super) const KERNEL_PPS: Self = Self {
        error: Span::from_micros(20),
        lost: Reason::PpsLost,
        silent: Reason::NoPpsEdge,
        stepped: Reason::SysStepped,
    };
}

impl Default for Timestamper {
    fn default() -> Self {
        Self::PHC
    }
}
