//! What happens in a simulated second, in order: shared by virtual time ([`super::timeline`]) and real time
//! ([`super::live`]).

use crate::core::time::{Instant, Phc, Raw, Span};
use crate::simulator::scenario::Pace;
use crate::simulator::world::{Second, StampedEdge, World};

/// From the edge to the read that returns it.
const LATENCY: Span = Span::from_micros(60);
/// Bytes that a UART hands over at once.
const FIFO: usize = 16;

/// Something that happens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Act {
    /// A second begins; its number.
    Pulse(i64),
    /// An edge is in the PHC's queue.
    Edge(Instant<Phc>),
    /// The last of these bytes has arrived.
    Bytes(Box<[u8]>),
}

/// Everything that belongs to this second, with its time, in no order; some of it lies in the second before or after.
pub fn agenda(world: &World, second: &Second) -> Vec<(Instant<Raw>, Act)> {
    let mut acts = vec![(second.pulse, Act::Pulse(second.number))];
    acts.extend(second.edges.iter().map(|&StampedEdge { at, phc, late }| (at + late + LATENCY, Act::Edge(phc))));
    if let Some((start, bytes)) = &second.burst {
        let pause = world.scenario().pause;
        let first = bytes.iter().position(|&byte| byte == b'\n').map_or(bytes.len(), |end| end + 1);
        let parts = if pause == Span::ZERO { [bytes.as_slice(), &[]] } else { bytes.split_at(first).into() };
        let mut sent = *start;
        for part in parts.into_iter().filter(|part| !part.is_empty()) {
            let chunks: Vec<&[u8]> = match world.scenario().pace {
                Pace::Line => part.chunks(FIFO).collect(),
                Pace::WholeLines => part.split_inclusive(|&byte| byte == b'\n').collect(),
                Pace::AtOnce => {
                    acts.push((sent, Act::Bytes(part.into())));
                    Vec::new()
                }
            };
            for chunk in chunks {
                sent = sent + world.byte_time().times(chunk.len() as i64);
                acts.push((sent, Act::Bytes(chunk.into())));
            }
            sent = sent + pause;
        }
    }
    acts
}
