//! Every setting, once: an option of `gnss2shm run` by clap, and a key of the file by serde, under the name that
//! [`File`](super::File) gives to the keys of tables. The comment is the option's help. Nothing has to be given.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;
use serde::Deserialize;

use super::values::{Channel, Delay, Duration, Loopback, Offset, Rate, Unit, Width, quoted, switch, word, word_parser};
use crate::core::engine::guard::{Conventions, Rollover, WitnessMode};
use crate::core::event::Edges;
use crate::core::units::Size;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::Pin;
use crate::source::pps::Capture;
use crate::source::receiver::Server;
use crate::source::serial::Baud;

/// What a file says, or the command line.
#[derive(Clone, Debug, Default, clap::Args, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Given {
    /// Serial port of the receiver
    #[arg(long, value_name = "DEV", value_parser = NonEmptyStringValueParser::new())]
    #[serde(rename = "[serial] device", deserialize_with = "quoted")]
    pub(super) serial: Option<String>,
    /// Baud rate of the serial port, or auto [default: 9600]
    #[arg(long, value_name = "N|auto", allow_hyphen_values = true)]
    #[serde(rename = "[serial] baud")]
    pub(super) baud: Option<Baud>,

    /// gpsd that serves the receiver [default: localhost:2947]
    #[arg(long, value_name = "HOST:PORT[:DEVICE]", allow_negative_numbers = true)]
    #[arg(num_args = 0..=1, default_missing_value = "localhost:2947")]
    #[serde(rename = "[gpsd] server")]
    pub(super) gpsd: Option<GpsdConfig>,
    /// Its device; on the command line a part of the server
    #[arg(skip)]
    #[serde(rename = "[gpsd] device", deserialize_with = "quoted")]
    pub(super) gpsd_device: Option<String>,

    /// TCP server that sends the receiver's sentences
    #[arg(long, value_name = "HOST:PORT", allow_negative_numbers = true)]
    #[serde(rename = "[tcp] server")]
    pub(super) tcp: Option<Server>,

    /// FIFO to which another program writes the receiver's sentences
    #[arg(long, value_name = "PATH")]
    #[serde(rename = "[fifo] path", deserialize_with = "quoted")]
    pub(super) fifo: Option<PathBuf>,

    /// Read the receiver's sentences from standard input
    #[arg(long, num_args = 0, default_missing_value = "true")]
    #[serde(rename = "[stdin] enabled", deserialize_with = "switch")]
    pub(super) stdin: Option<bool>,

    /// PTP hardware clock that timestamps the pulse: its network interface, PCI address or device
    #[arg(long, value_name = "IFACE|PCI|/dev/ptpN", value_parser = NonEmptyStringValueParser::new())]
    #[serde(rename = "[phc] device", deserialize_with = "quoted")]
    pub(super) phc: Option<String>,
    /// Pin to which the pulse is wired [default: the pin that has the channel, or the first]
    #[arg(long, value_name = "NAME|INDEX", allow_negative_numbers = true)]
    #[serde(rename = "[phc] pin")]
    pub(super) pin: Option<Pin>,
    /// Channel of external timestamps to use [default: 0]
    #[arg(long, value_name = "N", allow_hyphen_values = true)]
    #[serde(rename = "[phc] channel")]
    pub(super) channel: Option<Channel>,

    /// Kernel PPS device, for a pulse without a PTP hardware clock
    #[arg(long, value_name = "/dev/ppsN")]
    #[serde(rename = "[pps] device", deserialize_with = "quoted")]
    pub(super) pps: Option<PathBuf>,
    /// Edges to capture from the PPS device: both, or the one that the driver calls assert or clear [default: both]
    #[arg(long, value_name = "EDGE", allow_negative_numbers = true, value_parser = word_parser::<Capture>())]
    #[serde(rename = "[pps] capture", deserialize_with = "word")]
    pub(super) pps_capture: Option<Capture>,

    /// Pulse width, if the pulse is not the shorter part of the second
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    #[serde(rename = "[pulse] width")]
    pub(super) width: Option<Width>,
    /// Edges that the NIC timestamps: both, or one, the on-time edge [default: as the driver grants]
    #[arg(long, value_name = "EDGES", allow_negative_numbers = true, value_parser = word_parser::<Edges>())]
    #[serde(rename = "[pulse] edges", deserialize_with = "word")]
    pub(super) edges: Option<Edges>,
    /// Delay of the pulse in cable and antenna; negative if it arrives early [default: 0ns]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    #[serde(rename = "[pulse] offset")]
    pub(super) offset: Option<Offset>,
    /// Pulse rate; only 1 Hz is supported
    #[arg(long, value_name = "HZ", allow_hyphen_values = true, hide = true)]
    #[serde(rename = "[pulse] rate")]
    pub(super) rate: Option<Rate>,

    /// Time from the pulse to the first byte of its sentences; needed if over 950 ms, or if the pulse lasts about 500 ms
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    #[serde(rename = "[sentences] delay")]
    pub(super) delay: Option<Delay>,
    /// Accept ZDA alone, which does not tell whether there is a fix
    #[arg(long, num_args = 0, default_missing_value = "true")]
    #[serde(rename = "[sentences] trust-zda", deserialize_with = "switch")]
    pub(super) trust_zda: Option<bool>,
    /// Correct each pulse by the quantization error that u-blox's TIM-TP announces
    #[arg(long, num_args = 0, default_missing_value = "true")]
    #[serde(rename = "[sentences] sawtooth", deserialize_with = "switch")]
    pub(super) sawtooth: Option<bool>,

    /// Unit of chrony's SHM refclock [default: 0, or 12 with --gpsd; none with --sock]
    #[arg(long, value_name = "UNIT", allow_hyphen_values = true)]
    #[serde(rename = "[shm] unit")]
    pub(super) shm: Option<Unit>,
    /// Accept a segment that other users can write to, as with `perm=0666` in chrony.conf: each of them can set the clock
    #[arg(long, num_args = 0, default_missing_value = "true")]
    #[serde(rename = "[shm] world-writable", deserialize_with = "switch")]
    pub(super) shm_world_writable: Option<bool>,

    /// Socket of chrony's SOCK refclock, instead of SHM or in addition to it
    #[arg(long, value_name = "/run/chrony.NAME.sock")]
    #[serde(rename = "[sock] path", deserialize_with = "quoted")]
    pub(super) sock: Option<PathBuf>,

    /// Record all events to this file, for `gnss2shm replay`; older files are kept as FILE.1 to FILE.4
    #[arg(long, value_name = "FILE")]
    #[serde(rename = "[record] path", deserialize_with = "quoted")]
    pub(super) record: Option<PathBuf>,
    /// Size at which the recording starts a new file [default: 64MB]
    #[arg(long, value_name = "SIZE", allow_hyphen_values = true)]
    #[serde(rename = "[record] size")]
    pub(super) record_size: Option<Size>,

    /// Socket that reports the state, for `gnss2shm status`
    #[arg(long, value_name = "PATH")]
    #[serde(rename = "[status] socket", deserialize_with = "quoted")]
    pub(super) status: Option<PathBuf>,

    /// Loopback address on which to serve OpenMetrics over HTTP
    #[arg(long, value_name = "127.0.0.1:PORT", allow_negative_numbers = true)]
    #[serde(rename = "[metrics] listen")]
    pub(super) metrics: Option<Loopback>,

    /// Open the gate of `gnss2shm status --check` after samples without a pause for this long [default: 10s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    #[serde(rename = "[gate] opens-after")]
    pub(super) gate_opens_after: Option<Duration>,
    /// Close the gate after this long without a sample [default: 10s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    #[serde(rename = "[gate] closes-after")]
    pub(super) gate_closes_after: Option<Duration>,

    /// Keep publishing on the pulse alone for this long after sentences stop [default: 60s]
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub(super) holdover: Option<Duration>,
    /// Refuse dates from before this release, or correct them by multiples of 1024 weeks [default: refuse]
    #[arg(long, value_name = "HOW", allow_negative_numbers = true, value_parser = word_parser::<Rollover>())]
    #[serde(deserialize_with = "word")]
    pub(super) rollover: Option<Rollover>,
    /// If the synchronized system clock disagrees with the first label: block samples, warn, or do not check (off)
    /// [default: block]
    #[arg(long, value_name = "MODE", allow_negative_numbers = true, value_parser = word_parser::<WitnessMode>())]
    #[serde(deserialize_with = "word")]
    pub(super) witness: Option<WitnessMode>,
    /// Assume the two conventions that cannot be measured, or confirm them before publishing [default: assume]
    #[arg(long, value_name = "HOW", allow_negative_numbers = true, value_parser = word_parser::<Conventions>())]
    #[serde(deserialize_with = "word")]
    pub(super) conventions: Option<Conventions>,
}
