//! `gnss2shm status`: how a running `gnss2shm run` stands, by its status socket.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
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
use crate::sys::reader::await_input;

/// An answer that takes longer is none: it is written at once or not at all.
const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// An answer has some 2,000 bytes.
const ANSWER_MAX: u64 = 64 * 1024;
/// A program that is not there yet is looked for this often.
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
    let wait = args.wait_locked.map(|span| Duration::from_nanos(u64::try_from(span.nanos()).unwrap_or(0)));
    let deadline = wait.map(|wait| Instant::now() + wait);
    let wanted = |now: &Snapshot| if args.check { now.gate.open } else { now.sync == "LOCKED" };
    let mut answer = loop {
        let asked = args.path().and_then(|path| ask(&path));
        let is_over = deadline.is_none_or(|deadline| Instant::now() >= deadline);
        match asked {
            Ok((now, rest)) if is_over || wanted(&now) => break (now, rest),
            Err(failure) if is_over || !may_pass(&failure) => return Err(failure),
            Ok(_) | Err(_) => std::thread::sleep(RETRY),
        }
    };
    if args.follow {
        super::written(args.print(&answer.0, false))?;
        while let Some(now) = answer.1.next_for_reader()? {
            super::written(args.print(&now, false))?;
        }
        // Asked once more, who has not ended answers.
        let is_there = args.path().and_then(|path| ask(&path)).is_ok();
        return Err(Failure::new(ExitCode::No, if is_there { let_go() } else { "gnss2shm run has ended".into() }));
    }
    if !args.check {
        super::shown(args.print(&answer.0, true))?;
    }
    let is_asked_for = args.check || args.wait_locked.is_some();
    if is_asked_for && !wanted(&answer.0) { Err(Failure::new(ExitCode::No, why(args, &answer.0))) } else { Ok(()) }
}

/// Whether waiting may cure it: nobody names an instance or grants a right meanwhile.
fn may_pass(failure: &Failure) -> bool {
    !matches!(failure.code, ExitCode::Usage | ExitCode::NoPermission)
}

/// Why a follower hears no more of one who answers.
fn let_go() -> String {
    format!(
        "gnss2shm run answers, but lets this one follow no further: {FOLLOWERS} follow already, its output was not read \
         in time, or run was started anew"
    )
}

/// Why the answer is no; nothing where the exit code is all that was asked for.
fn why(args: &Args, now: &Snapshot) -> String {
    match &now.sentence {
        _ if args.check => String::new(),
        Some(sentence) => format!("{}: {sentence}", now.state),
        None => now.state.clone(),
    }
}

impl Args {
    fn path(&self) -> Result<PathBuf, Failure> {
        match (&self.socket, &self.instance) {
            (Some(path), _) => Ok(path.clone()),
            (None, Some(instance)) => Ok(Path::new(SOCKETS).join(format!("{instance}.sock"))),
            (None, None) => only_socket(),
        }
    }

    fn print(&self, now: &Snapshot, whole: bool) -> io::Result<()> {
        let text = match (self.json, whole) {
            (true, _) => serde_json::to_string(now).unwrap_or_default(),
            (false, true) => now.to_string(),
            (false, false) => match &now.sentence {
                Some(sentence) => format!("{} {} {}: {sentence}", now.since, now.sync, now.state),
                None => format!("{} {} {}", now.since, now.sync, now.state),
            },
        };
        let mut out = super::stdout();
        writeln!(out, "{text}").and_then(|()| out.flush())
    }
}

/// The socket of the only instance that there is.
fn only_socket() -> Result<PathBuf, Failure> {
    let entries = std::fs::read_dir(SOCKETS).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut found: Vec<_> = entries.filter(|path| path.extension().is_some_and(|end| end == "sock")).collect();
    found.sort();
    match found.as_slice() {
        [only] => Ok(only.clone()),
        [] => Err(Failure::new(
            ExitCode::Unavailable,
            format!(
                "there is no status socket in {SOCKETS}: start gnss2shm@INSTANCE.service, or give `run` a \
                 --status, and name that with --socket"
            ),
        )),
        several => {
            let names = several.iter().filter_map(|path| path.file_stem()).map(|name| name.to_string_lossy());
            let names = names.collect::<Vec<_>>().join(", ");
            Err(Failure::new(ExitCode::Usage, format!("there are several instances, name one of them: {names}")))
        }
    }
}

/// The lines that come.
pub(super) struct Lines {
    from: BufReader<UnixStream>,
    path: PathBuf,
}

impl Lines {
    /// The same, for as long as somebody reads standard output: until the next change of state may be days.
    fn next_for_reader(&mut self) -> Result<Option<Snapshot>, Failure> {
        if self.from.buffer().is_empty() {
            super::while_read(await_input(self.from.get_ref()))?;
        }
        self.next()
    }

    /// The next answer; none where the other side has ended.
    fn next(&mut self) -> Result<Option<Snapshot>, Failure> {
        let path = self.path.display();
        let failed =
            |why: &str| Failure::new(ExitCode::Unavailable, format!("the status socket {path} gives no {why}"));
        let mut line = String::new();
        match self.from.by_ref().take(ANSWER_MAX).read_line(&mut line) {
            Ok(_) if line.len() as u64 == ANSWER_MAX => {
                return Err(failed("answer that ends: no gnss2shm answers there"));
            }
            Ok(0) => return Ok(None),
            Ok(_) => {}
            // What the time that a socket waits ends with.
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                let seconds = ANSWERS_WITHIN.as_secs();
                return Err(failed(&format!("answer within {seconds} s: gnss2shm hangs or is stopped")));
            }
            Err(error) => return Err(failed(&format!("answer: {error}"))),
        }
        let said = serde_json::from_str(&line);
        said.map(Some).map_err(|error| failed(&format!("answer that can be read: another version's? ({error})")))
    }
}

/// Why nothing answers there, and the cure.
fn unanswered(path: &Path, error: &std::io::Error) -> Failure {
    let code = match error.kind() {
        ErrorKind::PermissionDenied => ExitCode::NoPermission,
        ErrorKind::InvalidInput => ExitCode::Usage,
        _ => ExitCode::Unavailable,
    };
    let instance = if path.parent() == Some(Path::new(SOCKETS)) { path.file_stem() } else { None };
    let start = match instance.map(|name| name.to_string_lossy()) {
        Some(name) => format!(
            "start it with `systemctl start gnss2shm@{name}`, and `journalctl -u gnss2shm@{name}` says why it ended"
        ),
        None => "start `gnss2shm run` with --status and this path, or give the path that it was given".into(),
    };
    let is_socket = std::fs::metadata(path).map(|found| found.file_type().is_socket());
    let why = match (error.kind(), is_socket) {
        (ErrorKind::InvalidInput, _) => "can have no such name: give a path of 1 to 107 bytes".into(),
        (ErrorKind::NotFound | ErrorKind::NotADirectory, _) => format!("is not there: {start}"),
        // What connecting to any other file ends with, too.
        (ErrorKind::ConnectionRefused | ErrorKind::PermissionDenied, Ok(false)) => {
            "is not a socket: give the path that `gnss2shm run` was given with --status".into()
        }
        (ErrorKind::ConnectionRefused, _) => format!("was left behind by a gnss2shm that has ended: {start}"),
        (ErrorKind::PermissionDenied, _) => {
            "may not be reached: gnss2shm opens its socket to everybody, so look at the directories on the way (`namei \
             -l` shows them), or ask as root"
                .into()
        }
        _ if error.raw_os_error() == Some(libc::EPROTOTYPE) => {
            "is a socket of another kind, as chronyd's are: give the path that `gnss2shm run` was given with --status"
                .into()
        }
        _ => format!("does not answer ({error}): {start}"),
    };
    Failure::new(code, format!("the status socket {} {why}", path.display()))
}

/// The first answer, and those that follow.
pub(super) fn ask(path: &Path) -> Result<(Snapshot, Lines), Failure> {
    let failed = |error| unanswered(path, &error);
    let stream = UnixStream::connect(path).map_err(failed)?;
    stream.set_read_timeout(Some(ANSWERS_WITHIN)).map_err(failed)?;
    let mut lines = Lines { from: BufReader::new(stream), path: path.to_owned() };
    let first = lines.next()?.ok_or_else(|| failed(ErrorKind::ConnectionReset.into()))?;
    lines.from.get_ref().set_read_timeout(None).map_err(failed)?; // changes of state come when they come
    Ok((first, lines))
}
