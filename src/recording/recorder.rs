//! Records every event in text files for `gnss2shm replay`.
//!
//! [`Recorder`] turns events into lines on the engine's thread and passes them on once a second; `Files` writes and
//! rotates on its own thread, so that a slow or full disk neither costs a sample nor delays an event. Events that could
//! not be written are counted, and the recording notes at that place how many are missing.

use std::ffi::{OsStr, OsString};
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::ErrorKind::{FileTooLarge, QuotaExceeded, StorageFull};
use std::io::{self, Read, Write};
use std::iter;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

use super::{Header, LEGEND, LOST, MAGIC};
use crate::core::event::Event;
use crate::sys::claim::Claim;
use crate::sys::error::{OpenError, Problem};

/// Text is passed on at this size, or at a tick.
const CHUNK: usize = 32 * 1024;
/// Maximum number of chunks queued for the disk: a minute of a busy line.
const WAITING: usize = 64;
/// Minimum size at which a file is rotated.
const SIZE_MIN: u64 = 2 * CHUNK as u64;
/// Maximum delay of the process's exit by a disk that does not respond.
const FAREWELL: Duration = Duration::from_secs(1);

/// Older files that are kept: `FILE.1` (the youngest) to `FILE.4`.
const KEPT: u32 = 4;
/// The header, and any comment written before it, is within this many bytes.
const HEAD: u64 = 64 * 1024;
/// After this many chunks, at least one per second, a disk is trusted again.
const STEADY: u32 = 5;
/// A recording shows where the receiver is: readable to its owner and group only.
const MODE: u32 = 0o640;

/// Lines queued for the disk.
#[derive(Debug, Default)]
struct Chunk {
    /// Events that are missing before the text.
    missing: i64,
    text: String,
    events: i64,
}

/// Receives every event before the engine does.
pub(crate) struct Recorder {
    chunk: Chunk,
    disk: SyncSender<Chunk>,
    ended: Receiver<()>,
}

impl Recorder {
    /// Starts a recording at this path, which must be [claimed](claim). An existing file becomes `FILE.1`, and so on; a
    /// file that would grow beyond `size` bytes is rotated. If the disk is full, the recording starts when there is
    /// space.
    pub(crate) fn open(path: PathBuf, claim: Claim, size: u64, header: Header) -> Result<Self, OpenError> {
        let mut files = Files::open(path, claim, size.max(SIZE_MIN), header)?;
        let (disk, chunks) = sync_channel::<Chunk>(WAITING);
        let (farewell, ended) = channel();
        let work = move || {
            for chunk in chunks {
                files.write(&chunk);
            }
            // Releases the claim before `finish` returns: the caller may record to the same file again.
            drop(files);
            let _ = farewell.send(());
        };
        let started = thread::Builder::new().name("recorder".into()).spawn(work);
        started.map_err(|error| OpenError::io("cannot start a thread for the recording", error))?;
        Ok(Self { chunk: Chunk::default(), disk, ended })
    }

    /// Records an event that is about to be passed to the engine.
    pub(crate) fn record(&mut self, event: &Event) {
        self.chunk.events += 1;
        // Writing to a String cannot fail.
        let _ = writeln!(self.chunk.text, "{event}");
        if matches!(event, Event::Tick { .. }) || self.chunk.text.len() >= CHUNK {
            self.pass_on();
        }
    }

    /// Ends the recording. Writes all lines, unless the disk is too slow.
    pub(crate) fn finish(mut self) {
        self.pass_on();
        drop(self.disk);
        if self.ended.recv_timeout(FAREWELL).is_err() {
            warn!("the end of the recording was not written: the disk does not respond");
        }
    }

    fn pass_on(&mut self) {
        let sent = self.disk.try_send(std::mem::take(&mut self.chunk));
        if let Err(TrySendError::Full(chunk) | TrySendError::Disconnected(chunk)) = sent {
            if chunk.missing == 0 {
                warn!("the disk is too slow: events are missing in the recording; samples are not affected");
            }
            self.chunk.missing = chunk.missing + chunk.events;
        }
    }
}

/// The current file and the older ones.
#[derive(Debug)]
struct Files {
    path: PathBuf,
    limit: u64,
    /// Of the next file.
    header: Header,
    /// `None` while no file is certain to end with a complete line.
    file: Option<File>,
    /// Length up to the last complete line.
    len: u64,
    /// Events that could not be written since the last one that could.
    missing: i64,
    /// During a logged pause: chunks written since the last failure. A nearly full disk accepts a short chunk and
    /// rejects the next; this is not logged each time.
    pause: Option<u32>,
    /// The claim on the name, held across rotations.
    _claim: Claim,
}

impl Files {
    /// Starts a file unless the disk is full.
    fn open(path: PathBuf, claim: Claim, limit: u64, header: Header) -> Result<Self, OpenError> {
        let mut files = Self { path, limit, header, file: None, len: 0, missing: 0, pause: None, _claim: claim };
        match files.next_file() {
            Ok(()) => {}
            // There may be space later.
            Err(error) if matches!(error.kind(), StorageFull | QuotaExceeded | FileTooLarge) => files.pause(&error),
            Err(error) => {
                let what = format_args!("cannot record to {}", files.path.display());
                return Err(OpenError::not_created(what, error));
            }
        }
        Ok(files)
    }

    /// Writes these lines, or counts them as missing.
    fn write(&mut self, chunk: &Chunk) {
        let missing = self.missing + chunk.missing;
        let result = self.try_write(missing, &chunk.text);
        self.missing = if result.is_ok() { 0 } else { missing + chunk.events };
        match (result, self.pause) {
            (Ok(()), None) => {}
            (Ok(()), Some(STEADY..)) => {
                info!("recording to {} resumed; some events are missing in it", self.path.display());
                self.pause = None;
            }
            (Ok(()), Some(written)) => self.pause = Some(written + 1),
            (Err(error), _) => self.pause(&error),
        }
    }

    fn pause(&mut self, error: &io::Error) {
        if self.pause.replace(0).is_none() {
            warn!("recording to {} paused: {error}; samples are not affected", self.path.display());
        }
    }

    fn try_write(&mut self, missing: i64, text: &str) -> io::Result<()> {
        let gap = if missing > 0 { format!("{LOST} {missing}\n") } else { String::new() };
        let lines = gap + text;
        let len = lines.len() as u64;
        if self.file.is_none() || self.len + len > self.limit {
            self.next_file()?;
        }
        let Some(file) = &mut self.file else { return Ok(()) };
        let written = file.write_all(lines.as_bytes());
        match &written {
            Ok(()) => self.len += len,
            // Remove a partial line. If that fails, the next attempt starts a new file.
            Err(_) if file.set_len(self.len).is_err() => self.file = None,
            Err(_) => {}
        }
        written
    }

    /// Rotates, and starts a file with a header.
    fn next_file(&mut self) -> io::Result<()> {
        self.file = None;
        make_way(&self.path)?;
        let mut file = OpenOptions::new().append(true).create_new(true).mode(MODE).open(&self.path)?;
        let head = format!("{}\n{LEGEND}", self.header);
        if let Err(error) = file.write_all(head.as_bytes()) {
            // If it stayed, the next attempt would rotate it and push out an older recording.
            fs::remove_file(&self.path)?;
            return Err(error);
        }
        (self.file, self.len) = (Some(file), head.len() as u64);
        self.header.part += 1;
        Ok(())
    }
}

/// Claims a path against other processes, without touching a file.
///
/// # Errors
/// The path is not a regular file, a file to be rotated is not a recording, or another process has claimed the path.
pub(crate) fn claim(path: &Path) -> Result<Claim, OpenError> {
    let (shown, wrong) = (path.display(), |sentence| Err(OpenError::new(Problem::Wrong, sentence)));
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return wrong(format!("{shown} is not a regular file: give --record a regular file"));
    }
    if let Some(other) = names(path).iter().find(|path| !may_rotate(path)) {
        let other = other.display();
        return wrong(format!("{other} exists and is not a recording: move it, or give --record another file"));
    }
    Claim::take_path("record", path, |rival| {
        format!(
            "{shown}: {rival} is recording to it, and each would rotate the other's files away: give \
             --record another file"
        )
    })
}

/// Whether this is a recording or the beginning of one, or is unreadable.
fn may_rotate(path: &Path) -> bool {
    let mut head = Vec::new();
    let read = File::open(path).and_then(|file| file.take(HEAD).read_to_end(&mut head));
    let mut lines = head.split(|byte| *byte == b'\n').filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    let is_header = |line: &[u8]| line.starts_with(MAGIC.as_bytes()) || MAGIC.as_bytes().starts_with(line);
    read.is_err() || head.is_empty() || lines.next().is_some_and(is_header)
}

/// `FILE`, `FILE.1`, and so on, the youngest first.
fn names(path: &Path) -> Vec<PathBuf> {
    let numbered = |n| [path.as_os_str(), OsStr::new(&format!(".{n}"))].into_iter().collect::<OsString>().into();
    iter::once(path.to_owned()).chain((1..=KEPT).map(numbered)).collect()
}

/// `FILE` becomes `FILE.1`, which becomes `FILE.2`, up to the first gap; the last one is overwritten.
fn make_way(path: &Path) -> io::Result<()> {
    let names = names(path);
    let there = names.iter().take_while(|name| !matches!(name.try_exists(), Ok(false))).count();
    let renamed = names.iter().zip(names.iter().skip(1)).take(there);
    renamed.rev().try_for_each(|(from, to)| fs::rename(from, to))
}

#[cfg(test)]
mod tests;
