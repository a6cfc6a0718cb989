//! The log: to journald with a field for each number if journald reads standard error, otherwise as text to standard
//! error.

use std::collections::HashMap;
use std::io;
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
    let level = LevelFilter::from_level(if debug { Level::DEBUG } else { Level::INFO });
    let fields = debug_fn(|to, field, value| match field.name() {
        "message" => write!(to, "{}", printable(&format!("{value:?}"))),
        name if SAID_IN_WORDS.contains(&name) => Ok(()),
        name => write!(to, " {name}={}", printable(&format!("{value:?}"))),
    });
    let journald = journald();
    let text = journald.is_none().then(|| {
        let text = tracing_subscriber::fmt::layer().with_writer(io::stderr).with_target(false).with_ansi(false);
        // A full disk or a closed pipe costs the line; reporting that to standard error, too, would panic.
        text.log_internal_errors(false).fmt_fields(fields)
    });
    // A process has one subscriber: a second call changes nothing.
    let layers = tracing_subscriber::registry().with(level).with(Limiter::default()).with(journald).with(text);
    let _ = subscriber::set_global_default(layers);
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

/// Drops lines beyond [`LINES`] per [`WINDOW`] and place in the source, except those of --debug.
#[derive(Debug, Default)]
struct Limiter(Mutex<HashMap<Identifier, Window>>);

/// When the window began, and its lines.
type Window = (Instant, u32);

impl<S: Subscriber> Layer<S> for Limiter {
    fn event_enabled(&self, event: &Event<'_>, _: Context<'_, S>) -> bool {
        let metadata = event.metadata();
        if *metadata.level() > Level::INFO {
            return true;
        }
        let now = Instant::now();
        let mut windows = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lines = count(windows.entry(metadata.callsite()).or_insert((now, 0)), now);
        // The warning comes through here, too.
        drop(windows);
        if lines == LINES {
            warn!("more lines like the next one are dropped for up to {} s", WINDOW.as_secs());
        }
        lines <= LINES
    }
}

/// Counts a line: its number within the window.
fn count(window: &mut Window, now: Instant) -> u32 {
    if now.saturating_duration_since(window.0) >= WINDOW {
        *window = (now, 0);
    }
    window.1 = window.1.saturating_add(1);
    window.1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_counts_its_lines_and_ends() {
        let begin = Instant::now();
        let mut window = (begin, 0);
        let logged = (0..270).filter(|_| count(&mut window, begin) <= LINES).count();
        assert_eq!(logged, LINES as usize);
        assert_eq!(count(&mut window, begin + WINDOW), 1);
        assert_eq!(count(&mut window, begin + WINDOW), 2);
    }
}
