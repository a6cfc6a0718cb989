//! The log: to journald with a field for each number if journald reads standard error, otherwise as text to standard
//! error.

use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;

use tracing::{Level, subscriber};
use tracing_subscriber::filter::LevelFilter;
use tracing_subscriber::fmt::format::debug_fn;
use tracing_subscriber::layer::SubscriberExt;

use crate::core::printable::printable;

/// Fields that the sentence already says in words: text leaves them out.
const SAID_IN_WORDS: [&str; 4] = ["state", "reason", "seconds", "weeks"];

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
    let layers = tracing_subscriber::registry().with(level).with(journald).with(text);
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
    Some(tracing_journald::layer().ok()?.with_field_prefix(Some("GNSS2SHM".into())))
}
