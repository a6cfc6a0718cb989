//! Settings, from the command line and from a file. A wrong one is refused at start, with its place in the file; those in
//! [`Settings`] can be used as they are.
//!
//! [`Given`] lists all settings. A [`File`] is read into one, the command line into another, and [`Settings::new`]
//! merges the two: an option overrides the file, and a receiver or pulse named by an option replaces the file's.
//!
//! A new setting is a field of [`Given`], one of [`Settings`] and a line in [`Settings::new`].

use std::net::SocketAddr;
use std::path::PathBuf;

use crate::core::engine;
use crate::core::units::Size;
use crate::daemon::status::gate::GateConfig;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::PhcConfig;
use crate::source::pps::PpsConfig;
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::SerialConfig;
use crate::sys::error::OpenError;

mod contradictions;
mod file;
mod given;
mod values;

pub use file::File;
pub use given::Given;
pub(crate) use values::{Unit, word_parser};

/// SHM units below this one may belong to a gpsd on this machine. It attaches two for each of its devices (`NTPSHMSEGS`
/// in gpsd's `gpsd.h`): for six devices from 3.24 on, for four before.
pub(crate) const GPSD_UNITS: u8 = 12;
/// Size at which a recording starts its next file.
const RECORD_SIZE: Size = Size(64_000_000);

/// Everything that `gnss2shm run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Source of the sentences.
    pub receiver: ReceiverConfig,
    /// Source of the edges.
    pub pulse: PulseConfig,
    /// Unit of the SHM refclock, if used.
    pub shm: Option<u8>,
    /// Whether its segment may be writable for other users.
    pub world_writable: bool,
    /// Path of the SOCK refclock, if used.
    pub sock: Option<PathBuf>,
    /// Path of the recording and size of its files in bytes, if any.
    pub record: Option<(PathBuf, u64)>,
    /// Path of the status socket, if any.
    pub status: Option<PathBuf>,
    /// Address of the metrics, if any.
    pub metrics: Option<SocketAddr>,
    /// When programs may rely on the time.
    pub gate: GateConfig,
    /// Settings of the engine.
    pub engine: engine::Config,
}

impl Settings {
    /// Merges options, file and defaults.
    ///
    /// # Errors
    /// One sentence on what contradicts what or is missing: [`Problem::Options`](crate::sys::error::Problem::Options),
    /// or [`Problem::Wrong`](crate::sys::error::Problem::Wrong) if it is in the file.
    pub fn new(options: Given, file: Option<&File>) -> Result<Self, OpenError> {
        let mut given = file.map(|file| file.given.clone()).unwrap_or_default();
        contradictions::replace_sources(&options, &mut given);
        contradictions::check(&options, &given, file)?;

        let (o, f) = (options, given);
        let server = o.gpsd.or(f.gpsd);
        let receiver = if let Some(device) = o.serial.or(f.serial) {
            ReceiverConfig::Serial(SerialConfig { device, baud: o.baud.or(f.baud).unwrap_or_default() })
        } else if server.is_some() || f.gpsd_device.is_some() {
            let server = server.unwrap_or_default();
            ReceiverConfig::Gpsd(GpsdConfig { device: server.device.or(f.gpsd_device), server: server.server })
        } else if let Some(server) = o.tcp.or(f.tcp) {
            ReceiverConfig::Tcp(server)
        } else if let Some(path) = o.fifo.or(f.fifo) {
            ReceiverConfig::Fifo(path)
        } else {
            ReceiverConfig::Stdin
        };
        let pulse = match o.phc.or(f.phc) {
            Some(device) => {
                let channel = o.channel.or(f.channel).map_or(0, |channel| channel.0);
                PulseConfig::Phc(PhcConfig { device, pin: o.pin.or(f.pin), channel })
            }
            None => PulseConfig::Pps(PpsConfig {
                device: o.pps.or(f.pps).unwrap_or_default(),
                capture: o.pps_capture.or(f.pps_capture).unwrap_or_default(),
            }),
        };
        let sock = o.sock.or(f.sock);
        let shm = match o.shm.or(f.shm) {
            Some(unit) => Some(unit.0),
            None if sock.is_some() => None,
            None if matches!(receiver, ReceiverConfig::Gpsd(_)) => Some(GPSD_UNITS),
            None => Some(0),
        };
        let (engine, gate) = (engine::Config::default(), GateConfig::default());
        Ok(Self {
            receiver,
            pulse,
            shm,
            world_writable: o.shm_world_writable.or(f.shm_world_writable).unwrap_or(false),
            sock,
            record: (o.record.or(f.record))
                .map(|path| (path, o.record_size.or(f.record_size).unwrap_or(RECORD_SIZE).0)),
            status: o.status.or(f.status),
            metrics: o.metrics.or(f.metrics).map(|listen| listen.0),
            gate: GateConfig {
                opens_after: o.gate_opens_after.or(f.gate_opens_after).map_or(gate.opens_after, |after| after.0),
                closes_after: o.gate_closes_after.or(f.gate_closes_after).map_or(gate.closes_after, |after| after.0),
            },
            engine: engine::Config {
                width: o.width.or(f.width).map(|width| width.0),
                edges: o.edges.or(f.edges),
                delay: o.delay.or(f.delay).map(|delay| delay.0),
                offset: o.offset.or(f.offset).map_or(engine.offset, |offset| offset.0),
                holdover: o.holdover.or(f.holdover).map_or(engine.holdover, |holdover| holdover.0),
                trust_zda: o.trust_zda.or(f.trust_zda).unwrap_or(engine.trust_zda),
                sawtooth: o.sawtooth.or(f.sawtooth).unwrap_or(engine.sawtooth),
                rollover: o.rollover.or(f.rollover).unwrap_or(engine.rollover),
                witness: o.witness.or(f.witness).unwrap_or(engine.witness),
                conventions: o.conventions.or(f.conventions).unwrap_or(engine.conventions),
                ..engine
            },
        })
    }
}

#[cfg(test)]
mod tests;
