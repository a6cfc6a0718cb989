//! `gnss2shm status`: the state of a running `gnss2shm run`, from its status socket.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::fs::FileTypeExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{ExitCode, Failure};
use crate::core::time::Span;
use crate::core::units::parse_span;
use crate::daemon::status::SOCKETS;
use crate::daemon::status::server::FOLLOWERS;
use crate::daemon::status::snapshot::Snapshot;
use crate::sys::wait::await_input;

/// `run` answers at once or not at all.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Longest answer that is read; answers have some 2,000 bytes.
const ANSWER_MAX: u64 = 64 * 1024;
/// Pause between two attempts of --wait-locked.
const RETRY: Duration = Duration::from_millis(200);

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Instance of the service [default: the only one]
    #[arg(value_name = "INSTANCE", conflicts_with = "socket")]
    instance: Option<String>,
    /// Status socket, as given to `gnss2shm run --status`
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print JSON, one line an answer
    #[arg(long)]
    json: bool,
    /// Keep running, and print a line for each change of state
    #[arg(long)]
    follow: bool,
    /// Print nothing; end with 0 if programs may rely on the time, with 1 if not, and with 69 and a line on standard
    /// error if nothing answers
    #[arg(long, conflicts_with_all = ["json", "follow"])]
    check: bool,
    /// Wait until it is locked (with --check: until programs may rely on the time), at most for this long
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_span, conflicts_with = "follow")]
    wait_locked: Option<Span>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let wait = args.wait_locked.map(|span| Duration::from_nanos(span.nanos().max(0).unsigned_abs()));
    let deadline = wait.map(|wait| Instant::now() + wait);
    let wanted = |now: &Snapshot| if args.check { now.gate.open } else { now.sync == "LOCKED" };
    let (now, mut changes) = loop {
        let is_over = deadline.is_none_or(|deadline| Instant::now() >= deadline);
        match args.path().and_then(|path| ask(&path)) {
            Ok((now, changes)) if is_over || wanted(&now) => break (now, changes),
            // Waiting cannot cure these.
            Err(failure) if is_over || matches!(failure.code, ExitCode::Usage | ExitCode::NoPermission) => {
                return Err(failure);
            }
            Ok(_) | Err(_) => std::thread::sleep(RETRY),
        }
    };
    let print = |now: &Snapshot| {
        let text = match (args.json, args.follow) {
            (true, _) => serde_json::to_string(now).unwrap_or_default(),
            (false, false) => now.to_string(),
            (false, true) => format!("{} {} {}", now.since, now.sync, state(now)),
        };
        super::print(&(text + "\n"))
    };
    if args.follow {
        super::written(print(&now))?;
        while let Some(now) = changes.next_for_reader()? {
            super::written(print(&now))?;
        }
        let why = match args.path().and_then(|path| ask(&path)) {
            Ok(_) => format!(
                "gnss2shm run answers, but ended this connection: {FOLLOWERS} follow already, the output was not read in \
                 time, or run was restarted"
            ),
            Err(_) => "gnss2shm run has ended".into(),
        };
        return Err(Failure::new(ExitCode::No, why));
    }
    if !args.check {
        super::shown(print(&now))?;
    }
    if wanted(&now) || !(args.check || args.wait_locked.is_some()) {
        return Ok(());
    }
    // With --check the exit code alone answers.
    Err(Failure::new(ExitCode::No, if args.check { String::new() } else { state(&now) }))
}

/// The state and its reason.
fn state(now: &Snapshot) -> String {
    now.sentence.as_ref().map_or_else(|| now.state.clone(), |sentence| format!("{}: {sentence}", now.state))
}

impl Args {
    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(path) = &self.socket {
            return Ok(path.clone());
        }
        if let Some(instance) = &self.instance {
            return Ok(Path::new(SOCKETS).join(format!("{instance}.sock")));
        }
        let entries = std::fs::read_dir(SOCKETS).into_iter().flatten().flatten().map(|entry| entry.path());
        let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "sock")).collect();
        found.sort();
        let names = found.iter().filter_map(|path| path.file_stem()).map(|name| name.to_string_lossy());
        let names = names.collect::<Vec<_>>().join(", ");
        let (code, why) = match found.len() {
            0 => (
                ExitCode::Unavailable,
                format!(
                    "there is no status socket in {SOCKETS}: start gnss2shm@INSTANCE.service, or give `run` a --status, \
                     and name that with --socket"
                ),
            ),
            1 => return Ok(found.remove(0)),
            _ => (ExitCode::Usage, format!("there are several instances, name one of them: {names}")),
        };
        Err(Failure::new(code, why))
    }
}

/// The answers of a status socket.
pub(super) struct Answers {
    from: BufReader<UnixStream>,
    path: PathBuf,
}

impl Answers {
    /// The next answer, unless standard output is closed first: the next change of state may be days away.
    fn next_for_reader(&mut self) -> Result<Option<Snapshot>, Failure> {
        if self.from.buffer().is_empty() {
            super::written(await_input(self.from.get_ref()))?;
        }
        self.next()
    }

    /// The next answer; `None` if the other side has ended.
    fn next(&mut self) -> Result<Option<Snapshot>, Failure> {
        let mut line = String::new();
        let why = match self.from.by_ref().take(ANSWER_MAX).read_line(&mut line) {
            Ok(0) => return Ok(None),
            Ok(_) => match serde_json::from_str(&line) {
                Ok(now) => return Ok(Some(now)),
                Err(error) => format!(" that can be read: another version's, or another program's? ({error})"),
            },
            // The socket's read timeout.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                format!(" within {} s: gnss2shm hangs or is stopped", ANSWERS_WITHIN.as_secs())
            }
            Err(error) => format!(": {error}"),
        };
        let path = self.path.display();
        Err(Failure::new(ExitCode::Unavailable, format!("the status socket {path} gives no answer{why}")))
    }
}

/// Why connecting failed, and the cure.
fn unanswered(path: &Path, error: &std::io::Error) -> Failure {
    // chronyd's sockets are datagram sockets: EPROTOTYPE.
    let is_another = std::fs::metadata(path).is_ok_and(|found| !found.file_type().is_socket())
        || error.raw_os_error() == Some(libc::EPROTOTYPE);
    let kind = error.kind();
    let code = match kind {
        ErrorKind::PermissionDenied => ExitCode::NoPermission,
        ErrorKind::InvalidInput => ExitCode::Usage,
        _ => ExitCode::Unavailable,
    };
    let start = match path.file_stem().filter(|_| path.parent() == Some(Path::new(SOCKETS))) {
        Some(name) => {
            let unit = format!("gnss2shm@{}", name.display());
            format!("start it with `systemctl start {unit}`, and `journalctl -u {unit}` says why it ended")
        }
        None => "start `gnss2shm run` with --status and this path, or give the path that it was given".into(),
    };
    let why = match kind {
        ErrorKind::InvalidInput => "can have no such name: give a path of 1 to 107 bytes".into(),
        ErrorKind::NotFound | ErrorKind::NotADirectory => format!("is not there: {start}"),
        _ if is_another => "is not gnss2shm's: give the path that `gnss2shm run` was given with --status".into(),
        ErrorKind::ConnectionRefused => format!("was left behind by a gnss2shm that has ended: {start}"),
        ErrorKind::PermissionDenied => "may not be reached: gnss2shm opens its socket to everybody, so look at the \
            directories on the way (`namei -l` shows them), or ask as root"
            .into(),
        _ => format!("does not answer ({error}): {start}"),
    };
    Failure::new(code, format!("the status socket {} {why}", path.display()))
}

/// The first answer, and those that follow.
pub(super) fn ask(path: &Path) -> Result<(Snapshot, Answers), Failure> {
    let failed = |error| unanswered(path, &error);
    let stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(failed)?;
    let mut answers = Answers { from: BufReader::new(stream), path: path.to_owned() };
    let first = answers.next()?.ok_or_else(|| failed(ErrorKind::ConnectionReset.into()))?;
    // Changes of state may be days apart.
    answers.from.get_ref().set_read_timeout(None).map_err(failed)?;
    Ok((first, answers))
}
