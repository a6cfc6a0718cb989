//! The kernel's claim about the system clock, adjtimex(2).

use std::io;

use crate::core::time::Span;

/// Microseconds that `NTPsec`'s ntpd claims as its estimated error at its start, before it has any time: it passes 16 s
/// to the kernel as 16 us (1.2.2, tests/vm/scenarios/ntpsec.sh).
const NTPSEC_STARTS: libc::c_long = 16;

/// The system clock's maximum error, or `None` if it is not synchronized: the kernel says so (`STA_UNSYNC`, or the state
/// `TIME_ERROR`), or an ntpd has only just started.
pub(crate) fn max_error() -> io::Result<Option<Span>> {
    // SAFETY: a timex is plain integers, for which zero is a value; modes = 0 asks and sets nothing.
    let mut timex: libc::timex = unsafe { std::mem::zeroed() };
    // Not the C library's adjtimex: it calls clock_adjtime(2), which the systemd unit forbids, because that can also step
    // a PHC, without any capability.
    // SAFETY: adjtimex(2) takes a pointer, and this is to a timex of our own.
    let state = unsafe { libc::syscall(libc::SYS_adjtimex, &raw mut timex) };
    if state < 0 {
        return Err(io::Error::last_os_error());
    }
    let is_claimed = state != libc::c_long::from(libc::TIME_ERROR) && timex.status & libc::STA_UNSYNC == 0;
    let is_synchronized = is_claimed && timex.esterror != NTPSEC_STARTS;
    Ok(is_synchronized.then(|| Span::from_micros(timex.maxerror)))
}
