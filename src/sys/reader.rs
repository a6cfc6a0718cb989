//! The other end of standard output. The reader of a pipe may leave long before the next line is due: poll(2) says so at
//! once, a write only then.

use std::io;
use std::os::fd::AsFd;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags};
use rustix::stdio::stdout;

use super::eventfd::{poll, readable};

/// Whether standard output has a reader. A file, a terminal and /dev/null always have one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Reader {
    /// As far as can be seen.
    There,
    /// The pipe or the socket was closed at its other end.
    Gone,
}

/// Sleeps for `time`, or until standard output has no reader.
///
/// # Errors
/// poll(2) fails: the system is out of memory.
pub(crate) fn rest(time: Duration) -> io::Result<Reader> {
    let [seen] = poll([PollFd::from_borrowed_fd(stdout(), PollFlags::empty())], time)?;
    Ok(reader(seen))
}

/// Waits until `input` has something to read, or its end, or until standard output has no reader.
///
/// # Errors
/// poll(2) fails: the system is out of memory.
pub(crate) fn await_input(input: &impl AsFd) -> io::Result<Reader> {
    loop {
        let stdout = PollFd::from_borrowed_fd(stdout(), PollFlags::empty());
        let [left, seen] = poll([stdout, readable(input)], Duration::MAX)?;
        if reader(left) == Reader::Gone || !seen.is_empty() {
            return Ok(reader(left));
        }
    }
}

fn reader(seen: PollFlags) -> Reader {
    // Reported without being asked for.
    if seen.intersects(PollFlags::ERR | PollFlags::HUP) { Reader::Gone } else { Reader::There }
}
