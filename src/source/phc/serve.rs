//! What the thread does with an open PHC: waits for edges, reads them, takes cross time stamps.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use tracing::debug;

use super::schedule::{Schedule, Step};
use super::{Phc, PhcConfig, PhcError, PhcErrorKind};
use crate::event::{Event, SourceChange};
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
        loop {
            let now = raw_now();
            match schedule.next(now) {
                Step::CrossTs => {
                    schedule.cross_taken(now);
                    if let Some(cross) = self.cross_ts()? {
                        link.send(Event::CrossTs(cross))?;
                    }
                }
                Step::Rearm => {
                    schedule.rearmed(now);
                    debug!("no edge for 3 s: setting pin and channel of {} again", self.clock());
                    match self.rearm() {
                        Ok(()) => link.change(SourceChange::PulseRearmed)?,
                        Err(error) => debug!("{error}"), // if it is gone, the next cross time stamp says so
                    }
                }
                Step::Wait(span) => {
                    let time = Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0));
                    match self.wait(link.bell(), time)? {
                        Woken::Timeout => {}
                        Woken::Events => self.pass_edges(link, &mut schedule)?,
                        Woken::Rung => return Err(Stop.into()),
                        Woken::Gone => return Err(io::Error::from_raw_os_error(libc::ENODEV).into()),
                    }
                }
            }
        }
    }

    fn pass_edges(&mut self, link: &Link, schedule: &mut Schedule) -> Result<(), End> {
        let edges = self.read_edges()?;
        if let Some(edge) = edges.first() {
            schedule.edges_read(edge.read_at);
        }
        for edge in edges {
            link.send(Event::Edge(edge))?;
        }
        Ok(())
    }
}
