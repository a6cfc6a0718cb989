//! Who stamps the edges: how well, and what is said when something is wrong with it.

use crate::event::Reason;
use crate::time::Span;

/// What a hardware time stamp of an edge may be off by itself: its resolution, and the pulse's.
const LATCHED_WITHIN: Span = Span::from_nanos(50);
/// By how much an interrupt's handler reads the clock after the edge, at most: assumed, as nothing can tell it from
/// inside the machine. What an edge comes later than the others shows, and is added to its sample's error bound.
const INTERRUPTED_WITHIN: Span = Span::from_micros(20);

/// Who stamps the edges.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub(super) enum Stamper {
    /// A PTP hardware clock, at the edge.
    #[default]
    Phc,
    /// The kernel, in the interrupt that follows the edge, by the system clock.
    KernelPps,
}

impl Stamper {
    /// What a time stamp may be off by itself.
    pub(super) fn error(self) -> Span {
        match self {
            Self::Phc => LATCHED_WITHIN,
            Self::KernelPps => INTERRUPTED_WITHIN,
        }
    }

    /// It is not there.
    pub(super) fn lost(self) -> Reason {
        match self {
            Self::Phc => Reason::PhcLost,
            Self::KernelPps => Reason::PpsLost,
        }
    }

    /// It is there, and stamps nothing.
    pub(super) fn silent(self) -> Reason {
        match self {
            Self::Phc => Reason::NoPulse,
            Self::KernelPps => Reason::NoPpsEdge,
        }
    }

    /// Its clock was stepped or changed its rate.
    pub(super) fn stepped(self) -> Reason {
        match self {
            Self::Phc => Reason::PhcStepped,
            Self::KernelPps => Reason::SysStepped,
        }
    }
}
