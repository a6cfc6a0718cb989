//! Resources that only one process may use: a unit, a recording, a socket's path, a channel of a PHC. A second process
//! would interfere with the first, and neither would notice. Sinks, recorder, status socket and [PHC](crate::source::phc)
//! claim theirs before they touch it; for a metrics port the claim only tells who has it.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{self, Path, PathBuf};

use crate::sys::error::{OpenError, Problem};
use crate::sys::flock;
use crate::sys::processes::Process;
use crate::sys::trusted::Trusted;

/// Where root and the service account claim: systemd creates it for the service, and no other user may write to it.
const RUNTIME: &str = "/run/gnss2shm";
/// Maximum length of a chain of links: as many as the kernel follows, `path_resolution(7)`.
const LINKS: usize = 40;

/// A claim, until it is dropped: a lock on a file that only we, or root and the service account, can open. The kernel
/// releases it even after kill -9. The file stays; its content, the last holder's process ID, is not a claim.
#[derive(Debug)]
pub struct Claim {
    locks: Vec<File>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A child between fork and exec still has the file open.
        self.locks.iter().for_each(|file| drop(flock::unlock(file)));
    }
}

/// Why there is no claim.
#[derive(Debug)]
pub enum ClaimError {
    /// Another process has it; which, as the subject of a sentence.
    Taken(String),
    /// No lock can be had.
    Os(io::Error),
}

impl ClaimError {
    /// The operator's sentence: `taken` says what the other process does, and what to do.
    pub(crate) fn explain(self, what: impl fmt::Display, taken: impl FnOnce(String) -> String) -> OpenError {
        match self {
            Self::Taken(rival) => OpenError::new(Problem::Taken, taken(rival)),
            Self::Os(error) => OpenError::io(what, error),
        }
    }
}

impl Claim {
    /// Claims this name.
    pub fn take(name: &str) -> Result<Self, ClaimError> {
        Ok(Self { locks: vec![lock(name)?] })
    }

    /// Claims a path for this purpose, through any links, whether it exists or not.
    pub fn take_path(purpose: &str, path: &Path) -> Result<Self, ClaimError> {
        // A path may be longer than a file name.
        let name = |place: &PathBuf| format!("{purpose}-{:016x}", fnv1a(place.as_os_str().as_bytes()));
        let locks = places(path).iter().map(|place| lock(&name(place))).collect::<Result<_, _>>()?;
        Ok(Self { locks })
    }
}

fn lock(name: &str) -> Result<File, ClaimError> {
    let trusted = Trusted::now();
    let path = directory(trusted).map_err(ClaimError::Os)?.join(format!("{name}.lock"));
    let at = |error: io::Error| ClaimError::Os(io::Error::new(error.kind(), format!("{}: {error}", path.display())));
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true).mode(0o600).custom_flags(libc::O_NOFOLLOW);
    let mut file = options.open(&path).map_err(at)?;
    let found = file.metadata().map_err(at)?;
    if let (0, Some(service), 0, 1) = (trusted.me, trusted.service, found.uid(), found.nlink()) {
        // Otherwise the service could not open a file that root left behind.
        fchown(&file, Some(service), None).map_err(at)?;
    }
    match flock::try_lock(&file) {
        Ok(()) => {
            // For the message of the next process. Not from /proc/locks: ProcSubset=pid hides that.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let holder = fs::read_to_string(&path).ok().and_then(|pid| pid.parse().ok());
            Err(ClaimError::Taken(rival(holder)))
        }
        Err(error) => Err(at(error)),
    }
}

/// Where this user claims. Two users who do not trust each other have no access to each other's resources anyway.
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
    match DirBuilder::new().mode(0o700).create(&directory) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let found = fs::symlink_metadata(&directory)?;
    if !found.is_dir() || found.uid() != trusted.me {
        let sentence = format!("{} belongs to another user: remove it, or set TMPDIR", directory.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, sentence));
    }
    Ok(directory)
}

/// The path, and the target of each link on the way: all of them, because a recording renames the link itself, and a
/// socket is reached through either.
fn places(path: &Path) -> Vec<PathBuf> {
    let mut places = vec![place(path)];
    while let Some(last) = places.last()
        && let (Some(directory), Ok(leads_to)) = (last.parent(), fs::read_link(last))
    {
        let next = place(&directory.join(leads_to));
        if places.contains(&next) || places.len() > LINKS {
            break;
        }
        places.push(next);
    }
    places
}

/// The name itself in its real directory: a recording is renamed and a socket removed, so the inode does not count.
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

/// The other process, as the subject of a sentence: `another gnss2shm (pid 812, gnss2shm@default.service)`. Its number
/// may be unknown, and the program of another user's process may be hidden, proc(5).
pub fn rival(pid: Option<u32>) -> String {
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
        let claim = |path: &str| Claim::take_path("test", &dir.join(path));
        let held = claim("real/it").unwrap();
        for same in ["real/it", "link/it", "real/../link/./it"] {
            let Err(ClaimError::Taken(rival)) = claim(same) else { panic!("{same}") };
            assert!(rival.contains(&format!("(pid {})", std::process::id())), "{same}: {rival}");
        }
        let _others = (claim("real/other").unwrap(), Claim::take_path("tested", &dir.join("real/it")).unwrap());
        drop(held);
        claim("link/it").unwrap();
        // A link at the end, whether it leads anywhere or not, and a circle of them.
        let link = |to: &str, at: &str| std::os::unix::fs::symlink(to, dir.join(at)).unwrap();
        link("link/it", "short");
        link("short", "shorter");
        for there in [false, true] {
            if there {
                fs::write(dir.join("real/it"), "").unwrap();
            }
            for (first, second) in [("real/it", "shorter"), ("shorter", "link/it"), ("shorter", "short")] {
                let _held = claim(first).unwrap();
                assert!(matches!(claim(second), Err(ClaimError::Taken(_))), "{first} {second}");
            }
            // What a recording does with a link that it was given: the name stays its own.
            let _held = claim("shorter").unwrap();
            fs::rename(dir.join("shorter"), dir.join("shorter.1")).unwrap();
            assert!(matches!(claim("shorter"), Err(ClaimError::Taken(_))));
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
}
