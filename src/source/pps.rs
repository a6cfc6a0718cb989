//! A kernel PPS device (`/dev/ppsN`) as the source of edges. The kernel reads the system clock in the interrupt that
//! follows an edge, so the system clock takes the place of the PHC, and a cross timestamp has one reading for both. Never
//! decides which edge is on time. A `PulseThread` owns it.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use libc::c_int;
use tracing::{info, warn};

use super::link::{End, Link};
use super::sysfs::{Device, Finder, PPS, refuse};
use crate::core::event::{CrossTs, Edge, Edges, Event, SourceChange};
use crate::core::time::{EdgeClock, Instant, Span, Sys};
use crate::sys::clock::{Reading, raw_now};
use crate::sys::error::{OpenError, Problem};
use crate::sys::pps::{CAPTURE_ASSERT, CAPTURE_CLEAR, KInfo, KParams, KTime, Pps};

#[cfg(test)]
mod tests;

/// How long one wait for an edge lasts: the bell does not interrupt the kernel's wait. A cross timestamp follows each
/// wait.
const SLICE: Duration = Duration::from_millis(100);
/// Minimum time between two cross timestamps: noise on the line causes thousands of edges per second.
const CROSS_GAP: Span = Span::from_millis(10);
/// After this time without an edge, the device is reopened: it may have been replaced at the same path.
const WATCHDOG: Span = Span::from_secs(3);

/// The device and its edges to capture.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PpsConfig {
    /// The node, `/dev/ppsN`.
    pub device: PathBuf,
    /// Which edges are captured.
    pub capture: Capture,
}

/// Which edges of a kernel PPS are captured, as bits of its mode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(i32)]
pub(crate) enum Capture {
    /// Every edge that the device has
    #[default]
    Both = CAPTURE_ASSERT | CAPTURE_CLEAR,
    /// The edge that the driver calls assert
    Assert = CAPTURE_ASSERT,
    /// The edge that the driver calls clear
    Clear = CAPTURE_CLEAR,
}

/// An open kernel PPS device.
pub(crate) struct KernelPps {
    config: PpsConfig,
    device: Device,
    pps: Pps,
    /// The edges that are captured and wanted.
    captures: Capture,
    seen: KInfo,
}

impl KernelPps {
    /// Opens the device, enables capture, and logs what was found.
    ///
    /// # Errors
    /// [`Problem::NotThere`] and [`Problem::Failed`] may pass.
    pub(crate) fn open(config: &PpsConfig) -> Result<Self, OpenError> {
        let pps = Self::find(config)?;
        let Self { device, captures, .. } = &pps;
        info!(%device, ?captures, "the kernel timestamps the pulse with the system clock");
        if *captures != config.capture {
            warn!(
                "{device} captures only {captures:?} edges: this must be the pulse's on-time edge; \
                 otherwise, set capture"
            );
        }
        Ok(pps)
    }

    fn find(config: &PpsConfig) -> Result<Self, OpenError> {
        let cannot = |error| PPS.unusable(&config.device, &error);
        let device = Finder::live().pps(&config.device)?;
        let pps = Pps::open(&config.device).map_err(cannot)?;
        let captures = choose(&device, config.capture, pps.caps().map_err(cannot)?)?;
        arm(&device, &pps, captures)?;
        // Earlier edges are of unknown age: only those after them count.
        let seen = pps.fetch(Duration::ZERO).and_then(|seen| seen.ok_or_else(|| io::ErrorKind::TimedOut.into()));
        Ok(Self { config: config.clone(), device, pps, captures, seen: seen.map_err(cannot)? })
    }

    /// Waits for edges ten times per second, and reads the clocks after each wait. That is cheap, so it needs no
    /// schedule.
    pub(super) fn serve(&mut self, link: &Link) -> Result<Infallible, End> {
        let edges = if self.captures == Capture::Both { Edges::Both } else { Edges::RisingOnly };
        link.change(SourceChange::PpsOpen(edges))?;
        let mut watched = raw_now();
        let mut crossed = watched - CROSS_GAP;
        loop {
            link.heart.beat();
            link.rest(Duration::ZERO)?;
            let edges = self.fetch()?;
            // The kernel does not report the loss of an open device: the wait would never end.
            if !self.config.device.exists() {
                return Err(io::Error::from_raw_os_error(libc::ENODEV).into());
            }
            if !edges.is_empty() {
                // The settings are shared: another program may have changed them since the last edge.
                arm(&self.device, &self.pps, self.captures)?;
                watched = raw_now();
            } else if raw_now() - watched >= WATCHDOG {
                *self = Self::find(&self.config)?;
                watched = raw_now();
            }
            for edge in edges {
                link.events.blocking_send(Event::Edge(edge)).map_err(|_| End::Stop)?;
            }
            let now = raw_now();
            if now - crossed >= CROSS_GAP {
                crossed = now;
                link.events.blocking_send(Event::CrossTs(cross_ts())).map_err(|_| End::Stop)?;
            }
        }
    }

    /// The edges since the last call; if there are none, those that arrive within [`SLICE`].
    fn fetch(&mut self) -> io::Result<Vec<Edge>> {
        for timeout in [Duration::ZERO, SLICE] {
            let Some(fetched) = self.pps.fetch(timeout)? else { continue };
            let read_at = raw_now();
            let stamps = news(&self.seen, &fetched, self.captures);
            self.seen = fetched;
            if !stamps.is_empty() {
                return Ok(stamps.into_iter().map(|sys| Edge { phc: edge_clock(sys), read_at }).collect());
            }
        }
        Ok(Vec::new())
    }
}

/// The system clock as the clock that timestamps the edges: the kernel reads it in the interrupt. The only conversion
/// from one clock to another.
fn edge_clock(sys: Instant<Sys>) -> Instant<EdgeClock> {
    Instant::from_nanos(sys.nanos())
}

/// The edges to capture: the requested ones; for both, those that the driver supports.
fn choose(device: &Device, capture: Capture, caps: c_int) -> Result<Capture, OpenError> {
    match (capture, caps & Capture::Both as c_int) {
        (Capture::Both, CAPTURE_ASSERT) => Ok(Capture::Assert),
        (Capture::Both, CAPTURE_CLEAR) => Ok(Capture::Clear),
        (_, able) if able & capture as c_int != 0 => Ok(capture),
        _ => {
            let cure = "remove capture, or choose another PPS device";
            refuse(Problem::Wrong, format!("{device} does not capture that edge"), cure)
        }
    }
}

/// Enables capture of these edges if necessary; only that requires a privilege. Refuses a device whose timestamps
/// another program has shifted: they are not the times of the edges.
fn arm(device: &Device, pps: &Pps, captures: Capture) -> Result<(), OpenError> {
    let mut params = pps.params().map_err(|error| PPS.unusable(&device.node, &error))?;
    if params.mode & captures as c_int != captures as c_int {
        params.mode |= captures as c_int;
        pps.set_params(params).map_err(|error| cannot_set(device, error))?;
    }
    check_offsets(device, &params)
}

fn cannot_set(device: &Device, error: io::Error) -> OpenError {
    let cure = "which requires CAP_SYS_TIME; set capture to an edge that it already captures, or run as root";
    OpenError::io(format!("{device} cannot be set to capture another edge, {cure}"), error)
}

fn check_offsets(device: &Device, params: &KParams) -> Result<(), OpenError> {
    let Some(offset) = params.offsets().into_iter().find(|offset| *offset != Span::ZERO) else { return Ok(()) };
    let cure = "stop it, run it once with its offset set to 0, or reload the port's driver";
    refuse(Problem::Taken, format!("the timestamps of {device} are shifted by {offset} for another program"), cure)
}

/// The system clock as its own PHC.
fn cross_ts() -> CrossTs {
    let Reading { raw, sys, window } = Reading::now();
    CrossTs { phc: edge_clock(sys), sys, raw, window }
}

/// The wanted edges since a fetch, in the order of their timestamps. The kernel keeps only the last edge of each kind.
fn news(seen: &KInfo, now: &KInfo, wanted: Capture) -> Vec<Instant<Sys>> {
    let assert = (CAPTURE_ASSERT, now.assert_sequence != seen.assert_sequence, now.assert_tu);
    let clear = (CAPTURE_CLEAR, now.clear_sequence != seen.clear_sequence, now.clear_tu);
    let is_wanted = |(kind, is_new, _): &(c_int, bool, KTime)| *is_new && wanted as c_int & kind != 0;
    let mut stamps: Vec<_> = [assert, clear].into_iter().filter(is_wanted).map(|(.., stamp)| stamp.sys()).collect();
    stamps.sort();
    stamps
}
