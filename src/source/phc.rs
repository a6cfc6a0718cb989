//! The PHC as a source: edges of the pulse and cross timestamps. Knows the ways of drivers and kernels; never decides
//! which edge is on time. A [`PulseThread`](super::thread::PulseThread) owns it.

use std::fmt;
use std::io;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use tracing::{info, warn};

use crate::core::event::{CrossTs, Edge, Edges};
use crate::sys::claim::Claim;
use crate::sys::clock::raw_now;
use crate::sys::eventfd::EventFd;
use crate::sys::ptp::{Caps, Function, PinState, Ptp, Request, Woken};
use cross::CrossReader;
use drivers::Driver;
use others::Others;

mod claims;
mod cross;
mod drivers;
mod error;
mod interface;
mod others;
mod pins;
mod resolve;
pub mod schedule;
mod serve;

pub use cross::Method;
pub use error::{PhcError, PhcErrorKind};
pub use interface::{deaf, is_up};
pub use resolve::resolve;

/// Which PHC, and where the pulse is wired to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PhcConfig {
    /// A network interface, the address of a PCI device (whatever has a colon), or a path to a node (whatever has a
    /// slash: `/dev/ptpN` or a link to it).
    pub device: String,
    /// The pin; without one, the pin that has the channel already, else the first one, if it is free.
    pub pin: Option<Pin>,
    /// The channel of external timestamps, from 0.
    pub channel: u32,
}

/// A pin, as the operator writes it: a number from 0, or else a name (`SDP0`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Pin {
    /// The driver's name for it.
    Name(String),
    /// Its number.
    Index(u32),
}

/// An open PHC that timestamps edges. Dropped, timestamping is switched off and the pin gets back what it was set to.
#[derive(Debug)]
pub struct Phc {
    ptp: Ptp,
    clock: String,
    channel: u32,
    pin_before: Option<PinState>,
    driver: Option<&'static Driver>,
    grant: Request,
    cross: CrossReader,
    others: Others,
    said_deaf: bool,
    /// Held until pin and channel are given back.
    _claims: Vec<Claim>,
}

impl Phc {
    /// Opens the PHC and has it timestamp edges; says in the log what was found.
    ///
    /// # Errors
    /// Fatal ones are settings that waiting does not cure, see [`PhcErrorKind`].
    pub fn open(config: &PhcConfig) -> Result<Self, PhcError> {
        let path = resolve(&config.device)?;
        let ptp = Ptp::open(&path).map_err(|error| PhcError::opening(&path, &error))?;
        let clock = named(&path);
        let failed = |what: &str, error: &io::Error| PhcError::failed(&clock, what, error);
        let caps = ptp.caps().map_err(|error| match error.raw_os_error() {
            Some(libc::ENOTTY | libc::EINVAL) => resolve::not_a_clock(&path),
            _ => failed("cannot be asked what it can do", &error),
        })?;
        pins::check_channel(&clock, config.channel, caps.n_ext_ts)?;
        let pins = (0..caps.n_pins).map(|index| ptp.pin(index)).collect::<io::Result<Vec<_>>>();
        let pins = pins.map_err(|error| failed("cannot be asked for its pins", &error))?;
        let pin_before = pins::choose_pin(&clock, config, &pins)?;
        let cross = CrossReader::detect(&ptp, &caps).map_err(|error| failed("cannot be read", &error))?;
        let queue = ptp.only_channel(config.channel);
        let queue = queue.map_err(|error| failed("cannot be told which channel to queue", &error))?;
        // Nothing that another process uses has been touched so far.
        let claims = claims::take(&path, config.channel, pin_before.as_ref(), queue)?;
        let driver = drivers::known(&resolve::driver_names(&path));
        let (channel, others) = (config.channel, Others::new(path, queue));

        // From here on pin and channel are given back whatever happens.
        let grant = Request::Loose;
        let mut phc =
            Self { ptp, clock, channel, pin_before, driver, grant, cross, others, said_deaf: false, _claims: claims };
        phc.arm()?;
        // Edges of unknown age.
        phc.ptp.drain().map_err(|error| PhcError::failed(&phc.clock, "cannot be emptied of old timestamps", &error))?;
        phc.log(config, &caps);
        Ok(phc)
    }

    /// Sets pin and channel once more, where no edges come: a reset of the NIC forgets them without a word. False where
    /// that has to wait.
    fn rearm(&mut self) -> Result<bool, PhcError> {
        self.others.nothing();
        self.arm()
    }

    /// False where the clock is [`deaf`].
    fn arm(&mut self) -> Result<bool, PhcError> {
        let _ignored = self.ptp.disable_extts(self.channel); // it may be off, and some drivers mind
        if let Some(pin) = &self.pin_before {
            let set = self.ptp.set_pin(pin.index, Function::ExtTs, self.channel);
            set.map_err(|error| self.refused(&format!("set pin {} to channel", pin.name), &error))?;
        }
        let deaf = deaf(self.others.node());
        if let Some(sentence) = deaf.as_ref().filter(|_| !self.said_deaf) {
            warn!("{sentence}");
        }
        self.said_deaf = deaf.is_some();
        if deaf.is_some() {
            return Ok(false);
        }
        // Down to what the driver grants. Any error goes one down: drivers refuse in many ways, and one that is gone is
        // gone for the last request too.
        let mut granted = Err(io::Error::from_raw_os_error(libc::EOPNOTSUPP));
        for request in [Request::StrictRising, Request::StrictBoth, Request::Loose] {
            granted = self.ptp.enable_extts(self.channel, request).map(|()| request);
            if granted.is_ok() {
                break;
            }
        }
        self.grant = granted.map_err(|error| self.refused("timestamp edges on channel", &error))?;
        Ok(true)
    }

    /// Which edges are timestamped, by what the driver granted and what is known of it.
    fn edges(&self) -> Edges {
        drivers::granted(self.driver, self.grant)
    }

    /// Node and driver's name, for messages: `/dev/ptp0 (igb)`.
    pub fn clock(&self) -> &str {
        &self.clock
    }

    /// Sleeps until edges are queued, the bell is rung, or `time` is over.
    ///
    /// # Errors
    /// The device is gone.
    fn wait(&self, bell: &EventFd, time: Duration) -> io::Result<Woken> {
        self.ptp.wait(bell, time)
    }

    /// The queued edges of our channel, 30 at most; none where all were another channel's or taken by another program.
    /// [`Self::wait`] first.
    ///
    /// # Errors
    /// The device is gone.
    fn read_edges(&mut self) -> io::Result<Vec<Edge>> {
        let stamps = self.ptp.read()?;
        let read_at = raw_now();
        let ours = stamps.iter().filter(|stamp| stamp.channel == self.channel);
        let edges: Vec<_> = ours.map(|stamp| Edge { phc: stamp.phc, read_at }).collect();
        self.others.edges(&edges);
        Ok(edges)
    }

    /// A cross timestamp, or none this time.
    ///
    /// # Errors
    /// The device is gone.
    fn cross_ts(&mut self) -> io::Result<Option<CrossTs>> {
        let before = self.cross.method();
        let cross = self.cross.read(&self.ptp);
        if self.cross.method() != before {
            info!("{} answers no more {before} cross timestamps: {} from now on", self.clock, self.cross.method());
        }
        cross
    }

    fn refused(&self, what: &str, error: &io::Error) -> PhcError {
        match error.raw_os_error() {
            Some(libc::EOPNOTSUPP | libc::EINVAL | libc::ERANGE) => PhcError::new(
                PhcErrorKind::Refused,
                format!("{} cannot {what} {} ({error}): choose another pin or channel", self.clock, self.channel),
            ),
            _ => PhcError::failed(&self.clock, &format!("failed to {what} {}", self.channel), error),
        }
    }

    fn log(&self, config: &PhcConfig, caps: &Caps) {
        info!(
            device = config.device,
            clock = self.clock,
            pin = self.pin_before.as_ref().map_or("fixed", |pin| &pin.name),
            channel = self.channel,
            channels = caps.n_ext_ts,
            grant = ?self.grant,
            edges = ?self.edges(),
            cross = %self.cross.method(),
            "the PTP hardware clock timestamps the pulse"
        );
    }
}

impl Drop for Phc {
    fn drop(&mut self) {
        let _ignored = self.ptp.disable_extts(self.channel); // it may be gone
        if let Some(pin) = &self.pin_before {
            let _ignored = self.ptp.set_pin(pin.index, pin.function, pin.channel);
        }
    }
}

/// The best way to compare this clock with the system's clocks, found out by trying.
///
/// # Errors
/// The device is gone.
pub fn best_method(ptp: &Ptp, caps: &Caps) -> io::Result<Method> {
    CrossReader::detect(ptp, caps).map(|reader| reader.method())
}

fn named(path: &Path) -> String {
    match resolve::clock_name(path).as_str() {
        "" => path.display().to_string(),
        name => format!("{} ({name})", path.display()),
    }
}

impl Pin {
    /// What an operator may write.
    pub const ALLOWED: &'static str = "a pin's name, as in \"SDP0\", or its number from 0 on";
}

impl FromStr for Pin {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.parse() {
            Ok(index) => Ok(Self::Index(index)),
            // No driver names a pin by such a number, or not at all.
            Err(_) if text.chars().all(|c| c.is_ascii_digit() || "+-.".contains(c)) => {
                Err(format!("`{text}` is not a pin: allowed is {}", Self::ALLOWED))
            }
            Err(_) => Ok(Self::Name(text.to_owned())),
        }
    }
}

impl fmt::Display for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.pad(name),
            Self::Index(index) => index.fmt(f),
        }
    }
}
