//! What systemd is told of `run`, by the protocol of `sd_notify(3)`; where nobody asked (`NOTIFY_SOCKET` is not set),
//! nothing. It knows no more than it is shown: the event loop calls [`Service::turn`] from each of its ticks.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;
use tracing::debug;

use crate::source::thread::Heartbeat;

/// The watchdog is fed this many times within its patience.
const MEALS: u32 = 4;

/// The service manager's view of this process.
#[derive(Debug)]
pub struct Service {
    is_ready: bool,
    watchdog: Option<Watchdog>,
}

impl Service {
    /// By the environment of this process. `pulse` is the heart of the thread that reads the pulse.
    pub fn new(pulse: Heartbeat) -> Self {
        let watchdog = sd_notify::watchdog_enabled().map(|patience| Watchdog::new(patience, pulse));
        Self { is_ready: false, watchdog }
    }

    /// The event loop is here. The first time means that every source is being served, though a device may still be
    /// waited for: readiness is not a lock, for a receiver may need minutes and nothing else should be held up by it.
    /// From then on the watchdog is fed, while the thread that reads the pulse lives, too.
    pub fn turn(&mut self) {
        if !self.is_ready {
            self.is_ready = true;
            notify(NotifyState::Ready);
        }
        if self.watchdog.as_mut().is_some_and(|watchdog| watchdog.is_due(Instant::now())) {
            notify(NotifyState::Watchdog);
        }
    }

    /// The line that `systemctl status` shows from now on.
    pub fn status(&self, line: &str) {
        notify(NotifyState::Status(line));
    }

    /// The process is about to end.
    pub fn stopping(&self) {
        notify(NotifyState::Stopping);
    }
}

/// A manager that cannot be reached learns nothing; there is no other way to tell it.
fn notify(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        debug!("systemd cannot be notified: {error}");
    }
}

/// When to say that all is well.
#[derive(Debug)]
struct Watchdog {
    pulse: Heartbeat,
    /// What the heart had counted at the last meal.
    seen: u64,
    every: Duration,
    next: Option<Instant>,
}

impl Watchdog {
    fn new(patience: Duration, pulse: Heartbeat) -> Self {
        Self { seen: pulse.count(), pulse, every: patience / MEALS, next: None }
    }

    /// Whether it is time, and the heart has beaten since the last time.
    fn is_due(&mut self, now: Instant) -> bool {
        let count = self.pulse.count();
        if self.next.is_some_and(|next| now < next) || count == self.seen {
            return false;
        }
        self.seen = count;
        self.next = Some(now + self.every);
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_heart_that_stops_is_not_vouched_for() {
        let (heart, start) = (Heartbeat::default(), Instant::now());
        let mut watchdog = Watchdog::new(Duration::from_secs(8), heart.clone());
        let fed: Vec<u64> = (0..60)
            .filter(|second| {
                if !(20..40).contains(second) {
                    heart.beat();
                }
                watchdog.is_due(start + Duration::from_secs(*second))
            })
            .collect();
        // Four times in 8 s; the meal at 20 s is for the beat at 19 s.
        let expected: Vec<u64> = (0..60).step_by(2).filter(|second| !(21..40).contains(second)).collect();
        assert_eq!(fed, expected);
    }

    #[test]
    fn a_heart_that_never_beat_is_not_vouched_for() {
        let mut watchdog = Watchdog::new(Duration::from_secs(8), Heartbeat::default());
        assert!(!watchdog.is_due(Instant::now()));
    }
}
