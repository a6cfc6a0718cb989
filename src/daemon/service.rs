//! Notifies systemd by the protocol of `sd_notify(3)`, if `NOTIFY_SOCKET` is set. The event loop calls [`Service::turn`] at
//! each of its ticks.

use std::time::{Duration, Instant};

use sd_notify::NotifyState;

use crate::source::pulse::Heartbeat;

/// The watchdog is notified this many times within its timeout.
const PER_TIMEOUT: u32 = 4;

/// The connection to the service manager.
#[derive(Debug)]
pub struct Service {
    watchdog: Option<Watchdog>,
}

impl Service {
    /// From the environment of this process. Reports readiness: every source is served, though a device may still be
    /// missing. Readiness is not a lock, because a receiver may need minutes and must not delay other units. `pulse` is the
    /// heartbeat of the thread that reads the pulse.
    pub fn ready(pulse: Heartbeat) -> Self {
        notify(NotifyState::Ready);
        Self { watchdog: sd_notify::watchdog_enabled().map(|timeout| Watchdog::new(timeout, pulse)) }
    }

    /// The event loop runs: notifies the watchdog while the thread that reads the pulse runs, too.
    pub fn turn(&mut self) {
        if self.watchdog.as_mut().is_some_and(|watchdog| watchdog.is_due(Instant::now())) {
            notify(NotifyState::Watchdog);
        }
    }

    /// Sets the line that `systemctl status` shows.
    pub fn status(&self, line: &str) {
        notify(NotifyState::Status(line));
    }

    /// The process is about to end.
    pub fn stopping(&self) {
        notify(NotifyState::Stopping);
    }
}

fn notify(state: NotifyState<'_>) {
    // If the manager cannot be reached, there is no other way to tell it.
    let _ = sd_notify::notify(&[state]);
}

/// When to notify the watchdog.
#[derive(Debug)]
struct Watchdog {
    pulse: Heartbeat,
    /// The heartbeat's count at the last notification.
    seen: u64,
    every: Duration,
    next: Option<Instant>,
}

impl Watchdog {
    fn new(timeout: Duration, pulse: Heartbeat) -> Self {
        Self { seen: pulse.count(), pulse, every: timeout / PER_TIMEOUT, next: None }
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
