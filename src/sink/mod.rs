//! Where samples go. A sink takes finished samples and knows nothing of where they came from.

pub mod record;
pub mod shm;
pub mod sock;

use tracing::{debug, warn};

use crate::event::Sample;
use shm::ShmSink;
use sock::SockSink;

/// The refclocks that get every sample. Each fails on its own.
#[derive(Debug, Default)]
pub struct Sinks {
    /// The SHM refclock.
    pub shm: Option<ShmSink>,
    /// The SOCK refclock.
    pub sock: Option<SockSink>,
}

impl Sinks {
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
        match shm.renew() {
            Ok(false) => {}
            Ok(true) => warn!("the segment of SHM unit {} was removed and is made anew: restart chronyd", shm.unit()),
            Err(error) => debug!("{error}"),
        }
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
        Self { shm: Some(shm), sock: None }
    }
}
