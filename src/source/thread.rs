//! The one thread that owns the device with the edges, a PHC or a kernel PPS: asking either for edges blocks. It waits
//! for a device that is gone. Everything it finds goes into a channel. What is done with an open device is the
//! device's.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::sync::Arc;
use std::thread::{Builder, JoinHandle, sleep};
use std::time::{Duration, Instant as StdInstant};

use tokio::sync::{mpsc, watch};
use tracing::warn;

use super::heartbeat::Heartbeat;
use crate::core::event::{Event, SourceChange};
use crate::sys::clock::raw_now;
use crate::sys::eventfd::{EventFd, Rest};

#[cfg(test)]
mod tests;

/// A device that is gone is looked for this often.
const RETRY: Duration = Duration::from_secs(1);
/// A channel that is full is tried again after this.
const FULL: Duration = Duration::from_millis(5);
/// How long the end of the thread is waited for. It takes milliseconds, more on a busy machine, unless another program
/// on a kernel before 6.7 took the event that our read is waiting for.
const STUCK: Duration = Duration::from_secs(3);

/// A device whose edges a [`PulseThread`] passes on.
pub trait Device: Sized + Send + 'static {
    /// What it takes to open it.
    type Config: Send + 'static;
    /// Why it cannot be opened; displayed, the operator's sentence.
    type Error: fmt::Display;
    /// What is told when it is not there.
    const LOST: SourceChange;

    /// Opens it, and says in the log what was found.
    fn open(config: &Self::Config) -> Result<Self, Self::Error>;

    /// Whether it is just not there.
    fn is_absent(error: &Self::Error) -> bool;

    /// Tells that it is open, then passes on edges and cross timestamps; the edges of a read before the cross timestamp
    /// that is taken right after it.
    ///
    /// # Errors
    /// Why that came to an end; nothing else ends it.
    fn serve(&mut self, link: &Link) -> Result<Infallible, Served>;
}

/// The thread that owns the device. Dropped, it is stopped.
#[derive(Debug)]
pub struct PulseThread {
    bell: Arc<EventFd>,
    heart: Heartbeat,
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
    /// It did not end within three seconds: it sits in a read that another program's read emptied. It is left behind.
    Stuck,
}

impl PulseThread {
    /// Starts the thread on a device that was opened before, or has it wait for one. Into the channel go
    /// [`Event::Source`], [`Event::Edge`] and [`Event::CrossTs`]. The thread ends when the channel is closed. What is
    /// wrong with a device that is waited for it says in the log, once.
    ///
    /// # Errors
    /// The system gives no thread or no descriptor.
    pub fn spawn<D: Device>(config: D::Config, opened: Option<D>, sender: mpsc::Sender<Event>) -> io::Result<Self> {
        let bell = Arc::new(EventFd::new()?);
        let heart = Heartbeat::default();
        let link = Link { sender, bell: Arc::clone(&bell), heart: heart.clone() };
        Self::start(bell, heart, move || own(&config, opened, &link))
    }

    fn start(bell: Arc<EventFd>, heart: Heartbeat, body: impl FnOnce() -> Stop + Send + 'static) -> io::Result<Self> {
        let (death, alive) = watch::channel(());
        let handle = Builder::new().name("pulse".into()).spawn(move || {
            let _death = death; // dropped at the end, also by a panic: that is how `death` learns of it
            let Stop = body();
        })?;
        Ok(Self { bell, heart, alive, handle: Some(handle) })
    }

    /// Waits until the thread has ended, for whatever reason.
    pub fn death(&self) -> impl Future<Output = ()> + use<> {
        let mut alive = self.alive.clone();
        async move { while alive.changed().await.is_ok() {} }
    }

    /// Beats while the thread goes round, at least once a second; stands still while it sits in a call.
    pub fn heart(&self) -> Heartbeat {
        self.heart.clone()
    }

    /// Whether the thread has ended, for whatever reason.
    pub fn is_finished(&self) -> bool {
        self.handle.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends the thread. The device is left as it was found.
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

impl Drop for PulseThread {
    fn drop(&mut self) {
        self.end();
    }
}

/// The bell was rung or nobody listens any more.
#[derive(Debug)]
pub struct Stop;

/// Why a device is served no more.
#[derive(Debug)]
pub enum Served {
    /// The thread is to end.
    Stopped(Stop),
    /// The device is gone or cannot be used any more, which is this sentence.
    Lost(String),
}

impl From<Stop> for Served {
    fn from(stop: Stop) -> Self {
        Self::Stopped(stop)
    }
}

/// What was said last in the log about a device that is waited for.
enum Said {
    Nothing,
    /// That it is gone or cannot be used any more, by this sentence.
    Lost(String),
    /// This.
    Sentence(String),
}

/// Serves the device for as long as it is there, and waits for it where it is not.
fn own<D: Device>(config: &D::Config, opened: Option<D>, link: &Link) -> Stop {
    let (mut next, mut said) = (opened, Said::Nothing);
    loop {
        let opened = next.take().map_or_else(|| reopen(config, said, link), Ok);
        let mut device: D = match opened {
            Ok(device) => device,
            Err(stop) => return stop,
        };
        let Err(why) = device.serve(link);
        match why {
            Served::Stopped(stop) => return stop,
            Served::Lost(sentence) => {
                warn!("{sentence}");
                said = Said::Lost(sentence);
            }
        }
    }
}

/// Tries every second. Says what is wrong once, and again only when it is something else than what was `said`.
fn reopen<D: Device>(config: &D::Config, mut said: Said, link: &Link) -> Result<D, Stop> {
    link.change(D::LOST)?;
    loop {
        link.beat();
        let error = match D::open(config) {
            Ok(device) => return Ok(device), // it has said so itself
            Err(error) => error,
        };
        let sentence = error.to_string();
        let is_news = match &said {
            Said::Nothing => true,
            Said::Lost(before) => !D::is_absent(&error) && *before != sentence,
            Said::Sentence(before) => *before != sentence,
        };
        if is_news {
            warn!("{sentence}");
            said = Said::Sentence(sentence);
        }
        link.rest(RETRY)?;
    }
}

/// What a device that is served has of the world: where its events go, and the bell that asks it to stop.
#[derive(Debug)]
pub struct Link {
    sender: mpsc::Sender<Event>,
    bell: Arc<EventFd>,
    heart: Heartbeat,
}

impl Link {
    /// Tells the watchdog that the thread goes round: for each round of [`Device::serve`], once a second at least.
    pub fn beat(&self) {
        self.heart.beat();
    }

    /// What ends every wait.
    pub fn bell(&self) -> &EventFd {
        &self.bell
    }

    /// Tells what happened to the device now.
    pub fn change(&self, change: SourceChange) -> Result<(), Stop> {
        self.send(Event::Source { raw: raw_now(), change })
    }

    /// Waits for room in the channel, but not past the bell: who rings may be the one who should make room.
    pub fn send(&self, event: Event) -> Result<(), Stop> {
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
    pub fn rest(&self, time: Duration) -> Result<(), Stop> {
        match self.bell.rest(time) {
            Ok(Rest::Over) if self.sender.is_closed() => Err(Stop),
            Ok(Rest::Over) => Ok(()),
            Ok(Rest::Rung) | Err(_) => Err(Stop),
        }
    }
}
