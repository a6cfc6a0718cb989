//! Why a device, a socket, a segment or a file cannot be used: one error type for every module that opens something.
//! The command line's table gives each [`Problem`] its exit code.

use std::fmt::Display;
use std::io::{self, ErrorKind};

/// Why it cannot be opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Problem {
    /// The options contradict each other or the settings file.
    Options,
    /// The operator gave something of the wrong kind: no retry helps.
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

/// Why something cannot be opened, in the operator's words: what is wrong and where, then what to do.
#[derive(Debug, thiserror::Error)]
#[error("{says}{}", cure.as_ref().map_or(String::new(), |cure| format!(": {cure}")))]
pub(crate) struct OpenError {
    /// The kind of problem.
    pub problem: Problem,
    /// What is wrong, and where.
    pub says: String,
    /// What to do; none if the sentence contains it, or if only the system's error is known.
    pub cure: Option<String>,
    source: Option<io::Error>,
}

impl OpenError {
    /// With the whole sentence.
    pub(crate) fn new(problem: Problem, sentence: impl Into<String>) -> Self {
        Self { problem, says: sentence.into(), cure: None, source: None }
    }

    /// With what is wrong, and what to do.
    pub(crate) fn cured(problem: Problem, says: impl Into<String>, cure: impl Into<String>) -> Self {
        Self { cure: Some(cure.into()), ..Self::new(problem, says) }
    }

    /// From a system error: `{what}: {error}`.
    pub(crate) fn io(what: impl Display, error: io::Error) -> Self {
        let problem = match error.kind() {
            ErrorKind::NotFound => Problem::NotThere,
            ErrorKind::PermissionDenied => Problem::Denied,
            ErrorKind::ResourceBusy | ErrorKind::AddrInUse => Problem::Taken,
            _ => Problem::Failed,
        };
        let says = format!("{what}: {error}");
        Self { problem, says, cure: None, source: Some(error) }
    }

    /// The same for something that could not be created.
    pub(crate) fn not_created(what: impl Display, error: io::Error) -> Self {
        match Self::io(what, error) {
            denied @ Self { problem: Problem::Denied, .. } => denied,
            other => Self { problem: Problem::NotCreated, ..other },
        }
    }
}
