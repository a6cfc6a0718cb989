//! `gnss2shm run`: open everything, wire it, run until a signal or a failure, leave the segment without a sample.

use std::io;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::{ExitCode, Failure};
use crate::config::{File, GPSD_UNITS, Given, Settings};
use crate::core::engine::Engine;
use crate::core::event::{Event, Lost, Reason, SourceChange, State, Verdict};
use crate::daemon::service::Service;
use crate::daemon::status::server::{SharedBoard, StatusServer};
use crate::daemon::status::{Board, metrics};
use crate::daemon::summary::Summary;
use crate::daemon::{self, EVENTS_QUEUED, Inbox};
use crate::recording::Header;
use crate::recording::recorder::{self, Recorder};
use crate::sink::shm::ShmSink;
use crate::sink::sock::SockSink;
use crate::sink::{Sink, Sinks};
use crate::source::pulse::{Pulse, PulseThread};
use crate::source::receiver::{Receiver, ReceiverConfig};
use crate::source::witness;
use crate::sys::processes::{is_ignored, open_files, survive_file_size_limit};

/// Maximum number of open files: devices, sockets, and all clients of status and metrics.
const OPEN_FILES: u64 = 64;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Settings in TOML; an option overrides the file, and a receiver or pulse replaces the file's
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
    /// Log every sample and every rejection
    #[arg(long)]
    debug: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let file = args.config.as_deref().map(File::read).transpose()?;
    let settings = Settings::new(args.given.clone(), file.as_ref())?;
    super::log::start(args.debug);
    survive_file_size_limit();
    let open_files =
        open_files(OPEN_FILES).map_err(|error| os(&format!("cannot set the limit of open files: {error}")))?;
    if open_files < OPEN_FILES {
        return Err(os(&format!(
            "only {open_files} files can be open, but {OPEN_FILES} are needed: raise the limit with `ulimit -n \
             {OPEN_FILES}`, or with LimitNOFILE= in the unit"
        )));
    }
    if let (ReceiverConfig::Gpsd(gpsd), Some(unit @ ..GPSD_UNITS)) = (&settings.receiver, settings.shm) {
        warn!(
            "gpsd at {} may write its own, late samples to unit {unit}: use unit {GPSD_UNITS} or higher",
            gpsd.server
        );
    }
    super::on_runtime(serve(settings))
}

fn os(sentence: &str) -> Failure {
    Failure::new(ExitCode::Os, sentence)
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let Opened { status, mut sinks, mut recorder, pulse, receiver } = Opened::new(&settings)?;
    info!("{}", first_line(&settings));

    // The sources run on their own, and end only by an error of ours.
    let (sender, others) = mpsc::channel(EVENTS_QUEUED);
    let (pulse_sender, pulse_events) = mpsc::channel(EVENTS_QUEUED);
    let inbox = Inbox { pulse: pulse_events, others };
    let pulse = PulseThread::spawn(settings.pulse.clone(), pulse, pulse_sender)
        .map_err(|error| os(&format!("cannot start a thread: {error}")))?;
    let witness = tokio::spawn(witness::run(sender.clone()));
    let receiver = tokio::spawn(receiver.run(sender));
    let receiving = receiver.abort_handle();
    // A task, so that the event loop does not poll all of this at each event.
    let death = pulse.death();
    let mut end = tokio::spawn(async move {
        tokio::select! {
            () = death => Err("the thread that reads the pulse"),
            _ = receiver => Err("the task that reads the receiver"),
            signal = stop.asked() => Ok(signal),
        }
    });

    let mut engine = Engine::new(settings.engine);
    let (receiver, pulse_name) = (settings.receiver.to_string(), settings.pulse.to_string());
    let board = Arc::new(Mutex::new(Board::new(&engine, receiver, pulse_name, settings.gate)));
    let (change, changed) = watch::channel(());
    if let Some(status) = status {
        tokio::spawn(status.run(Arc::clone(&board), changed));
    }
    if let Some(address) = settings.metrics {
        tokio::spawn(metrics::serve(address, Arc::clone(&board)));
    }
    let (service, state) = (Service::ready(pulse.heart.clone()), engine.state());
    let mut observer = Observer { service, summary: Summary::default(), state, board, change };

    let record = |event: &Event| recorder.iter_mut().for_each(|recorder| recorder.record(event));
    let observe = |engine: &Engine, event: &Event, verdicts: &[Verdict]| observer.observe(engine, event, verdicts);
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

    observer.service.stopping();
    sinks.withdraw();
    receiving.abort();
    witness.abort();
    drop(pulse);
    recorder.into_iter().for_each(Recorder::finish);
    ended
}

/// Everything that is opened at start. A wrong setting ends the process here; a source that is missing is waited for.
struct Opened {
    status: Option<StatusServer>,
    sinks: Sinks,
    recorder: Option<Recorder>,
    pulse: Option<Pulse>,
    receiver: Receiver,
}

impl Opened {
    /// First what another instance may have, so that a refusal leaves that instance's PHC and port alone; the recording
    /// last, so that a refusal rotates no file.
    fn new(settings: &Settings) -> Result<Self, Failure> {
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
        let recorder = record.map(|(path, claim, size)| Recorder::open(path, claim, size, header)).transpose()?;
        Ok(Self { status, sinks, recorder, pulse, receiver })
    }
}

/// The first line of the log: version, sources and sinks.
fn first_line(settings: &Settings) -> String {
    let Settings { receiver, pulse, shm, sock, record, .. } = settings;
    let sinks = [shm.map(|unit| format!("SHM unit {unit}")), sock.as_ref().map(|path| path.display().to_string())];
    let sinks = sinks.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let record = record.as_ref().map(|(path, _)| format!(", recording to {}", path.display())).unwrap_or_default();
    let version = env!("CARGO_PKG_VERSION");
    format!("gnss2shm {version}: sentences from {receiver}, pulse from {pulse}, samples to {sinks}{record}")
}

/// Reports events and verdicts: log, summary, systemd and status.
struct Observer {
    service: Service,
    summary: Summary,
    state: State,
    board: SharedBoard,
    change: watch::Sender<()>,
}

impl Observer {
    /// Breaks off at the end of standard input, which cannot come back: the pipeline has to be started again.
    fn observe(&mut self, engine: &Engine, event: &Event, verdicts: &[Verdict]) -> ControlFlow<Failure> {
        if let Event::Source { change: SourceChange::SentencesLost(Lost::Stdin), .. } = event {
            return ControlFlow::Break(Failure::new(ExitCode::Unavailable, Reason::StdinEnded.sentence()));
        }
        for verdict in verdicts {
            daemon::log(engine, verdict);
            self.summary.count(verdict);
            if let Verdict::StateChanged { from, to } = *verdict {
                self.service.status(&daemon::state_line(engine, from, to));
                self.state = to;
            }
        }
        if matches!(event, Event::Tick { .. }) {
            self.service.turn();
            if let Some(summary) = self.summary.tick() {
                info!("{}", summary.line(self.state));
            }
        }
        if self.board.lock().unwrap_or_else(PoisonError::into_inner).update(engine, event, verdicts) {
            self.change.send_replace(());
        }
        ControlFlow::Continue(())
    }
}

/// The signals that end the process. SIGHUP does not if it was ignored at start, as under nohup(1).
pub(super) struct Stop {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
    is_hangup_ignored: bool,
}

impl Stop {
    pub(super) fn listen() -> Result<Self, Failure> {
        let listen = || -> io::Result<Self> {
            Ok(Self {
                is_hangup_ignored: is_ignored(SignalKind::hangup()),
                terminate: signal(SignalKind::terminate())?,
                interrupt: signal(SignalKind::interrupt())?,
                hangup: signal(SignalKind::hangup())?,
            })
        };
        listen().map_err(|error| os(&format!("cannot handle signals: {error}")))
    }

    /// Waits for a signal and returns its name.
    pub(super) async fn asked(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
            _ = self.hangup.recv(), if !self.is_hangup_ignored => "SIGHUP",
        }
    }
}
