//! Where the log goes: to journald with a field for each number, if journald reads our standard error; else as text to
//! standard error.

mod limiter;

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Level, subscriber};
use tracing_journald::{Priority, PriorityMappings};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;

use crate::core::printable::printable;
use limiter::Limiter;

/// Fields that the sentence beside them says in words: text leaves them out.
const SAID_IN_WORDS: [&str; 4] = ["state", "reason", "seconds", "weeks"];

/// From now on everything up to this level is logged.
pub(super) fn start(debug: bool) {
    let level = if debug { Level::DEBUG } else { Level::INFO };
    // A second subscriber in one process would be refused; the first one does.
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
            let text = tracing_subscriber::fmt().with_writer(|| Log).with_target(false).with_max_level(level);
            subscriber::set_global_default(text.with_ansi(false).fmt_fields(fields).finish().with(Limiter::default()))
        }
    };
}

/// journald, if it is at the other end of standard error: `JOURNAL_STREAM` is its device and inode then
/// (`systemd.exec(5)`). A service whose standard error was sent elsewhere still has the variable, and wants its log
/// there.
fn journald() -> Option<tracing_journald::Layer> {
    let stream = std::env::var("JOURNAL_STREAM").ok()?;
    let stderr = io::stderr().as_fd().try_clone_to_owned().and_then(|fd| std::fs::File::from(fd).metadata()).ok()?;
    if stream != format!("{}:{}", stderr.dev(), stderr.ino()) {
        return None;
    }
    // The levels are syslog's (`syslog(3)`), so that `journalctl -p warning` shows what needs a look.
    let priorities = PriorityMappings {
        info: Priority::Informational,
        debug: Priority::Debug,
        trace: Priority::Debug,
        ..PriorityMappings::new()
    };
    let layer = tracing_journald::layer().ok()?;
    Some(layer.with_field_prefix(Some("GNSS2SHM".into())).with_priority_mappings(priorities))
}

/// Standard error, as the log needs it: a disk that is full or a reader that is gone costs the line, not the process.
struct Log;

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let _ = io::stderr().write_all(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
