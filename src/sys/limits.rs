//! What this process may use of the machine: getrlimit(2), setrlimit(2), and the signal that one of the limits sends.

use std::io;

/// Raises the soft limit of open files to `wanted`, or to the hard limit where that is lower; returns the new limit.
pub fn open_files(wanted: u64) -> io::Result<u64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the kernel fills the rlimit during the call.
    if unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) } != 0 {
        return Err(io::Error::last_os_error());
    }
    if limit.rlim_cur >= wanted {
        return Ok(limit.rlim_cur);
    }
    let raised = libc::rlimit { rlim_cur: wanted.min(limit.rlim_max), ..limit };
    // SAFETY: the kernel reads the rlimit during the call only.
    if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const raised) } != 0 {
        return Err(io::Error::last_os_error());
    }
    Ok(raised.rlim_cur)
}

/// From now on a file that may not grow any more fails to be written, `EFBIG`, and ends nobody: signal(7), SIGXFSZ.
pub fn survive_file_size_limit() {
    // SAFETY: ignoring a signal installs no handler and touches no memory of ours.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_files_as_may_be_can_be_open() {
        let now = open_files(0).unwrap();
        assert_eq!(open_files(now).unwrap(), now);
        assert!(open_files(u64::MAX).unwrap() >= now);
    }
}
