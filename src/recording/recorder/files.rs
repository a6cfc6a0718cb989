//! The files of a recording: header, growth, rotation, and what happens when the disk refuses.

use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
use std::io::{self, Read, Write};
use std::iter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use tracing::{info, warn};

use super::Chunk;
use crate::recording::{Header, LEGEND, LOST, MAGIC};
use crate::sys::claim::Claim;
use crate::sys::error::{OpenError, Problem};

/// Older files that are kept: `FILE.1` (the youngest) to `FILE.4`.
const KEPT: u32 = 4;
/// The header, and any comment that a person wrote before it, is within so many bytes.
const HEAD: u64 = 64 * 1024;
/// After so many chunks, one a second or more, a disk is trusted again.
const STEADY: u32 = 5;
/// A recording shows where the receiver is: readable to its owner and group only.
const MODE: u32 = 0o640;

/// The file that grows, and the older ones.
#[derive(Debug)]
pub(super) struct Files {
    path: PathBuf,
    limit: u64,
    /// Of the next file.
    header: Header,
    /// `None` while there is no file that is certain to end with a whole line.
    file: Option<File>,
    /// Length up to the last whole line.
    len: u64,
    /// Events that could not be written since the last one that could.
    missing: i64,
    /// In a pause that was logged: chunks written since the last one that was refused. A nearly full disk accepts a short
    /// chunk and refuses the next: that is not logged each time.
    pause: Option<u32>,
    /// Held while the name is ours, whichever file has it.
    _claim: Claim,
}

impl Files {
    /// Begins a file unless the disk is full.
    pub(super) fn open(path: PathBuf, claim: Claim, limit: u64, header: Header) -> Result<Self, OpenError> {
        let mut files = Self { path, limit, header, file: None, len: 0, missing: 0, pause: None, _claim: claim };
        match files.next_file() {
            Ok(file) => files.file = Some(file),
            // There may be room later.
            Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) => files.pause(&error),
            Err(error) => {
                let what = format_args!("{} cannot be recorded to", files.path.display());
                return Err(OpenError::not_created(what, error));
            }
        }
        Ok(files)
    }

    /// Writes these lines, or counts them as missing.
    pub(super) fn write(&mut self, chunk: &Chunk) {
        let missing = self.missing + chunk.missing;
        let result = self.try_write(missing, &chunk.text);
        self.missing = if result.is_ok() { 0 } else { missing + chunk.events };
        match (result, self.pause) {
            (Ok(()), None) => {}
            (Ok(()), Some(STEADY..)) => {
                info!("recording to {} again; some events are missing in it", self.path.display());
                self.pause = None;
            }
            (Ok(()), Some(written)) => self.pause = Some(written + 1),
            (Err(error), _) => self.pause(&error),
        }
    }

    fn pause(&mut self, error: &io::Error) {
        if self.pause.replace(0).is_none() {
            warn!("recording to {} pauses: {error}; samples are not affected", self.path.display());
        }
    }

    fn try_write(&mut self, missing: i64, text: &str) -> io::Result<()> {
        let gap = if missing > 0 { format!("{LOST} {missing}\n") } else { String::new() };
        let lines = gap + text;
        let mut file = match self.file.take() {
            Some(file) if self.len + lines.len() as u64 <= self.limit => file,
            Some(_) | None => self.next_file()?,
        };
        if let Err(error) = file.write_all(lines.as_bytes()) {
            // Half a line must not stay. If it cannot be removed, the next attempt begins a new file.
            self.file = file.set_len(self.len).is_ok().then_some(file);
            return Err(error);
        }
        self.len += lines.len() as u64;
        self.file = Some(file);
        Ok(())
    }

    /// Rotates, and begins a file with a header.
    fn next_file(&mut self) -> io::Result<File> {
        make_way(&self.path)?;
        let mut file = OpenOptions::new().append(true).create_new(true).mode(MODE).open(&self.path)?;
        let head = format!("{}\n{LEGEND}", self.header);
        if let Err(error) = file.write_all(head.as_bytes()) {
            // Left in place, it would push out an older recording at the next attempt.
            fs::remove_file(&self.path)?;
            return Err(error);
        }
        self.len = head.len() as u64;
        self.header.part += 1;
        Ok(file)
    }
}

/// Claims a path against other processes, without touching a file.
///
/// # Errors
/// The path is not a file's, a file that would be rotated is not a recording, or another process has claimed the path.
pub fn claim(path: &Path) -> Result<Claim, OpenError> {
    let (shown, wrong) = (path.display(), |sentence| Err(OpenError::new(Problem::Wrong, sentence)));
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return wrong(format!("{shown} is not a regular file: recordings need one"));
    }
    let mut all = iter::once(path.to_owned()).chain((1..=KEPT).map(|n| numbered(path, n)));
    if let Some(other) = all.find(|path| !may_rotate(path)) {
        let other = other.display();
        return wrong(format!("{other} exists and is not a recording: move it, or give --record another file"));
    }
    Claim::take_path("record", path, |rival| {
        format!(
            "{shown}: {rival} records to it, and each would rotate the other's files away: give --record another file"
        )
    })
}

/// Whether this is a recording, or the beginning of one, or cannot be read.
fn may_rotate(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let mut lines = head.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let is_header = |line: &[u8]| line.starts_with(MAGIC.as_bytes()) || MAGIC.as_bytes().starts_with(line);
    read.is_err() || head.is_empty() || lines.next().is_some_and(is_header)
}

/// `FILE.1`, `FILE.2`, and so on.
fn numbered(path: &Path, n: u32) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(format!(".{n}"));
    PathBuf::from(name)
}

/// `FILE` becomes `FILE.1`, which becomes `FILE.2`, up to the first gap; the last one is overwritten.
fn make_way(path: &Path) -> io::Result<()> {
    if !path.try_exists()? {
        return Ok(());
    }
    let gap = (1..KEPT).find(|n| matches!(numbered(path, *n).try_exists(), Ok(false))).unwrap_or(KEPT);
    for n in (1..gap).rev() {
        fs::rename(numbered(path, n), numbered(path, n + 1))?;
    }
    fs::rename(path, numbered(path, 1))
}

#[cfg(test)]
mod tests;
