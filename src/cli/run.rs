//! `gnss2shm run`: opens and connects everything, runs until a signal or a failure, and leaves no sample in the
//! segment.

use std::ops::ControlFlow;
use std::path::PathBuf;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::{ExitCode, Failure};
use crate::config::{File, GPSD_UNITS, Given, Settings};
use crate::core::engine::Engine;
use crate::core::event::{Event, Lost, Reason, SourceChange, Verdict};
use crate::daemon::log::Summary;
use crate::daemon::service::{NotifyState, Watchdog, notify};
use crate::daemon::status::server::StatusServer;
use crate::daemon::status::{Board, metrics};
use crate::daemon::{self, EVENTS_QUEUED, Inbox};
use crate::recording::Header;
use crate::recording::recorder::{self, Recorder};
use crate::sink::Sinks;
use crate::sink::shm::ShmSink;
use crate::sink::sock::SockSink;
use crate::source::pulse::{Pulse, PulseThread};
use crate::source::receiver::{Receiver, ReceiverConfig};
use crate::source::witness;
use crate::sys::processes::{is_ignored, open_files, survive_file_size_limit};

/// Maximum number of open files: devices, sockets, and all clients of status and metrics.
const OPEN_FILES: u64 = 64;

/// Pair sentences with pulses and write samples for chronyd
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Settings file in TOML; options override it, and a receiver or pulse given as an option replaces the file's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
    /// Log every sample and every rejection
    #[arg(long)]
    debug: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let file = args.config.as_deref().map(File::read).transpose()?;
    let settings = Settings::new(args.given, file.as_ref())?;
    super::log::start(args.debug);
    survive_file_size_limit();
    let files = open_files(OPEN_FILES).map_err(|error| Failure::os("cannot set the limit of open files", error))?;
    if files < OPEN_FILES {
        let why = format!("only {files} files can be open, but {OPEN_FILES} are needed");
        return Err(Failure::os(&why, "raise the limit with `ulimit -n`, or with LimitNOFILE= in the unit"));
    }
    if let (ReceiverConfig::Gpsd(gpsd), Some(unit @ ..GPSD_UNITS)) = (&settings.receiver, settings.shm) {
        let server = &gpsd.server;
        warn!("gpsd at {server} may write its own, late samples to unit {unit}: use unit {GPSD_UNITS} or higher");
    }
    super::on_runtime(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let stop = stop()?;
    // A wrong setting ends the process here; a missing source does not. Resources that another instance may hold come
    // first, so that a refusal does not touch that instance's PHC and port; the recording comes last, so that a refusal
    // does not rotate files.
    let status = settings.status.as_deref().map(StatusServer::bind).transpose()?;
    let mut sinks = Sinks::new();
    if let Some(unit) = settings.shm {
        sinks.push(Box::new(ShmSink::open_with(unit, settings.world_writable)?));
    }
    if let Some(path) = &settings.sock {
        sinks.push(Box::new(SockSink::open(path)?));
    }
    let claimed = |(path, size): (PathBuf, u64)| recorder::claim(&path).map(|claim| (path, claim, size));
    let record = settings.record.clone().map(claimed).transpose()?;
    let pulse = Pulse::open_or_wait(&settings.pulse)?;
    let receiver = Receiver::open(settings.receiver.clone())?;
    let header = Header::new(settings.engine);
    let mut recorder = record.map(|(path, claim, size)| Recorder::open(path, claim, size, header)).transpose()?;
    info!("{}", first_line(&settings));

    // The sources run as separate tasks, and end only by a bug.
    let (sender, others) = mpsc::channel(EVENTS_QUEUED);
    let (pulse_sender, pulse_events) = mpsc::channel(EVENTS_QUEUED);
    let inbox = Inbox { pulse: pulse_events, others };
    let pulse = PulseThread::spawn(settings.pulse.clone(), pulse, pulse_sender);
    let pulse = pulse.map_err(|error| Failure::os("cannot start a thread", error))?;
    let witness = tokio::spawn(witness::run(sender.clone()));
    let receiver = tokio::spawn(receiver.run(sender));
    let receiving = receiver.abort_handle();
    // A task, so that the event loop does not poll all of this at each event.
    let death = pulse.death();
    let mut end = tokio::spawn(async move {
        tokio::select! {
            () = death => Err("the thread that reads the pulse"),
            _ = receiver => Err("the task that reads the receiver"),
            signal = stop => Ok(signal),
        }
    });

    let mut engine = Engine::new(settings.engine);
    let (receiver_name, pulse_name) = (settings.receiver.to_string(), settings.pulse.to_string());
    let (board, shown) = watch::channel(Board::new(&engine, receiver_name, pulse_name, settings.gate));
    if let Some(status) = status {
        tokio::spawn(status.run(shown.clone()));
    }
    if let Some(address) = settings.metrics {
        tokio::spawn(metrics::serve(address, shown));
    }
    notify(NotifyState::Ready);
    let (mut watchdog, mut summary, mut state) =
        (Watchdog::enabled(pulse.heart.clone()), Summary::default(), engine.state());
    let observe = |engine: &Engine, event: &Event, verdicts: &[Verdict]| {
        if let Event::Source { change: SourceChange::SentencesLost(Lost::Stdin), .. } = event {
            // It cannot resume: the pipeline must be restarted.
            return ControlFlow::Break(Failure::new(ExitCode::Unavailable, Reason::StdinEnded.sentence()));
        }
        for verdict in verdicts {
            daemon::log::log(engine, verdict);
            summary.count(verdict);
            if let Verdict::StateChanged { from, to } = *verdict {
                notify(NotifyState::Status(&daemon::log::state_line(engine, from, to)));
                state = to;
            }
        }
        if matches!(event, Event::Tick { .. }) {
            watchdog.iter_mut().for_each(Watchdog::turn);
            if let Some(summary) = summary.tick() {
                info!("{}", summary.line(state));
            }
        }
        // Its readers are only notified of a pulse or a change of state.
        board.send_if_modified(|board| board.update(engine, event, verdicts));
        ControlFlow::Continue(())
    };
    let record = |event: &Event| recorder.iter_mut().for_each(|recorder| recorder.record(event));
    let bug = |what| Failure::new(ExitCode::Software, format!("{what} ended unexpectedly: please report this bug"));
    let ended = tokio::select! {
        failure = daemon::serve(&mut engine, inbox, &mut sinks, record, observe) => {
            Err(failure.unwrap_or_else(|| bug("every source")))
        }
        end = &mut end => match end.unwrap_or(Err("the task that waits for the end")) {
            Ok(signal) => {
                info!("received {signal}: ending");
                Ok(())
            }
            Err(what) => Err(bug(what)),
        },
    };

    notify(NotifyState::Stopping);
    sinks.iter_mut().for_each(|sink| sink.withdraw());
    receiving.abort();
    witness.abort();
    drop(pulse);
    recorder.into_iter().for_each(Recorder::finish);
    ended
}

/// The first line of the log: version, sources, and sinks.
fn first_line(settings: &Settings) -> String {
    let Settings { receiver, pulse, shm, sock, record, .. } = settings;
    let sinks = [shm.map(|unit| format!("SHM unit {unit}")), sock.as_ref().map(|path| path.display().to_string())];
    let sinks = sinks.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let record = record.as_ref().map(|(path, _)| format!(", recording to {}", path.display())).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    format!("gnss2shm {version}: sentences from {receiver}, pulse from {pulse}, samples to {sinks}{record}")
}

/// Waits for a signal that ends the process, and returns its name. SIGHUP does not if it was ignored at start, as under
/// nohup(1).
pub(super) fn stop() -> Result<impl Future<Output = &'static str>, Failure> {
    let failed = |error| Failure::os("cannot handle signals", error);
    let listen = |kind| signal(kind).map_err(failed);
    let is_hangup_ignored = is_ignored(SignalKind::hangup());
    let (mut terminate, mut interrupt) = (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let mut hangup = listen(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => "SIGTERM",
            _ = interrupt.recv() => "SIGINT",
            _ = hangup.recv(), if !is_hangup_ignored => "SIGHUP",
        }
    })
}
