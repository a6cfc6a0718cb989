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
use crate::sys::error::{OpenError, Problem};

mod file;
mod given;

pub use file::File;
pub use given::Given;
pub(crate) use given::{unit, word_parser};

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
        // A receiver or pulse that an option names replaces the file's.
        if is_named(&RECEIVERS, &options) {
            (given.serial, given.gpsd, given.gpsd_device, given.tcp, given.fifo, given.stdin) = Default::default();
        }
        if is_named(&PULSES, &options) {
            (given.phc, given.pps) = (None, None);
        }
        check(&options, &given, file)?;

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
                let channel = o.channel.or(f.channel).unwrap_or_default();
                PulseConfig::Phc(PhcConfig { device, pin: o.pin.or(f.pin), channel })
            }
            None => PulseConfig::Pps(PpsConfig {
                device: o.pps.or(f.pps).unwrap_or_default(),
                capture: o.pps_capture.or(f.pps_capture).unwrap_or_default(),
            }),
        };
        let sock = o.sock.or(f.sock);
        let shm = match o.shm.or(f.shm) {
            Some(unit) => Some(unit),
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
            metrics: o.metrics.or(f.metrics),
            gate: GateConfig {
                opens_after: o.gate_opens_after.or(f.gate_opens_after).unwrap_or(gate.opens_after),
                closes_after: o.gate_closes_after.or(f.gate_closes_after).unwrap_or(gate.closes_after),
            },
            engine: engine::Config {
                width: o.width.or(f.width),
                edges: o.edges.or(f.edges),
                delay: o.delay.or(f.delay),
                offset: o.offset.or(f.offset).unwrap_or(engine.offset),
                holdover: o.holdover.or(f.holdover).unwrap_or(engine.holdover),
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

/// A table that can name a receiver or a pulse, which is also the option's name, and whether it does.
type Source = (&'static str, fn(&Given) -> bool);

const RECEIVERS: [Source; 5] = [
    ("serial", |given| given.serial.is_some()),
    ("gpsd", |given| given.gpsd.is_some() || given.gpsd_device.is_some()),
    ("tcp", |given| given.tcp.is_some()),
    ("fifo", |given| given.fifo.is_some()),
    ("stdin", |given| given.stdin.is_some()),
];
const PULSES: [Source; 2] = [("phc", |given| given.phc.is_some()), ("pps", |given| given.pps.is_some())];

fn is_named(all: &[Source], given: &Given) -> bool {
    all.iter().any(|(_, is_named)| is_named(given))
}

/// Refuses contradictions. `f` is what the options `o` leave of the file's settings.
fn check(o: &Given, f: &Given, file: Option<&File>) -> Result<(), OpenError> {
    exactly_one("receiver", &RECEIVERS, o, f, file)?;
    exactly_one("pulse", &PULSES, o, f, file)?;
    if let (Some(file), Some(server), Some(device)) = (file, &f.gpsd, &f.gpsd_device)
        && server.device.as_ref().is_some_and(|other| other != device)
    {
        return Err(file.refuse(Some("[gpsd] device".into()), "server names another device: leave one of the two out"));
    }

    let (is_serial, is_phc) = (o.serial.is_some() || f.serial.is_some(), o.phc.is_some() || f.phc.is_some());
    let is_shm = o.shm.is_some() || f.shm.is_some() || (o.sock.is_none() && f.sock.is_none());
    let (receiver, pulse) = (is_named(&RECEIVERS, o), is_named(&PULSES, o));
    // An option and whether it is given, its key, whether its table is used, and whether the key may be left over.
    for (option, is_given, key, is_used, may_be_left) in [
        ("--baud", o.baud.is_some(), "[serial] baud", is_serial, receiver),
        ("--pin", o.pin.is_some(), "[phc] pin", is_phc, pulse),
        ("--channel", o.channel.is_some(), "[phc] channel", is_phc, pulse),
        ("--pps-capture", o.pps_capture.is_some(), "[pps] capture", !is_phc, pulse),
        ("--record-size", o.record_size.is_some(), "[record] size", o.record.is_some() || f.record.is_some(), false),
        // Files with this key and [sock] alone were always accepted.
        ("--shm-world-writable", o.shm_world_writable.is_some(), "[shm] world-writable", is_shm, true),
    ] {
        let table = key.split(' ').next().unwrap_or_default();
        let why = |what, home: &str| format!("{what} goes with {home}, which is not used: leave it out");
        match file {
            _ if is_used => {}
            _ if is_given => {
                let home = format!("--{}", table.trim_matches(['[', ']']));
                return Err(OpenError::new(Problem::Options, why(option, &home)));
            }
            Some(file) if !may_be_left && file.place(key).is_some() => {
                return Err(file.refuse(Some(key.into()), &why(key, table)));
            }
            _ => {}
        }
    }
    Ok(())
}

/// Refuses none and several of a kind.
fn exactly_one(
    kind: &str,
    all: &[Source],
    options: &Given,
    given: &Given,
    file: Option<&File>,
) -> Result<(), OpenError> {
    // Where an option names one, the file's are gone.
    let file = file.filter(|_| !is_named(all, options));
    let shown = |(table, _): &Source| if file.is_some() { format!("[{table}]") } else { format!("--{table}") };
    let named = all.iter().filter(|(_, is_named)| is_named(options) || is_named(given)).map(shown);
    let why = match named.clone().collect::<Vec<_>>().as_slice() {
        [_] => return Ok(()),
        [] => {
            let all: Vec<_> = all.iter().map(shown).collect();
            format!("no {kind} is given: name it with one of {}", all.join(", "))
        }
        several => format!("only one {kind} can be used: leave out all but one of {}", several.join(", ")),
    };
    Err(match file {
        Some(file) => file.refuse(named.max_by_key(|table| file.place(table)), &why),
        None => OpenError::new(Problem::Options, why),
    })
}

#[cfg(test)]
mod tests;
