//! Records every event in files that `gnss2shm replay` reads, and that a person can follow.
//!
//! [`Recorder`] turns events into lines on the engine's thread and passes them on once a second; `Files` writes and
//! rotates on its own thread, so that no disk, however slow or full, costs a sample or delays an event. Events that could
//! not be written are counted, and the recording says at that place how many are missing.

mod files;

use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::warn;

use super::Header;
use crate::core::event::Event;
use crate::sys::claim::Claim;
use crate::sys::error::OpenError;

use files::Files;
pub use files::claim;

/// Text is passed on when there is this much, or at a tick.
const CHUNK: usize = 32 * 1024;
/// Chunks that may wait for the disk: a minute of a busy line.
const WAITING: usize = 64;
/// The smallest size at which a file is rotated.
const SIZE_MIN: u64 = 2 * CHUNK as u64;
/// A disk that does not respond delays the end of the process by at most this.
const FAREWELL: Duration = Duration::from_secs(1);

/// Lines on their way to the disk.
#[derive(Debug, Default)]
struct Chunk {
    /// Events that are missing before the text.
    missing: i64,
    text: String,
    events: i64,
}

/// Takes every event before the engine does.
#[derive(Debug)]
pub struct Recorder {
    chunk: Chunk,
    disk: SyncSender<Chunk>,
    ended: Receiver<()>,
    falling_behind: bool,
}

impl Recorder {
    /// Begins a recording at this path, [claimed](claim) before. An existing file becomes `FILE.1`, and so on; a file that would grow beyond `size`
    /// bytes is rotated. If the disk is full, the recording begins when there is room.
    pub fn open(path: PathBuf, claim: Claim, size: u64, header: Header) -> Result<Self, OpenError> {
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
        Ok(Self { chunk: Chunk::default(), disk, ended, falling_behind: false })
    }

    /// Records an event that the engine is about to be given.
    pub fn record(&mut self, event: &Event) {
        self.chunk.events += 1;
        // Writing to a String cannot fail.
        let _ = writeln!(self.chunk.text, "{event}");
        if matches!(event, Event::Tick { .. }) || self.chunk.text.len() >= CHUNK {
            self.pass_on();
        }
    }

    /// Ends the recording: everything recorded is in the file, unless the disk takes too long.
    pub fn finish(mut self) {
        self.pass_on();
        drop(self.disk);
        if self.ended.recv_timeout(FAREWELL).is_err() {
            warn!("the end of the recording is not written: the disk does not respond");
        }
    }

    fn pass_on(&mut self) {
        match self.disk.try_send(std::mem::take(&mut self.chunk)) {
            Ok(()) => self.falling_behind = false,
            Err(TrySendError::Full(chunk) | TrySendError::Disconnected(chunk)) => {
                self.chunk.missing = chunk.missing + chunk.events;
                if !self.falling_behind {
                    warn!("the disk takes too long: events are missing in the recording, but nowhere else");
                }
                self.falling_behind = true;
            }
        }
    }
}
