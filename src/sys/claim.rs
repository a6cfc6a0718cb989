//! Resources that only one process may use: an SHM unit, a recording, a socket path, a PHC channel. A second process
//! would interfere with the first, and neither would notice. Sinks, recorder, status socket, and
//! [PHC](crate::source::phc) claim theirs before they use it.

use std::collections::BTreeSet;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::iter;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{self, Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;
use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, socket_with};
use rustix::process::geteuid;

use super::error::{OpenError, Problem};
use super::processes::Process;

/// Claims of root and the service account: systemd creates it for the service, and no other user can write to it.
const RUNTIME: &str = "/run/gnss2shm";
/// Maximum length of a chain of links: the kernel's limit, `path_resolution(7)`.
const LINKS: usize = 40;

/// A claim, until it is dropped: a lock on a file that only we, or root and the service account, can open. The kernel
/// releases it even after kill -9. The file stays; its content, the last holder's process ID, is not a claim.
#[derive(Debug)]
pub(crate) struct Claim {
    locks: Vec<File>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A child between fork and exec still has the file open.
        for file in &self.locks {
            let _ = flock(file, FlockOperation::Unlock);
        }
    }
}

impl Claim {
    /// Claims this name.
    ///
    /// # Errors
    /// [`Problem::Taken`]: another process has it; `taken` creates the sentence from that process's description.
    pub(crate) fn take(name: &str, taken: impl FnOnce(&str) -> String) -> Result<Self, OpenError> {
        Self::lock([name.to_owned()], taken)
    }

    /// Claims a path for this purpose, through any links, whether it exists or not.
    ///
    /// # Errors
    /// As [`Self::take`].
    pub(crate) fn take_path(purpose: &str, path: &Path, taken: impl FnOnce(&str) -> String) -> Result<Self, OpenError> {
        // A path may be too long for a file name.
        let name = |place: PathBuf| format!("{purpose}-{:016x}", fnv1a(place.as_os_str().as_bytes()));
        Self::lock(places(path).into_iter().map(name), taken)
    }

    fn lock(names: impl IntoIterator<Item = String>, taken: impl FnOnce(&str) -> String) -> Result<Self, OpenError> {
        let trusted = Trusted::now();
        let directory = directory(trusted).map_err(|error| OpenError::io("no lock can be taken", error))?;
        let mut locks = Vec::new();
        for name in names {
            let path = directory.join(format!("{name}.lock"));
            let cannot = |error| OpenError::io(format_args!("the lock {} cannot be taken", path.display()), error);
            let file = open(&path, trusted).map_err(cannot)?;
            match flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => locks.push(file),
                Err(Errno::WOULDBLOCK) => {
                    let holder = fs::read_to_string(&path).ok().and_then(|pid| pid.parse().ok());
                    return Err(OpenError::new(Problem::Taken, taken(&rival(holder))));
                }
                Err(error) => return Err(cannot(error.into())),
            }
        }
        for mut file in &locks {
            // For the message of the next process. Not from /proc/locks: ProcSubset=pid hides that.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
        }
        Ok(Self { locks })
    }
}

/// Opens a lock file.
fn open(path: &Path, trusted: Trusted) -> io::Result<File> {
    let mut options = OpenOptions::new();
    let file = options.read(true).append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW).open(path)?;
    let found = file.metadata()?;
    if let (0, Some(service), 0, 1) = (trusted.me, trusted.service, found.uid(), found.nlink()) {
        // Otherwise the service could not open a file that root left behind.
        fchown(&file, Some(service), None)?;
    }
    Ok(file)
}

/// Directory of this user's claims. Two users who do not trust each other cannot access each other's resources anyway.
fn directory(trusted: Trusted) -> io::Result<PathBuf> {
    if trusted.me == 0 || Some(trusted.me) == trusted.service {
        let directory = PathBuf::from(RUNTIME);
        match DirBuilder::new().mode(0o755).create(&directory) {
            Ok(()) => {
                std::os::unix::fs::chown(&directory, trusted.service, None)?;
                return Ok(directory);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(directory),
            Err(error) if error.kind() == ErrorKind::ReadOnlyFilesystem => {} // a container's
            Err(error) => return Err(error),
        }
    }
    let directory = std::env::temp_dir().join(format!("gnss2shm-{}", trusted.me));
    DirBuilder::new().recursive(true).mode(0o700).create(&directory)?;
    let found = fs::symlink_metadata(&directory)?;
    if !found.is_dir() || found.uid() != trusted.me {
        let sentence = format!("{} belongs to another user: remove it, or set TMPDIR", directory.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, sentence));
    }
    Ok(directory)
}

/// The path and the target of each link in the chain. All are claimed, because a recording renames the link itself, and
/// a socket can be reached by any of them.
fn places(path: &Path) -> BTreeSet<PathBuf> {
    let next = |last: &PathBuf| Some(place(&last.parent()?.join(fs::read_link(last).ok()?)));
    // A loop of links only repeats paths.
    iter::successors(Some(place(path)), next).take(1 + LINKS).collect()
}

/// The name in its canonical directory: the inode does not identify it, because recordings are renamed and sockets
/// removed.
fn place(path: &Path) -> PathBuf {
    let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent(), absolute.file_name()) {
        (Some(directory), Some(name)) => fs::canonicalize(directory).unwrap_or_else(|_| directory.into()).join(name),
        _ => absolute,
    }
}

/// 64-bit FNV-1a: a hash that is the same in every version of this program.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The other process, as the subject of a sentence: `another gnss2shm (pid 812, gnss2shm@default.service)`. Its PID may
/// be unknown, and the program of another user's process may be hidden, proc(5).
pub(crate) fn rival(pid: Option<u32>) -> String {
    let cgroup = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok());
    subject(pid, pid.and_then(Process::read).map(|process| process.name).as_deref(), &cgroup.unwrap_or_default())
}

fn subject(pid: Option<u32>, program: Option<&str>, cgroup: &str) -> String {
    let subject = match program {
        Some("gnss2shm") => "another gnss2shm",
        Some(program) => program,
        None => "another program",
    };
    // The instance of the service is the last part of a path, cgroups(7).
    let mut parts = cgroup.lines().filter_map(|line| line.rsplit('/').next());
    match (pid, parts.find(|name| name.starts_with("gnss2shm@"))) {
        (Some(pid), Some(service)) => format!("{subject} (pid {pid}, {service})"),
        (Some(pid), None) => format!("{subject} (pid {pid})"),
        (None, _) => subject.into(),
    }
}

/// The process that listens on a Unix socket, `SO_PEERCRED` of unix(7); none if it is in a PID namespace that is not
/// visible here. The listener sees a connection that is closed immediately. Must be called within a tokio runtime.
///
/// # Errors
/// Those of connect(2): `NotFound`; `ConnectionRefused` if there is no listener, or it is not a socket; `WouldBlock` if
/// the listener's queue is full. `InvalidInput`: the path is too long for a socket.
pub(crate) fn listener(path: &Path) -> io::Result<Option<u32>> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    connect(&socket, &SocketAddrUnix::new(path)?)?;
    // Zero for a process that is not visible here.
    let pid = tokio::net::UnixStream::from_std(socket.into())?.peer_cred()?.pid();
    Ok(pid.and_then(|pid| pid.try_into().ok()).filter(|pid| *pid != 0))
}

/// The account that the packaged service runs as.
pub(crate) const SERVICE: &str = "gnss2shm";

/// Root, ourselves, and the service account, whose segments root may use. Any other user with write access to a segment
/// or a claim could set the clock or block this process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trusted {
    /// Ourselves.
    pub me: u32,
    /// The service account, if the package is installed.
    pub service: Option<u32>,
}

impl Trusted {
    /// The trusted users for this process, on this machine. The package creates the service account in `/etc/passwd`,
    /// sysusers.d(5).
    pub(crate) fn now() -> Self {
        let passwd = fs::read_to_string("/etc/passwd").unwrap_or_default();
        Self { me: geteuid().as_raw(), service: user(&passwd, SERVICE).map(|(uid, _)| uid) }
    }

    /// Whether this user is one of them.
    pub(crate) fn has(self, uid: u32) -> bool {
        uid == 0 || uid == self.me || Some(uid) == self.service
    }
}

/// UID and GID of a user in the text of `/etc/passwd`, passwd(5).
pub(crate) fn user(passwd: &str, wanted: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let mut field = line.split(':');
        let (name, uid, gid) = (field.next()?, field.nth(1)?, field.next()?);
        (name == wanted).then_some(())?;
        Some((uid.parse().ok()?, gid.parse().ok()?))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_holder_through_any_links_until_it_is_released() {
        let _nobody_starts = crate::library::nobody_starts();
        let dir = std::env::temp_dir().join(format!("gnss2shm-claim-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("real")).unwrap();
        std::os::unix::fs::symlink(dir.join("real"), dir.join("link")).unwrap();
        let take = |purpose: &str, path: &str| Claim::take_path(purpose, &dir.join(path), str::to_owned);
        let claim = |path: &str| take("test", path);
        let is_taken = |path: &str| claim(path).is_err_and(|error| error.problem == Problem::Taken);
        let held = claim("real/it").unwrap();
        for same in ["real/it", "link/it", "real/../link/./it"] {
            let rival = claim(same).unwrap_err().to_string();
            assert!(rival.contains(&format!("(pid {})", std::process::id())), "{same}: {rival}");
        }
        let _others = (claim("real/other").unwrap(), take("tested", "real/it").unwrap());
        drop(held);
        claim("link/it").unwrap();
        // A link as the last component, dangling or not, and a loop of links.
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, dir.join(at)).unwrap();
        link("link/it", "short");
        link("short", "shorter");
        for there in [false, true] {
            if there {
                fs::write(dir.join("real/it"), "").unwrap();
            }
            for (first, second) in [("real/it", "shorter"), ("shorter", "link/it"), ("shorter", "short")] {
                let _held = claim(first).unwrap();
                assert!(is_taken(second), "{first} {second}");
            }
            // A recording rotates a link that it was given: the claim on the name remains.
            let _held = claim("shorter").unwrap();
            fs::rename(dir.join("shorter"), dir.join("shorter.1")).unwrap();
            assert!(is_taken("shorter"));
            fs::rename(dir.join("shorter.1"), dir.join("shorter")).unwrap();
        }
        link("round", "and");
        link("and", "round");
        claim("round").unwrap();
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn the_hash_is_the_one_that_is_published() {
        assert_eq!(
            (fnv1a(b""), fnv1a(b"a"), fnv1a(b"foobar")),
            (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c, 0x8594_4171_f739_67e8)
        );
    }

    #[test]
    fn a_rival_is_named_as_far_as_it_is_known() {
        let service = "0::/system.slice/system-gnss2shm.slice/gnss2shm@default.service\n";
        let rival = |program, cgroup| subject(Some(812), program, cgroup);
        let (ours, session) = (Some("gnss2shm"), "0::/user.slice/session-3.scope\n");
        assert_eq!(rival(ours, service), "another gnss2shm (pid 812, gnss2shm@default.service)");
        assert_eq!(rival(ours, session), "another gnss2shm (pid 812)");
        assert_eq!(rival(Some("socat"), ""), "socat (pid 812)");
        assert_eq!(rival(None, session), "another program (pid 812)");
        assert_eq!(super::rival(None), "another program");
    }

    #[test]
    fn a_user_is_found_by_the_whole_name() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\ngnss2shmx:x:7:8::/:\ngnss2shm:x:998:997:gnss2shm:/:/bin/false\n";
        assert_eq!(user(passwd, "gnss2shm"), Some((998, 997)));
        assert_eq!(user(passwd, "gnss"), None);
        assert_eq!(user("gnss2shm:x:-1:0\n:::", "gnss2shm"), None);
    }
}
