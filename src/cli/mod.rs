//! The command line: one file a verb. A verb returns [`Failure`], the exit code's and the message's only way out.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, ErrorKind, StdoutLock, Write as _};
use std::panic::resume_unwind;

use clap::{Parser, Subcommand};

use crate::core::duration::parse_span;
use crate::core::event::Reason;
use crate::core::printable::Printable;
use crate::core::time::Span;
use crate::sys::error::{OpenError, Problem};
use crate::sys::reader::Reader;

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

/// Pairs NMEA sentences with PHC-stamped pulse edges and feeds chrony's SHM refclock.
#[derive(Parser, Debug)]
#[command(name = "gnss2shm", version, max_term_width = 100)]
pub struct Cli {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Subcommand, Debug)]
enum Verb {
    /// Pair sentences with pulses and write samples for chronyd.
    Run(Box<run::Args>),
    /// Find receiver and pulse on this machine, and write the settings for `run` and the line for chrony.conf.
    Probe(probe::Args),
    /// Run with an invented receiver and NIC, and hold every sample against the truth.
    Simulate(simulate::Args),
    /// Feed a recording of `run --record` to the engine again, and print what comes of it.
    Replay(replay::Args),
    /// Print which time each sentence in a receiver's raw bytes names, or why it is refused.
    Decode(decode::Args),
    /// Look at a SHM segment as chronyd would, without consuming what is in it.
    Shm(shm::Args),
    /// Show the state of a running `gnss2shm run`
    Status(status::Args),
    /// Look for what is wrong with an installed system, and name the cure
    Doctor(doctor::Args),
}

/// Why the process ends, with a code of sysexits(3).
#[derive(Debug, PartialEq, Eq)]
pub struct Failure {
    /// The exit code.
    pub code: ExitCode,
    /// One sentence: what is wrong, where, what to do.
    pub message: String,
}

macro_rules! exit_codes {
    ($($(#[$doc:meta])* $name:ident = $code:literal,)*) => {
        /// The exit codes of sysexits(3) that are used, and those below.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum ExitCode {
            $($(#[$doc])* $name = $code,)*
        }

        impl ExitCode {
            /// Every exit code, in the order of the enum.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];
        }
    };
}

exit_codes! {
    /// Whoever read standard output has seen enough.
    Enough = 0,
    /// The command ran and its answer is no.
    No = 1,
    /// The command ran, and its answer is yes with reservations (of `doctor`).
    Warnings = 2,
    /// The command line is wrong (`EX_USAGE`).
    Usage = 64,
    /// What is read is wrong (`EX_DATAERR`).
    Data = 65,
    /// Something that must exist does not (`EX_NOINPUT`).
    NoInput = 66,
    /// The machine cannot do what is asked for (`EX_UNAVAILABLE`).
    Unavailable = 69,
    /// Something failed that should not (`EX_SOFTWARE`).
    Software = 70,
    /// The operating system failed (`EX_OSERR`).
    Os = 71,
    /// A file cannot be made (`EX_CANTCREAT`).
    CannotCreate = 73,
    /// Permission denied (`EX_NOPERM`).
    NoPermission = 77,
    /// The configuration is wrong (`EX_CONFIG`).
    Config = 78,
}

impl From<Problem> for ExitCode {
    fn from(problem: Problem) -> Self {
        match problem {
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

impl Failure {
    /// A failure with this code and sentence.
    pub fn new(code: ExitCode, message: impl Into<String>) -> Self {
        Self { code, message: message.into() }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

/// Runs what the command line asks for.
pub fn run(cli: Cli) -> Result<(), Failure> {
    match cli.verb {
        Verb::Run(args) => run::run(&args),
        Verb::Probe(args) => probe::run(args),
        Verb::Simulate(args) => simulate::run(&args),
        Verb::Replay(args) => replay::run(&args),
        Verb::Decode(args) => decode::run(&args),
        Verb::Shm(args) => shm::run(&args),
        Verb::Status(args) => status::run(&args),
        Verb::Doctor(args) => doctor::run(&args),
    }
}

/// Runs this on one thread, and waits for nothing else once it has ended. As a task, because what tasks send to one
/// another costs no look at the descriptors, and what they send to anything else does.
fn on_runtime(work: impl Future<Output = Result<(), Failure>> + Send + 'static) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::new(ExitCode::Os, format!("no event loop can be made: {error}")))?;
    let ended = runtime.block_on(runtime.spawn(work)).unwrap_or_else(|error| resume_unwind(error.into_panic()));
    // Looking up a server's name blocks a thread for as long as the resolver pleases.
    runtime.shutdown_background();
    ended
}

/// How long something is to last.
fn positive_span(text: &str) -> Result<Span, String> {
    match parse_span(text)? {
        span if span > Span::ZERO => Ok(span),
        _ => Err(format!("`{text}` is over before it begins")),
    }
}

/// Standard output, for what others may have said.
fn stdout() -> Printable<StdoutLock<'static>> {
    Printable(io::stdout().lock())
}

/// Prints this at once.
fn print(text: &str) -> io::Result<()> {
    let mut out = stdout();
    out.write_all(text.as_bytes())?;
    out.flush()
}

/// What became of writing to standard output. Whoever closed it has seen enough: that ends the command, and well.
/// Anything else failed.
fn written(result: io::Result<()>) -> Result<(), Failure> {
    result.map_err(|error| match error.kind() {
        ErrorKind::BrokenPipe => Failure::new(ExitCode::Enough, ""),
        _ => Failure::new(ExitCode::Os, format!("standard output cannot be written: {error}")),
    })
}

/// The same of a command that has more to do, or to answer by its exit code, than to print.
fn shown(result: io::Result<()>) -> Result<(), Failure> {
    match written(result) {
        Err(Failure { code: ExitCode::Enough, .. }) => Ok(()),
        written => written,
    }
}

/// Ends the command where nobody reads standard output any more.
fn while_read(seen: io::Result<Reader>) -> Result<(), Failure> {
    match seen {
        Ok(Reader::There) => Ok(()),
        Ok(Reader::Gone) => written(Err(ErrorKind::BrokenPipe.into())),
        Err(error) => Err(Failure::new(ExitCode::Os, format!("standard output cannot be watched: {error}"))),
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
