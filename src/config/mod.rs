//! Settings, from the command line and from a file. An invalid one is refused at start, with its place in the file;
//! those in [`Settings`] are valid.
//!
//! [`Given`] lists all settings. A [`File`] is read into one, the command line into another, and [`Settings::new`]
//! merges the two: an option overrides the file, and a receiver or pulse named by an option replaces the file's.
//!
//! A new setting is a field of [`Given`], a field of [`Settings`], and a line in [`Settings::new`]; an engine setting is a field of [`Given`], a line below it, and a field of [`engine::Config`].

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::core::engine;
use crate::core::units::Size;
use crate::daemon::status::GateConfig;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::PhcConfig;
use crate::source::pps::PpsConfig;
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::{Baud, SerialConfig};
use crate::source::sysfs::names;
use crate::sys::error::{OpenError, Problem};

mod file;
mod given;
mod grandmaster;

pub(crate) use file::File;
pub(crate) use given::{Given, GrandmasterGiven, unit, word_parser};
pub(crate) use grandmaster::GrandmasterSettings;

/// Directory of the settings of the service's instances.
pub(crate) const INSTANCES: &str = "/etc/gnss2shm";

/// SHM units below this one may belong to a gpsd on this machine. It attaches two for each of its devices (`NTPSHMSEGS`
/// in gpsd's `gpsd.h`): for six devices from 3.24 on, for four before.
pub(crate) const GPSD_UNITS: u8 = 12;
/// Size at which a recording starts a new file.
const RECORD_SIZE: Size = Size(64_000_000);

/// Everything that `gnss2shm run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Settings {
    /// Source of the sentences.
    pub receiver: ReceiverConfig,
    /// Source of the edges.
    pub pulse: PulseConfig,
    /// Unit of the SHM refclock, if used.
    pub shm: Option<u8>,
    /// Whether its segment may be writable by other users.
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
    /// One sentence about a contradiction or a missing setting:
    /// [`Problem::Options`], or
    /// [`Problem::Wrong`] if it is in the file.
    pub(crate) fn new(options: Given, file: Option<&File>) -> Result<Self, OpenError> {
        let (o, f) = (options, file.map(|file| file.given.clone()).unwrap_or_default());
        if let (Some(GpsdConfig { device: Some(other), .. }), Some(device)) = (&f.gpsd, &f.gpsd_device)
            && other != device
        {
            let why = "server names another device: remove one of the two";
            return Err(refuse(file, Some("[gpsd] device"), why));
        }
        let (engine, gate) = (o.engine(&f), GateConfig::default());
        let baud = o.baud.or(f.baud).unwrap_or(Baud::USUAL);
        let (receiver, other_receiver) = exactly_one("receiver", receivers(&o, baud), receivers(&f, baud), file)?;
        let (pin, channel) = (o.pin.clone().or(f.pin.clone()), o.channel.or(f.channel).unwrap_or_default());
        let capture = o.pps_capture.or(f.pps_capture).unwrap_or_default();
        let phc = |device| PulseConfig::Phc(PhcConfig { device, pin: pin.clone(), channel });
        let pps = |device| PulseConfig::Pps(PpsConfig { device, capture });
        let pulses = |given: &Given| [("phc", given.phc.clone().map(phc)), ("pps", given.pps.clone().map(pps))];
        let (pulse, other_pulse) = exactly_one("pulse", pulses(&o), pulses(&f), file)?;
        let (sock, record) = (o.sock.or(f.sock), o.record.or(f.record));
        let is_gpsd = matches!(receiver, ReceiverConfig::Gpsd(_));
        let shm = o.shm.or(f.shm).or(sock.is_none().then_some(if is_gpsd { GPSD_UNITS } else { 0 }));

        let (is_serial, is_phc) = (matches!(receiver, ReceiverConfig::Serial(_)), matches!(pulse, PulseConfig::Phc(_)));
        // An option and whether it is given, its key, whether its table is used, and whether the file may contain it
        // unused.
        for (option, is_given, key, is_used, may_be_left) in [
            ("--baud", o.baud.is_some(), "[serial] baud", is_serial, other_receiver),
            ("--pin", o.pin.is_some(), "[phc] pin", is_phc, other_pulse),
            ("--channel", o.channel.is_some(), "[phc] channel", is_phc, other_pulse),
            ("--pps-capture", o.pps_capture.is_some(), "[pps] capture", !is_phc, other_pulse),
            ("--record-size", o.record_size.is_some(), "[record] size", record.is_some(), false),
            // Files with this key and only [sock] have always been accepted.
            ("--shm-world-writable", o.shm_world_writable.is_some(), "[shm] world-writable", shm.is_some(), true),
        ] {
            let is_left = !may_be_left && file.is_some_and(|file| file.place(key).is_some());
            if !is_used && (is_given || is_left) {
                let table = key.split(' ').next().unwrap_or_default();
                let home = if is_given { format!("--{}", table.trim_matches(['[', ']'])) } else { table.to_owned() };
                let what = if is_given { option } else { key };
                let why = format!("{what} belongs to {home}, which is not used: remove it");
                return Err(refuse(file.filter(|_| !is_given), Some(key), &why));
            }
        }
        Ok(Self {
            receiver,
            pulse,
            shm,
            world_writable: o.shm_world_writable.or(f.shm_world_writable).unwrap_or(false),
            sock,
            record: record.map(|path| (path, o.record_size.or(f.record_size).unwrap_or(RECORD_SIZE).0)),
            status: o.status.or(f.status),
            metrics: o.metrics.or(f.metrics),
            gate: GateConfig {
                opens_after: o.gate_opens_after.or(f.gate_opens_after).unwrap_or(gate.opens_after),
                closes_after: o.gate_closes_after.or(f.gate_closes_after).unwrap_or(gate.closes_after),
            },
            engine,
        })
    }
}

/// A table that can select a receiver or a pulse (its name is also the option's), and which one it selects.
type Source<T> = (&'static str, Option<T>);

fn receivers(given: &Given, baud: Baud) -> [Source<ReceiverConfig>; 5] {
    let Given { serial, gpsd, gpsd_device, tcp, fifo, stdin, .. } = given.clone();
    let is_gpsd = gpsd.is_some() || gpsd_device.is_some();
    let GpsdConfig { server, device } = gpsd.unwrap_or_default();
    [
        ("serial", serial.map(|device| ReceiverConfig::Serial(SerialConfig { device, baud }))),
        ("gpsd", is_gpsd.then(|| ReceiverConfig::Gpsd(GpsdConfig { server, device: device.or(gpsd_device) }))),
        ("tcp", tcp.map(ReceiverConfig::Tcp)),
        ("fifo", fifo.map(ReceiverConfig::Fifo)),
        ("stdin", stdin.map(|_| ReceiverConfig::Stdin)),
    ]
}

/// The one selected by the options, or else by the file, and whether by the options. Refuses none and several.
fn exactly_one<T, const N: usize>(
    kind: &str,
    options: [Source<T>; N],
    in_file: [Source<T>; N],
    file: Option<&File>,
) -> Result<(T, bool), OpenError> {
    let is_option = options.iter().any(|(_, named)| named.is_some());
    let (all, file) = if is_option { (options, None) } else { (in_file, file) };
    let shown =
        all.each_ref().map(|(table, _)| if file.is_some() { format!("[{table}]") } else { format!("--{table}") });
    let every = shown.join(", ");
    let (tables, mut named): (Vec<_>, Vec<_>) =
        shown.into_iter().zip(all).filter_map(|(table, (_, named))| Some((table, named?))).unzip();
    let why = match (named.pop(), tables.as_slice()) {
        (Some(only), [_]) => return Ok((only, is_option)),
        (_, []) => format!("no {kind} is given: use one of {every}"),
        (_, several) => format!("only one {kind} can be used: remove all but one of {}", several.join(", ")),
    };
    let last = tables.iter().max_by_key(|table| file.and_then(|file| file.place(table)));
    Err(refuse(file, last.map(String::as_str), &why))
}

/// An error at this key of the file, in the file, or in the options.
fn refuse(file: Option<&File>, key: Option<&str>, why: &str) -> OpenError {
    match (file, file.and_then(|file| file.place(key?))) {
        (Some(file), Some(at)) => file.wrong(at, why),
        (Some(file), None) => OpenError::new(Problem::Wrong, format!("{}: {why}", file.name)),
        (None, _) => OpenError::new(Problem::Options, why),
    }
}

/// The instances that have settings in this directory.
pub(crate) fn instances(directory: &Path) -> Vec<String> {
    names(directory).iter().filter_map(|file| file.strip_suffix(".toml")).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests;
