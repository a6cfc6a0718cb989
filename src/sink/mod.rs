//! Where samples go. A sink takes finished samples and knows nothing of where they came from.

pub mod shm;
pub mod sock;

use tracing::warn;

use crate::core::event::Sample;
use shm::ShmSink;
use sock::SockSink;

/// The refclocks that get every sample. Each fails on its own.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The SHM refclock.
    pub shm: Option<ShmSink>,
    /// The SOCK refclock.
    pub sock: Option<SockSink>,
    /// Why the segment, which somebody removed, is not made anew, as it was said last.
    orphaned: Option<String>,
}

impl Sinks {
    /// With these refclocks.
    pub fn new(shm: Option<ShmSink>, sock: Option<SockSink>) -> Self {
        Self { shm, sock, orphaned: None }
    }

    /// Whether a sample would reach nobody.
    pub fn are_lost(&self) -> bool {
        self.orphaned.is_some() && self.sock.is_none()
    }

    /// Hands the sample on.
    pub fn publish(&mut self, sample: &Sample) {
        if let Some(shm) = &mut self.shm {
            shm.publish(sample);
        }
        if let Some(sock) = &mut self.sock {
            sock.publish(sample);
        }
    }

    /// Looks after what others may have removed; called once a second.
    pub fn renew(&mut self) {
        let Some(shm) = &mut self.shm else { return };
        let orphaned = match shm.renew() {
            Ok(false) => None,
            Ok(true) => {
                warn!("the segment of SHM unit {} was removed and is made anew: restart chronyd", shm.unit());
                None
            }
            Err(error) => Some(error.to_string()),
        };
        if orphaned != self.orphaned
            && let Some(why) = &orphaned
        {
            warn!("the segment was removed, and no other can be used: {why}");
        }
        self.orphaned = orphaned;
    }

    /// Withdraws what can be withdrawn.
    pub fn invalidate(&mut self) {
        if let Some(shm) = &mut self.shm {
            shm.invalidate();
        }
    }
}

impl From<ShmSink> for Sinks {
    fn from(shm: ShmSink) -> Self {
        Self::new(Some(shm), None)
    }
}
