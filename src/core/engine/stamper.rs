//! Who stamps the edges: how well, and what is said when something is wrong with it.

use crate::core::event::Reason;
use crate::core::time::Span;

/// Who stamps the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamper {
    /// What a timestamp may be off by itself.
    pub(super) error: Span,
    /// It is not there.
    pub(super) lost: Reason,
    /// It is there, and stamps nothing.
    pub(super) silent: Reason,
    /// Its clock was stepped or changed its rate.
    pub(super) stepped: Reason,
}

impl Stamper {
    /// A PTP hardware clock, at the edge; off by its resolution, and the pulse's.
    pub(super) const PHC: Self = Self {
        error: Span::from_nanos(50),
        lost: Reason::PhcLost,
        silent: Reason::NoPulse,
        stepped: Reason::PhcStepped,
    };
    /// The kernel, in the interrupt that follows the edge, by the system clock. By how much its handler reads the clock
    /// after the edge, at most, is assumed, as nothing can tell it from inside the machine. What an edge comes later than
    /// the others shows, and is added to its sample's error bound.
    pub(super) const KERNEL_PPS: Self = Self {
        error: Span::from_micros(20),
        lost: Reason::PpsLost,
        silent: Reason::NoPpsEdge,
        stepped: Reason::SysStepped,
    };
}

impl Default for Stamper {
    fn default() -> Self {
        Self::PHC
    }
}
