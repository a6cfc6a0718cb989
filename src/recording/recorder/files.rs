//! The files of a recording: header, growth, rotation, and what to do when the disk refuses.

use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read, Write};
use std::iter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::Chunk;
use crate::recording::{Header, LEGEND, LOST, MAGIC};
use crate::sys::claim::{Claim, ClaimError, Rival};

/// Older files that are kept: `FILE.1` (the youngest) to `FILE.4`.
pub const KEPT: u32 = 4;
/// A recording's header, and what somebody wrote before it, is within so many bytes.
const HEAD: u64 = 64 * 1024;
/// After so many chunks, one a second or more, a disk is trusted again.
const STEADY: u32 = 5;
/// A recording says where the receiver stands: for its owner and group alone.
const MODE: u32 = 0o640;

/// Why a recording cannot begin.
#[derive(Debug)]
pub enum OpenError {
    /// The path names something that cannot be rotated.
    NotAFile(PathBuf),
    /// A file is there that is not a recording, and would be rotated away.
    NotARecording(PathBuf),
    /// Another process records to it.
    Taken(PathBuf, Rival),
    /// The file cannot be made.
    File(PathBuf, io::Error),
    /// It cannot be claimed.
    NoName(io::Error),
    /// No thread can be started.
    NoThread(io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotAFile(path) => write!(f, "{} is not a regular file: recordings need one", path.display()),
            Self::NotARecording(path) => write!(
                f,
                "{} is there and is not a recording, and recording would rotate it away: move it, or give --record \
                 another file",
                path.display()
            ),
            Self::Taken(path, rival) => write!(
                f,
                "{}: {rival} records to it, and each would rotate the other's files away: end that one, or give --record \
                 another file",
                path.display()
            ),
            Self::File(path, error) => write!(f, "{} cannot be recorded to: {error}", path.display()),
            Self::NoName(error) => write!(f, "no socket can be made to claim the recording with: {error}"),
            Self::NoThread(error) => write!(f, "no thread can be started: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Where a recording will be, while nobody else may record there. Nothing is touched yet.
#[derive(Debug)]
pub struct Place {
    path: PathBuf,
    claim: Claim,
}

impl Place {
    /// Claims this path.
    ///
    /// # Errors
    /// It names something that is no file, what is there or would be rotated is not a recording, or another process has
    /// claimed it.
    pub fn claim(path: PathBuf) -> Result<Self, OpenError> {
        match fs::metadata(&path) {
            Ok(meta) if !meta.is_file() => return Err(OpenError::NotAFile(path)),
            Ok(_) | Err(_) => {}
        }
        let mut all = iter::once(path.clone()).chain((1..=KEPT).map(|n| numbered(&path, n)));
        if let Some(other) = all.find(|path| !may_rotate(path)) {
            return Err(OpenError::NotARecording(other));
        }
        match Claim::take_path("record", &path) {
            Ok(claim) => Ok(Self { path, claim }),
            Err(ClaimError::Taken(rival)) => Err(OpenError::Taken(path, rival)),
            Err(ClaimError::Os(error)) => Err(OpenError::NoName(error)),
        }
    }
}

/// The file that grows, and those before it.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    limit: u64,
    /// Of the next file.
    header: Header,
    /// `None` while there is no file that can be trusted to end with a whole line.
    file: Option<File>,
    /// Length up to the last line that is whole.
    len: u64,
    /// Events that could not be written since the last one that could.
    missing: i64,
    state: Recording,
    /// Held while the name is ours, whichever file has it.
    _claim: Claim,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Recording {
    Runs,
    /// Said to pause. A disk that is nearly full takes a short chunk and refuses the next: that is not said each time.
    Paused {
        /// Chunks written since the last one that was refused.
        written: u32,
        /// Events that are missing because of this pause.
        missing: i64,
    },
}

impl Files {
    pub(super) fn open(place: Place, limit: u64, header: Header) -> Result<Self, OpenError> {
        let Place { path, claim } = place;
        let state = Recording::Runs;
        let mut files = Self { path, limit, header, file: None, len: 0, missing: 0, state, _claim: claim };
        match files.next_file() {
            Ok(file) => files.file = Some(file),
            Err(error) if is_full(&error) => files.pause(&error),
            Err(error) => return Err(OpenError::File(files.path, error)),
        }
        Ok(files)
    }

    fn pause(&mut self, error: &io::Error) {
        warn!("recording to {} pauses: {error}; samples are not concerned", self.path.display());
        self.state = Recording::Paused { written: 0, missing: self.missing };
    }

    /// Writes these lines, or counts them as missing.
    pub(super) fn write(&mut self, chunk: &Chunk) {
        let due = self.missing + chunk.missing;
        let result = self.try_write(due, &chunk.text);
        self.missing = if result.is_ok() { 0 } else { due + chunk.events };
        match (result, self.state) {
            (Ok(()), Recording::Runs) => {}
            (Ok(()), Recording::Paused { written: STEADY.., missing }) => {
                info!("recording to {} again; {missing} events are missing in it", self.path.display());
                self.state = Recording::Runs;
            }
            (Ok(()), Recording::Paused { written, missing }) => {
                self.state = Recording::Paused { written: written + 1, missing };
            }
            (Err(error), Recording::Runs) => self.pause(&error),
            (Err(_), Recording::Paused { missing, .. }) => {
                self.state = Recording::Paused { written: 0, missing: missing + chunk.missing + chunk.events };
            }
        }
    }

    fn try_write(&mut self, missing: i64, text: &str) -> io::Result<()> {
        let gap = if missing > 0 { format!("{LOST} {missing}\n") } else { String::new() };
        let added = (gap.len() + text.len()) as u64;
        let mut file = match self.file.take() {
            Some(file) if self.len + added <= self.limit => file,
            Some(_) | None => self.next_file()?,
        };
        let written = file.write_all(gap.as_bytes()).and_then(|()| file.write_all(text.as_bytes()));
        if let Err(error) = written {
            // Half a line must not stay. If it cannot be taken back, the next attempt begins a new file.
            self.file = file.set_len(self.len).is_ok().then_some(file);
            return Err(error);
        }
        self.len += added;
        self.file = Some(file);
        Ok(())
    }

    /// Makes way, and begins a file with a header.
    fn next_file(&mut self) -> io::Result<File> {
        make_way(&self.path)?;
        let mut file = OpenOptions::new().append(true).create_new(true).mode(MODE).open(&self.path)?;
        let head = format!("{}\n{LEGEND}", self.header);
        if let Err(error) = file.write_all(head.as_bytes()) {
            // Left there, it would push an older recording out at the next attempt.
            fs::remove_file(&self.path)?;
            return Err(error);
        }
        self.len = head.len() as u64;
        self.header.part += 1;
        Ok(file)
    }
}

/// Whether there may be room later.
fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

/// Whether this is a recording, or what is left of one, or nothing that can be read.
fn may_rotate(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let mut lines = head.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let magic = MAGIC.as_bytes();
    let is_header = |line: &[u8]| line.starts_with(magic) || magic.starts_with(line);
    read.is_err() || head.is_empty() || lines.next().is_some_and(is_header)
}

/// `FILE.1`, `FILE.2`, and so on.
fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// `FILE` becomes `FILE.1`, which becomes `FILE.2`, as far as there are any; the last one makes room.
fn make_way(path: &Path) -> io::Result<()> {
    let numbered = |n: u32| numbered(path, n);
    if !path.try_exists()? {
        return Ok(());
    }
    let gap = (1..KEPT).find(|n| matches!(numbered(*n).try_exists(), Ok(false))).unwrap_or(KEPT);
    for n in (1..gap).rev() {
        fs::rename(numbered(n), numbered(n + 1))?;
    }
    match fs::rename(path, numbered(1)) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests;
