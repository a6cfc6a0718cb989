//! The log: to journald with a field for each number if journald reads standard error, otherwise as text to standard
//! error.

use std::collections::HashMap;
use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use tracing::callsite::Identifier;
use tracing::{Event, Level, Subscriber, subscriber, warn};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};

use crate::core::printable::printable;

/// Fields that the sentence already says in words: text leaves them out.
const SAID_IN_WORDS: [&str; 4] = ["state", "reason", "seconds", "weeks"];
/// At most this many lines from one place in the source ...
const LINES: u32 = 200;
/// ... within this time: a peer that keeps provoking the same message must not fill the disk.
const WINDOW: Duration = Duration::from_secs(60);

/// Starts logging everything up to this level.
pub(super) fn start(debug: bool) {
    let level = if debug { Level::DEBUG } else { Level::INFO };
    // A process has one subscriber: a second call changes nothing.
    let _ = match journald() {
        Some(journald) => subscriber::set_global_default(
            tracing_subscriber::registry().with(LevelFilter::from_level(level)).with(Limiter::default()).with(journald),
        ),
        None => {
            let fields = debug_fn(|to, field, value| match field.name() {
                "message" => write!(to, "{}", printable(&format!("{value:?}"))),
                name if SAID_IN_WORDS.contains(&name) => Ok(()),
                name => write!(to, " {name}={}", printable(&format!("{value:?}"))),
            });
            let text = tracing_subscriber::fmt().with_writer(|| Stderr).with_target(false).with_max_level(level);
            subscriber::set_global_default(text.with_ansi(false).fmt_fields(fields).finish().with(Limiter::default()))
        }
    };
}

/// journald, if it reads standard error: `JOURNAL_STREAM` then is its device and inode (`systemd.exec(5)`). The variable
/// stays set in a service whose standard error was redirected.
fn journald() -> Option<tracing_journald::Layer> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let stderr = io::stderr().as_fd().try_clone_to_owned().and_then(|fd| std::fs::File::from(fd).metadata()).ok()?;
    if stream != format!("{}:{}", stderr.dev(), stderr.ino()) {
        return None;
    }
    // syslog(3) levels, for `journalctl -p warning`.
    let priorities = PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
        ..PriorityMappings::new()
    };
    let layer = tracing_journald::layer().ok()?;
    Some(layer.with_field_prefix(Some("GNSS2SHM".into())).with_priority_mappings(priorities))
}

/// Standard error: a full disk or a closed pipe costs the line, not the process.
struct Stderr;

impl Write for Stderr {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Drops lines beyond [`LINES`] per [`WINDOW`] and place in the source, except those of --debug.
#[derive(Debug, Default)]
struct Limiter(Mutex<HashMap<Identifier, Window>>);

/// Lines from one place since a moment.
#[derive(Clone, Copy, Debug)]
struct Window {
    since: Instant,
    lines: u32,
}

impl Window {
    /// Counts a line: whether it is logged, and how many of the previous window were not.
    fn count(&mut self, now: Instant) -> (bool, u32) {
        let mut dropped = 0;
        if now.saturating_duration_since(self.since) >= WINDOW {
            dropped = self.lines.saturating_sub(LINES);
            *self = Self { since: now, lines: 0 };
        }
        self.lines = self.lines.saturating_add(1);
        (self.lines <= LINES, dropped)
    }
}

impl<S: Subscriber> Layer<S> for Limiter {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let now = Instant::now();
        let (is_logged, dropped) = {
            let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            windows.entry(metadata.callsite()).or_insert(Window { since: now, lines: 0 }).count(now)
        };
        if dropped > 0 {
            warn!(
                "{dropped} lines like the next one were dropped: at most {LINES} are logged in {} s",
                WINDOW.as_secs()
            );
        }
        is_logged
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_limit_are_dropped_and_counted_once() {
        let begin = Instant::now();
        let mut window = Window { since: begin, lines: 0 };
        let logged = (0..270).filter(|_| window.count(begin).0).count();
        assert_eq!(logged, LINES as usize);
        assert_eq!(window.count(begin + WINDOW), (true, 70));
        assert_eq!(window.count(begin + WINDOW), (true, 0));
    }
}
