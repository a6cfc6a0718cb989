//! The machine that is checked: files below a root directory, and the few questions that no file answers. Nothing here
//! changes anything, and no device is opened.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::daemon::status::snapshot::Snapshot;
use crate::source::sysfs;
use crate::sys::ptp;

/// A machine.
#[derive(Debug)]
pub struct System {
    /// Its root directory.
    pub root: PathBuf,
    /// Output of a program with these arguments, or why there is none.
    pub run: fn(&System, &str, &[&str]) -> Result<String, String>,
    /// The state at this status socket, or why there is none.
    pub status: fn(&Path) -> Result<Snapshot, String>,
    /// N of the `/dev/ptpN` that belongs to a network interface, from its driver.
    pub phc_index: fn(&str) -> io::Result<Option<u32>>,
}

impl System {
    /// This machine; `status` asks an instance at its socket.
    pub fn live(status: fn(&Path) -> Result<Snapshot, String>) -> Self {
        Self { root: "/".into(), run, status, phc_index: ptp::phc_index }
    }

    /// Where a path of this machine is.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Contents of a file, trimmed; empty where it cannot be read. Bytes that are not UTF-8 are replaced.
    pub(super) fn text(&self, path: impl AsRef<Path>) -> String {
        let bytes = fs::read(self.at(path)).unwrap_or_default();
        String::from_utf8_lossy(&bytes).trim().to_owned()
    }

    /// Sorted names in a directory; none where it cannot be read.
    pub(super) fn names(&self, directory: impl AsRef<Path>) -> Vec<String> {
        sysfs::names(&self.at(directory))
    }

    /// Where a path leads, links followed.
    pub(super) fn real(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let (real, root) = (fs::canonicalize(self.at(path))?, fs::canonicalize(&self.root)?);
        Ok(Path::new("/").join(real.strip_prefix(root).unwrap_or(&real)))
    }
}

/// systemctl and chronyc give up by themselves without an answer.
fn run(_: &System, program: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(program).args(args).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("{program} cannot be started ({error})"))?;
    // Errors of chronyc are on standard output, too.
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(format!("{program}: {text} ({})", output.status)) }
}
