//! A kernel PPS device (`/dev/ppsN`) as the source of edges. The kernel reads the system clock in the interrupt that
//! follows an edge: so the system clock is the PHC, and a cross timestamp carries one reading for both. Never decides
//! which edge is on time. A [`PulseThread`](super::thread::PulseThread) owns it.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use tracing::{debug, info, warn};

use super::error::SourceError;
use crate::core::event::{CrossTs, Edge, Edges};
use crate::core::time::{Instant, Sys};
use crate::sys::clock::{raw_now, raw_sys_pair};
use crate::sys::pps::{Fetched, Mode, Pps, abi};
use node::Node;

mod node;
mod serve;
mod setup;

/// How long one wait for an edge lasts: the kernel's wait hears no bell. Each is followed by a cross timestamp.
const SLICE: Duration = Duration::from_millis(100);

/// Which device, and which of its edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PpsConfig {
    /// The node, `/dev/ppsN`.
    pub device: PathBuf,
    /// Which edges are captured.
    pub capture: Capture,
}

/// Which edges of a kernel PPS are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Capture {
    /// Every edge that the device has
    #[default]
    Both,
    /// The edge that the driver calls assert
    Assert,
    /// The edge that the driver calls clear
    Clear,
}

/// An open kernel PPS device.
#[derive(Debug)]
pub struct KernelPps {
    config: PpsConfig,
    node: Node,
    pps: Pps,
    /// The edges that we want and get.
    edges: Mode,
    seen: Fetched,
}

impl KernelPps {
    /// Opens the device and has it capture edges; says in the log what was found.
    ///
    /// # Errors
    /// Whether waiting helps, [`SourceError::may_pass`] says.
    pub fn open(config: &PpsConfig) -> Result<Self, SourceError> {
        let pps = Self::find(config)?;
        pps.log();
        Ok(pps)
    }

    fn find(config: &PpsConfig) -> Result<Self, SourceError> {
        let node = Node::find(&config.device)?;
        let pps = Pps::open(&config.device).map_err(|error| node::opening(&config.device, &error))?;
        let caps = pps.caps().map_err(|error| match error.raw_os_error() {
            Some(libc::ENOTTY | libc::EINVAL) => node::not_a_pps(&config.device),
            _ => setup::failed(&node, &error),
        })?;
        let edges = setup::choose(&node, config.capture, caps)?;
        arm(&node, &pps, edges)?;
        // What was captured before is of unknown age: only what comes after it counts.
        let seen = pps.fetch(Duration::ZERO).map_err(|error| setup::failed(&node, &error))?;
        let seen = seen.ok_or_else(|| setup::failed(&node, &io::Error::from_raw_os_error(libc::ETIMEDOUT)))?;
        Ok(Self { config: config.clone(), node, pps, edges, seen })
    }

    /// What is known about the edges that come.
    fn edges(&self) -> Edges {
        if self.edges == setup::BOTH { Edges::Both } else { Edges::RisingOnly }
    }

    /// The edges since the last call; waits for one, but not for long.
    fn next_edges(&mut self) -> io::Result<Vec<Edge>> {
        let at_once = self.fetch(Duration::ZERO)?;
        if !at_once.is_empty() {
            return Ok(at_once);
        }
        self.fetch(SLICE)
    }

    fn fetch(&mut self, timeout: Duration) -> io::Result<Vec<Edge>> {
        let fetched = match self.pps.fetch(timeout) {
            Ok(Some(fetched)) => fetched,
            Ok(None) => return Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let read_at = raw_now();
        let News { stamps, missed } = news(&self.seen, &fetched, self.edges);
        self.seen = fetched;
        if missed > 0 {
            debug!("{missed} edges of {} came and went before they were read", self.node);
        }
        Ok(stamps.into_iter().map(|sys| Edge { phc: Instant::from_nanos(sys.nanos()), read_at }).collect())
    }

    fn log(&self) {
        let captures = match self.edges() {
            Edges::Both | Edges::Unknown => "both edges",
            Edges::RisingOnly if self.edges.0 == abi::CAPTURE_ASSERT => "assert edges",
            Edges::RisingOnly => "clear edges",
        };
        info!(device = %self.node, captures, "the kernel timestamps the pulse by the system clock");
        if self.edges() == Edges::RisingOnly && self.config.capture == Capture::Both {
            warn!("{} captures only {captures}: they have to be the pulse's on-time edge, or set capture", self.node);
        }
    }
}

/// Has the device capture these edges, where it does not; only that takes a privilege. Shifted stamps are refused.
fn arm(node: &Node, pps: &Pps, edges: Mode) -> Result<(), SourceError> {
    let mut params = pps.params().map_err(|error| setup::failed(node, &error))?;
    if !params.mode().has(edges) {
        params = params.also(edges);
        pps.set_params(params).map_err(|error| setup::setting(node, &error))?;
    }
    setup::check_offsets(node, &params)
}

/// The system clock as its own PHC.
fn cross_ts() -> CrossTs {
    let (raw, sys, window) = raw_sys_pair();
    CrossTs { phc: Instant::from_nanos(sys.nanos()), sys, raw, window }
}

/// What came since a fetch.
#[derive(Debug, PartialEq, Eq)]
struct News {
    /// In the order in which they were stamped.
    stamps: Vec<Instant<Sys>>,
    /// The kernel keeps the last edge of each kind only.
    missed: u32,
}

fn news(seen: &Fetched, now: &Fetched, wanted: Mode) -> News {
    let mut news = News { stamps: Vec::new(), missed: 0 };
    for (edge, seen, now) in
        [(abi::CAPTURE_ASSERT, seen.assert, now.assert), (abi::CAPTURE_CLEAR, seen.clear, now.clear)]
    {
        let came = now.sequence.wrapping_sub(seen.sequence);
        if came > 0 && wanted.has(Mode(edge)) {
            news.stamps.push(now.sys);
            news.missed = news.missed.saturating_add(came - 1);
        }
    }
    news.stamps.sort();
    news
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::pps::Captured;

    fn fetched(assert: (u32, i64), clear: (u32, i64)) -> Fetched {
        let captured = |(sequence, ns)| Captured { sequence, sys: Instant::from_nanos(ns) };
        Fetched { assert: captured(assert), clear: captured(clear) }
    }

    #[test]
    fn sequence_numbers_tell_new_edges_from_old_ones_and_count_those_missed() {
        let seen = fetched((7, 100), (6, 50));
        for (now, wanted, stamps, missed) in [
            (fetched((7, 100), (6, 50)), 3, vec![], 0),
            (fetched((8, 200), (6, 50)), 3, vec![200], 0),
            (fetched((8, 200), (7, 150)), 3, vec![150, 200], 0),
            (fetched((10, 200), (6, 50)), 3, vec![200], 2),
            (fetched((8, 200), (9, 250)), 1, vec![200], 0),
            (fetched((8, 200), (9, 250)), 2, vec![250], 2),
            (fetched((8, 100), (6, 50)), 3, vec![100], 0), // the same time again, after a step of the system clock
        ] {
            let stamps = stamps.into_iter().map(Instant::from_nanos).collect();
            assert_eq!(news(&seen, &now, Mode(wanted)), News { stamps, missed }, "{now:?} {wanted}");
        }
        let (seen, now) = (fetched((u32::MAX, 1), (0, 0)), fetched((0, 2), (0, 0)));
        assert_eq!(news(&seen, &now, Mode(3)).stamps, [Instant::from_nanos(2)], "past 2^32");
    }

    #[test]
    fn a_cross_time_stamp_has_one_reading_for_phc_and_system_clock() {
        let cross = cross_ts();
        assert_eq!(cross.phc.nanos(), cross.sys.nanos());
    }
}
