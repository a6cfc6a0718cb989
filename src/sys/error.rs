//! Why a device, a socket, a segment or a file cannot be used: one error for every room that opens something. The
//! command line's table gives each [`Problem`] its exit code.

use std::fmt::Display;
use std::io::{self, ErrorKind};

/// What is wrong with what should be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Problem {
    /// The options contradict each other, or the settings file.
    Options,
    /// The operator named something else than what is needed: no retry helps.
    Wrong,
    /// The device or the kernel lacks what is needed.
    Unsupported,
    /// Another process has it.
    Taken,
    /// It does not exist, or not yet.
    NotThere,
    /// Permission denied.
    Denied,
    /// It could not be created.
    NotCreated,
    /// The operating system refused.
    Failed,
}

/// Why something cannot be opened, in the operator's words: what is wrong, where, what to do.
#[derive(Debug, thiserror::Error)]
#[error("{sentence}")]
pub struct OpenError {
    /// What kind of trouble it is.
    pub problem: Problem,
    sentence: String,
    source: Option<io::Error>,
}

impl OpenError {
    /// With the whole sentence.
    pub fn new(problem: Problem, sentence: impl Into<String>) -> Self {
        Self { problem, sentence: sentence.into(), source: None }
    }

    /// What the system said of it: `{what}: {error}`.
    pub fn io(what: impl Display, error: io::Error) -> Self {
        let problem = match error.kind() {
            ErrorKind::NotFound => Problem::NotThere,
            ErrorKind::PermissionDenied => Problem::Denied,
            ErrorKind::ResourceBusy | ErrorKind::AddrInUse => Problem::Taken,
            _ => Problem::Failed,
        };
        Self { problem, sentence: format!("{what}: {error}"), source: Some(error) }
    }

    /// The same of something that was to be created.
    pub(crate) fn not_created(what: impl Display, error: io::Error) -> Self {
        match Self::io(what, error) {
            denied @ Self { problem: Problem::Denied, .. } => denied,
            other => Self { problem: Problem::NotCreated, ..other },
        }
    }
}
