//! The one thread that owns the PHC: waits for edges, reads them, takes cross time stamps, and waits for a PHC that is
//! gone. Everything it finds goes into a channel.

use std::convert::Infallible;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant as StdInstant};

use tokio::sync::{mpsc, watch};
use tracing::{debug, warn};

use super::schedule::{Schedule, Step};
use super::{Phc, PhcConfig, PhcErrorKind};
use crate::event::{Event, SourceChange};
use crate::sys::clock::raw_now;
use crate::sys::eventfd::{EventFd, Rest};
use crate::sys::ptp::Woken;

#[cfg(test)]
mod tests;

/// A PHC that is gone is looked for this often.
const RETRY: Duration = Duration::from_secs(1);
/// A channel that is full is tried again after this.
const FULL: Duration = Duration::from_millis(5);
/// How long the end of the thread is waited for. It takes milliseconds, unless another program on a kernel before 6.7
/// took the event that our read is waiting for.
const STUCK: Duration = Duration::from_secs(1);

/// The thread that owns the PHC. Dropped, it is stopped.
#[derive(Debug)]
pub struct PhcThread {
    bell: Arc<EventFd>,
    alive: watch::Receiver<()>,
    handle: Option<JoinHandle<()>>,
}

/// How the thread ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ThreadEnd {
    /// As it was told to, or because nobody listens any more.
    Clean,
    /// It panicked: a bug.
    Panicked,
    /// It did not end within a second: it sits in a read that another program's read emptied. It is left behind.
    Stuck,
}

impl PhcThread {
    /// Starts the thread on a PHC that was opened before, or has it wait for one. Into the channel go
    /// [`Event::Source`] (`PulseOpen`, `PulseLost`), [`Event::Edge`] and [`Event::CrossTs`]; the edges of a read come
    /// before the cross time stamp that is taken right after it. The thread ends when the channel is closed. What is wrong
    /// with a PHC that is waited for it says in the log, once.
    ///
    /// # Errors
    /// The system gives no thread or no descriptor.
    pub fn spawn(config: PhcConfig, opened: Option<Phc>, sender: mpsc::Sender<Event>) -> io::Result<Self> {
        let bell = Arc::new(EventFd::new()?);
        let owner = Owner { config, sender, bell: Arc::clone(&bell) };
        Self::start(bell, move || owner.run(opened))
    }

    fn start(bell: Arc<EventFd>, body: impl FnOnce() -> Stop + Send + 'static) -> io::Result<Self> {
        let (death, alive) = watch::channel(());
        let handle = Builder::new().name("phc".into()).spawn(move || {
            let _death = death; // dropped at the end, also by a panic: that is how `ended` learns of it
            let Stop = body();
        })?;
        Ok(Self { bell, alive, handle: Some(handle) })
    }

    /// Waits until the thread has ended, for whatever reason. Cancel safe, and may be called again.
    pub async fn ended(&mut self) {
        while self.alive.changed().await.is_ok() {}
    }

    /// Whether the thread has ended, for whatever reason.
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the thread: time stamping is switched off and the pin gets back what it was set to.
    pub fn stop(mut self) -> ThreadEnd {
        self.end()
    }

    fn end(&mut self) -> ThreadEnd {
        let Some(handle) = self.handle.take() else { return ThreadEnd::Clean };
        self.bell.ring();
        let patience = StdInstant::now() + STUCK;
        while !handle.is_finished() {
            if StdInstant::now() > patience {
                return ThreadEnd::Stuck;
            }
            sleep(Duration::from_millis(1));
        }
        if handle.join().is_ok() { ThreadEnd::Clean } else { ThreadEnd::Panicked }
    }
}

impl Drop for PhcThread {
    fn drop(&mut self) {
        self.end();
    }
}

/// The bell was rung or nobody listens any more.
#[derive(Debug)]
struct Stop;

/// Why a PHC is served no more.
#[derive(Debug)]
enum Served {
    Stopped(Stop),
    Gone(io::Error),
}

impl From<Stop> for Served {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

impl From<io::Error> for Served {
    fn from(error: io::Error) -> Self {
        Self::Gone(error)
    }
}

/// What the thread owns besides the PHC.
struct Owner {
    config: PhcConfig,
    sender: mpsc::Sender<Event>,
    bell: Arc<EventFd>,
}

impl Owner {
    fn run(&self, opened: Option<Phc>) -> Stop {
        let (mut next, mut said) = (opened, None);
        loop {
            let opened = next.take().map_or_else(|| self.reopen(said), Ok);
            let mut phc = match opened {
                Ok(phc) => phc,
                Err(stop) => return stop,
            };
            let Err(why) = self.serve(&mut phc);
            match why {
                Served::Stopped(stop) => return stop,
                Served::Gone(error) => {
                    warn!(%error, "{} is gone: check the NIC and its driver; it is waited for", phc.clock());
                    said = Some(PhcErrorKind::NotThere);
                }
            }
        }
    }

    /// Tries every second. Says what is wrong once, and again only when it is something else than what was `said`.
    fn reopen(&self, mut said: Option<PhcErrorKind>) -> Result<Phc, Stop> {
        self.change(SourceChange::PulseLost)?;
        loop {
            match Phc::open(&self.config) {
                Ok(phc) => return Ok(phc), // it has said so itself
                Err(error) if said == Some(error.kind()) => {}
                Err(error) => {
                    warn!("{error}");
                    said = Some(error.kind());
                }
            }
            self.rest(RETRY)?;
        }
    }

    fn serve(&self, phc: &mut Phc) -> Result<Infallible, Served> {
        self.change(SourceChange::PulseOpen(phc.edges()))?;
        let mut schedule = Schedule::new(raw_now());
        loop {
            let now = raw_now();
            match schedule.next(now) {
                Step::CrossTs => {
                    schedule.cross_taken(now);
                    if let Some(cross) = phc.cross_ts()? {
                        self.send(Event::CrossTs(cross))?;
                    }
                }
                Step::Rearm => {
                    schedule.rearmed(now);
                    debug!("no edge for 3 s: setting pin and channel of {} again", phc.clock());
                    if let Err(error) = phc.rearm() {
                        debug!("{error}"); // if it is gone, the next cross time stamp says so
                    }
                }
                Step::Wait(span) => {
                    let time = Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0));
                    match phc.wait(&self.bell, time)? {
                        Woken::Timeout => {}
                        Woken::Events => self.pass_edges(phc, &mut schedule)?,
                        Woken::Rung => return Err(Stop.into()),
                        Woken::Gone => return Err(io::Error::from_raw_os_error(libc::ENODEV).into()),
                    }
                }
            }
        }
    }

    fn pass_edges(&self, phc: &mut Phc, schedule: &mut Schedule) -> Result<(), Served> {
        let edges = phc.read_edges()?;
        if let Some(edge) = edges.first() {
            schedule.edges_read(edge.read_at);
        }
        for edge in edges {
            self.send(Event::Edge(edge))?;
        }
        Ok(())
    }

    fn change(&self, change: SourceChange) -> Result<(), Stop> {
        self.send(Event::Source { raw: raw_now(), change })
    }

    /// Waits for room in the channel, but not past the bell: who rings may be the one who should make room.
    fn send(&self, event: Event) -> Result<(), Stop> {
        let mut event = event;
        loop {
            match self.sender.try_send(event) {
                Ok(()) => return Ok(()),
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(Stop),
                Err(mpsc::error::TrySendError::Full(back)) => event = back,
            }
            self.rest(FULL)?;
        }
    }

    /// Sleeps, unless the bell is rung. Nobody to listen is found out by the next send.
    fn rest(&self, time: Duration) -> Result<(), Stop> {
        match self.bell.rest(time) {
            Ok(Rest::Over) if self.sender.is_closed() => Err(Stop),
            Ok(Rest::Over) => Ok(()),
            Ok(Rest::Rung) | Err(_) => Err(Stop),
        }
    }
}
