//! Limits how often the same kind of line is logged: a line's kind is the place in the source that logs it. A peer that
//! provokes the same message again and again must not fill the disk.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber, warn};
use tracing_subscriber::layer::{Context, Layer};

/// So many of a kind ...
const LINES: u32 = 200;
/// ... within this time; more are counted and not said.
const WINDOW: Duration = Duration::from_secs(60);

/// Lets events pass, or not. What is only said with --debug passes: who asked for it wants all of it.
#[derive(Debug, Default)]
pub(super) struct Limiter(Mutex<HashMap<Identifier, Window>>);

/// What came of a kind since a moment.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    lines: u32,
}

impl Window {
    /// Counts a line that comes now: whether it passes, and how many of the window before did not.
    fn count(&mut self, now: Instant) -> (bool, u32) {
        let mut left_out = 0;
        if now.saturating_duration_since(self.since) >= WINDOW {
            left_out = self.lines.saturating_sub(LINES);
            *self = Self { since: now, lines: 0 };
        }
        self.lines = self.lines.saturating_add(1);
        (self.lines <= LINES, left_out)
    }
}

impl<S: Subscriber> Layer<S> for Limiter {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let now = Instant::now();
        let (passes, left_out) = {
            let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            windows.entry(metadata.callsite()).or_insert(Window { since: now, lines: 0 }).count(now)
        };
        if left_out > 0 {
            warn!("{left_out} lines like the next one were left out: {LINES} are said in {} s", WINDOW.as_secs());
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn so_many_lines_pass_and_the_rest_is_counted_once() {
        let begin = Instant::now();
        let mut window = Window { since: begin, lines: 0 };
        let passed = (0..270).filter(|_| window.count(begin).0).count();
        assert_eq!(passed, LINES as usize);
        assert_eq!(window.count(begin + WINDOW), (true, 70));
        assert_eq!(window.count(begin + WINDOW), (true, 0));
    }
}
