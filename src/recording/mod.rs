//! Recordings: every event that the engine was given, as text that a person can read and `gnss2shm replay` can repeat.
//!
//! A recording is a header line and then one event per line, in the order in which the engine got them; the same header
//! and events give the same verdicts. Blank lines and lines that begin with `#` are ignored, wherever they are.
//! The format is described in gnss2shm-recording(5).

mod header;
mod reader;
pub mod recorder;

pub use header::{Header, LEGEND, MAGIC};
pub use reader::{Damage, Item, LOST, Reader};

/// The format that is written, and the newest that is read.
pub const VERSION: i64 = 1;
