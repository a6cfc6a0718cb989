//! `gnss2shm status`: the state of a running `gnss2shm run`, from its status socket.

use std::io::{BufRead, BufReader, ErrorKind, Read};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::{ExitCode, Failure};
use crate::core::time::Span;
use crate::core::units::parse_span;
use crate::daemon::status::SOCKETS;
use crate::daemon::status::server::FOLLOWERS;
use crate::daemon::status::snapshot::Snapshot;
use crate::source::sysfs::names;
use crate::sys::wait::await_input;

/// `run` answers immediately or not at all.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Maximum length of an answer; actual answers have about 2,000 bytes.
const ANSWER_MAX: u64 = 64 * 1024;
/// Pause between two attempts of --wait-locked.
const RETRY: Duration = Duration::from_millis(200);

/// Show the state of a running `gnss2shm run`
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Instance of the service [default: the only one]
    #[arg(value_name = "INSTANCE", conflicts_with = "socket")]
    instance: Option<String>,
    /// Status socket, as given to `gnss2shm run --status`
    #[arg(long, value_name = "PATH")]
    socket: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
    /// Keep running, and print a line for each change of state
    #[arg(long)]
    follow: bool,
    /// Print nothing to standard output; exit with 0 if programs may rely on the time, 1 if not, or 69, with a message on
    /// standard error, if nothing answers
    #[arg(long, conflicts_with_all = ["json", "follow"])]
    check: bool,
    /// Wait up to this long for the state Locked (with --check: until programs may rely on the time); exit with 1 if it is
    /// not reached
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, value_parser = parse_span, conflicts_with = "follow")]
    wait_locked: Option<Span>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let wait = args.wait_locked.map(|span| Duration::from_nanos(span.nanos().max(0).unsigned_abs()));
    let deadline = wait.map(|wait| Instant::now() + wait);
    let wanted = |now: &Snapshot| if args.check { now.gate.open } else { now.sync == "LOCKED" };
    let connect = || args.path().and_then(|path| ask(&path));
    let (now, mut changes) = loop {
        let is_over = deadline.is_none_or(|deadline| Instant::now() >= deadline);
        match connect() {
            Ok((now, changes)) if is_over || wanted(&now) => break (now, changes),
            // Waiting does not fix these.
            Err(failure) if is_over || matches!(failure.code, ExitCode::Usage | ExitCode::NoPermission) => {
                return Err(failure);
            }
            Ok(_) | Err(_) => std::thread::sleep(RETRY),
        }
    };
    let text = |now: &Snapshot| match (args.json, args.follow) {
        (true, _) => serde_json::to_string(now).unwrap_or_default() + "\n",
        (false, false) => format!("{now}\n"),
        (false, true) => format!("{} {} {}\n", now.since, now.sync, state(now)),
    };
    if args.follow {
        let (mut next, mut shown) = (Some(now), None);
        while let Some(now) = next {
            // A line also comes at each pulse.
            let is = Some((now.state.clone(), now.reason.clone()));
            if is != shown {
                super::print(&text(&now))?;
                shown = is;
            }
            next = changes.next_for_reader()?;
        }
        let why = match connect() {
            Ok(_) => format!(
                "gnss2shm run answers but closed this connection: {FOLLOWERS} clients already follow, the output was \
                 not read in time, or run was restarted"
            ),
            Err(_) => "gnss2shm run has ended".into(),
        };
        return Err(Failure::new(ExitCode::No, why));
    }
    if !args.check {
        super::show(&text(&now))?;
    }
    if wanted(&now) || !(args.check || args.wait_locked.is_some()) {
        return Ok(());
    }
    // With --check, the exit code is the answer.
    Err(Failure::new(ExitCode::No, if args.check { String::new() } else { state(&now) }))
}

/// The state and its reason.
fn state(now: &Snapshot) -> String {
    now.sentence.as_ref().map_or_else(|| now.state.clone(), |sentence| format!("{}: {sentence}", now.state))
}

impl Args {
    fn path(&self) -> Result<PathBuf, Failure> {
        path_of(self.instance.as_deref(), self.socket.as_deref(), "--socket")
    }
}

/// The status socket at this path, which this option gives, or else that of this instance, or else the only one.
pub(super) fn path_of(instance: Option<&str>, socket: Option<&Path>, option: &str) -> Result<PathBuf, Failure> {
    if let Some(path) = socket {
        return Ok(path.to_owned());
    }
    let there =
        || names(Path::new(SOCKETS)).iter().filter_map(|name| Some(name.strip_suffix(".sock")?.to_owned())).collect();
    let instances: Vec<_> = instance.map_or_else(there, |instance| vec![instance.to_owned()]);
    match instances.as_slice() {
        [] => Err(Failure::new(
            ExitCode::Unavailable,
            format!(
                "there is no status socket in {SOCKETS}: start gnss2shm@INSTANCE.service, or start `run` with --status \
                 and give the same path with {option}"
            ),
        )),
        [only] => Ok(Path::new(SOCKETS).join(format!("{only}.sock"))),
        several => {
            let why = format!("there are several instances; name one of them: {}", several.join(", "));
            Err(Failure::new(ExitCode::Usage, why))
        }
    }
}

/// Answers from a status socket.
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

    /// The next answer, however late: there may be no pulse for days. `None` if the other side has ended.
    pub(super) fn next_without_limit(&mut self) -> Result<Option<Snapshot>, Failure> {
        // The limit is only for the first answer.
        self.from.get_ref().set_read_timeout(None).map_err(|error| unanswered(&self.path, &error))?;
        self.next()
    }

    /// The next answer; `None` if the other side has ended.
    fn next(&mut self) -> Result<Option<Snapshot>, Failure> {
        let mut line = String::new();
        let read = self.from.by_ref().take(ANSWER_MAX).read_line(&mut line);
        let answer = read.and_then(|length| if length == 0 { Ok(None) } else { Ok(serde_json::from_str(&line)?) });
        answer.map_err(|error| {
            let (path, limit) = (self.path.display(), ANSWERS_WITHIN.as_secs());
            let why = format!(
                "the status socket {path} gives no valid answer within {limit} s ({error}): gnss2shm is hung or \
                 stopped, or another program or version answers"
            );
            Failure::new(ExitCode::Unavailable, why)
        })
    }
}

/// The first answer, and those that follow.
pub(super) fn ask(path: &Path) -> Result<(Snapshot, Answers), Failure> {
    let failed = |error| unanswered(path, &error);
    let stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(failed)?;
    let mut answers = Answers { from: BufReader::new(stream), path: path.to_owned() };
    let first = answers.next()?.ok_or_else(|| failed(ErrorKind::ConnectionReset.into()))?;
    Ok((first, answers))
}

/// Why connecting failed, and the fix.
fn unanswered(path: &Path, error: &std::io::Error) -> Failure {
    let (code, cure) = match (error.kind(), path.file_stem().filter(|_| path.parent() == Some(Path::new(SOCKETS)))) {
        (ErrorKind::InvalidInput, _) => (ExitCode::Usage, "give a path of 1 to 107 bytes".to_owned()),
        (ErrorKind::PermissionDenied, _) => (
            ExitCode::NoPermission,
            "gnss2shm opens its socket to all users, so check the directories in its path (`namei -l`), or run this as \
             root"
                .to_owned(),
        ),
        (_, Some(name)) => {
            let unit = format!("gnss2shm@{}", name.display());
            let cure = format!("start it with `systemctl start {unit}`; `journalctl -u {unit}` shows why it ended");
            (ExitCode::Unavailable, cure)
        }
        (_, None) => (
            ExitCode::Unavailable,
            "start `gnss2shm run` with --status and this path, or give the path that it was started with".to_owned(),
        ),
    };
    Failure::new(code, format!("the status socket {} does not answer ({error}): {cure}", path.display()))
}
