//! The datagram socket to ptp4l: one request at a time, and its answer. Nothing here waits longer than it is told to.
//! Only ptp4l can reach our socket, because it is connected; answers that are late or meant for another are discarded.

mod connection;
mod own;

use std::fmt;
use std::io::{self, ErrorKind};
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::management::{Answer, Conversation, ErrorId, GrandmasterSettings, PortState, Request};
use connection::{Connection, Identity};
use own::OwnName;
pub(crate) use own::directory;

/// Time limit of a turn: of all its requests and their answers together.
pub(crate) const PATIENCE: Duration = Duration::from_secs(1);
/// Time limit for what must not wait: to send without an answer.
pub(crate) const BRIEFLY: Duration = Duration::from_millis(100);
/// Only these ports are asked: the answer of a ptp4l that claims more is not to be believed.
const PORTS: u16 = 64;
/// ptp4l's default sockets: `uds_address` since 2024, and before.
const DEFAULTS: [&str; 2] = ["/var/run/ptp4l", "/var/run/ptp/ptp4l"];
/// What to do about a denied socket: as another user, and as root without `CAP_DAC_OVERRIDE`.
const AS_ROOT: &str = "run this as root, or as a user who may write to it";
const AS_OWNER: &str = "run this as the user who owns it, or let its group write (uds_file_mode)";

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
    #[error("ptp4l's socket {0} cannot be used ({1}): {2}")]
    Denied(Paths, io::Error, &'static str),
    #[error("the socket {0} fails ({1}): check the `socket` setting against ptp4l's uds_address")]
    Failed(Paths, io::Error),
    #[error(
        "our own socket {path} cannot be created ({error}): make room there, or give a directory that can be written to as \
         RUNTIME_DIRECTORY"
    )]
    Own { path: PathBuf, error: io::Error },
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
    /// When the time limit of this turn ends.
    until: Instant,
    to: Option<Connection>,
    /// The socket of the ptp4l that was last seen by [`Link::renew`].
    last: Option<Identity>,
}

impl Link {
    /// A link to ptp4l. Its own socket will be in the directory that systemd gives.
    pub(crate) fn new(config: LinkConfig) -> Self {
        Self::with_own(config, directory(std::env::var("RUNTIME_DIRECTORY").ok().as_deref()))
    }

    /// The same with its own socket in this directory.
    pub(crate) fn with_own(config: LinkConfig, own: &Path) -> Self {
        Self { config, own: own.to_owned(), sequence: 0, until: Instant::now(), to: None, last: None }
    }

    /// Sets the time limit for all requests up to the next call.
    pub(crate) fn within(&mut self, limit: Duration) -> &mut Self {
        self.until = Instant::now() + limit;
        self
    }

    /// Connects if that is needed: also if our own name is gone, or ptp4l's name has become that of another socket. The
    /// ptp4l of the old one may still run, and is sent these settings. The old connection is kept as long as there is no
    /// other. Returns whether this is another ptp4l than at the last call.
    pub(crate) fn renew(&mut self, parting: GrandmasterSettings) -> bool {
        if self.to.as_ref().is_none_or(|to| to.is_replaced() || !to.is_named())
            && let Ok(new) = self.connect()
        {
            let message = Request::Set(parting).encode(self.conversation());
            let is_other = |old: &Connection| Some(new.identity?.is_other_file(old.identity?));
            if let Some(old) = self.to.take().filter(|old| is_other(old) != Some(false)) {
                let _ = old.send(&message, BRIEFLY); // in vain if it has ended
            }
            self.to = Some(new);
        }
        let Some(to) = &self.to else { return false };
        std::mem::replace(&mut self.last, to.identity) != to.identity
    }

    /// Sets them without waiting for an answer: a ptp4l that is slow or stopped finds them in its queue. Returns whether
    /// they are there.
    pub(crate) fn set_blind(&mut self, settings: GrandmasterSettings) -> bool {
        let message = Request::Set(settings).encode(self.conversation());
        self.to.as_ref().is_some_and(|to| to.send(&message, BRIEFLY).is_ok())
            || self.paths().iter().any(|path| send_unbound(&message, path).is_ok())
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
        for port in 1..=ports.min(PORTS) {
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

    fn conversation(&mut self) -> Conversation {
        self.sequence = self.sequence.wrapping_add(1);
        Conversation {
            domain: self.config.domain,
            transport_specific: self.config.transport_specific,
            port: std::process::id() as u16, // its low half, as pmc does
            sequence: self.sequence,
        }
    }

    /// Sends a request, and waits for its answer. Connects again after every failure to send.
    fn ask(&mut self, request: Request) -> Result<Answer, LinkError> {
        let conversation = self.conversation();
        let to = match self.to.take_if(|to| to.is_named()) {
            Some(to) => to,
            None => self.connect()?,
        };
        match to.exchange(request, conversation, self.until) {
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

    fn connect(&self) -> Result<Connection, LinkError> {
        let mut last = ErrorKind::NotFound.into();
        for path in self.paths() {
            let identity = Identity::of(&path);
            let connected = UnixDatagram::unbound().and_then(|socket| socket.connect(&path).map(|()| socket));
            match connected {
                Ok(socket) => {
                    let own = OwnName::bind(&socket, &self.own);
                    let own = own.map_err(|(path, error)| LinkError::Own { path, error })?;
                    return Ok(Connection { socket, own, path, identity });
                }
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
            ErrorKind::PermissionDenied => {
                let cure = if rustix::process::geteuid().is_root() { AS_OWNER } else { AS_ROOT };
                LinkError::Denied(paths, error, cure)
            }
            _ => LinkError::Failed(paths, error),
        }
    }

    fn silent(&self) -> LinkError {
        let LinkConfig { domain, transport_specific, .. } = self.config;
        let path = self.to.as_ref().map(|to| to.path.clone()).unwrap_or_default();
        LinkError::Silent { path, domain, transport_specific }
    }
}

/// From a socket without a name, which gets no answer.
fn send_unbound(message: &[u8], path: &Path) -> io::Result<()> {
    let socket = UnixDatagram::unbound()?;
    socket.set_write_timeout(Some(BRIEFLY))?;
    socket.send_to(message, path).map(drop)
}

/// Whether nobody listens: there is no socket, it was left behind, or it is closed since we connected to it.
fn is_absent(error: &io::Error) -> bool {
    use ErrorKind::{ConnectionRefused, ConnectionReset, NotConnected, NotFound};
    matches!(error.kind(), NotFound | ConnectionRefused | ConnectionReset | NotConnected)
}
