//! The loop of the thread that owns an open PHC: waits for edges, reads them, takes cross timestamps.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tracing::debug;

use super::Phc;
use super::schedule::{Delivery, Schedule, Step};
use crate::core::event::{Edge, Event, SourceChange};
use crate::source::thread::{End, Link};
use crate::sys::clock::raw_now;
use crate::sys::wait::Woken;

impl Phc {
    /// Passes on edges and cross timestamps: the edges of a read before the cross timestamp that is taken right after it.
    pub(in crate::source) fn serve(&mut self, link: &Link) -> Result<Infallible, End> {
        link.change(SourceChange::PulseOpen(self.edges))?;
        let mut schedule = Schedule::new(raw_now());
        if self.deaf {
            schedule.rearm_soon(raw_now());
        }
        let mut batch = Vec::new();
        loop {
            link.heart.beat();
            let now = raw_now();
            match schedule.next(now) {
                Step::CrossTs(delivery) => {
                    schedule.cross_taken(now);
                    if let Some(cross) = self.cross.read(&self.ptp)? {
                        batch.push((Event::CrossTs(cross), delivery));
                    }
                }
                Step::Rearm => {
                    schedule.rearmed(now);
                    self.watch.warn(&self.clock.node, false);
                    match self.arm() {
                        Ok(()) if self.deaf => schedule.rearm_soon(now),
                        Ok(()) => {
                            debug!("no edge for 3 s: pin and channel of {} were set again", self.clock);
                            link.change(SourceChange::PulseRearmed)?;
                        }
                        Err(error) => debug!("{error}"), // if the device is gone, the next cross timestamp fails
                    }
                }
                Step::Wait(span) => {
                    for event in due(&mut batch) {
                        link.send(event)?;
                    }
                    let time = Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0));
                    match self.ptp.wait(&link.bell, time)? {
                        Woken::Timeout => {}
                        Woken::Input => self.read_edges(&mut schedule, &mut batch)?,
                        Woken::Rung => return Err(End::Stop),
                    }
                }
            }
        }
    }

    /// Reads the queued edges of our channel: none if all were another channel's or taken by another program.
    fn read_edges(&mut self, schedule: &mut Schedule, batch: &mut Vec<(Event, Delivery)>) -> io::Result<()> {
        let stamps = self.ptp.read()?;
        let read_at = raw_now();
        for stamp in stamps.iter().filter(|stamp| stamp.channel == self.channel) {
            let edge = Edge { phc: stamp.phc, read_at };
            self.watch.edge(edge, &self.clock.node);
            batch.push((Event::Edge(edge), Delivery::Now));
            schedule.edges_read(read_at);
        }
        Ok(())
    }
}

/// The events to send now, in the order in which they were captured: all of them, or none yet. Sent back to back, the cross
/// timestamp before an edge, the edge, and the cross timestamp after it wake the engine's thread once.
fn due(batch: &mut Vec<(Event, Delivery)>) -> Vec<Event> {
    let is_due = batch.iter().any(|(_, delivery)| *delivery == Delivery::Now);
    if is_due { batch.drain(..).map(|(event, _)| event).collect() } else { Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Instant;

    #[test]
    fn a_cross_timestamp_that_waits_for_an_edge_is_sent_with_it_in_order() {
        let event = |ms: i64| Event::Tick { raw: Instant::from_nanos(ms * 1_000_000) };
        let mut batch = Vec::new();
        batch.push((event(990), Delivery::WithEdge));
        assert_eq!(due(&mut batch), []);
        batch.extend([(event(1_000), Delivery::Now), (event(1_001), Delivery::Now)]);
        assert_eq!(due(&mut batch), [event(990), event(1_000), event(1_001)]);
        assert_eq!(due(&mut batch), []);
        batch.push((event(1_990), Delivery::WithEdge));
        assert_eq!(due(&mut batch), [], "the edge before does not count");
    }
}
