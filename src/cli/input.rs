//! The input of a command that reads to the end: a file, or standard input.

use std::ffi::OsString;
use std::fmt;
use std::fs::File;
use std::io::{ErrorKind, Read, stdin};
use std::os::fd::AsFd;
use std::path::PathBuf;

use super::{ExitCode, Failure};
use crate::sys::wait::await_input;

/// Bytes to read at a time.
const PIECE: usize = 64 * 1024;

/// A path; `-` is standard input.
#[derive(Clone, Debug)]
pub(super) struct Input(PathBuf);

impl From<OsString> for Input {
    fn from(path: OsString) -> Self {
        Self(path.into())
    }
}

impl fmt::Display for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_stdin() { f.write_str("standard input") } else { self.0.display().fmt(f) }
    }
}

impl Input {
    pub(super) fn is_stdin(&self) -> bool {
        self.0.as_os_str() == "-"
    }

    /// Hands all of it to `take`, piece by piece. Ends early if standard output is closed or `take` fails.
    pub(super) fn read(&self, mut take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
        let cannot = |error: std::io::Error| {
            let code = match error.kind() {
                ErrorKind::PermissionDenied => ExitCode::NoPermission,
                _ => ExitCode::NoInput,
            };
            Failure::new(code, format!("{self} cannot be read: {error}"))
        };
        let opened =
            if self.is_stdin() { stdin().as_fd().try_clone_to_owned().map(File::from) } else { File::open(&self.0) };
        let mut from = opened.map_err(cannot)?;
        let mut piece = vec![0; PIECE];
        loop {
            super::written(await_input(&from))?;
            match from.read(&mut piece) {
                Ok(0) => return Ok(()),
                Ok(length) => take(piece.get(..length).unwrap_or_default())?,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(cannot(error)),
            }
        }
    }
}
