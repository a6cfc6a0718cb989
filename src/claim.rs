//! What only one process may have: a unit, a recording, a refclock's socket. A second one would spoil the work of the
//! first, and neither would notice. The sinks and the servers of [`status`](crate::status) claim theirs before they begin.

use std::fmt;
use std::fs;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{self, Path, PathBuf};

use crate::sys::listener;

/// The right to something until it is dropped: a socket's name outside the file system, which only one process on this
/// machine (or in this network namespace) can have, whichever user's. The kernel lets go of it even after kill -9.
#[derive(Debug)]
pub struct Claim {
    _name: UnixListener,
}

/// Why there is no claim.
#[derive(Debug)]
pub enum ClaimError {
    /// Another process has it.
    Taken(Rival),
    /// No name can be had.
    Os(io::Error),
}

impl Claim {
    /// Claims what this names.
    pub fn take(name: &str) -> Result<Self, ClaimError> {
        let address = address(name).map_err(ClaimError::Os)?;
        match UnixListener::bind_addr(&address) {
            Ok(name) => Ok(Self { _name: name }),
            Err(error) if error.kind() == ErrorKind::AddrInUse => Err(ClaimError::Taken(Rival::with(name))),
            Err(error) => Err(ClaimError::Os(error)),
        }
    }

    /// Claims a path for this purpose, by whichever links it is reached and whether anything is there or not.
    pub fn take_path(purpose: &str, path: &Path) -> Result<Self, ClaimError> {
        // A path may be longer than a socket's name.
        Self::take(&format!("{purpose}-{:016x}", fnv1a(place(path).as_os_str().as_bytes())))
    }
}

fn address(name: &str) -> io::Result<SocketAddr> {
    SocketAddr::from_abstract_name(format!("gnss2shm-{name}"))
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
    /// The name of its program, unless it is this one's.
    program: Option<String>,
    /// The instance of the service that it is.
    service: Option<String>,
}

impl Rival {
    /// The process with this number.
    pub fn new(pid: Option<u32>) -> Self {
        let read = |file| pid.and_then(|pid| fs::read_to_string(format!("/proc/{pid}/{file}")).ok());
        Self {
            pid,
            program: read("comm").map(|name| name.trim_end().to_owned()).filter(|name| name != "gnss2shm"),
            service: read("cgroup").as_deref().and_then(instance).map(str::to_owned),
        }
    }

    /// Whoever has claimed this.
    pub fn with(name: &str) -> Self {
        Self::new(address(name).and_then(|address| listener::pid(&address)).unwrap_or_default())
    }
}

impl fmt::Display for Rival {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.program.as_deref().unwrap_or("another gnss2shm"))?;
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
        assert_eq!(rival(None, service).to_string(), "another gnss2shm (pid 812, gnss2shm@default.service)");
        assert_eq!(rival(None, "0::/user.slice/session-3.scope\n").to_string(), "another gnss2shm (pid 812)");
        assert_eq!(rival(Some("socat"), "").to_string(), "socat (pid 812)");
        assert_eq!(Rival::new(None).to_string(), "another gnss2shm");
    }
}
