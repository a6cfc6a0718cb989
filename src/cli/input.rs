//! A file that a verb reads to its end, or standard input.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, stdin};
use std::path::PathBuf;
use std::str::FromStr;

use super::{ExitCode, Failure};

/// Read at a time.
const PIECE: usize = 64 * 1024;

/// Where bytes come from.
#[derive(Clone, Debug)]
pub(super) enum Input {
    /// `-`
    Stdin,
    /// A path.
    File(PathBuf),
}

impl FromStr for Input {
    type Err = Infallible;
    fn from_str(text: &str) -> Result<Self, Infallible> {
        Ok(if text == "-" { Self::Stdin } else { Self::File(text.into()) })
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stdin => f.write_str("standard input"),
            Self::File(path) => path.display().fmt(f),
        }
    }
}

impl Input {
    /// Hands over piece after piece to the end, or until `take` says no.
    pub(super) fn read(&self, mut take: impl FnMut(&[u8]) -> bool) -> Result<(), Failure> {
        let cannot = |error: std::io::Error| {
            let code = match error.kind() {
                ErrorKind::PermissionDenied => ExitCode::NoPermission,
                _ => ExitCode::NoInput,
            };
            Failure::new(code, format!("{self} cannot be read: {error}"))
        };
        let mut from: Box<dyn Read> = match self {
            Self::Stdin => Box::new(stdin().lock()),
            Self::File(path) => Box::new(File::open(path).map_err(cannot)?),
        };
        let mut piece = vec![0; PIECE];
        loop {
            match from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) if take(piece.get(..length).unwrap_or_default()) => {}
                Ok(_) => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot(error)),
            }
        }
    }
}
