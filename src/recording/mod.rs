//! Recordings: everything the engine was given, as text that a person can follow and `gnss2shm replay` can repeat.
//! Pure: text in, events out; files are the business of `sink::record` and of the command line.
//!
//! A recording is a header line and then one event a line, in the order in which the engine got them; the same header
//! and events give the same verdicts. Blank lines and lines that begin with `#` mean nothing and may stand anywhere.
//! The format is described in gnss2shm-recording(5).

mod header;
mod reader;
pub mod recorder;

pub use header::{Header, LEGEND, MAGIC};
pub use reader::{Damage, Item, LOST, Reader, What};

/// The format that is written, and the newest one that is read.
pub const VERSION: i64 = 1;
