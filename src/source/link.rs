//! What connects the thread that owns the pulse's device with the rest of the program.

use std::io::{self, PipeReader};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::Sender;

use crate::core::event::{Event, SourceChange};
use crate::sys::clock::raw_now;
use crate::sys::error::OpenError;
use crate::sys::wait::{Woken, wait};

/// The device's connection to the rest of the program: the channel for its events, and the bell that asks it to stop.
pub(super) struct Link {
    /// Blocks while the channel is full, until its receiver makes room or is dropped.
    pub(super) events: Sender<Event>,
    /// Ends every wait.
    pub(super) bell: PipeReader,
    /// Beats once a second at least, so that the watchdog knows that the thread is alive.
    pub(super) heart: Heartbeat,
}

impl Link {
    /// Tells what happened to the device now.
    pub(super) fn change(&self, change: SourceChange) -> Result<(), End> {
        self.events.blocking_send(Event::Source { raw: raw_now(), change }).map_err(|_| End::Stop)
    }

    /// Sleeps, unless the bell is rung or the channel is closed.
    pub(super) fn rest(&self, time: Duration) -> Result<(), End> {
        match wait(&self.bell, &self.bell, time) {
            Ok(Woken::Timeout) if !self.events.is_closed() => Ok(()),
            _ => Err(End::Stop),
        }
    }
}

/// A thread's sign of life: a count that it increases once a round, compared by its watcher. Clones are the same count.
#[derive(Clone, Debug, Default)]
pub(crate) struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// Called by the thread at least once a second.
    pub(crate) fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }

    /// Differs from the last count if the thread was alive in between.
    pub(crate) fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Why a device is no longer served.
#[derive(Debug, thiserror::Error)]
pub(super) enum End {
    #[error("the bell was rung, or the channel is closed")]
    Stop,
    #[error("{0}; check the device and its driver")]
    Io(#[from] io::Error),
    #[error("{0}")]
    Unusable(#[from] OpenError),
}
