//! Notifies systemd using the protocol of `sd_notify(3)`, if `NOTIFY_SOCKET` is set. The event loop calls
//! [`Watchdog::turn`] at each of its ticks.
//!
//! Readiness means that all sources are running, although a device may still be missing. It does not mean Locked, because
//! a receiver may need minutes and must not delay other units.

use std::time::{Duration, Instant};

pub(crate) use sd_notify::NotifyState;

use crate::source::link::Heartbeat;

/// The watchdog is notified this many times within its timeout.
const PER_TIMEOUT: u32 = 4;

/// Notifies the service manager.
pub(crate) fn notify(state: NotifyState<'_>) {
    // If the manager cannot be reached, there is no other way to notify it.
    let _ = sd_notify::notify(&[state]);
}

/// Notifies the watchdog while the event loop and the thread that reads the pulse run.
pub(crate) struct Watchdog {
    pulse: Heartbeat,
    /// The heartbeat's count at the last notification.
    seen: u64,
    every: Duration,
    next: Option<Instant>,
}

impl Watchdog {
    /// That of the environment of this process, if it has one. `pulse` is the heartbeat of the thread that reads the pulse.
    pub(crate) fn enabled(pulse: Heartbeat) -> Option<Self> {
        Some(Self::new(sd_notify::watchdog_enabled()?, pulse))
    }

    fn new(timeout: Duration, pulse: Heartbeat) -> Self {
        Self { seen: pulse.count(), pulse, every: timeout / PER_TIMEOUT, next: None }
    }

    /// The event loop runs.
    pub(crate) fn turn(&mut self) {
        if self.is_due(Instant::now()) {
            notify(NotifyState::Watchdog);
        }
    }

    /// Whether a notification is due, and the thread has run since the last one.
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
        // Four times in 8 s; the notification at 20 s is for the beat at 19 s.
        let expected: Vec<u64> = (0..60).step_by(2).filter(|second| !(21..40).contains(second)).collect();
        assert_eq!(fed, expected);
    }

    #[test]
    fn a_heart_that_never_beat_is_not_vouched_for() {
        let mut watchdog = Watchdog::new(Duration::from_secs(8), Heartbeat::default());
        assert!(!watchdog.is_due(Instant::now()));
    }
}
