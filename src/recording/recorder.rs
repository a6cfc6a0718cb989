//! Records every event in files that `gnss2shm replay` reads, and that a person can follow.
//!
//! [`Recorder`] makes lines of events on the engine's thread and hands them over once a second; `Files` writes and
//! rotates on a thread of its own, so that no disk, however slow or full, costs a sample or keeps an event waiting.
//! What could not be written is counted, and the recording says at that place how much is missing.

use std::fmt::{self, Write as _};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, channel, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::warn;

use crate::core::event::Event;
use crate::core::event::text::DATA_MAX;
use crate::recording::Header;

mod files;

use files::Files;
pub use files::{KEPT, OpenError, Place};

/// Text is handed over when there is this much, or at a tick.
const CHUNK: usize = 32 * 1024;
/// Chunks that may wait for the disk: a minute of a busy line.
const WAITING: usize = 64;
/// The smallest size at which a file makes way for the next.
pub const SIZE_MIN: u64 = 2 * CHUNK as u64;
/// A disk that does not answer does not keep the process from ending for longer than this.
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
pub struct Recorder {
    chunk: Chunk,
    disk: SyncSender<Chunk>,
    ended: Receiver<()>,
    falling_behind: bool,
}

impl fmt::Debug for Recorder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recorder").field("events", &self.chunk.events).finish_non_exhaustive()
    }
}

impl Recorder {
    /// Begins a recording in this place. A file that is there already becomes `FILE.1`, and so on; a file that would grow
    /// beyond `size` bytes makes way for the next. Where the disk is full, the recording begins when there is room.
    pub fn open(place: Place, size: u64, header: Header) -> Result<Self, OpenError> {
        let mut files = Files::open(place, size.max(SIZE_MIN), header)?;
        let (disk, chunks) = sync_channel::<Chunk>(WAITING);
        let (farewell, ended) = channel();
        let work = move || {
            for chunk in chunks {
                files.write(&chunk);
            }
            // Whoever waits for the end may begin anew in the same file.
            drop(files);
            // Whoever waited for this may be gone.
            let _ = farewell.send(());
        };
        thread::Builder::new().name("recorder".into()).spawn(work).map_err(OpenError::NoThread)?;
        Ok(Self { chunk: Chunk::default(), disk, ended, falling_behind: false })
    }

    /// Records an event that the engine is about to be given.
    pub fn record(&mut self, event: &Event) {
        if matches!(event, Event::Bytes(bytes) if bytes.data.len() > DATA_MAX) {
            // No source reads that much at once; no reader would take the line.
            self.hand_over();
            self.chunk.missing += 1;
            return;
        }
        self.chunk.events += 1;
        // Writing to a string does not fail.
        let _ = writeln!(self.chunk.text, "{event}");
        if matches!(event, Event::Tick { .. }) || self.chunk.text.len() >= CHUNK {
            self.hand_over();
        }
    }

    /// Ends the recording: what has been recorded is in the file, unless the disk takes too long.
    pub fn finish(mut self) {
        self.hand_over();
        drop(self.disk);
        if self.ended.recv_timeout(FAREWELL).is_err() {
            warn!("the end of the recording is not written: the disk does not answer");
        }
    }

    fn hand_over(&mut self) {
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
