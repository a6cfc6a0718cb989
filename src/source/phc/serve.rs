//! What the thread does with an open PHC: waits for edges, reads them, takes cross timestamps.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tracing::debug;

use super::schedule::{Delivery, Schedule, Step};
use super::{Phc, PhcConfig, PhcError, PhcErrorKind};
use crate::core::event::{Event, SourceChange};
use crate::source::thread::{Device, Link, Served, Stop};
use crate::sys::clock::raw_now;
use crate::sys::ptp::Woken;

impl Device for Phc {
    type Config = PhcConfig;
    type Error = PhcError;
    const LOST: SourceChange = SourceChange::PulseLost;

    fn open(config: &PhcConfig) -> Result<Self, PhcError> {
        Self::open(config)
    }

    fn is_absent(error: &PhcError) -> bool {
        error.kind() == PhcErrorKind::NotThere
    }

    fn serve(&mut self, link: &Link) -> Result<Infallible, Served> {
        let Err(end) = self.pass_on(link);
        Err(match end {
            End::Stopped(stop) => Served::Stopped(stop),
            End::Gone(error) => Served::Lost(format!(
                "{} is gone ({error}): check the NIC and its driver; it is waited for",
                self.clock()
            )),
        })
    }
}

/// Why a PHC is served no more.
enum End {
    Stopped(Stop),
    Gone(io::Error),
}

impl From<Stop> for End {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<io::Error> for End {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

impl Phc {
    fn pass_on(&mut self, link: &Link) -> Result<Infallible, End> {
        link.change(SourceChange::PulseOpen(self.edges()))?;
        let mut schedule = Schedule::new(raw_now());
        if self.said_deaf {
            schedule.rearm_soon(raw_now());
        }
        let mut batch = Batch::default();
        loop {
            link.beat();
            let now = raw_now();
            match schedule.next(now) {
                Step::CrossTs(delivery) => {
                    schedule.cross_taken(now);
                    if let Some(cross) = self.cross_ts()? {
                        batch.add(Event::CrossTs(cross), delivery);
                    }
                }
                Step::Rearm => {
                    schedule.rearmed(now);
                    match self.rearm() {
                        Ok(true) => {
                            debug!("no edge for 3 s: pin and channel of {} were set again", self.clock());
                            link.change(SourceChange::PulseRearmed)?;
                        }
                        Ok(false) => schedule.rearm_soon(now),
                        Err(error) => debug!("{error}"), // if it is gone, the next cross timestamp says so
                    }
                }
                Step::Wait(span) => {
                    for event in batch.due() {
                        link.send(event)?;
                    }
                    let time = Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0));
                    match self.wait(link.bell(), time)? {
                        Woken::Timeout => {}
                        Woken::Events => self.take_edges(&mut schedule, &mut batch)?,
                        Woken::Rung => return Err(Stop.into()),
                        Woken::Gone => return Err(io::Error::from_raw_os_error(libc::ENODEV).into()),
                    }
                }
            }
        }
    }

    fn take_edges(&mut self, schedule: &mut Schedule, batch: &mut Batch) -> io::Result<()> {
        let edges = self.read_edges()?;
        if let Some(edge) = edges.first() {
            schedule.edges_read(edge.read_at);
        }
        for edge in edges {
            batch.add(Event::Edge(edge), Delivery::Now);
        }
        Ok(())
    }
}

/// Events that are sent one right after the other, so that they wake the engine's thread once: the cross timestamp
/// before an edge, the edge, and the cross timestamp after it.
#[derive(Debug, Default)]
struct Batch {
    events: Vec<Event>,
    is_due: bool,
}

impl Batch {
    fn add(&mut self, event: Event, delivery: Delivery) {
        self.events.push(event);
        self.is_due |= delivery == Delivery::Now;
    }

    /// What is to be sent now, in the order in which it was taken: everything, or nothing yet.
    fn due(&mut self) -> Vec<Event> {
        if std::mem::take(&mut self.is_due) { std::mem::take(&mut self.events) } else { Vec::new() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Instant;

    #[test]
    fn what_waits_for_an_edge_is_sent_with_it_in_order() {
        let event = |ms: i64| Event::Tick { raw: Instant::from_nanos(ms * 1_000_000) };
        let mut batch = Batch::default();
        batch.add(event(990), Delivery::WithEdge);
        assert_eq!(batch.due(), []);
        batch.add(event(1_000), Delivery::Now);
        batch.add(event(1_001), Delivery::Now);
        assert_eq!(batch.due(), [event(990), event(1_000), event(1_001)]);
        assert_eq!(batch.due(), []);
        batch.add(event(1_990), Delivery::WithEdge);
        assert_eq!(batch.due(), [], "the edge before does not count");
    }
}
