//! Options and file to settings: what goes before what, and the defaults.

use super::file::File;
use super::sources;
use super::tables::{Given, KEYS};
use super::{ConfigError, GPSD_UNITS, Settings};
use crate::core::engine;
use crate::core::size::Size;
use crate::daemon::status::gate::GateConfig;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::PhcConfig;
use crate::source::pps::PpsConfig;
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::SerialConfig;
use crate::source::stream::StreamConfig;

/// A recording's next file begins at this size.
const RECORD_SIZE: Size = Size(64_000_000);

impl Settings {
    /// What is said on the command line, and where nothing is said, what the file says, and else defaults. A source on
    /// the command line replaces the file's.
    pub fn new(flags: Given, file: Option<&File>) -> Result<Self, ConfigError> {
        let mut rest = file.map(|file| file.given.clone()).unwrap_or_default();
        sources::replace(&flags, &mut rest);
        sources::check(&flags, &rest, file)?;
        let mut given = flags;
        for key in KEYS {
            (key.fill)(&mut given, &mut rest);
        }

        let receiver = receiver(&given).ok_or_else(|| sources::no_receiver(file))?;
        let pulse = pulse(&given).ok_or_else(|| sources::no_pulse(file))?;
        let shm = match (given.shm.unit, &given.sock.path) {
            // gpsd writes its own samples, which are late, to units 0 to 11.
            (None, None) if matches!(receiver, ReceiverConfig::Gpsd(_)) => Some(GPSD_UNITS),
            (None, None) => Some(0),
            (unit, _) => unit.map(|unit| unit.0),
        };
        let gate = GateConfig::default();
        Ok(Self {
            receiver,
            pulse,
            shm,
            world_writable: given.shm.world_writable == Some(true),
            engine: engine(&given),
            sock: given.sock.path,
            record: given.record.path.map(|path| (path, given.record.size.unwrap_or(RECORD_SIZE).0)),
            status: given.status.socket,
            metrics: given.metrics.listen.map(|listen| listen.0),
            gate: GateConfig {
                opens_after: given.gate.opens_after.map_or(gate.opens_after, |after| after.0),
                closes_after: given.gate.closes_after.map_or(gate.closes_after, |after| after.0),
            },
        })
    }
}

/// The one that is named.
fn receiver(given: &Given) -> Option<ReceiverConfig> {
    let Given { serial, gpsd, tcp, fifo, stdin, .. } = given.clone();
    let gpsd = match (gpsd.server, gpsd.device) {
        (None, None) => None,
        (server, device) => {
            let server = server.unwrap_or_default();
            Some(GpsdConfig { device: device.or(server.device), ..server })
        }
    };
    let baud = serial.baud.unwrap_or_default();
    (serial.device.map(|device| ReceiverConfig::Serial(SerialConfig { device, baud })))
        .or(gpsd.map(ReceiverConfig::Gpsd))
        .or(tcp.server.map(|server| ReceiverConfig::Stream(StreamConfig::Tcp(server))))
        .or(fifo.path.map(|path| ReceiverConfig::Stream(StreamConfig::Fifo(path))))
        .or((stdin.enabled == Some(true)).then_some(ReceiverConfig::Stream(StreamConfig::Stdin)))
}

/// The one that is named.
fn pulse(given: &Given) -> Option<PulseConfig> {
    let Given { phc, pps, .. } = given.clone();
    let channel = phc.channel.map_or(0, |channel| channel.0);
    let capture = pps.capture.unwrap_or_default();
    (phc.device.map(|device| PulseConfig::Phc(PhcConfig { device, pin: phc.pin, channel })))
        .or(pps.device.map(|device| PulseConfig::Pps(PpsConfig { device, capture })))
}

fn engine(given: &Given) -> engine::Config {
    let defaults = engine::Config::default();
    engine::Config {
        width: given.pulse.width.map(|width| width.0),
        edges: given.pulse.edges.map(Into::into),
        delay: given.sentences.delay.map(|delay| delay.0),
        offset: given.pulse.offset.map_or(defaults.offset, |offset| offset.0),
        holdover: given.holdover.map_or(defaults.holdover, |holdover| holdover.0),
        trust_zda: given.sentences.trust_zda.unwrap_or(defaults.trust_zda),
        sawtooth: given.sentences.sawtooth.unwrap_or(defaults.sawtooth),
        rollover: given.rollover.map_or(defaults.rollover, Into::into),
        witness: given.witness.map_or(defaults.witness, Into::into),
        conventions: given.conventions.map_or(defaults.conventions, Into::into),
        ..defaults
    }
}
