//! One wake-up at one time. tokio's timers sort what is more than 64 ms ahead into slots, and wake the thread at the
//! beginning of each slot only to sort again: two or three wake-ups for one. An alarm is a timer of the kernel's.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use crate::sys::timerfd::TimerFd;

/// An alarm clock for one task. Must be made within a tokio runtime.
#[derive(Debug)]
pub struct Alarm {
    /// None where no descriptor is left: then tokio's own timers do.
    timer: Option<TimerFd>,
    due: Instant,
}

impl Alarm {
    /// An alarm that is due at once.
    pub fn new() -> Self {
        let timer = TimerFd::new().and_then(|timer| timer.arm(Duration::ZERO).map(|()| timer));
        Self { timer: timer.ok(), due: Instant::now() }
    }

    /// Rings in `time`, and no more at the time that it was set to before.
    pub fn set(&mut self, time: Duration) {
        self.due = Instant::now() + time;
        self.timer = self.timer.take().filter(|timer| timer.arm(time).is_ok());
    }

    /// Waits until it rings. Cancel safe.
    pub async fn rung(&self) {
        while Instant::now() < self.due {
            match &self.timer {
                Some(timer) if timer.expired().await.is_ok() => {}
                _ => sleep_until(self.due).await,
            }
        }
    }

    /// Sleeps for `time`.
    pub async fn sleep(&mut self, time: Duration) {
        self.set(time);
        self.rung().await;
    }
}

impl Default for Alarm {
    fn default() -> Self {
        Self::new()
    }
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
