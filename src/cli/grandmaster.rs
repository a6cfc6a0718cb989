//! `gnss2shm grandmaster`: hears the status of a running `gnss2shm run`, and makes ptp4l's grandmaster settings say what
//! was measured.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc::{RecvTimeoutError, SyncSender, sync_channel};
use std::thread;
use std::time::Duration;

use tracing::{info, warn};

use super::status::{ask, path_of};
use super::{ExitCode, Failure};
use crate::config::{File, GrandmasterGiven, GrandmasterSettings, INSTANCES, instances};
use crate::core::time::{Instant, Raw, Span, UtcSecond};
use crate::daemon::service::{NotifyState, Watchdog, notify};
use crate::daemon::status::SOCKETS;
use crate::daemon::status::snapshot::Snapshot;
use crate::grandmaster::link::{Link, LinkError};
use crate::grandmaster::policy::{Policy, PolicyConfig, second};
use crate::grandmaster::session::{News, Session, differences};
use crate::source::link::Heartbeat;
use crate::source::witness::{TABLE, table_tai_offset};
use crate::sys::clock::{kernel_clock, raw_now, sys_now};
use crate::sys::error::Problem;
use crate::sys::processes::unmap_unused_code;
use crate::sys::signals::Signals;

/// Maximum time between two looks at what is due.
const TURN: Duration = Duration::from_millis(1_100);
/// Pause between two attempts to reach the status socket.
const RETRY: Duration = Duration::from_secs(1);
/// Pause before a connection that was closed is made again.
const AGAIN: Duration = Duration::from_millis(250);
/// Lines that can wait for the main thread: it waits for ptp4l for a few seconds at most.
const QUEUED: usize = 16;

/// Keep ptp4l's grandmaster settings at what `gnss2shm run` measures
///
/// Steers no clock. ptp4l must use the PHC that `gnss2shm run` compares with the pulse, and another program must keep that
/// PHC at TAI. Class 6 is claimed while the state is Locked, `status --check` says yes, two of kernel, leap second table, and
/// receiver agree on TAI - UTC, and the PHC was within --bound of TAI at every pulse for --steady; after it, class 7 for
/// --holdover, if that is given. Otherwise, and at the end, ptp4l is told that its clock is not synchronized. The log has
/// a line for each change of class, with the reason.
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Instance of the service [default: the only one]
    #[arg(value_name = "INSTANCE", conflicts_with = "status")]
    instance: Option<String>,
    /// Settings file in TOML, of which only the table grandmaster is used [default: that of INSTANCE, if there is one]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Status socket, as given to `gnss2shm run --status`
    #[arg(long, value_name = "PATH")]
    status: Option<PathBuf>,
    #[command(flatten)]
    given: GrandmasterGiven,
    /// Print what would be claimed and why, from one look at the status, and change nothing
    #[arg(long)]
    print: bool,
    /// Only tell ptp4l that its clock is not synchronized, and exit; `gnss2shm run` need not be running
    #[arg(long, conflicts_with = "print")]
    withdraw: bool,
}

/// What the main thread waits for.
enum Input {
    /// A status line, and when it came.
    Status(Instant<Raw>, Box<Snapshot>),
    /// The status socket does not answer, and why.
    Lost(String),
    /// A signal.
    Stop(&'static str),
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let read = args.file();
    if args.withdraw {
        // A file that has become wrong must not leave a claim behind.
        let (file, wrong) = read.map_or_else(|wrong| (None, Some(wrong)), |file| (file, None));
        let settings = GrandmasterSettings::new(args.given.clone(), file.as_ref());
        let (settings, wrong) = match settings {
            Ok(settings) => (settings, wrong),
            Err(error) => (GrandmasterSettings::new(GrandmasterGiven::default(), None)?, Some(error.into())),
        };
        return withdraw(settings).and(wrong.map_or(Ok(()), Err));
    }
    let file = read?;
    let settings = GrandmasterSettings::new(args.given, file.as_ref())?;
    let status = path_of(args.instance.as_deref(), args.status.as_deref(), "--status");
    if args.print {
        return print(status, settings);
    }
    let status = status?;
    super::log::start(false);
    serve(status, settings)
}

impl Args {
    /// The instance: that one, or else the only one that runs, or that has settings.
    fn instance(&self) -> Option<String> {
        let running = || {
            let path = path_of(None, self.status.as_deref(), "--status").ok()?;
            path.strip_prefix(SOCKETS).ok()?.to_str()?.strip_suffix(".sock").map(str::to_owned)
        };
        let with_settings = || match instances(Path::new(INSTANCES)).as_slice() {
            [only] if self.status.is_none() => Some(only.clone()),
            _ => None,
        };
        self.instance.clone().or_else(running).or_else(with_settings)
    }

    /// The settings file; that of the instance need not exist.
    fn file(&self) -> Result<Option<File>, Failure> {
        let file = match (&self.config, self.instance().map(|name| Path::new(INSTANCES).join(format!("{name}.toml")))) {
            (Some(path), _) => File::read(path),
            (None, Some(path)) => match File::read(&path) {
                Err(error) if error.problem == Problem::NotThere => return Ok(None),
                file => file,
            },
            (None, None) => return Ok(None),
        };
        Ok(Some(file?))
    }
}

fn serve(status: PathBuf, settings: GrandmasterSettings) -> Result<(), Failure> {
    let signals = Signals::block().map_err(|error| Failure::os("cannot handle signals", error))?;
    info!("gnss2shm {}: grandmaster settings of ptp4l from {}", env!("CARGO_PKG_VERSION"), status.display());
    let (sender, inputs) = sync_channel(QUEUED);
    let stop = sender.clone();
    thread("status", move || hear(&status, &sender))?;
    thread("signals", move || {
        let _ended = stop.send(Input::Stop(signals.wait().unwrap_or("no signal, but an error")));
    })?;
    let mut session = Session::new(Link::new(settings.link), Policy::new(settings.policy));
    let heart = Heartbeat::default();
    let news = teller(heart.clone())?;
    notify(NotifyState::Ready);
    unmap_unused_code();
    let mut rest = RETRY; // for the first line
    loop {
        let mut input = inputs.recv_timeout(rest);
        let mut is_fresh = false; // TAI - UTC
        loop {
            match input {
                Ok(Input::Status(at, line)) => {
                    let (kernel, table) = offsets(second(&line));
                    session.policy().see(at, &line, kernel, table);
                    is_fresh = true;
                }
                Ok(Input::Lost(why)) => {
                    session.policy().lose(raw_now(), why);
                    is_fresh = false;
                }
                Ok(Input::Stop(signal)) => {
                    end(signal, session);
                    return Ok(());
                }
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => {
                    let why = "the threads of grandmaster ended unexpectedly: please report this bug";
                    return Err(Failure::new(ExitCode::Software, why));
                }
            }
            input = inputs.recv_timeout(Duration::ZERO);
        }
        let now = raw_now();
        if !is_fresh {
            let (kernel, table) = offsets(session.policy().utc(now));
            session.policy().refresh(now, kernel, table);
        }
        // A log that nobody reads must not hold up a withdrawal.
        session.turn(now).into_iter().for_each(|line| drop(news.try_send(line)));
        heart.beat();
        rest = session.rest(raw_now()).min(TURN);
    }
}

/// TAI - UTC of the kernel, and of the table at this time, or else by the system clock.
fn offsets(utc: Option<UtcSecond>) -> (Option<i64>, Option<i64>) {
    let utc = utc.unwrap_or_else(|| UtcSecond::from_posix(sys_now().parts().0));
    (kernel_clock().ok().and_then(|kernel| kernel.tai_offset), table_tai_offset(TABLE, utc))
}

fn thread(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), Failure> {
    let thread = thread::Builder::new().name(name.into()).spawn(work);
    thread.map(drop).map_err(|error| Failure::os("cannot start a thread", error))
}

/// Passes on the lines of the status socket for as long as there is a receiver. A connection that is closed, as when too
/// many clients follow, is made again: each begins with a line.
fn hear(path: &Path, to: &SyncSender<Input>) {
    loop {
        let why = match ask(path) {
            Err(failure) => failure.message,
            Ok((first, mut answers)) => {
                let mut line = first;
                let ended = loop {
                    if to.send(Input::Status(raw_now(), Box::new(line))).is_err() {
                        return;
                    }
                    match answers.next_without_limit() {
                        Ok(Some(next)) => line = next,
                        Ok(None) => break None,
                        Err(failure) => break Some(failure.message),
                    }
                };
                let Some(why) = ended else {
                    thread::sleep(AGAIN);
                    continue;
                };
                why
            }
        };
        if to.send(Input::Lost(why)).is_err() {
            return;
        }
        thread::sleep(RETRY);
    }
}

/// A thread that logs news, and notifies systemd's watchdog while this heart beats.
fn teller(heart: Heartbeat) -> Result<SyncSender<News>, Failure> {
    let (sender, news) = sync_channel(QUEUED);
    let mut watchdog = Watchdog::enabled(heart);
    thread("log", move || {
        loop {
            match news.recv_timeout(TURN) {
                Ok(line) => tell(line),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return,
            }
            watchdog.iter_mut().for_each(Watchdog::turn);
        }
    })?;
    Ok(sender)
}

/// Logs news, and shows it in `systemctl status`.
fn tell(news: News) {
    let line = match news {
        News::Class(class, why) => {
            let line = format!("class {class}: {why}");
            if class == 6 {
                info!("{line}");
            } else {
                warn!("{line}");
            }
            line
        }
        News::Trouble(sentence) => {
            warn!("{sentence}");
            sentence
        }
        News::Answers => {
            info!("ptp4l answers again");
            return;
        }
    };
    notify(NotifyState::Status(&line));
}

fn end(signal: &str, mut session: Session) {
    // First: the log may be full.
    let withdrawn = session.withdraw(raw_now());
    notify(NotifyState::Stopping);
    match withdrawn {
        Ok(()) => info!("received {signal}: ptp4l is left without a claim"),
        Err(LinkError::Absent(..)) => info!("received {signal}: ending, without a ptp4l"),
        Err(error) => warn!("received {signal}: {error}"),
    }
}

/// Withdraws what a killed process has claimed. Without a ptp4l, nothing is claimed.
fn withdraw(settings: GrandmasterSettings) -> Result<(), Failure> {
    let mut session = Session::new(Link::new(settings.link), Policy::new(settings.policy));
    match session.withdraw(raw_now()) {
        Ok(()) | Err(LinkError::Absent(..)) => Ok(()),
        Err(error) => Err(failure(&error)),
    }
}

fn failure(error: &LinkError) -> Failure {
    let code = match error {
        LinkError::Denied(..) => ExitCode::NoPermission,
        LinkError::Absent(..) | LinkError::Silent { .. } | LinkError::Refused(..) => ExitCode::Unavailable,
        LinkError::Own { .. } => ExitCode::CannotCreate,
        LinkError::Failed(..) => ExitCode::Os,
    };
    Failure::new(code, error.to_string())
}

/// What would be claimed if the pulses stay as they are now.
fn print(path: Result<PathBuf, Failure>, settings: GrandmasterSettings) -> Result<(), Failure> {
    let mut policy = Policy::new(PolicyConfig { steady: Span::ZERO, ..settings.policy });
    match path.and_then(|path| ask(&path)) {
        Ok((status, _)) => {
            let (kernel, table) = offsets(second(&status));
            policy.see(raw_now(), &status, kernel, table);
        }
        Err(failure) => policy.lose(raw_now(), failure.message),
    }
    let (decision, has) = Session::new(Link::new(settings.link), policy).preview(raw_now());
    let mut text = String::new();
    for (name, value) in decision.settings.fields() {
        // Writing to a String cannot fail.
        let _ = writeln!(text, "{name:24} {value}");
    }
    let _ = writeln!(text, "{:24} {}", "why", decision.why);
    let difference = match has {
        Ok(has) if has == decision.settings => "none: ptp4l has these settings".to_owned(),
        Ok(has) => differences(has, decision.settings),
        Err(error) => format!("not known: {error}"),
    };
    let _ = writeln!(text, "{:24} {difference}", "difference");
    super::print(&text)
}
