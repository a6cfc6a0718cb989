//! What only one process may have: a unit, a recording, a socket's path, a channel of a PHC. A second one would spoil the
//! work of the first, and neither would notice. The sinks, the status socket and the [PHC](crate::source::phc) claim
//! theirs before they touch it; at a port of its own for metrics a claim only says whose it is.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{self, Path, PathBuf};

use crate::sys::error::{OpenError, Problem};
use crate::sys::flock;
use crate::sys::processes;
use crate::sys::trusted::Trusted;

/// Where root and the service's user claim: what systemd makes for the service, and nobody else may write to.
const RUNTIME: &str = "/run/gnss2shm";
/// Links that lead to links, at most: as many as the kernel follows, `path_resolution(7)`.
const LINKS: usize = 40;

/// The right to something until it is dropped: a lock on a file that only we, or root and the service's user, can open.
/// The kernel lets go of it even after kill -9; the file stays, and what it says, the last holder's process ID, is no
/// claim.
#[derive(Debug)]
pub struct Claim {
    locks: Vec<File>,
}

impl Drop for Claim {
    fn drop(&mut self) {
        // A child that is about to be another program still has the file open.
        self.locks.iter().for_each(|file| drop(flock::unlock(file)));
    }
}

/// Why there is no claim.
#[derive(Debug)]
pub enum ClaimError {
    /// Another process has it.
    Taken(Rival),
    /// No lock can be had.
    Os(io::Error),
}

impl ClaimError {
    /// The operator's sentence: `taken` says what the other process does, and what to do.
    pub(crate) fn explain(self, what: impl fmt::Display, taken: impl FnOnce(Rival) -> String) -> OpenError {
        match self {
            Self::Taken(rival) => OpenError::new(Problem::Taken, taken(rival)),
            Self::Os(error) => OpenError::io(what, error),
        }
    }
}

impl Claim {
    /// Claims what this names.
    pub fn take(name: &str) -> Result<Self, ClaimError> {
        Ok(Self { locks: vec![lock(name)?] })
    }

    /// Claims a path for this purpose, by whichever links it is reached and whether anything is there or not.
    pub fn take_path(purpose: &str, path: &Path) -> Result<Self, ClaimError> {
        // A path may be longer than a file's name.
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
    let made = file.metadata().map_err(at)?;
    if let (0, Some(service), 0, 1) = (trusted.me, trusted.service, made.uid(), made.nlink()) {
        // Else the service could not open what root has left behind.
        fchown(&file, Some(service), None).map_err(at)?;
    }
    match flock::try_lock(&file) {
        Ok(()) => {
            // Only for the message of who comes second. Not from /proc/locks: ProcSubset=pid hides that.
            let _ = file.set_len(0).and_then(|()| write!(file, "{}", std::process::id()));
            Ok(file)
        }
        Err(error) if error.kind() == ErrorKind::WouldBlock => {
            let holder = fs::read_to_string(&path).ok().and_then(|pid| pid.parse().ok());
            Err(ClaimError::Taken(Rival::new(holder)))
        }
        Err(error) => Err(at(error)),
    }
}

/// Where this user claims. Of two users who do not trust each other, neither gets what the other has, anyway.
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
        let sentence = format!("{} is another user's: remove it, or set TMPDIR", directory.display());
        return Err(io::Error::new(ErrorKind::PermissionDenied, sentence));
    }
    Ok(directory)
}

/// The path and where it leads to, if it is a link, and so on: each, because a recording renames the link itself, and a
/// socket is reached by either.
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

/// The name itself in its real directory: a recording is renamed and a socket removed, so what is there does not count.
fn place(path: &Path) -> PathBuf {
    let absolute = path::absolute(path).unwrap_or_else(|_| path.to_owned());
    match (absolute.parent(), absolute.file_name()) {
        (Some(directory), Some(name)) => fs::canonicalize(directory).unwrap_or_else(|_| directory.into()).join(name),
        _ => absolute,
    }
}

/// A hash that every version of this program has: 64-bit FNV-1a.
fn fnv1a(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3))
}

/// The other process. Displayed as the subject of a sentence: `another gnss2shm (pid 812, gnss2shm@default.service)`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rival {
    /// Its number, where it can be known.
    pub pid: Option<u32>,
    /// The name of its program, where it can be known: that of another user's may be hidden, proc(5).
    program: Option<String>,
    /// The instance of the service that it is.
    service: Option<String>,
}

impl Rival {
    /// The process with this number.
    pub fn new(pid: Option<u32>) -> Self {
        let cgroup = pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/cgroup")).ok());
        Self {
            pid,
            program: pid.and_then(processes::program),
            service: cgroup.as_deref().and_then(instance).map(str::to_owned),
        }
    }
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.program.as_deref() {
            Some("gnss2shm") => "another gnss2shm",
            Some(program) => program,
            None => "another program",
        })?;
        match (self.pid, &self.service) {
            (Some(pid), Some(service)) => write!(f, " (pid {pid}, {service})"),
            (Some(pid), None) => write!(f, " (pid {pid})"),
            (None, _) => Ok(()),
        }
    }
}

/// The instance of the service in the text of `/proc/PID/cgroup`, cgroups(7): the last part of a path.
fn instance(cgroup: &str) -> Option<&str> {
    cgroup.lines().filter_map(|line| line.rsplit('/').next()).find(|name| name.starts_with("gnss2shm@"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_holder_by_whichever_way_it_is_reached_until_he_lets_go() {
        let dir = std::env::temp_dir().join(format!("gnss2shm-claim-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(dir.join("real")).unwrap();
        std::os::unix::fs::symlink(dir.join("real"), dir.join("link")).unwrap();
        let claim = |path: &str| Claim::take_path("test", &dir.join(path));
        let held = claim("real/it").unwrap();
        for same in ["real/it", "link/it", "real/../link/./it"] {
            let Err(ClaimError::Taken(rival)) = claim(same) else { panic!("{same}") };
            assert_eq!(rival.pid, Some(std::process::id()), "{same}");
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
    fn a_rival_is_named_as_far_as_he_is_known() {
        let service = "0::/system.slice/system-gnss2shm.slice/gnss2shm@default.service\n";
        let rival = |program: Option<&str>, cgroup| Rival {
            pid: Some(812),
            program: program.map(str::to_owned),
            service: instance(cgroup).map(str::to_owned),
        };
        let (ours, session) = (Some("gnss2shm"), "0::/user.slice/session-3.scope\n");
        assert_eq!(rival(ours, service).to_string(), "another gnss2shm (pid 812, gnss2shm@default.service)");
        assert_eq!(rival(ours, session).to_string(), "another gnss2shm (pid 812)");
        assert_eq!(rival(Some("socat"), "").to_string(), "socat (pid 812)");
        assert_eq!(rival(None, session).to_string(), "another program (pid 812)");
        assert_eq!(Rival::new(None).to_string(), "another program");
    }
}
