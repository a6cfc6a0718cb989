//! What happens in a simulated second, in order: shared by virtual time ([`super::timeline`]) and real time
//! ([`super::live`]).

use crate::source::simulator::scenario::Pace;
use crate::source::simulator::world::{Second, StampedEdge, World};
use crate::time::{Instant, Phc, Raw, Span};

/// From the edge to the read that returns it.
const LATENCY: Span = Span::from_micros(60);
/// From that read to the cross time stamp, however late the read is.
pub(super) const READ_TO_CROSS: Span = Span::from_micros(15);
/// Before an edge the clocks are read once more.
const BEFORE: Span = Span::from_millis(10);
/// Bytes that a UART hands over at once.
const FIFO: usize = 16;

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A second begins; its number.
    Pulse(i64),
    /// An edge is read from the PHC's queue.
    Edge(Instant<Phc>),
    /// The clocks are read.
    Cross,
    /// The last of these bytes has arrived.
    Bytes(Box<[u8]>),
}

/// Everything that belongs to this second, with its time, in no order; some of it lies in the second before or after.
pub fn agenda(world: &World, second: &Second) -> Vec<(Instant<Raw>, Act)> {
    let mut acts = vec![(second.pulse, Act::Pulse(second.number))];
    for ms in [250, 500, 750] {
        acts.push((second.pulse + Span::from_millis(ms), Act::Cross));
    }
    for &StampedEdge { at, phc, late } in &second.edges {
        let read_at = at + late + LATENCY;
        acts.push((at - BEFORE, Act::Cross));
        acts.push((read_at, Act::Edge(phc)));
        acts.push((read_at + READ_TO_CROSS, Act::Cross));
    }
    if let Some((start, bytes)) = &second.burst {
        let mut sent = 0;
        let chunks: Vec<&[u8]> = match world.scenario().pace {
            Pace::Line => bytes.chunks(FIFO).collect(),
            Pace::WholeLines => bytes.split_inclusive(|&byte| byte == b'\n').collect(),
            Pace::AtOnce => {
                acts.push((*start, Act::Bytes(bytes.as_slice().into())));
                Vec::new()
            }
        };
        for chunk in chunks {
            sent += chunk.len() as i64;
            acts.push((*start + world.byte_time().times(sent), Act::Bytes(chunk.into())));
        }
    }
    acts
}
