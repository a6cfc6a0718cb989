//! Settings, from the command line and from a file. A wrong one is refused at start, with its place in the file; what
//! is in here afterwards can be used as it is.
//!
//! One direction: [`Given`] says which settings there are; a [`File`] is read into one, the command line is the other;
//! [`Settings::new`] refuses what contradicts itself and puts defaults where nothing is said.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

use crate::core::engine;
use crate::daemon::status::gate::GateConfig;
use crate::source::pulse::PulseConfig;
use crate::source::receiver::ReceiverConfig;

mod file;
mod settle;
mod sources;
mod tables;
mod unknown;
mod values;
mod written;

pub use file::File;
pub use tables::{Given, KEYS, Key};
pub use values::{
    Channel, Conventions, Delay, Duration, Edges, Loopback, Offset, Rate, Rollover, Unit, Width, Witness,
};

/// Units of chrony's SHM refclock that a gpsd on this machine attaches, and may write to: those below this one. Two for
/// each device that it may have (`NTPSHMSEGS` in gpsd's `gpsd.h`), which are six from 3.24 on and were four before.
pub const GPSD_UNITS: u8 = 12;

/// Everything that `gnss2shm run` needs to know.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where the sentences come from.
    pub receiver: ReceiverConfig,
    /// Where the edges come from.
    pub pulse: PulseConfig,
    /// Unit of the SHM refclock, if it is written to.
    pub shm: Option<u8>,
    /// Whether other users may be able to write to its segment.
    pub world_writable: bool,
    /// Path of the SOCK refclock, if it is written to.
    pub sock: Option<PathBuf>,
    /// Path of the recording and the size of its files, if there is to be one.
    pub record: Option<(PathBuf, u64)>,
    /// Path of the status socket, if there is to be one.
    pub status: Option<PathBuf>,
    /// Where metrics are served, if they are.
    pub metrics: Option<SocketAddr>,
    /// When programs may rely on the time.
    pub gate: GateConfig,
    /// What the operator knows better than the wire.
    pub engine: engine::Config,
}

/// Why settings cannot be used: one sentence, with its place where it comes from a file.
#[derive(Debug)]
pub enum ConfigError {
    /// The file cannot be read.
    Unreadable(PathBuf, std::io::Error),
    /// The file is wrong, or leaves something out.
    File(String),
    /// Options contradict each other or the file, or leave something out where there is no file.
    Options(String),
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable(path, error) => write!(f, "{} cannot be read: {error}", path.display()),
            Self::File(sentence) | Self::Options(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for ConfigError {}

/// `a, b and c`.
fn listed(names: &[String], and: &str) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} {and} {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests;
