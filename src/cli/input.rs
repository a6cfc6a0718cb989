//! A file that a verb reads to its end, or standard input.

use std::convert::Infallible;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, stdin};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::str::FromStr;

use super::{ExitCode, Failure};
use crate::sys::reader::await_input;

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
    /// Hands over piece after piece to the end, for as long as somebody reads standard output, or until `take` fails.
    pub(super) fn read(&self, mut take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let cannot = |error: std::io::Error| {
            let code = match error.kind() {
                ErrorKind::PermissionDenied => ExitCode::NoPermission,
                _ => ExitCode::NoInput,
            };
            Failure::new(code, format!("{self} cannot be read: {error}"))
        };
        let opened = match self {
            Self::Stdin => stdin().as_fd().try_clone_to_owned().map(File::from),
            Self::File(path) => File::open(path),
        };
        let mut from = opened.map_err(cannot)?;
        let mut piece = vec![0; PIECE];
        loop {
            super::while_read(await_input(&from))?;
            match from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => take(piece.get(..length).unwrap_or_default())?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot(error)),
            }
        }
    }
}
