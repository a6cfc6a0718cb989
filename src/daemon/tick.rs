//! When the engine is told that time passes: with the first event after nearly a second, or at its latest by an alarm.
//! At one pulse a second no tick is a wake-up of its own.

use std::time::Duration;

use crate::core::time::{Instant, Raw, Span};
use crate::sys::alarm::Alarm;
use crate::sys::clock::raw_now;

/// From one tick to the next at least. Below a second, so that the pulses, a second apart, bring one each.
const EARLIEST: Span = Span::from_millis(950);
/// ... and at most, where nothing happens.
const LATEST: Duration = Duration::from_millis(1_050);

/// Makes the ticks. The first is due at once.
#[derive(Debug, Default)]
pub(super) struct Ticker {
    last: Option<Instant<Raw>>,
    alarm: Alarm,
}

impl Ticker {
    /// Waits until a tick is due, with whatever happens meanwhile or though nothing does. Cancel safe.
    pub(super) async fn due(&self) {
        if !self.goes_with_what_happens(raw_now()) {
            self.alarm.rung().await;
        }
    }

    fn goes_with_what_happens(&self, now: Instant<Raw>) -> bool {
        self.last.is_none_or(|last| now - last >= EARLIEST)
    }

    /// It ticks now.
    pub(super) fn tick(&mut self) -> Instant<Raw> {
        let now = raw_now();
        self.last = Some(now);
        self.alarm.set(LATEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_goes_with_an_event_or_comes_by_itself() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut ticker = Ticker::default();
            assert!(ticker.goes_with_what_happens(raw_now()), "the first");
            let first = ticker.tick();
            for (ms, is_due) in [(0, false), (949, false), (950, true), (5_000, true)] {
                assert_eq!(ticker.goes_with_what_happens(first + Span::from_millis(ms)), is_due, "{ms}");
            }
            ticker.due().await;
            assert!(raw_now() - first >= Span::from_millis(1_040));
        });
    }
}
