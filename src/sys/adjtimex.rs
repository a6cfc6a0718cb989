//! What the kernel says of the system clock: adjtimex(2).

use std::io;

use crate::core::time::Span;

/// What the ntpd of `NTPsec` claims at its start, before it has heard of any time: it hands the kernel 16 s as 16 us (1.2.2,
/// in a virtual machine: tests/vm/scenarios/ntpsec.sh). The kernel lets the maximum error grow from there, not this one.
const NTPSEC_STARTS: libc::c_long = 16;

/// How far the system clock may be off, or `None` where nobody synchronizes it: where the kernel says so (`STA_UNSYNC`,
/// or the state `TIME_ERROR`), and where an ntpd has only just begun.
pub fn max_error() -> io::Result<Option<Span>> {
    // SAFETY: a timex is plain integers, for which zero is a value; modes = 0 asks and sets nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // The C library's function would ask by clock_adjtime(2), which the unit forbids: that steps a PHC, too, without any
    // capability.
    // SAFETY: adjtimex(2) takes a pointer, and this is to a timex of our own.
    let state = unsafe { libc::syscall(libc::SYS_adjtimex, &raw mut timex) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_claimed = state != libc::c_long::from(libc::TIME_ERROR) && timex.status & libc::STA_UNSYNC == 0;
    let is_synchronized = is_claimed && timex.esterror != NTPSEC_STARTS;
    Ok(is_synchronized.then(|| Span::from_micros(timex.maxerror)))
}
