//! What the kernel says of the system clock: adjtimex(2).

use std::io;

use crate::time::Span;

/// How far the system clock may be off, or `None` where the kernel says that nobody synchronises it (`STA_UNSYNC`, or
/// the state `TIME_ERROR`).
pub fn max_error() -> io::Result<Option<Span>> {
    // SAFETY: a timex is plain integers, for which zero is a value; modes = 0 asks and sets nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // SAFETY: the pointer is to a timex of our own.
    let state = unsafe { libc::adjtimex(&raw mut timex) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_synchronised = state != libc::TIME_ERROR && timex.status & libc::STA_UNSYNC == 0;
    Ok(is_synchronised.then(|| Span::from_micros(timex.maxerror)))
}
