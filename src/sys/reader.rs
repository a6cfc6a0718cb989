//! The other end of standard output. Whoever reads a pipe may leave long before the next line is due; poll(2) says so
//! at once, a write only then.

use std::io;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use super::eventfd::{poll, readable};

/// Longer than anybody waits.
const FOR_GOOD: Duration = Duration::from_secs(86_400);

/// Whether anybody reads standard output. A file, a terminal or /dev/null is never left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reader {
    /// As far as can be seen.
    There,
    /// The pipe or the socket was closed at its other end.
    Gone,
}

/// Sleeps for `time`, or until nobody reads standard output any more.
///
/// # Errors
/// `poll(2)` fails: the system is out of memory.
pub fn rest(time: Duration) -> io::Result<Reader> {
    let [seen] = poll([stdout()], time)?;
    Ok(of(seen))
}

/// Waits until there is something to read of `input`, if only its end, or until nobody reads standard output any more.
///
/// # Errors
/// `poll(2)` fails: the system is out of memory.
pub fn await_input(input: &impl AsFd) -> io::Result<Reader> {
    loop {
        let [left, seen] = poll([stdout(), readable(input.as_fd().as_raw_fd())], FOR_GOOD)?;
        if of(left) == Reader::Gone || seen != 0 {
            return Ok(of(left));
        }
    }
}

/// Errors and hang-ups are told unasked.
fn stdout() -> libc::pollfd {
    libc::pollfd { fd: libc::STDOUT_FILENO, events: 0, revents: 0 }
}

fn of(seen: libc::c_short) -> Reader {
    if seen & (libc::POLLERR | libc::POLLHUP) == 0 { Reader::There } else { Reader::Gone }
}
