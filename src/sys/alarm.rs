//! Wakes a task once at one time. tokio's timers sort what is more than 64 ms ahead into slots and wake the thread at
//! the beginning of each slot only to sort again: two or three wake-ups instead of one. An alarm is a timerfd.

use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use tokio::io::Interest;
use tokio::io::unix::AsyncFd;
use tokio::time::{Instant, sleep_until};

/// An alarm clock for one task. Must be made within a tokio runtime.
#[derive(Debug)]
pub struct Alarm {
    /// Expires at `due`. None if no descriptor is left: then tokio's own timers are used.
    timer: Option<AsyncFd<OwnedFd>>,
    due: Instant,
}

impl Alarm {
    /// An alarm that is due at once.
    pub(crate) fn new() -> Self {
        Self { timer: timer(TimerfdClockId::Monotonic).ok(), due: Instant::now() }
    }

    /// Rings in `time`, and not at the time that it was set to before.
    pub(crate) fn set(&mut self, time: Duration) {
        self.due = Instant::now() + time;
        // All zero would disarm it.
        let at = Timespec::try_from(time.max(Duration::from_nanos(1)));
        self.timer = self
            .timer
            .take()
            .filter(|timer| at.is_ok_and(|at| arm(timer.get_ref(), TimerfdTimerFlags::empty(), at).is_ok()));
    }

    /// Waits until it rings. Cancel safe.
    pub(crate) async fn rung(&self) {
        while Instant::now() < self.due {
            match &self.timer {
                // The count of expiries is not read, which saves a system call. One of an earlier time may ring here.
                Some(timer) if timer.readable().await.map(|mut ready| ready.clear_ready()).is_ok() => {}
                _ => sleep_until(self.due).await,
            }
        }
    }

    /// Sleeps for `time`.
    pub(crate) async fn sleep(&mut self, time: Duration) {
        self.set(time);
        self.rung().await;
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
}

/// A timer that is not armed yet. Must be called within a tokio runtime.
pub(super) fn timer(clock: TimerfdClockId) -> io::Result<AsyncFd<OwnedFd>> {
    let fd = timerfd_create(clock, TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK)?;
    // SAFETY: an `OwnedFd` is the same open descriptor for as long as it lives, and `AsyncFd` owns it.
    unsafe { AsyncFd::register_with_interest(fd, Interest::READABLE) }.map_err(io::Error::from)
}

/// Has it expire once.
pub(super) fn arm(timer: &OwnedFd, flags: TimerfdTimerFlags, at: Timespec) -> rustix::io::Result<()> {
    let never = Timespec { tv_sec: 0, tv_nsec: 0 };
    timerfd_settime(timer, flags, &Itimerspec { it_interval: never, it_value: at }).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant as StdInstant;

    fn on_runtime(work: impl Future<Output = ()>) {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
    }

    /// How often this thread has gone to sleep.
    fn sleeps() -> u32 {
        let status = std::fs::read_to_string("/proc/thread-self/status").unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).unwrap();
        line.trim().parse().unwrap()
    }

    #[test]
    fn a_wait_wakes_the_thread_once() {
        on_runtime(async {
            let mut alarm = Alarm::new();
            alarm.sleep(Duration::ZERO).await;
            let before = sleeps();
            for _ in 0..10 {
                alarm.sleep(Duration::from_millis(70)).await;
            }
            let woken = sleeps() - before;
            assert!((10..=13).contains(&woken), "{woken} for 10 waits");
        });
    }

    #[test]
    fn it_rings_at_its_time_and_not_at_one_that_was_replaced() {
        on_runtime(async {
            let mut alarm = Alarm::new();
            alarm.rung().await; // due at once
            let begin = StdInstant::now();
            alarm.set(Duration::from_millis(10));
            std::thread::sleep(Duration::from_millis(20)); // it has expired, and nobody has waited
            alarm.set(Duration::from_millis(60));
            let canceled = tokio::time::timeout(Duration::from_millis(5), alarm.rung()).await;
            assert!(canceled.is_err());
            alarm.rung().await;
            assert!(begin.elapsed() >= Duration::from_millis(80));
        });
    }

    #[test]
    fn without_a_descriptor_it_rings_all_the_same() {
        on_runtime(async {
            let mut alarm = Alarm { timer: None, due: Instant::now() };
            alarm.rung().await;
            let begin = StdInstant::now();
            alarm.sleep(Duration::from_millis(20)).await;
            assert!(begin.elapsed() >= Duration::from_millis(20));
        });
    }
}
