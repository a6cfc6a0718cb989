//! Resource limits of this process, and the signal that one of them sends.

use std::io;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to `wanted`, or to the hard limit if that is lower; returns the new limit.
pub(crate) fn open_files(wanted: u64) -> io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current.filter(|current| *current < wanted) else { return Ok(current.unwrap_or(u64::MAX)) };
    let raised = maximum.map_or(wanted, |maximum| wanted.min(maximum)).max(current);
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum })?;
    Ok(raised)
}

/// From now on a write beyond the file size limit fails with `EFBIG` and does not end the process: signal(7), SIGXFSZ.
pub(crate) fn survive_file_size_limit() {
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
