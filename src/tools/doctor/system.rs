//! The machine that is checked: files below a root directory, and the few questions that no file answers. Nothing here
//! changes anything, and no device is opened.

use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::daemon::status::snapshot::Snapshot;
use crate::sys::clock::sys_now;
use crate::sys::ethtool;

/// A machine.
#[derive(Debug)]
pub struct System {
    /// Its root directory.
    pub root: PathBuf,
    /// The system clock, POSIX seconds.
    pub now: i64,
    /// Output of `chronyc -c sources`, or why there is none.
    pub sources: fn(&System) -> Result<String, String>,
    /// The state at this status socket, or why there is none.
    pub status: fn(&Path) -> Result<Snapshot, String>,
    /// N of the `/dev/ptpN` that belongs to a network interface, from its driver.
    pub phc_index: fn(&str) -> io::Result<Option<u32>>,
}

/// A file that is not opened.
#[derive(Clone, Debug)]
pub(super) struct Node {
    /// Path, with links followed.
    pub(super) path: PathBuf,
    pub(super) meta: Metadata,
}

impl System {
    /// This machine; `status` asks an instance at its socket.
    pub fn live(status: fn(&Path) -> Result<Snapshot, String>) -> Self {
        Self { root: "/".into(), now: sys_now().parts().0, sources, status, phc_index: ethtool::phc_index }
    }

    /// Where a path of this machine is.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// Contents of a file; bytes that are not UTF-8 are replaced.
    pub fn text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        fs::read(self.at(path)).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Value of a file of sysfs or procfs; none where it cannot be read.
    pub(super) fn value(&self, path: impl AsRef<Path>) -> Option<String> {
        self.text(path).ok().map(|text| text.trim().to_owned())
    }

    /// Sorted names in a directory; none where it cannot be read.
    pub(super) fn names(&self, directory: impl AsRef<Path>) -> Vec<String> {
        let found = fs::read_dir(self.at(directory)).into_iter().flatten().flatten();
        let mut names: Vec<_> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Whether this path exists, as a link that leads nowhere does.
    pub(super) fn has(&self, path: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// Where a path leads, links followed.
    pub(super) fn real(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let (real, root) = (fs::canonicalize(self.at(path))?, fs::canonicalize(&self.root)?);
        Ok(Path::new("/").join(real.strip_prefix(root).unwrap_or(&real)))
    }

    /// What stat(2) says of a file.
    pub(super) fn node(&self, path: impl AsRef<Path>) -> io::Result<Node> {
        let path = self.real(path)?;
        Ok(Node { meta: fs::metadata(self.at(&path))?, path })
    }
}

/// chronyc gives up by itself after a few seconds without an answer.
fn sources(_: &System) -> Result<String, String> {
    let output = Command::new("chronyc").args(["-c", "sources"]).stdin(Stdio::null()).output();
    let output = output.map_err(|error| format!("chronyc cannot be started ({error})"))?;
    // Its errors are on standard output, too.
    let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    if output.status.success() { Ok(text) } else { Err(format!("chronyc: {text} ({})", output.status)) }
}

/// Whether a name fits a pattern in which `*` stands for any characters.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, rest)) = pattern.split_once('*') else { return pattern == name };
    let Some(tail) = name.strip_prefix(start) else { return false };
    (0..=tail.len()).filter_map(|at| tail.get(at..)).any(|tail| fits(rest, tail))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, is_fit) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("chrony.*.sock", "chrony.gnss.sock", true),
            ("chrony.*.sock", "chrony.sock", false),
            ("char-ttyS*", "char-ttyS", true),
            ("ttyS0", "ttyS0", true),
            ("", "", true),
        ] {
            assert_eq!(fits(pattern, name), is_fit, "{pattern} {name}");
        }
    }
}
