//! Settings, from the command line and from a file. A wrong one is refused at start, with its place in the file; what
//! is in here afterwards can be used as it is.

use std::fmt;
use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::engine;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::{PhcConfig, Pin};
use crate::source::pps::{Capture, PpsConfig};
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::{Baud, SerialConfig};
use crate::source::server::Server;
use crate::source::stream::StreamConfig;
use crate::status::gate::GateConfig;

mod values;

pub use values::{Channel, Conventions, Delay, Duration, Loopback, Offset, Rate, Rollover, Unit, Width, Witness};

/// Units of chrony's SHM refclock that a gpsd on this machine writes to: those below this one.
pub const GPSD_UNITS: u8 = 8;

/// Everything that `gnss2shm run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the sentences come from.
    pub receiver: ReceiverConfig,
    /// Where the edges come from.
    pub pulse: PulseConfig,
    /// Unit of the SHM refclock, if it is written to.
    pub shm: Option<u8>,
    /// Path of the SOCK refclock, if it is written to.
    pub sock: Option<PathBuf>,
    /// Path of the status socket, if there is to be one.
    pub status: Option<PathBuf>,
    /// Where metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// When programs may rely on the time.
    pub gate: GateConfig,
    /// What the operator knows better than the wire.
    pub engine: engine::Config,
}

/// Makes a table of the file, the same as options of `gnss2shm run`, and what is said in one place or else in another.
macro_rules! tables {
    ($($(#[$attribute:meta])* $name:ident { $($(#[$about:meta])* $key:ident: $value:ty,)* })*) => {$(
        $(#[$attribute])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, clap::Args)]
        #[serde(deny_unknown_fields, default, rename_all = "kebab-case")]
        pub struct $name {
            $($(#[$about])* pub $key: $value,)*
        }

        impl Or for $name {
            fn or(self, other: Self) -> Self {
                Self { $($key: Or::or(self.$key, other.$key),)* }
            }
        }
    )*};
}

/// What is said here, and where nothing is said, what `other` says.
pub trait Or {
    /// Takes what is missing from `other`.
    #[must_use]
    fn or(self, other: Self) -> Self;
}

impl<T> Or for Option<T> {
    fn or(self, other: Self) -> Self {
        Option::or(self, other)
    }
}

tables! {
    /// What may be said, in the file or on the command line; nothing of it has to be.
    Given {
        /// `[serial]`
        #[command(flatten)]
        serial: Serial,
        /// `[gpsd]`
        #[command(flatten)]
        gpsd: Gpsd,
        /// `[tcp]`
        #[command(flatten)]
        tcp: Tcp,
        /// `[fifo]`
        #[command(flatten)]
        fifo: Fifo,
        /// `[stdin]`
        #[command(flatten)]
        stdin: Stdin,
        /// `[phc]`
        #[command(flatten)]
        phc: Phc,
        /// `[pps]`
        #[command(flatten)]
        pps: Pps,
        /// `[pulse]`
        #[command(flatten)]
        pulse: Pulse,
        /// `[sentences]`
        #[command(flatten)]
        sentences: Sentences,
        /// `[shm]`
        #[command(flatten)]
        shm: Shm,
        /// `[sock]`
        #[command(flatten)]
        sock: Sock,
        /// `[status]`
        #[command(flatten)]
        status: Status,
        /// `[metrics]`
        #[command(flatten)]
        metrics: Metrics,
        /// `[gate]`
        #[command(flatten)]
        gate: Gate,
        /// How long seconds are counted on the pulse alone when sentences stop [default: 60s]
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        holdover: Option<Duration>,
        /// What to do with dates from before this release [default: refuse]
        #[arg(long, value_enum, value_name = "HOW")]
        rollover: Option<Rollover>,
        /// What to do when the system clock is synchronised and disagrees with the first label [default: block]
        #[arg(long, value_enum, value_name = "MODE")]
        witness: Option<Witness>,
        /// Assume the two conventions that no wire can contradict, or have them confirmed [default: assume]
        #[arg(long, value_enum, value_name = "HOW")]
        conventions: Option<Conventions>,
    }

    /// A receiver on a serial port.
    Serial {
        /// Serial port of the receiver
        #[arg(id = "serial", long = "serial", value_name = "DEV")]
        device: Option<String>,
        /// Its rate in bits a second, or auto [default: 9600]
        #[arg(long, value_name = "N|auto")]
        baud: Option<Baud>,
    }

    /// A receiver behind gpsd.
    Gpsd {
        /// gpsd that has the receiver [default: localhost:2947]
        #[arg(id = "gpsd", long = "gpsd", value_name = "HOST:PORT[:DEVICE]", num_args = 0..=1, default_missing_value = "localhost:2947")]
        server: Option<GpsdConfig>,
        /// Its device, where it has several
        #[arg(skip)]
        device: Option<String>,
    }

    /// A receiver behind a TCP server.
    Tcp {
        /// TCP server that sends the receiver's sentences
        #[arg(id = "tcp", long = "tcp", value_name = "HOST:PORT")]
        server: Option<Server>,
    }

    /// Sentences through a FIFO.
    Fifo {
        /// FIFO that another program writes the receiver's sentences to
        #[arg(id = "fifo", long = "fifo", value_name = "PATH")]
        path: Option<PathBuf>,
    }

    /// Sentences on standard input.
    Stdin {
        /// The receiver's sentences come on standard input
        #[arg(id = "stdin", long = "stdin", num_args = 0, default_missing_value = "true")]
        enabled: Option<bool>,
    }

    /// The PTP hardware clock that the pulse is wired to.
    Phc {
        /// PTP hardware clock that the pulse is wired to: its network interface, PCI address or device
        #[arg(id = "phc", long = "phc", value_name = "IFACE|PCI|/dev/ptpN")]
        device: Option<String>,
        /// Pin that the pulse is wired to [default: the one that has the channel, or the first]
        #[arg(long, value_name = "NAME|INDEX")]
        pin: Option<Pin>,
        /// Channel of external time stamps to use [default: 0]
        #[arg(long, value_name = "N", allow_hyphen_values = true)]
        channel: Option<Channel>,
    }

    /// A kernel PPS device.
    Pps {
        /// Kernel PPS device, where no PTP hardware clock has the pulse
        #[arg(id = "pps", long = "pps", value_name = "/dev/ppsN")]
        device: Option<PathBuf>,
        /// Which of its edges to capture [default: both]
        #[arg(id = "pps-capture", long = "pps-capture", value_enum, value_name = "EDGE")]
        capture: Option<Capture>,
    }

    /// The pulse.
    Pulse {
        /// Pulse width, if it is not the shorter part of the second
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        width: Option<Width>,
        /// How late the pulse reaches the NIC, by cable and antenna; negative if early [default: 0ns]
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        offset: Option<Offset>,
        /// Rate of the pulse: 1 Hz, nothing else can be labelled
        #[arg(long, value_name = "HZ", hide = true)]
        rate: Option<Rate>,
    }

    /// The receiver's sentences.
    Sentences {
        /// Time from the pulse to the first byte of its sentence, if it is not from 0 to 1 s
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        delay: Option<Delay>,
        /// Accept ZDA alone, which does not say whether there is a fix
        #[arg(long, num_args = 0, default_missing_value = "true")]
        trust_zda: Option<bool>,
        /// Correct each pulse by the quantisation error that u-blox's TIM-TP announces for it
        #[arg(long, num_args = 0, default_missing_value = "true")]
        sawtooth: Option<bool>,
    }

    /// chrony's SHM refclock.
    Shm {
        /// Unit of chrony's SHM refclock to write to [default: 0, with --gpsd 8; unless --sock is given]
        #[arg(id = "shm", long = "shm", value_name = "UNIT", allow_hyphen_values = true)]
        unit: Option<Unit>,
    }

    /// chrony's SOCK refclock.
    Sock {
        /// Socket of chrony's SOCK refclock to write to, instead of SHM or beside it
        #[arg(id = "sock", long = "sock", value_name = "/run/chrony.NAME.sock")]
        path: Option<PathBuf>,
    }

    /// What `gnss2shm status` asks.
    Status {
        /// Socket that tells how things stand, for `gnss2shm status`
        #[arg(id = "status", long = "status", value_name = "PATH")]
        socket: Option<PathBuf>,
    }

    /// OpenMetrics over HTTP.
    Metrics {
        /// Serve OpenMetrics over HTTP at this loopback address
        #[arg(id = "metrics", long = "metrics", value_name = "127.0.0.1:PORT")]
        listen: Option<Loopback>,
    }

    /// The gate of `gnss2shm status --check`.
    Gate {
        /// The gate opens when samples have come for this long without a pause [default: 10s]
        #[arg(id = "gate-opens-after", long = "gate-opens-after", value_name = "TIME", allow_hyphen_values = true)]
        opens_after: Option<Duration>,
        /// It closes when none has come for this long [default: 10s]
        #[arg(id = "gate-closes-after", long = "gate-closes-after", value_name = "TIME", allow_hyphen_values = true)]
        closes_after: Option<Duration>,
    }
}

/// Why settings cannot be used: one sentence, with its place where it comes from a file.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// The file is wrong, or settings contradict each other.
    Wrong(String),
    /// Something is neither in the file nor on the command line.
    Missing(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::Wrong(sentence) | Self::Missing(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for ConfigError {}

impl Given {
    /// What this file says.
    pub fn read(path: &Path) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|error| match error.kind() {
            ErrorKind::InvalidData => ConfigError::Wrong(format!("{} is no text (UTF-8)", path.display())),
            _ => ConfigError::Unreadable(path.to_owned(), error),
        })?;
        Self::parse(&text).map_err(|(at, message)| ConfigError::Wrong(format!("{}:{at}: {message}", path.display())))
    }

    /// What this text says; else the place (`line:column`), and the line with what is wrong in it.
    pub fn parse(text: &str) -> Result<Self, (String, String)> {
        toml::from_str(text).map_err(|error| {
            let at = error.span().unwrap_or_default().start;
            let (line, column) = place(text, at);
            let said = text.lines().nth(line - 1).unwrap_or_default().trim();
            let why = error.message().replace('\n', "; ");
            (format!("{line}:{column}"), if said.is_empty() { why } else { format!("`{said}`: {why}") })
        })
    }

    /// What is said here, and where nothing is said, what the file says. A source that is named here replaces the
    /// file's.
    #[must_use]
    pub fn before(self, mut file: Self) -> Self {
        if !self.named_receivers().is_empty() {
            let baud = file.serial.baud.take();
            file.serial = Serial { device: None, baud };
            (file.gpsd, file.tcp, file.fifo, file.stdin) = Default::default();
        }
        if !self.named_pulses().is_empty() {
            file.pps.device = None;
            file.phc.device = None;
        }
        self.or(file)
    }

    fn named_receivers(&self) -> Vec<&'static str> {
        named(&[
            ("serial", self.serial.device.is_some()),
            ("gpsd", self.gpsd.server.is_some() || self.gpsd.device.is_some()),
            ("tcp", self.tcp.server.is_some()),
            ("fifo", self.fifo.path.is_some()),
            ("stdin", self.stdin.enabled == Some(true)),
        ])
    }

    fn named_pulses(&self) -> Vec<&'static str> {
        named(&[("phc", self.phc.device.is_some()), ("pps", self.pps.device.is_some())])
    }

    /// Settings that can be used, with defaults for what nobody said.
    pub fn settle(self) -> Result<Settings, ConfigError> {
        let (receivers, pulses) = (self.named_receivers(), self.named_pulses());
        let shm = match (self.shm.unit, &self.sock.path) {
            // gpsd writes its own samples, which are late, to units 0 to 7.
            (None, None) if receivers == ["gpsd"] => Some(GPSD_UNITS),
            (None, None) => Some(0),
            (unit, _) => unit.map(|unit| unit.0),
        };
        let defaults = engine::Config::default();
        let engine = engine::Config {
            width: self.pulse.width.map(|width| width.0),
            delay: self.sentences.delay.map(|delay| delay.0),
            offset: self.pulse.offset.map_or(defaults.offset, |offset| offset.0),
            holdover: self.holdover.map_or(defaults.holdover, |holdover| holdover.0),
            trust_zda: self.sentences.trust_zda.unwrap_or(defaults.trust_zda),
            sawtooth: self.sentences.sawtooth.unwrap_or(defaults.sawtooth),
            rollover: self.rollover.map_or(defaults.rollover, Into::into),
            witness: self.witness.map_or(defaults.witness, Into::into),
            conventions: self.conventions.map_or(defaults.conventions, Into::into),
            ..defaults
        };
        let gpsd = match (self.gpsd.server, self.gpsd.device) {
            (None, None) => None,
            (server, device) => {
                let server = server.unwrap_or_default();
                Some(GpsdConfig { device: device.or(server.device), ..server })
            }
        };
        let receiver = match (self.serial.device, gpsd, self.tcp.server, self.fifo.path) {
            _ if receivers.len() != 1 => {
                Err(not_one(&receivers, "receiver", "--serial /dev/ttyS0 or --gpsd, or device in [serial]"))?
            }
            (Some(device), ..) => {
                ReceiverConfig::Serial(SerialConfig { device, baud: self.serial.baud.unwrap_or_default() })
            }
            (_, Some(gpsd), ..) => ReceiverConfig::Gpsd(gpsd),
            (_, _, Some(server), _) => ReceiverConfig::Stream(StreamConfig::Tcp(server)),
            (.., Some(path)) => ReceiverConfig::Stream(StreamConfig::Fifo(path)),
            _ => ReceiverConfig::Stream(StreamConfig::Stdin),
        };
        let pulse = match (self.phc.device, self.pps.device) {
            (Some(device), None) => PulseConfig::Phc(PhcConfig {
                device,
                pin: self.phc.pin,
                channel: self.phc.channel.map_or(0, |channel| channel.0),
            }),
            (None, Some(device)) => {
                PulseConfig::Pps(PpsConfig { device, capture: self.pps.capture.unwrap_or_default() })
            }
            _ => Err(not_one(&pulses, "PTP hardware clock", "--phc eth0, or device in [phc]"))?,
        };
        let gate = GateConfig::default();
        Ok(Settings {
            receiver,
            pulse,
            shm,
            sock: self.sock.path,
            status: self.status.socket,
            metrics: self.metrics.listen.map(|listen| listen.0),
            gate: GateConfig {
                opens_after: self.gate.opens_after.map_or(gate.opens_after, |after| after.0),
                closes_after: self.gate.closes_after.map_or(gate.closes_after, |after| after.0),
            },
            engine,
        })
    }
}

fn named(sources: &[(&'static str, bool)]) -> Vec<&'static str> {
    sources.iter().filter(|(_, is_named)| *is_named).map(|(name, _)| *name).collect()
}

fn not_one(named: &[&str], what: &str, how: &str) -> ConfigError {
    match named {
        [] => ConfigError::Missing(format!("no {what} is given: say {how} of the --config file")),
        several => {
            ConfigError::Wrong(format!("only one can be used of {}: leave the others out", several.join(" and ")))
        }
    }
}

/// Line and column, both from 1, of a byte in a text.
fn place(text: &str, at: usize) -> (usize, usize) {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    (before.matches('\n').count() + 1, before.get(line_start..).unwrap_or_default().chars().count() + 1)
}

#[cfg(test)]
mod tests;
