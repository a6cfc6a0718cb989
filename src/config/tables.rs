//! Every setting, once: from here come the keys of the file, the options of `gnss2shm run`, and what either allows.

use std::path::PathBuf;

use clap::builder::NonEmptyStringValueParser;

use super::values::{
    Channel, Conventions, Delay, Duration, Edges, Loopback, Offset, Rate, Rollover, Unit, Width, Witness,
};
use super::written::{Value, Written};
use crate::core::size::Size;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::Pin;
use crate::source::pps::Capture;
use crate::source::serial::Baud;
use crate::source::server::Server;

/// A key of the file.
#[derive(Debug)]
pub struct Key {
    /// The table that it stands in; none for those before the first.
    pub table: Option<&'static str>,
    field: &'static str,
    /// What its value may be.
    pub allowed: fn() -> String,
    /// Takes its value over.
    pub(super) read: fn(&mut Given, &Written<'_>) -> Result<(), String>,
    /// Takes over from the second what the first does not say.
    pub(super) fill: fn(&mut Given, &mut Given),
    pub(super) is_said: fn(&Given) -> bool,
    pub(super) forget: fn(&mut Given),
}

impl Key {
    /// As it is written in the file.
    pub fn name(&self) -> String {
        self.field.replace('_', "-")
    }

    /// The option that says the same; none where it is part of another's value.
    pub fn option(&self) -> Option<String> {
        Some(match (self.table, self.field) {
            (Some("gpsd"), "device") => return None,
            (Some(table), "device" | "server" | "path" | "enabled" | "unit" | "socket" | "listen") => {
                format!("--{table}")
            }
            (Some(table @ ("pps" | "gate" | "shm" | "record")), _) => format!("--{table}-{}", self.name()),
            _ => format!("--{}", self.name()),
        })
    }
}

macro_rules! settings {
    (
        $(#[$given_about:meta])* $Given:ident {
            $($(#[$root_about:meta])* $root:ident: $Root:ty,)*
        }
        $($(#[$table_about:meta])* $table:ident: $Table:ident {
            $($(#[$about:meta])* $key:ident: $value:ty,)*
        })*
    ) => {
        $(#[$given_about])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
        pub struct $Given {
            $($(#[$table_about])* #[command(flatten)] pub $table: $Table,)*
            $($(#[$root_about])* pub $root: Option<$Root>,)*
        }

        $(
            $(#[$table_about])*
            #[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args)]
            pub struct $Table {
                $($(#[$about])* pub $key: Option<$value>,)*
            }
        )*

        /// Every key of the file.
        pub static KEYS: &[Key] = &[
            $(settings!(@key None, $root: $Root, $root),)*
            $($(settings!(@key Some(stringify!($table)), $key: $value, $table.$key),)*)*
        ];
    };
    (@key $table:expr, $key:ident: $value:ty, $($path:ident).+) => {
        Key {
            table: $table,
            field: stringify!($key),
            allowed: <$value as Value>::allowed,
            read: |given, written| {
                given.$($path).+ = Some(Value::read(written)?);
                Ok(())
            },
            fill: |given, other| {
                if given.$($path).+.is_none() {
                    given.$($path).+ = other.$($path).+.take();
                }
            },
            is_said: |given| given.$($path).+.is_some(),
            forget: |given| given.$($path).+ = None,
        }
    };
}

settings! {
    /// What may be said, in the file or on the command line; nothing of it has to be.
    Given {
        /// How long seconds are counted on the pulse alone when sentences stop [default: 60s]
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        holdover: Duration,
        /// What to do with dates from before this release [default: refuse]
        #[arg(long, value_enum, value_name = "HOW", allow_negative_numbers = true)]
        rollover: Rollover,
        /// What to do when the system clock is synchronized and disagrees with the first label [default: block]
        #[arg(long, value_enum, value_name = "MODE", allow_negative_numbers = true)]
        witness: Witness,
        /// Assume the two conventions that no wire can contradict, or have them confirmed [default: assume]
        #[arg(long, value_enum, value_name = "HOW", allow_negative_numbers = true)]
        conventions: Conventions,
    }

    /// A receiver on a serial port.
    serial: Serial {
        /// Serial port of the receiver
        #[arg(id = "serial", long = "serial", value_name = "DEV", value_parser = NonEmptyStringValueParser::new())]
        device: String,
        /// Its rate in bits a second, or auto [default: 9600]
        #[arg(long, value_name = "N|auto", allow_hyphen_values = true)]
        baud: Baud,
    }

    /// A receiver behind gpsd.
    gpsd: Gpsd {
        /// gpsd that has the receiver [default: localhost:2947]
        #[arg(id = "gpsd", long = "gpsd", value_name = "HOST:PORT[:DEVICE]", allow_negative_numbers = true)]
        #[arg(num_args = 0..=1, default_missing_value = "localhost:2947")]
        server: GpsdConfig,
        /// Its device, where it has several; on the command line a part of the server's name
        #[arg(skip)]
        device: String,
    }

    /// A receiver behind a TCP server.
    tcp: Tcp {
        /// TCP server that sends the receiver's sentences
        #[arg(id = "tcp", long = "tcp", value_name = "HOST:PORT", allow_negative_numbers = true)]
        server: Server,
    }

    /// Sentences through a FIFO.
    fifo: Fifo {
        /// FIFO that another program writes the receiver's sentences to
        #[arg(id = "fifo", long = "fifo", value_name = "PATH")]
        path: PathBuf,
    }

    /// Sentences on standard input.
    stdin: Stdin {
        /// The receiver's sentences come on standard input
        #[arg(id = "stdin", long = "stdin", num_args = 0, default_missing_value = "true")]
        enabled: bool,
    }

    /// The PTP hardware clock that the pulse is wired to.
    phc: Phc {
        /// PTP hardware clock that the pulse is wired to: its network interface, PCI address or device
        #[arg(id = "phc", long = "phc", value_name = "IFACE|PCI|/dev/ptpN")]
        #[arg(value_parser = NonEmptyStringValueParser::new())]
        device: String,
        /// Pin that the pulse is wired to [default: the one that has the channel, or the first]
        #[arg(long, value_name = "NAME|INDEX", allow_negative_numbers = true)]
        pin: Pin,
        /// Channel of external timestamps to use [default: 0]
        #[arg(long, value_name = "N", allow_hyphen_values = true)]
        channel: Channel,
    }

    /// A kernel PPS device.
    pps: Pps {
        /// Kernel PPS device, where no PTP hardware clock has the pulse
        #[arg(id = "pps", long = "pps", value_name = "/dev/ppsN")]
        device: PathBuf,
        /// Which of its edges to capture [default: both]
        #[arg(id = "pps-capture", long = "pps-capture", value_enum, value_name = "EDGE", allow_negative_numbers = true)]
        capture: Capture,
    }

    /// The pulse.
    pulse: Pulse {
        /// Pulse width, if it is not the shorter part of the second
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        width: Width,
        /// Which edges the NIC timestamps [default: as the driver grants]
        #[arg(long, value_enum, value_name = "EDGES", allow_negative_numbers = true)]
        edges: Edges,
        /// How late the pulse reaches the NIC, by cable and antenna; negative if early [default: 0ns]
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        offset: Offset,
        /// Rate of the pulse: 1 Hz, nothing else can be labeled
        #[arg(long, value_name = "HZ", allow_hyphen_values = true, hide = true)]
        rate: Rate,
    }

    /// The receiver's sentences.
    sentences: Sentences {
        /// Time from the pulse to the read of its sentences' first byte, where that is over 950 ms, or the pulse lasts about 500 ms
        #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
        delay: Delay,
        /// Accept ZDA alone, which does not say whether there is a fix
        #[arg(long, num_args = 0, default_missing_value = "true")]
        trust_zda: bool,
        /// Correct each pulse by the quantization error that u-blox's TIM-TP announces for it
        #[arg(long, num_args = 0, default_missing_value = "true")]
        sawtooth: bool,
    }

    /// chrony's SHM refclock.
    shm: Shm {
        /// Unit of chrony's SHM refclock to write to [default: 0, with --gpsd 12; unless --sock is given]
        #[arg(id = "shm", long = "shm", value_name = "UNIT", allow_hyphen_values = true)]
        unit: Unit,
        /// Write to a segment that other users may write to, too, as with `perm=0666` in chrony.conf: each can set the clock
        #[arg(id = "shm-world-writable", long = "shm-world-writable", num_args = 0, default_missing_value = "true")]
        world_writable: bool,
    }

    /// chrony's SOCK refclock.
    sock: Sock {
        /// Socket of chrony's SOCK refclock to write to, instead of SHM or beside it
        #[arg(id = "sock", long = "sock", value_name = "/run/chrony.NAME.sock")]
        path: PathBuf,
    }

    /// A recording of every event.
    record: Record {
        /// Record every event in this file, for `gnss2shm replay`; the four files before it are kept as FILE.1 to FILE.4
        #[arg(id = "record", long = "record", value_name = "FILE")]
        path: PathBuf,
        /// Begin the next file of the recording at this size [default: 64MB]
        #[arg(id = "record-size", long = "record-size", value_name = "SIZE", allow_hyphen_values = true)]
        size: Size,
    }

    /// What `gnss2shm status` asks.
    status: Status {
        /// Socket that tells how things stand, for `gnss2shm status`
        #[arg(id = "status", long = "status", value_name = "PATH")]
        socket: PathBuf,
    }

    /// OpenMetrics over HTTP.
    metrics: Metrics {
        /// Serve OpenMetrics over HTTP at this loopback address
        #[arg(id = "metrics", long = "metrics", value_name = "127.0.0.1:PORT", allow_negative_numbers = true)]
        listen: Loopback,
    }

    /// The gate of `gnss2shm status --check`.
    gate: Gate {
        /// The gate opens when samples have come for this long without a pause [default: 10s]
        #[arg(id = "gate-opens-after", long = "gate-opens-after", value_name = "TIME", allow_hyphen_values = true)]
        opens_after: Duration,
        /// It closes when none has come for this long [default: 10s]
        #[arg(id = "gate-closes-after", long = "gate-closes-after", value_name = "TIME", allow_hyphen_values = true)]
        closes_after: Duration,
    }
}
