//! A thread's sign of life: it beats once a round, and whoever watches sees whether it went on.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// A count that the thread moves on and its watcher reads. Clones are the same heart.
#[derive(Clone, Debug, Default)]
pub struct Heartbeat(Arc<AtomicU64>);

impl Heartbeat {
    /// The thread is here: called at least once a second.
    pub fn beat(&self) {
        self.0.fetch_add(1, Ordering::Relaxed); // it is only ever compared with itself
    }

    /// Another number than last time, if it has beaten since.
    pub fn count(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
