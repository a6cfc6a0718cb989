//! The command line: one file per command. A command ends with a [`Failure`], which holds the exit code and the message.

use std::fmt;
use std::fs::File;
use std::io::{self, ErrorKind, Read as _, Write as _};
use std::os::fd::AsFd as _;
use std::panic::resume_unwind;
use std::path::Path;
use std::process;

use clap::{Parser, Subcommand};

use crate::core::printable::{printable, printable_lines};
use crate::sys::error::{OpenError, Problem};
use crate::sys::wait::await_input;

mod decode;
mod doctor;
mod grandmaster;
mod log;
mod probe;
mod replay;
mod run;
mod shm;
mod simulate;
mod status;

/// Bytes read from an input at a time.
const PIECE: usize = 64 * 1024;

/// Pair a GNSS receiver's sentences with its pulse, timestamped by a NIC, and feed chrony's refclocks
#[derive(Parser, Debug)]
#[command(name = "gnss2shm", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    Run(Box<run::Args>),
    Probe(probe::Args),
    Simulate(simulate::Args),
    Replay(replay::Args),
    Decode(decode::Args),
    Shm(shm::Args),
    Status(status::Args),
    Doctor(doctor::Args),
    Grandmaster(grandmaster::Args),
}

/// The program: from its arguments to its exit code.
pub fn main() -> process::ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // A failure to print is ignored. --help and --version exit with 0, a wrong option with EX_USAGE.
            let _ = error.print();
            return if error.use_stderr() {
                process::ExitCode::from(ExitCode::Usage as u8)
            } else {
                process::ExitCode::SUCCESS
            };
        }
    };
    match run(cli) {
        Ok(()) => process::ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                // If standard error is closed or full, only the exit code remains.
                let _ = writeln!(io::stderr(), "gnss2shm: {}", printable(&failure.message));
            }
            process::ExitCode::from(failure.code as u8)
        }
    }
}

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Run(args) => run::run(*args),
        Command::Probe(args) => probe::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::Replay(args) => replay::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Shm(args) => shm::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(args),
        Command::Grandmaster(args) => grandmaster::run(args),
    }
}

/// Runs a future to completion on one thread, and does not wait for blocked threads at the end. It runs as a task,
/// because polling it directly in `block_on` would check all descriptors for each message between tasks.
fn on_runtime(work: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::os("cannot start the event loop", error))?;
    let ended = runtime.block_on(runtime.spawn(work)).unwrap_or_else(|error| resume_unwind(error.into_panic()));
    // A name server that does not answer blocks a thread until the resolver gives up.
    runtime.shutdown_background();
    ended
}

/// Prints this immediately, with control characters escaped.
fn print(text: &str) -> Result<(), Failure> {
    let mut out = io::stdout().lock();
    written(out.write_all(printable_lines(text).as_bytes()).and_then(|()| out.flush()))
}

/// The result of a write to standard output, or of a wait for its reader: a closed pipe (EPIPE) ends the command with 0.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::new(ExitCode::OutputClosed, ""),
        _ => Failure::os("cannot write to standard output", error),
    })
}

/// The same for a command that continues after a closed pipe, or answers with its exit code.
fn show(text: &str) -> Result<(), Failure> {
    print(text).or_else(|failure| if failure.code == ExitCode::OutputClosed { Ok(()) } else { Err(failure) })
}

/// Name of an input; `-` is standard input.
fn name_of(path: &Path) -> String {
    if path == Path::new("-") { "standard input".to_owned() } else { path.display().to_string() }
}

/// Passes all of an input to `take`, piece by piece. Ends early if standard output is closed or `take` fails.
fn read(path: &Path, mut take: impl FnMut(&[u8]) -> Result<(), Failure>) -> Result<(), Failure> {
    let cannot = |error: io::Error| {
        let is_denied = error.kind() == ErrorKind::PermissionDenied;
        let code = if is_denied { ExitCode::NoPermission } else { ExitCode::NoInput };
        Failure::new(code, format!("{} cannot be read: {error}", name_of(path)))
    };
    let stdin = || io::stdin().as_fd().try_clone_to_owned().map(File::from);
    let opened = if path == Path::new("-") { stdin() } else { File::open(path) };
    let (mut from, mut piece) = (opened.map_err(cannot)?, vec![0; PIECE]);
    loop {
        written(await_input(&from))?;
        match from.read(&mut piece) {
            Ok(0) => return Ok(()),
            Ok(length) => take(piece.get(..length).unwrap_or_default())?,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(cannot(error)),
        }
    }
}

/// Why the process ends.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// One sentence: what is wrong, where, what to do. Empty if the code is enough.
    pub message: String,
}

impl Failure {
    /// A failure with this code and sentence.
    pub(crate) fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }

    /// The operating system failed.
    fn os(what: &str, error: impl fmt::Display) -> Self {
        Self::new(ExitCode::Os, format!("{what}: {error}"))
    }
}

/// The exit codes: three specific to this program, and those of sysexits(3). gnss2shm(1) explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ExitCode {
    /// Standard output was closed.
    OutputClosed = 0,
    /// The answer is no.
    No = 1,
    /// The answer is yes with warnings (`doctor`).
    Warnings = 2,
    /// The command line is wrong (`EX_USAGE`).
    Usage = 64,
    /// The input is wrong (`EX_DATAERR`).
    Data = 65,
    /// Something does not exist (`EX_NOINPUT`).
    NoInput = 66,
    /// The machine lacks something, or another process has it (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// A bug (`EX_SOFTWARE`).
    Software = 70,
    /// The operating system failed (`EX_OSERR`).
    Os = 71,
    /// A file cannot be created (`EX_CANTCREAT`).
    CannotCreate = 73,
    /// Permission denied (`EX_NOPERM`).
    NoPermission = 77,
    /// The configuration is wrong (`EX_CONFIG`).
    Config = 78,
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let code = match error.problem {
            Problem::Options => ExitCode::Usage,
            Problem::Wrong => ExitCode::Config,
            Problem::Unsupported | Problem::Taken => ExitCode::Unavailable,
            Problem::NotThere => ExitCode::NoInput,
            Problem::Denied => ExitCode::NoPermission,
            Problem::NotCreated => ExitCode::CannotCreate,
            Problem::Failed => ExitCode::Os,
        };
        Self::new(code, error.to_string())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_end_waits_for_no_thread_that_is_blocked() {
        let (release, blocked) = channel::<()>();
        let (began, has_begun) = channel();
        let (ended, has_ended) = channel();
        std::thread::spawn(move || {
            let work = async move {
                tokio::task::spawn_blocking(move || {
                    began.send(()).unwrap();
                    blocked.recv()
                });
                has_begun.recv().unwrap();
                Ok(())
            };
            ended.send(on_runtime(work)).unwrap();
        });
        assert_eq!(has_ended.recv_timeout(Duration::from_secs(60)), Ok(Ok(())));
        drop(release);
    }
}
