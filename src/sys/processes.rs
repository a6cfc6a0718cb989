//! Running processes, from `/proc/PID` (proc(5)): the only scanner of /proc. The open files and mappings of processes of
//! other users are visible to root only; `hidepid=` hides the processes themselves. A process may end at any moment.
//! Also limits and signals of this process.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::mm::Advice;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::signal::unix::SignalKind;

use crate::core::printable::printable;

/// A process. Displayed as `chronyd (pid 812)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Process {
    pub(crate) pid: u32,
    /// Name of the program, at most 15 bytes, printable.
    pub(crate) name: String,
    /// PID of the parent.
    pub(crate) parent: u32,
    /// Whether it runs in a PID namespace below ours, as in a container.
    pub(crate) is_contained: bool,
    /// `/proc/PID`.
    pub(crate) dir: PathBuf,
}

impl Process {
    /// All visible processes of the system whose root directory is `root`.
    pub(crate) fn all(root: &Path) -> impl Iterator<Item = Self> {
        let proc = root.join("proc");
        let pid = |name: &OsStr| name.to_str()?.parse().ok();
        let entries = fs::read_dir(&proc).into_iter().flatten().flatten();
        entries.filter_map(move |entry| Self::read_in(&proc, pid(&entry.file_name())?))
    }

    /// All visible processes of this machine except this one.
    pub(crate) fn others() -> impl Iterator<Item = Self> {
        Self::all(Path::new("/")).filter(|process| process.pid != std::process::id())
    }

    /// The process with this PID on this machine; none if it has ended or is hidden.
    pub(crate) fn read(pid: u32) -> Option<Self> {
        Self::read_in(Path::new("/proc"), pid)
    }

    /// Does not read the command line: that blocks while the process holds the lock of its memory map, possibly
    /// forever.
    fn read_in(proc: &Path, pid: u32) -> Option<Self> {
        let dir = proc.join(pid.to_string());
        let comm = fs::read(dir.join("comm")).ok()?;
        let name = printable(String::from_utf8_lossy(&comm).trim_end_matches('\n')).into_owned();
        let status = fs::read(dir.join("status")).unwrap_or_default();
        let status = String::from_utf8_lossy(&status);
        let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim();
        let parent = field("PPid:").parse().unwrap_or(0);
        let is_contained = field("NSpid:").split_ascii_whitespace().count() > 1;
        Some(Self { pid, name, parent, is_contained, dir })
    }

    /// The command line, program first; empty if it cannot be read.
    pub(crate) fn args(&self) -> Vec<String> {
        let line = fs::read(self.dir.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).split_terminator('\0').map(str::to_owned).collect()
    }

    /// Its descriptors, as links to what is open: `/proc/PID/fd/N`.
    ///
    /// # Errors
    /// `PermissionDenied` if only root may see them.
    pub(crate) fn fds(&self) -> io::Result<impl Iterator<Item = PathBuf> + use<>> {
        Ok(fs::read_dir(self.dir.join("fd"))?.flatten().map(|fd| fd.path()))
    }

    /// Whether it has the file with this canonical path open; none if only root may see that.
    pub(crate) fn has_open(&self, file: &Path) -> Option<bool> {
        let is_it = |fd: PathBuf| fs::read_link(fd).is_ok_and(|link| link == file);
        or_unseen(self.fds().map(|mut fds| fds.any(is_it)))
    }

    /// Whether it has the device with this number (`st_rdev`) open; none if only root may see that.
    pub(crate) fn has_open_device(&self, rdev: u64) -> Option<bool> {
        // Files elsewhere may be on a server that does not answer: following their links would block.
        let is_device = |fd: &Path| fs::read_link(fd).is_ok_and(|name| name.starts_with("/dev/"));
        let is_it = |fd: PathBuf| is_device(&fd) && fs::metadata(fd).is_ok_and(|meta| meta.rdev() == rdev);
        or_unseen(self.fds().map(|mut fds| fds.any(is_it)))
    }

    /// Whether it has this System V segment attached; none if only root may see that. In `proc_pid_maps(5)` the inode
    /// of such a mapping is the segment's ID, and its name starts with /SYSV.
    pub(crate) fn has_attached(&self, segment: i32) -> Option<bool> {
        let id = segment.to_string();
        let is_it = |map: &str| {
            let mut column = map.split_whitespace().skip(4);
            column.next() == Some(&id) && column.next().is_some_and(|name| name.starts_with("/SYSV"))
        };
        or_unseen(fs::read(self.dir.join("maps")).map(|maps| String::from_utf8_lossy(&maps).lines().any(is_it)))
    }
}

impl fmt::Display for Process {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {})", self.name, self.pid)
    }
}

/// Whether a descriptor of [`Process::fds`] is open for reading only, and at this canonical path. Only the link is read:
/// its target may be on a server that does not answer.
pub(crate) fn only_reads(fd: &Path, file: &Path) -> bool {
    // The mode of the link is that of the descriptor, proc_pid_fd(5).
    fs::symlink_metadata(fd).is_ok_and(|link| link.mode() & 0o600 == 0o400)
        && fs::read_link(fd).is_ok_and(|name| name == file)
}

/// False if the process has ended, none if only root may see it.
fn or_unseen(seen: io::Result<bool>) -> Option<bool> {
    match seen {
        Ok(seen) => Some(seen),
        Err(error) => (error.kind() != ErrorKind::PermissionDenied).then_some(false),
    }
}

/// Raises the soft limit of open files to `wanted`, or to the hard limit if that is lower; returns the new limit.
pub(crate) fn open_files(wanted: u64) -> io::Result<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let Some(current) = current.filter(|current| *current < wanted) else { return Ok(current.unwrap_or(u64::MAX)) };
    let raised = maximum.map_or(wanted, |maximum| wanted.min(maximum)).max(current);
    setrlimit(Resource::Nofile, Rlimit { current: Some(raised), maximum })?;
    Ok(raised)
}

/// Makes a write beyond the file size limit fail with `EFBIG` instead of ending the process: signal(7), SIGXFSZ.
pub(crate) fn survive_file_size_limit() {
    // SAFETY: ignoring a signal installs no handler and accesses no memory.
    unsafe { libc::signal(libc::SIGXFSZ, libc::SIG_IGN) };
}

/// Unmaps the code that only the start needed. What is still used is mapped again at its next use, from the page cache.
pub(crate) fn unmap_unused_code() {
    let maps = fs::read_to_string("/proc/self/maps").unwrap_or_default();
    // `55d0-55f0 r-xp 0000 fe:00 123 /usr/bin/gnss2shm`
    for line in maps.lines().filter(|line| line.contains(" r-xp ") && line.contains('/')) {
        let address = |text: &str| usize::from_str_radix(text, 16).ok();
        let range = line.split(' ').next().and_then(|range| range.split_once('-'));
        let Some((begin, end)) = range.and_then(|(begin, end)| Some((address(begin)?, address(end)?))) else {
            continue;
        };
        let start = std::ptr::with_exposed_provenance_mut(begin);
        // SAFETY: a private mapping of a file that cannot be written has no content of its own; the kernel reads it again
        // from the file (madvise(2), MADV_DONTNEED).
        let _unchanged = unsafe { rustix::mm::madvise(start, end.saturating_sub(begin), Advice::LinuxDontNeed) };
    }
}

/// Whether this process ignores a signal, as after nohup(1). Assumed false without /proc.
pub(crate) fn is_ignored(signal: SignalKind) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:")).unwrap_or_default();
    u64::from_str_radix(ignored.trim(), 16).is_ok_and(|ignored| ignored >> (signal.as_raw_value() - 1) & 1 != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    #[test]
    fn processes_are_read_from_proc() {
        let root = std::env::temp_dir().join(format!("gnss2shm-proc-{}", std::process::id()));
        let _ = fs::remove_dir_all(&root);
        for (pid, name, status, file) in [
            ("12", "ts2\u{1b}phc", "Name:\tx\nPPid:\t1\nNSpid:\t12\n", "/dev/ptp0"),
            ("13", "ptp4l", "PPid:\t12\nNSpid:\t13\t2\n", "/dev/ptp1"),
        ] {
            let dir = root.join("proc").join(pid);
            fs::create_dir_all(dir.join("fd")).unwrap();
            fs::write(dir.join("comm"), format!("{name}\n")).unwrap();
            fs::write(dir.join("cmdline"), "ptp\0-i\0").unwrap();
            fs::write(dir.join("status"), status).unwrap();
            fs::write(dir.join("maps"), "7f00-7f01 rw-s 00000000 00:01 9 /SYSV4e545030\n7f02-7f03 r--p 0 0:1 8 /x\n")
                .unwrap();
            symlink("/dev/null", dir.join("fd/0")).unwrap();
            symlink(file, dir.join("fd/3")).unwrap();
        }
        fs::create_dir_all(root.join("proc/sys")).unwrap();
        fs::create_dir_all(root.join("proc/14")).unwrap(); // has ended
        let mut all: Vec<_> = Process::all(&root).collect();
        all.sort_by_key(|process| process.pid);
        let [ts2phc, ptp4l] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((ts2phc.to_string(), ptp4l.to_string()), ("ts2\\u{1b}phc (pid 12)".into(), "ptp4l (pid 13)".into()));
        assert_eq!((ts2phc.parent, ptp4l.parent), (1, 12));
        assert!(!ts2phc.is_contained && ptp4l.is_contained);
        assert_eq!(ptp4l.args(), ["ptp", "-i"]);
        assert_eq!(ts2phc.has_open(Path::new("/dev/ptp0")), Some(true));
        assert_eq!(ptp4l.has_open(Path::new("/dev/ptp0")), Some(false));
        let null = fs::metadata("/dev/null").unwrap().rdev();
        assert_eq!((ts2phc.has_open_device(null), ts2phc.has_open_device(0)), (Some(true), Some(false)));
        assert_eq!((ts2phc.has_attached(9), ts2phc.has_attached(8)), (Some(true), Some(false)));
        fs::remove_dir_all(&root).unwrap();
        assert_eq!((ts2phc.has_open(Path::new("/dev/ptp0")), ts2phc.has_attached(9)), (Some(false), Some(false)));
    }

    #[test]
    fn this_process_is_known_and_is_not_among_the_others() {
        assert!(Process::read(std::process::id()).is_some_and(|me| !me.args().is_empty()));
        assert!(Process::others().all(|process| process.pid != std::process::id()));
    }

    #[test]
    fn as_many_files_as_may_be_can_be_open() {
        let now = open_files(0).unwrap();
        assert_eq!(open_files(now).unwrap(), now);
        assert!(open_files(u64::MAX).unwrap() >= now);
    }
}
