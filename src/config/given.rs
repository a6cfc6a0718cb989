//! All settings. Each is an option of `gnss2shm run` and a key of the file, which is the option's alias. The comment is
//! the option's help. All are optional. The parsers of their values follow.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::builder::{NonEmptyStringValueParser as Name, PossibleValuesParser, TypedValueParser};

use crate::core::engine::{Config, Conventions, Rollover, WitnessMode};
use crate::core::event::Edges;
use crate::core::event::text::{Word, words};
use crate::core::time::Span;
use crate::core::units::{Size, number, span_within, width};
use crate::grandmaster::policy::Profile;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::Pin;
use crate::source::pps::Capture;
use crate::source::serial::Baud;
use crate::source::stream::Server;

/// The settings of a file, or of the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct Given {
    /// Serial port of the receiver
    #[arg(long, alias = "[serial] device", value_name = "DEV", value_parser = Name::new())]
    pub(super) serial: Option<String>,
    /// Baud rate of the serial port, or auto [default: 9600]
    #[arg(long, alias = "[serial] baud", value_name = "N|auto", allow_hyphen_values = true)]
    pub(super) baud: Option<Baud>,

    /// gpsd that serves the receiver [default: localhost:2947]
    #[arg(long, alias = "[gpsd] server", value_name = "HOST:PORT[:DEVICE]", allow_negative_numbers = true)]
    #[arg(num_args = 0..=1, default_missing_value = "localhost:2947")]
    pub(super) gpsd: Option<GpsdConfig>,
    /// Its device: `[gpsd] device`; on the command line a part of the server
    #[arg(skip)]
    pub(super) gpsd_device: Option<String>,

    /// TCP server that sends the receiver's sentences
    #[arg(long, alias = "[tcp] server", value_name = "HOST:PORT", allow_negative_numbers = true)]
    pub(super) tcp: Option<Server>,

    /// FIFO to which another program writes the receiver's sentences
    #[arg(long, alias = "[fifo] path", value_name = "PATH")]
    pub(super) fifo: Option<PathBuf>,

    /// Read the receiver's sentences from standard input
    #[arg(long, alias = "[stdin] enabled", num_args = 0, default_missing_value = "true")]
    pub(super) stdin: Option<bool>,

    /// PTP hardware clock that timestamps the pulse: its network interface, PCI address, or device
    #[arg(long, alias = "[phc] device", value_name = "IFACE|PCI|/dev/ptpN", value_parser = Name::new())]
    pub(super) phc: Option<String>,
    /// Pin to which the pulse is wired [default: the pin assigned to the channel, or else the first]
    #[arg(long, alias = "[phc] pin", value_name = "NAME|INDEX", allow_negative_numbers = true)]
    pub(super) pin: Option<Pin>,
    /// External timestamp channel [default: 0]
    #[arg(long, alias = "[phc] channel", value_name = "N", allow_hyphen_values = true)]
    #[arg(value_parser = |text: &str| number(text, 0..=u32::MAX))]
    pub(super) channel: Option<u32>,

    /// Kernel PPS device, for a pulse without a PTP hardware clock
    #[arg(long, alias = "[pps] device", value_name = "/dev/ppsN")]
    pub(super) pps: Option<PathBuf>,
    /// Edges to capture from the PPS device: both, or the one that the driver calls assert or clear [default: both]
    #[arg(long, alias = "[pps] capture", value_name = "EDGE", allow_negative_numbers = true)]
    #[arg(value_parser = word_parser::<Capture>())]
    pub(super) pps_capture: Option<Capture>,

    /// Pulse width, if the pulse is not the shorter part of the second
    #[arg(long, alias = "[pulse] width", value_name = "TIME", allow_hyphen_values = true, value_parser = width)]
    pub(super) width: Option<Span>,
    /// Edges that the NIC timestamps: both, or one (only the on-time edge) [default: determined from the driver]
    #[arg(long, alias = "[pulse] edges", value_name = "EDGES", allow_negative_numbers = true)]
    #[arg(value_parser = word_parser::<Edges>())]
    pub(super) edges: Option<Edges>,
    /// Delay of the pulse in the antenna and cable; negative if it arrives early [default: 0ns]
    #[arg(long, alias = "[pulse] offset", value_name = "TIME", allow_hyphen_values = true, value_parser = offset)]
    pub(super) offset: Option<Span>,
    /// Pulse rate; only 1 Hz is supported
    #[arg(long, alias = "[pulse] rate", value_name = "HZ", allow_hyphen_values = true, hide = true, value_parser = rate)]
    pub(super) rate: Option<u8>,

    /// Time from the pulse to the first byte of its sentences; needed if over 950 ms, or if the pulse lasts about 500 ms
    #[arg(long, alias = "[sentences] delay", value_name = "TIME", allow_hyphen_values = true, value_parser = delay)]
    pub(super) delay: Option<Span>,
    /// Accept ZDA alone, although it does not report whether there is a fix
    #[arg(long, alias = "[sentences] trust-zda", num_args = 0, default_missing_value = "true")]
    pub(super) trust_zda: Option<bool>,
    /// Correct each pulse by the quantization error that u-blox's TIM-TP reports
    #[arg(long, alias = "[sentences] sawtooth", num_args = 0, default_missing_value = "true")]
    pub(super) sawtooth: Option<bool>,

    /// Unit of chrony's SHM refclock [default: 0, or 12 with --gpsd; none with --sock]
    #[arg(long, alias = "[shm] unit", value_name = "UNIT", allow_hyphen_values = true, value_parser = unit)]
    pub(super) shm: Option<u8>,
    /// Accept a segment that other users can write to, as with `perm=0666` in chrony.conf: each of them can set the clock
    #[arg(long, alias = "[shm] world-writable", num_args = 0, default_missing_value = "true")]
    pub(super) shm_world_writable: Option<bool>,

    /// Socket of chrony's SOCK refclock, instead of SHM or in addition to it
    #[arg(long, alias = "[sock] path", value_name = "/run/chrony.NAME.sock")]
    pub(super) sock: Option<PathBuf>,

    /// Record all events to this file, for `gnss2shm replay`; older files are kept as FILE.1 to FILE.4
    #[arg(long, alias = "[record] path", value_name = "FILE")]
    pub(super) record: Option<PathBuf>,
    /// Size at which the recording starts a new file [default: 64MB]
    #[arg(long, alias = "[record] size", value_name = "SIZE", allow_hyphen_values = true)]
    pub(super) record_size: Option<Size>,

    /// Socket that reports the state, for `gnss2shm status`
    #[arg(long, alias = "[status] socket", value_name = "PATH")]
    pub(super) status: Option<PathBuf>,

    /// Loopback address on which to serve OpenMetrics over HTTP
    #[arg(long, alias = "[metrics] listen", value_name = "127.0.0.1:PORT", allow_negative_numbers = true, value_parser = loopback)]
    pub(super) metrics: Option<SocketAddr>,

    /// Let `status --check` report success once samples have been uninterrupted for this long [default: 10s]
    #[arg(long, alias = "[gate] opens-after", value_name = "TIME", allow_hyphen_values = true, value_parser = duration)]
    pub(super) gate_opens_after: Option<Span>,
    /// Let it report failure after this long without a sample [default: 10s]
    #[arg(long, alias = "[gate] closes-after", value_name = "TIME", allow_hyphen_values = true, value_parser = duration)]
    pub(super) gate_closes_after: Option<Span>,

    /// Keep publishing from the pulse alone for this long after sentences stop [default: 60s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = duration)]
    pub(super) holdover: Option<Span>,
    /// Refuse dates from before this release, or correct them by multiples of 1024 weeks [default: refuse]
    #[arg(long, value_name = "HOW", allow_negative_numbers = true, value_parser = word_parser::<Rollover>())]
    pub(super) rollover: Option<Rollover>,
    /// What to do if the system clock is synchronized and disagrees with the first second determined: block samples, warn, or
    /// nothing (off: no check is made) [default: block]
    #[arg(long, value_name = "MODE", allow_negative_numbers = true, value_parser = word_parser::<WitnessMode>())]
    pub(super) witness: Option<WitnessMode>,
    /// Whether to assume that the pulse is the shorter part of the second and that a sentence names the last pulse before
    /// it, or to confirm both before publishing [default: assume]
    #[arg(long, value_name = "HOW", allow_negative_numbers = true, value_parser = word_parser::<Conventions>())]
    pub(super) conventions: Option<Conventions>,
}

/// The settings of `gnss2shm grandmaster`: its options, and keys of the table `[grandmaster]`, which `run` ignores.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct GrandmasterGiven {
    /// ptp4l's read-write socket, its `uds_address` [default: /var/run/ptp4l or /var/run/ptp/ptp4l]
    #[arg(long, alias = "[grandmaster] socket", value_name = "PATH")]
    pub(super) socket: Option<PathBuf>,
    /// ptp4l's domainNumber [default: 0]
    #[arg(long, alias = "[grandmaster] domain", value_name = "N", allow_hyphen_values = true)]
    #[arg(value_parser = |text: &str| number(text, 0..=u8::MAX))]
    pub(super) domain: Option<u8>,
    /// ptp4l's transportSpecific [default: 0]
    #[arg(long, alias = "[grandmaster] transport-specific", value_name = "N", allow_hyphen_values = true)]
    #[arg(value_parser = |text: &str| number(text, 0..=15_u8))]
    pub(super) transport_specific: Option<u8>,
    /// Class of a clock that is not synchronized: 52 (1588), or 248 (g8275) [default: 1588]
    #[arg(long, alias = "[grandmaster] profile", value_name = "PROFILE", allow_negative_numbers = true)]
    #[arg(value_parser = word_parser::<Profile>())]
    pub(super) profile: Option<Profile>,
    /// Maximum distance of the PHC from TAI for class 6; clockAccuracy covers it [default: 1us]
    #[arg(long, alias = "[grandmaster] bound", value_name = "TIME", allow_hyphen_values = true, value_parser = bound)]
    pub(super) bound: Option<Span>,
    /// Claim class 6 once every pulse has been within the bound for this long [default: 5s]
    #[arg(long, alias = "[grandmaster] steady", value_name = "TIME", allow_hyphen_values = true, value_parser = steady)]
    pub(super) steady: Option<Span>,
    /// Claim class 7 for this long after class 6, with --holdover-bound [default: never]
    #[arg(long, alias = "[grandmaster] holdover", value_name = "TIME", allow_hyphen_values = true, value_parser = holdover)]
    pub(super) holdover: Option<Span>,
    /// Maximum distance of the PHC from TAI after this holdover
    #[arg(long, alias = "[grandmaster] holdover-bound", value_name = "TIME", allow_hyphen_values = true, value_parser = bound)]
    pub(super) holdover_bound: Option<Span>,
}

impl Given {
    /// The settings of the engine; an option overrides the file's.
    pub(super) fn engine(&self, file: &Self) -> Config {
        let default = Config::default();
        Config {
            width: self.width.or(file.width),
            edges: self.edges.or(file.edges),
            delay: self.delay.or(file.delay),
            offset: self.offset.or(file.offset).unwrap_or(default.offset),
            holdover: self.holdover.or(file.holdover).unwrap_or(default.holdover),
            trust_zda: self.trust_zda.or(file.trust_zda).unwrap_or(default.trust_zda),
            sawtooth: self.sawtooth.or(file.sawtooth).unwrap_or(default.sawtooth),
            rollover: self.rollover.or(file.rollover).unwrap_or(default.rollover),
            witness: self.witness.or(file.witness).unwrap_or(default.witness),
            conventions: self.conventions.or(file.conventions).unwrap_or(default.conventions),
            ..default
        }
    }
}

/// Negative if sentences name the next pulse.
fn delay(text: &str) -> Result<Span, String> {
    span_within(text, Span::from_secs(-1)..Span::from_secs(5), "from -1s to less than 5s, such as \"300ms\"")
}

fn duration(text: &str) -> Result<Span, String> {
    span_within(text, Span::ZERO..Span::from_secs(86_401), "from 0s to 24h, such as \"60s\"")
}

fn offset(text: &str) -> Result<Span, String> {
    span_within(text, Span::from_millis(-1)..Span::from_nanos(1_000_001), "from -1ms to 1ms, such as \"25ns\"")
}

/// A unit of the SHM refclock.
pub(crate) fn unit(text: &str) -> Result<u8, String> {
    number(text, 0..=u8::MAX)
}

/// The pulse rate can only be 1 Hz: sentences name one pulse per second.
fn rate(text: &str) -> Result<u8, String> {
    let hertz = text.trim_end_matches("Hz").trim_end().parse().ok().filter(|hertz| *hertz == 1);
    hertz.ok_or_else(|| format!("`{text}` is not 1 Hz: it must be 1; set the receiver to one pulse per second"))
}

/// An address that only this machine can reach.
fn loopback(text: &str) -> Result<SocketAddr, String> {
    text.parse().ok().filter(|address: &SocketAddr| address.ip().is_loopback()).ok_or_else(|| {
        format!(
            "`{text}` is not on loopback: it must be a loopback address and port, such as \"127.0.0.1:9456\" or \
             \"[::1]:9456\"; use a proxy to serve metrics elsewhere"
        )
    })
}

/// One of the words of this type, except `unknown`, which is not a setting.
pub(crate) fn word_parser<T: Word + Clone + Send + Sync>() -> impl TypedValueParser<Value = T> {
    let words = T::ALL.iter().map(Word::word).filter(|word| *word != "unknown");
    PossibleValuesParser::new(words).try_map(|word| T::from_word(word.as_bytes()).ok_or("no such choice"))
}

words! { Capture:
    (Self::Both) = "both",
    (Self::Assert) = "assert",
    (Self::Clear) = "clear",
}

fn bound(text: &str) -> Result<Span, String> {
    // A timestamp's own error bound is half of the least.
    let range = Span::from_nanos(100)..Span::from_nanos(10_000_001);
    span_within(text, range, "from 100ns to 10ms, such as \"1us\"")
}

fn steady(text: &str) -> Result<Span, String> {
    span_within(text, Span::ZERO..Span::from_secs(3_601), "from 0s to 1h, such as \"5s\"")
}

fn holdover(text: &str) -> Result<Span, String> {
    span_within(text, Span::from_nanos(1)..Span::from_secs(604_801), "above 0s up to 168h, such as \"4h\"")
}
