//! The pulse's half of the input: the device that timestamps its edges, a PHC or a kernel PPS, and the thread that owns
//! it, because reading either blocks. It retries a missing device, and sends all events into a channel.

use std::convert::Infallible;
use std::fmt;
use std::io::{self, PipeWriter};
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant as StdInstant};

use tokio::sync::{mpsc, watch};
use tracing::warn;

use super::link::{End, Heartbeat, Link};
use super::phc::{Phc, PhcConfig};
use super::pps::{KernelPps, PpsConfig};
use crate::core::event::{Event, SourceChange};
use crate::sys::error::{OpenError, Problem};

#[cfg(test)]
mod tests;

/// Retry interval for a missing device.
const RETRY: Duration = Duration::from_secs(1);
/// Delay before the first retry of a lost device: a NIC that was reset is usually back by then.
const SOON: Duration = Duration::from_millis(100);
/// Maximum wait for the thread's end. It takes milliseconds, more on a busy machine, unless the thread is in a call
/// that does not return.
const STUCK: Duration = Duration::from_secs(3);

/// The source of the edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum PulseConfig {
    /// A PTP hardware clock.
    Phc(PhcConfig),
    /// A kernel PPS device: the system clock is its own PHC.
    Pps(PpsConfig),
}

/// The operator's name for it.
impl fmt::Display for PulseConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Phc(PhcConfig { device, pin: Some(pin), .. }) => write!(f, "pin {pin} of {device}"),
            Self::Phc(PhcConfig { device, pin: None, .. }) => f.write_str(device),
            Self::Pps(pps) => write!(f, "{}", pps.device.display()),
        }
    }
}

/// An open device that timestamps edges.
pub(crate) enum Pulse {
    /// A PTP hardware clock.
    Phc(Phc),
    /// A kernel PPS device.
    Pps(KernelPps),
}

impl Pulse {
    /// Opens the device, and logs what was found.
    pub(crate) fn open(config: &PulseConfig) -> Result<Self, OpenError> {
        match config {
            PulseConfig::Phc(config) => Phc::open(config).map(Self::Phc),
            PulseConfig::Pps(config) => KernelPps::open(config).map(Self::Pps),
        }
    }

    /// Opens the device at start: a wrong setting is an error; `None` if the device is missing or failing and may
    /// recover.
    pub(crate) fn open_or_wait(config: &PulseConfig) -> Result<Option<Self>, OpenError> {
        match Self::open(config) {
            Err(error) if matches!(error.problem, Problem::NotThere | Problem::Failed) => Ok(None),
            opened => opened.map(Some),
        }
    }

    /// Reports that it is open, then passes on edges and cross timestamps until the device is lost.
    pub(super) fn serve(&mut self, link: &Link) -> Result<Infallible, End> {
        match self {
            Self::Phc(phc) => phc.serve(link),
            Self::Pps(pps) => pps.serve(link),
        }
    }
}

/// The thread that owns the device. Drop stops it and restores the device.
pub(crate) struct PulseThread {
    /// Rings when dropped.
    bell: Option<PipeWriter>,
    /// Beats at least once per second; stops while the thread is stuck in a call.
    pub(crate) heart: Heartbeat,
    alive: watch::Receiver<()>,
    handle: JoinHandle<()>,
}

impl PulseThread {
    /// Starts the thread on an open device, or lets it wait for one. It sends [`Event::Source`], [`Event::Edge`] and
    /// [`Event::CrossTs`], and ends when the receiver is dropped. A full channel blocks it, so drop the receiver before
    /// the thread.
    ///
    /// # Errors
    /// The system is out of threads or descriptors.
    pub(crate) fn spawn(config: PulseConfig, opened: Option<Pulse>, events: mpsc::Sender<Event>) -> io::Result<Self> {
        let ((link_bell, bell), heart) = (io::pipe()?, Heartbeat::default());
        let link = Link { events, bell: link_bell, heart: heart.clone() };
        Self::start(bell, heart, move || drop(own(&config, opened, &link)))
    }

    fn start(bell: PipeWriter, heart: Heartbeat, body: impl FnOnce() + Send + 'static) -> io::Result<Self> {
        let (death, alive) = watch::channel(());
        let handle = Builder::new().name("pulse".into()).spawn(move || {
            let _death = death; // dropped at the end, also by a panic: that completes `death`
            body();
        })?;
        Ok(Self { bell: Some(bell), heart, alive, handle })
    }

    /// Waits until the thread has ended, for any reason.
    pub(crate) fn death(&self) -> impl Future<Output = ()> + use<> {
        let mut alive = self.alive.clone();
        async move { while alive.changed().await.is_ok() {} }
    }
}

impl Drop for PulseThread {
    fn drop(&mut self) {
        self.bell = None;
        let patience = StdInstant::now() + STUCK;
        while !self.handle.is_finished() && StdInstant::now() < patience {
            sleep(Duration::from_millis(1));
        }
    }
}

/// Serves the device, and retries every second while it is missing. Logs a problem once; after a loss, a missing device
/// is not logged again.
fn own(config: &PulseConfig, mut opened: Option<Pulse>, link: &Link) -> Result<Infallible, End> {
    let lost = match config {
        PulseConfig::Phc(_) => SourceChange::PulseLost,
        PulseConfig::Pps(_) => SourceChange::PpsLost,
    };
    let mut logged = None;
    if opened.is_none() {
        link.change(lost)?;
    }
    loop {
        link.heart.beat();
        let pause = match opened.take().map_or_else(|| Pulse::open(config), Ok) {
            Ok(mut pulse) => {
                let Err(end) = pulse.serve(link);
                if matches!(end, End::Stop) {
                    return Err(end);
                }
                warn!("the pulse from {config} is lost: {end}; waiting for it");
                logged = Some(Problem::NotThere);
                link.change(lost)?;
                SOON
            }
            Err(error) => {
                if logged.replace(error.problem) != Some(error.problem) {
                    warn!("{error}; retrying every second");
                }
                RETRY
            }
        };
        link.rest(pause)?;
    }
}
