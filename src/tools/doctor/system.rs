//! The machine as the checks see it: files below one directory, and the few questions that are no files. Nothing here
//! changes anything, and no device is opened.

use std::fmt;
use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::daemon::status::snapshot::Snapshot;
use crate::sys::clock::sys_now;
use crate::sys::ethtool;

/// A machine.
pub struct System {
    /// What stands for `/`.
    pub root: PathBuf,
    /// The system clock, POSIX seconds.
    pub now: i64,
    /// What `chronyc -c` answers to this command, or why it does not.
    pub chronyc: fn(&System, &str) -> Result<String, String>,
    /// What is said at this status socket, or why nothing is.
    pub status: fn(&Path) -> Result<Snapshot, String>,
    /// N of the `/dev/ptpN` that belongs to a network interface, by its driver.
    pub phc_index: fn(&str) -> io::Result<Option<u32>>,
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("System").field("root", &self.root).field("now", &self.now).finish_non_exhaustive()
    }
}

/// What is known of a file without opening it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Where it is, links followed.
    pub path: PathBuf,
    /// Owning user.
    pub uid: u32,
    /// Owning group.
    pub gid: u32,
    /// Permission bits.
    pub mode: u32,
    /// What it is.
    pub kind: Kind,
}

/// What a file is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A directory.
    Directory,
    /// A FIFO.
    Fifo,
    /// A socket.
    Socket,
    /// A device, or a file.
    Other,
}

impl System {
    /// This machine, which is asked with `status` how an instance stands.
    pub fn live(status: fn(&Path) -> Result<Snapshot, String>) -> Self {
        Self { root: "/".into(), now: sys_now().parts().0, chronyc, status, phc_index: ethtool::phc_index }
    }

    /// Where a path of this machine is.
    pub fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = path.as_ref();
        self.root.join(path.strip_prefix("/").unwrap_or(path))
    }

    /// A file's text. Bytes that are no text are replaced: what is read here is judged by its words.
    pub fn text(&self, path: impl AsRef<Path>) -> io::Result<String> {
        self.bytes(path).map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
    }

    /// A file as it is.
    pub fn bytes(&self, path: impl AsRef<Path>) -> io::Result<Vec<u8>> {
        fs::read(self.at(path))
    }

    /// A file of sysfs or procfs that holds one value; none where it cannot be read.
    pub fn value(&self, path: impl AsRef<Path>) -> Option<String> {
        self.text(path).ok().map(|text| text.trim().to_owned())
    }

    /// Names in a directory, in order; none where it cannot be read.
    pub fn names(&self, directory: impl AsRef<Path>) -> Vec<String> {
        let found = fs::read_dir(self.at(directory)).into_iter().flatten().flatten();
        let mut names: Vec<_> = found.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        names
    }

    /// Whether something is there.
    pub fn has(&self, path: impl AsRef<Path>) -> bool {
        fs::symlink_metadata(self.at(path)).is_ok()
    }

    /// Where a path leads, links followed.
    pub fn real(&self, path: impl AsRef<Path>) -> io::Result<PathBuf> {
        let (real, root) = (fs::canonicalize(self.at(path))?, fs::canonicalize(&self.root)?);
        Ok(Path::new("/").join(real.strip_prefix(root).unwrap_or(&real)))
    }

    /// What is known of a file without opening it.
    pub fn node(&self, path: impl AsRef<Path>) -> io::Result<Node> {
        let path = self.real(path)?;
        let found = fs::metadata(self.at(&path))?;
        let kind = match found.file_type() {
            kind if kind.is_dir() => Kind::Directory,
            kind if kind.is_fifo() => Kind::Fifo,
            kind if kind.is_socket() => Kind::Socket,
            _ => Kind::Other,
        };
        Ok(Node { path, uid: found.uid(), gid: found.gid(), mode: found.mode() & 0o777, kind })
    }
}

/// chronyc gives up by itself after a few seconds where nobody answers.
fn chronyc(_: &System, command: &str) -> Result<String, String> {
    let mut chronyc = Command::new("chronyc");
    let said = chronyc.args(["-c", command]).stdin(Stdio::null()).output();
    let said = said.map_err(|error| format!("chronyc cannot be started ({error})"))?;
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    if said.status.success() {
        return Ok(text(&said.stdout));
    }
    // What went wrong comes on standard output.
    let why = [text(&said.stdout), text(&said.stderr)].into_iter().find(|why| !why.is_empty());
    Err(format!("chronyc: {}", why.unwrap_or_else(|| said.status.to_string())))
}

/// Whether a name fits a pattern with `*` and `?`, as in a glob, but of one name only.
pub(super) fn fits(pattern: &str, name: &str) -> bool {
    let mut rest = pattern.chars();
    match rest.next() {
        None => name.is_empty(),
        Some('*') => {
            let rest = rest.as_str();
            fits(rest, name) || name.char_indices().any(|(at, c)| fits(rest, &name[at + c.len_utf8()..]))
        }
        Some(wanted) => {
            let mut name = name.chars();
            name.next().is_some_and(|c| wanted == '?' || wanted == c) && fits(rest.as_str(), name.as_str())
        }
    }
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
            ("ttyS?", "ttyS0", true),
            ("ttyS?", "ttyS", false),
            ("char-ttyS*", "char-ttyS", true),
            ("", "", true),
        ] {
            assert_eq!(fits(pattern, name), is_fit, "{pattern} {name}");
        }
    }
}
