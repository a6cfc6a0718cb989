//! The command line: one file per command. A command ends with a [`Failure`], which holds the exit code and the message.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, StdoutLock, Write as _};
use std::panic::resume_unwind;

use clap::{Parser, Subcommand};

use crate::core::event::Reason;
use crate::core::printable::Printable;
use crate::sys::error::{OpenError, Problem};

mod decode;
mod doctor;
mod input;
mod log;
mod probe;
mod replay;
mod run;
mod shm;
mod simulate;
mod status;

use input::Input;

/// Pair a GNSS receiver's sentences with its pulse, timestamped by a NIC, and feed chrony's refclocks
#[derive(Parser, Debug)]
#[command(name = "gnss2shm", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand, Debug)]
enum Command {
    /// Pair sentences with pulses and write samples for chronyd
    Run(Box<run::Args>),
    /// Find the receiver and the pulse, and write the settings for `run` and the line for chrony.conf
    Probe(probe::Args),
    /// Simulate receiver and NIC, and check every sample against true time
    Simulate(simulate::Args),
    /// Feed a recording of `run --record` to the engine again and print the results
    Replay(replay::Args),
    /// Print the time that each sentence in a receiver's raw bytes names, or why it is refused
    Decode(decode::Args),
    /// Show an SHM segment as chronyd sees it, without consuming samples
    Shm(shm::Args),
    /// Show the state of a running `gnss2shm run`
    Status(status::Args),
    /// Check an installed system, and say how to fix it
    Doctor(doctor::Args),
}

/// Runs the command.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.command {
        Command::Run(args) => run::run(&args),
        Command::Probe(args) => probe::run(args),
        Command::Simulate(args) => simulate::run(&args),
        Command::Replay(args) => replay::run(&args),
        Command::Decode(args) => decode::run(&args),
        Command::Shm(args) => shm::run(&args),
        Command::Status(args) => status::run(&args),
        Command::Doctor(args) => doctor::run(&args),
    }
}

/// Runs this to its end on one thread, whatever threads are blocked by then. As a task, because polling a future
/// directly in `block_on` costs a look at all descriptors for each message between tasks.
fn on_runtime(work: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(ExitCode::Os, format!("cannot start the event loop: {error}")))?;
    let ended = runtime.block_on(runtime.spawn(work)).unwrap_or_else(|error| resume_unwind(error.into_panic()));
    // A name server that does not answer blocks a thread until the resolver gives up.
    runtime.shutdown_background();
    ended
}

/// Standard output; control characters are escaped.
fn stdout() -> Printable<StdoutLock<'static>> {
    Printable(io::stdout().lock())
}

/// Prints this at once.
fn print(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// The result of a write to standard output, or of a wait for its reader, for a command that only prints: a closed pipe
/// (EPIPE) ends it with 0.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::new(ExitCode::OutputClosed, ""),
        _ => Failure::new(ExitCode::Os, format!("standard output cannot be written: {error}")),
    })
}

/// The same for a command that goes on after a closed pipe, or answers by its exit code.
fn shown(result: io::Result<()>) -> Result<(), Failure> {
    match written(result) {
        Err(Failure { code: ExitCode::OutputClosed, .. }) => Ok(()),
        written => written,
    }
}

/// Why the process ends.
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// One sentence: what is wrong, where, what to do. Empty if the code says it all.
    pub message: String,
}

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

/// The exit codes: three of our own, and those of sysexits(3). gnss2shm(1) explains each.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitCode {
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

// The table of exit codes: what is wrong to the code.

impl From<Problem> for ExitCode {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Options => Self::Usage,
            Problem::Wrong => Self::Config,
            Problem::Unsupported | Problem::Taken => Self::Unavailable,
            Problem::NotThere => Self::NoInput,
            Problem::Denied => Self::NoPermission,
            Problem::NotCreated => Self::CannotCreate,
            Problem::Failed => Self::Os,
        }
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        Self::new(error.problem.into(), error.to_string())
    }
}

/// Edges, pulses and sentences that were not used, by reason.
#[derive(Debug, Default)]
struct Rejections(BTreeMap<&'static str, (u64, &'static str)>);

impl Rejections {
    fn count(&mut self, reason: Reason) {
        self.0.entry(reason.key()).or_insert((0, reason.sentence())).0 += 1;
    }
}

impl fmt::Display for Rejections {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|(key, (times, sentence))| writeln!(f, "rejected {times} x {key}: {sentence}"))
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
