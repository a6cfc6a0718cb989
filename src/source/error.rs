//! Why a source cannot be opened, in the operator's words.

use std::fmt;

/// Why a source cannot be opened. Displayed, it is one sentence: what is wrong, where, what to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SourceError {
    /// It is not there: worth waiting for.
    NotThere(String),
    /// Somebody else has it: worth waiting for.
    Busy(String),
    /// It is there but is something else.
    Wrong(String),
    /// We may not open it.
    Denied(String),
    /// It refuses what it is asked for.
    Other(String),
}

impl SourceError {
    /// Whether waiting can help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::NotThere(_) | Self::Busy(_) => true,
            Self::Wrong(_) | Self::Denied(_) | Self::Other(_) => false,
        }
    }
}

impl fmt::Display for SourceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotThere(sentence)
            | Self::Busy(sentence)
            | Self::Wrong(sentence)
            | Self::Denied(sentence)
            | Self::Other(sentence) => f.write_str(sentence),
        }
    }
}

impl std::error::Error for SourceError {}
