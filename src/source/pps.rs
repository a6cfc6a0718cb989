//! A kernel PPS device (`/dev/ppsN`) as the source of edges. The kernel reads the system clock in the interrupt that
//! follows an edge, so the system clock takes the place of the PHC, and a cross timestamp has one reading for both. Never
//! decides which edge is on time. A [`PulseThread`](super::thread::PulseThread) owns it.

use std::convert::Infallible;
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use libc::c_int;
use tracing::{debug, info, warn};

use super::sysfs::{Device, Finder, PPS, refuse};
use super::thread::{End, Link};
use crate::core::event::{CrossTs, Edge, Edges, Event, SourceChange};
use crate::core::time::{Instant, Span, Sys};
use crate::sys::clock::{raw_now, raw_sys_pair};
use crate::sys::error::{OpenError, Problem};
use crate::sys::pps::{CAPTURE_ASSERT, CAPTURE_CLEAR, KInfo, KParams, Pps};

#[cfg(test)]
mod tests;

/// How long one wait for an edge lasts: the kernel's wait does not hear the bell. A cross timestamp follows each wait.
const SLICE: Duration = Duration::from_millis(100);
/// The shortest time between two cross timestamps: noise on the line gives thousands of edges a second.
const CROSS_GAP: Span = Span::from_millis(10);
/// After this time without an edge the device is opened anew: if its node stays, nothing else tells that it is gone.
const WATCHDOG: Span = Span::from_secs(3);
/// Both edges.
const BOTH: c_int = CAPTURE_ASSERT | CAPTURE_CLEAR;

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
pub(crate) struct KernelPps {
    config: PpsConfig,
    device: Device,
    identity: Option<(u64, u64)>,
    pps: Pps,
    /// The edges that are captured and wanted.
    edges: c_int,
    seen: KInfo,
}

impl KernelPps {
    /// Opens the device, has it capture edges, and logs what was found.
    ///
    /// # Errors
    /// [`Problem::NotThere`] and [`Problem::Failed`] may pass.
    pub(crate) fn open(config: &PpsConfig) -> Result<Self, OpenError> {
        let pps = Self::find(config)?;
        let device = &pps.device;
        let captures = match pps.edges {
            CAPTURE_ASSERT => "assert edges",
            CAPTURE_CLEAR => "clear edges",
            _ => "both edges",
        };
        info!(%device, captures, "the kernel timestamps the pulse by the system clock");
        if pps.edges != BOTH && config.capture == Capture::Both {
            warn!("{device} captures only {captures}: they have to be the pulse's on-time edge, or set capture");
        }
        Ok(pps)
    }

    fn find(config: &PpsConfig) -> Result<Self, OpenError> {
        let (path, identity) = (config.device.as_path(), identity(&config.device));
        let cannot = |error| PPS.unusable(path, &error);
        let device = Finder::live().pps(path)?;
        let pps = Pps::open(path).map_err(cannot)?;
        let edges = choose(&device, config.capture, pps.caps().map_err(cannot)?)?;
        arm(&device, &pps, edges)?;
        // Earlier edges are of unknown age: only those after them count.
        let seen = pps.fetch(Duration::ZERO).and_then(|seen| seen.ok_or_else(|| io::ErrorKind::TimedOut.into()));
        Ok(Self { config: config.clone(), device, identity, pps, edges, seen: seen.map_err(cannot)? })
    }

    /// Waits for edges ten times a second, and reads the clocks after each wait. That is cheap, so there is no schedule.
    pub(super) fn serve(&mut self, link: &Link) -> Result<Infallible, End> {
        let edges = if self.edges == BOTH { Edges::Both } else { Edges::RisingOnly };
        link.change(SourceChange::PpsOpen(edges))?;
        let mut watched = raw_now();
        let mut crossed = watched - CROSS_GAP;
        loop {
            link.heart.beat();
            link.rest(Duration::ZERO)?;
            let mut edges = self.fetch(Duration::ZERO)?;
            if edges.is_empty() {
                edges = self.fetch(SLICE)?;
            }
            if self.identity != identity(&self.config.device) {
                return Err(io::Error::from_raw_os_error(libc::ENODEV).into());
            }
            if !edges.is_empty() {
                // The settings are shared: another program may have changed them since the last edge.
                arm(&self.device, &self.pps, self.edges)?;
                watched = raw_now();
            } else if raw_now() - watched >= WATCHDOG {
                debug!("no edge for 3 s: opening {} anew", self.device);
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

    /// The edges since the last call; if there are none after the timeout, none.
    fn fetch(&mut self, timeout: Duration) -> io::Result<Vec<Edge>> {
        let fetched = match self.pps.fetch(timeout) {
            Ok(Some(fetched)) => fetched,
            Ok(None) => return Ok(Vec::new()),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(Vec::new()),
            Err(error) => return Err(error),
        };
        let read_at = raw_now();
        let (stamps, missed) = news(&self.seen, &fetched, self.edges);
        self.seen = fetched;
        if missed > 0 {
            debug!("{missed} edges of {} were overwritten before they were read", self.device);
        }
        Ok(stamps.into_iter().map(|sys| Edge { phc: sys.as_phc(), read_at }).collect())
    }
}

/// Inode and device number of a node. A node made anew differs in them even at the same path. The kernel does not tell
/// programs that have a device open that it is gone: they would wait for edges forever.
fn identity(path: &Path) -> Option<(u64, u64)> {
    fs::metadata(path).ok().map(|found| (found.ino(), found.rdev()))
}

/// The edges to capture: those asked for; of both, those that the driver has.
fn choose(device: &Device, capture: Capture, caps: c_int) -> Result<c_int, OpenError> {
    let able = caps & BOTH;
    let wanted = match capture {
        Capture::Both => able,
        Capture::Assert => CAPTURE_ASSERT,
        Capture::Clear => CAPTURE_CLEAR,
    };
    if able == 0 {
        return refuse(Problem::Unsupported, format!("{device} captures no edges: choose another PPS device"));
    }
    if able & wanted != wanted {
        return refuse(Problem::Wrong, format!("{device} does not capture that edge: leave capture out"));
    }
    Ok(wanted)
}

/// Has the device capture these edges, if it does not; only that requires a privilege. Refuses timestamps that another
/// program has the kernel shift: they are not the times of the edges.
fn arm(device: &Device, pps: &Pps, edges: c_int) -> Result<(), OpenError> {
    let cannot = |error| PPS.unusable(&device.node, &error);
    let mut params = pps.params().map_err(cannot)?;
    if params.mode & edges != edges {
        params.mode |= edges;
        pps.set_params(params).map_err(|error| cannot_set(device, error))?;
    }
    check_offsets(device, &params)
}

fn cannot_set(device: &Device, error: io::Error) -> OpenError {
    let cure = "which requires CAP_SYS_TIME; set capture to what is left, or run as root";
    OpenError::io(format!("{device} cannot be set to capture another edge, {cure}"), error)
}

fn check_offsets(device: &Device, params: &KParams) -> Result<(), OpenError> {
    let Some(offset) = params.offsets().into_iter().find(|offset| *offset != Span::ZERO) else { return Ok(()) };
    let cure = "stop it, set its offset to 0 and have it run once more, or load the port's driver anew";
    refuse(Problem::Taken, format!("{device} has its timestamps shifted by {offset} for another program: {cure}"))
}

/// The system clock as its own PHC.
fn cross_ts() -> CrossTs {
    let (raw, sys, window) = raw_sys_pair();
    CrossTs { phc: sys.as_phc(), sys, raw, window }
}

/// The wanted edges since a fetch, in the order of their timestamps, and how many were missed: the kernel keeps the last
/// edge of each kind only.
fn news(seen: &KInfo, now: &KInfo, wanted: c_int) -> (Vec<Instant<Sys>>, u32) {
    let (mut stamps, mut missed) = (Vec::new(), 0_u32);
    for (edge, count, stamp) in [
        (CAPTURE_ASSERT, now.assert_sequence.wrapping_sub(seen.assert_sequence), now.assert_tu),
        (CAPTURE_CLEAR, now.clear_sequence.wrapping_sub(seen.clear_sequence), now.clear_tu),
    ] {
        if count > 0 && wanted & edge != 0 {
            stamps.push(stamp.sys());
            missed = missed.saturating_add(count - 1);
        }
    }
    stamps.sort();
    (stamps, missed)
}
