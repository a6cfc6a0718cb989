//! The datagram socket to ptp4l: one request at a time, and its answer. Nothing here waits longer than [`PATIENCE`].
//! Only ptp4l can reach our socket, because it is connected; answers that are late or meant for another are discarded.

use std::fmt;
use std::fs::{self, Permissions};
use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::net::SocketAddrUnix;

use super::management::{Answer, Conversation, ErrorId, GrandmasterSettings, PortState, Request};

/// Time limit of a request and its answer.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// ptp4l's default sockets: `uds_address` since 2024, and before.
const DEFAULTS: [&str; 2] = ["/var/run/ptp4l", "/var/run/ptp/ptp4l"];
/// Directory for our own socket where systemd gives none.
const OWN_DIRECTORY: &str = "/run/gnss2shm";
/// More than any answer.
const DATAGRAM: usize = 1_500;

/// How to reach ptp4l.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LinkConfig {
    /// ptp4l's read-write socket; one of [`DEFAULTS`] if none is given.
    pub socket: Option<PathBuf>,
    /// ptp4l's `domainNumber`.
    pub domain: u8,
    /// ptp4l's `transportSpecific`.
    pub transport_specific: u8,
}

/// Why there is no answer: one sentence with what to do.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LinkError {
    /// ptp4l's socket does not exist, or nobody listens on it.
    #[error("ptp4l does not listen on {0} ({1}): start it, or give its uds_address as `socket`")]
    Absent(Paths, io::Error),
    #[error("ptp4l's socket {0} cannot be used ({1}): run this as root, or as a user who may write to it")]
    Denied(Paths, io::Error),
    #[error("the socket {0} fails ({1}): check the `socket` setting against ptp4l's uds_address")]
    Failed(Paths, io::Error),
    #[error(
        "ptp4l on {path} does not answer for domain {domain} and transportSpecific {transport_specific}: set `domain` and \
         `transport-specific` as in ptp4l's configuration, and check that ptp4l is not stopped"
    )]
    Silent { path: PathBuf, domain: u8, transport_specific: u8 },
    #[error("ptp4l refuses {0} on {1} ({2}): give its read-write socket, uds_address, as `socket`")]
    Refused(&'static str, PathBuf, ErrorId),
}

/// Paths as they are named in a sentence.
#[derive(Debug)]
pub(crate) struct Paths(Vec<PathBuf>);

impl fmt::Display for Paths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or "))
    }
}

/// The connection, which is made when it is needed.
pub(crate) struct Link {
    config: LinkConfig,
    /// Directory for our own socket.
    own: PathBuf,
    sequence: u16,
    to: Option<Connected>,
}

/// A socket that is connected to ptp4l's.
struct Connected {
    socket: UnixDatagram,
    /// Our name in the file system, through which ptp4l answers from any network namespace.
    own: Option<PathBuf>,
    path: PathBuf,
    /// Which socket of ptp4l's this is: a restarted ptp4l has another one.
    identity: Option<Identity>,
}

impl Link {
    /// A link to ptp4l. Its own socket will be in the directory that systemd gives, or else in [`OWN_DIRECTORY`].
    pub(crate) fn new(config: LinkConfig) -> Self {
        let given = std::env::var("RUNTIME_DIRECTORY").ok();
        let own = given.as_deref().and_then(|all| all.split(':').next()).unwrap_or(OWN_DIRECTORY);
        Self::with_own(config, Path::new(own))
    }

    /// The same with its own socket in this directory.
    pub(crate) fn with_own(config: LinkConfig, own: &Path) -> Self {
        Self { config, own: own.to_owned(), sequence: 0, to: None }
    }

    /// Whether ptp4l's socket is another one than at the last request, as after a restart.
    pub(crate) fn is_replaced(&self) -> bool {
        self.to.as_ref().is_some_and(|to| identity(&to.path) != to.identity)
    }

    /// ptp4l's settings.
    pub(crate) fn settings(&mut self) -> Result<GrandmasterSettings, LinkError> {
        self.settings_after(Request::Settings)
    }

    /// Sets them, and returns what ptp4l then has.
    pub(crate) fn set(&mut self, settings: GrandmasterSettings) -> Result<GrandmasterSettings, LinkError> {
        self.settings_after(Request::Set(settings))
    }

    /// The first port on which ptp4l follows another clock.
    pub(crate) fn follower(&mut self) -> Result<Option<u16>, LinkError> {
        let Answer::Ports(ports) = self.ask(Request::Defaults)? else { return Ok(None) };
        for port in 1..=ports {
            let state = self.ask(Request::Port(port))?;
            if matches!(state, Answer::PortState(PortState::Slave | PortState::Uncalibrated)) {
                return Ok(Some(port));
            }
        }
        Ok(None)
    }

    fn settings_after(&mut self, request: Request) -> Result<GrandmasterSettings, LinkError> {
        match self.ask(request)? {
            Answer::Settings(settings) => Ok(settings),
            Answer::Ports(_) | Answer::PortState(_) | Answer::Refused(_) => Err(self.silent()),
        }
    }

    /// Sends a request, and waits for its answer. Connects again after every failure to send.
    fn ask(&mut self, request: Request) -> Result<Answer, LinkError> {
        self.sequence = self.sequence.wrapping_add(1);
        let conversation = Conversation {
            domain: self.config.domain,
            transport_specific: self.config.transport_specific,
            port: std::process::id() as u16, // its low half, as pmc does
            sequence: self.sequence,
        };
        if self.is_replaced() {
            self.to = None;
        }
        let to = match self.to.take() {
            Some(to) => to,
            None => self.connect()?,
        };
        match to.exchange(request, conversation) {
            Ok(answer) => {
                let path = to.path.clone();
                self.to = Some(to);
                match answer {
                    Some(Answer::Refused(error)) => Err(LinkError::Refused(request.name(), path, error)),
                    Some(answer) => Ok(answer),
                    None => Err(self.silent()),
                }
            }
            Err(error) => Err(self.unusable(error)),
        }
    }

    fn connect(&self) -> Result<Connected, LinkError> {
        let mut last = ErrorKind::NotFound.into();
        for path in self.paths() {
            match Connected::to(&path, &self.own) {
                Ok(connected) => return Ok(connected),
                Err(error) if is_absent(&error) => last = error,
                Err(error) => return Err(self.unusable(error)),
            }
        }
        Err(self.unusable(last))
    }

    fn paths(&self) -> Vec<PathBuf> {
        self.config.socket.clone().map_or_else(|| DEFAULTS.map(PathBuf::from).to_vec(), |path| vec![path])
    }

    fn unusable(&self, error: io::Error) -> LinkError {
        let (there, all): (Vec<_>, _) = (self.paths().into_iter().filter(|path| path.exists()).collect(), self.paths());
        let paths = Paths(if there.is_empty() { all } else { there });
        match error.kind() {
            _ if is_absent(&error) => LinkError::Absent(paths, error),
            ErrorKind::PermissionDenied => LinkError::Denied(paths, error),
            _ => LinkError::Failed(paths, error),
        }
    }

    fn silent(&self) -> LinkError {
        let LinkConfig { domain, transport_specific, .. } = self.config;
        let path = self.to.as_ref().map(|to| to.path.clone()).unwrap_or_default();
        LinkError::Silent { path, domain, transport_specific }
    }
}

impl Connected {
    fn to(path: &Path, directory: &Path) -> io::Result<Self> {
        let socket = UnixDatagram::unbound()?;
        let identity = identity(path);
        socket.connect(path)?;
        let own = match bind(&socket, directory) {
            Ok(own) => Some(own),
            Err(_) => {
                // In this network namespace only.
                rustix::net::bind(&socket, &SocketAddrUnix::new_unnamed())?;
                None
            }
        };
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { socket, own, path: path.to_owned(), identity })
    }

    /// The answer; `None` if there is none in time.
    fn exchange(&self, request: Request, conversation: Conversation) -> io::Result<Option<Answer>> {
        let deadline = Instant::now() + PATIENCE;
        let is_late = |error: &io::Error| matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut);
        match self.socket.send(&request.encode(conversation)) {
            Ok(_) => {}
            Err(error) if is_late(&error) => return Ok(None), // a stopped ptp4l: its queue is full
            Err(error) => return Err(error),
        }
        let mut datagram = [0; DATAGRAM];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(None);
            }
            self.socket.set_read_timeout(Some(left))?;
            match self.socket.recv(&mut datagram) {
                Ok(length) => {
                    let answer = request.answer(conversation, datagram.get(..length).unwrap_or_default());
                    if answer.is_some() {
                        return Ok(answer);
                    }
                }
                Err(error) if is_late(&error) => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

impl Drop for Connected {
    fn drop(&mut self) {
        if let Some(own) = &self.own {
            let _ = fs::remove_file(own);
        }
    }
}

/// Gives the socket a name in this directory. ptp4l may run as any user: being connected protects the socket, not its
/// mode.
fn bind(socket: &UnixDatagram, directory: &Path) -> io::Result<PathBuf> {
    let path = directory.join(format!("grandmaster.{}", std::process::id()));
    if fs::symlink_metadata(&path).is_ok_and(|found| found.file_type().is_socket()) {
        fs::remove_file(&path)?; // of a killed process that had this pid
    }
    rustix::net::bind(socket, &SocketAddrUnix::new(&path)?)?;
    fs::set_permissions(&path, Permissions::from_mode(0o666))?;
    Ok(path)
}

/// Whether nobody listens: there is no socket, or it was left behind.
fn is_absent(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::NotFound | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset)
}

/// Device, inode, and time of the last change of the inode, because a new file may get the inode of a removed one.
type Identity = (u64, u64, i64, i64);

fn identity(path: &Path) -> Option<Identity> {
    fs::metadata(path).ok().map(|found| (found.dev(), found.ino(), found.ctime(), found.ctime_nsec()))
}
