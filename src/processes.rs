//! Other processes of this machine, by what proc(5) shows of them.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::printable::printable;

/// All but this one.
pub(crate) fn others() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| pid != std::process::id())
}

/// The name of its program, printable, at most 15 bytes of it; nothing where it has ended or is hidden from this user.
pub(crate) fn program(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| printable(name.trim_end_matches('\n')).into_owned())
}

/// A file, whatever its name: its device and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct File {
    device: u64,
    inode: u64,
}

impl File {
    /// The one that is at this path.
    fn of(path: &Path) -> Option<Self> {
        fs::metadata(path).ok().map(|meta| Self { device: meta.dev(), inode: meta.ino() })
    }
}

/// The process that has it locked, whoever's it is.
pub(crate) fn locker(path: &Path) -> Option<u32> {
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locked_by(&locks, File::of(path)?)
}

/// Who holds the lock of flock(2) on a file, by the text of /proc/locks, `proc_locks(5)`.
fn locked_by(locks: &str, file: File) -> Option<u32> {
    let (major, minor) = (libc::major(file.device), libc::minor(file.device));
    let place = format!("{major:02x}:{minor:02x}:{}", file.inode);
    locks.lines().find_map(|line| match line.split_whitespace().collect::<Vec<_>>().as_slice() {
        [_, "FLOCK", _, _, pid, at, ..] if *at == place => pid.parse().ok().filter(|pid| *pid != 0),
        _ => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    // As Linux 6.18 prints it.
    const LOCKS: &str = "\
1: POSIX  ADVISORY  WRITE 640 08:01:131 0 EOF
2: FLOCK  ADVISORY  WRITE 812 08:01:131 0 EOF
2: -> FLOCK  ADVISORY  WRITE 900 08:01:131 0 EOF
3: FLOCK  ADVISORY  WRITE 7 103:1a:131 0 EOF
";

    #[test]
    fn a_locks_holder_is_found_by_device_and_inode() {
        let by = |major, minor, inode| locked_by(LOCKS, File { device: libc::makedev(major, minor), inode });
        assert_eq!((by(8, 1, 131), by(0x103, 0x1a, 131)), (Some(812), Some(7)));
        assert_eq!((by(8, 1, 132), by(8, 2, 131)), (None, None));
        assert_eq!(locked_by("garbage\n1: FLOCK", File { device: 0, inode: 0 }), None);
    }
}
