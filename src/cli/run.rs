//! `gnss2shm run`: the real thing.

use std::io::ErrorKind;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::{mpsc, watch};
use tracing::{info, warn};

use super::{ExitCode, Failure};
use crate::config::{ConfigError, File, GPSD_UNITS, Given, Settings};
use crate::core::engine::Engine;
use crate::core::event::{Event, Lost, Reason, SourceChange, Verdict};
use crate::daemon::service::Service;
use crate::daemon::status::Board;
use crate::daemon::status::metrics;
use crate::daemon::status::server::StatusServer;
use crate::daemon::summary::Summary;
use crate::daemon::{self, EVENTS_QUEUED, Inbox};
use crate::recording::Header;
use crate::recording::recorder::{Place, Recorder};
use crate::sink::shm::ShmSink;
use crate::sink::sock::SockSink;
use crate::sink::{Sink, Sinks};
use crate::source::pulse::Pulse;
use crate::source::receiver::{Receiver, ReceiverConfig};
use crate::source::thread::PulseThread;
use crate::source::witness;
use crate::sys::error::OpenError;
use crate::sys::limits;
use crate::sys::signal::is_ignored;

/// Files that are open at most: devices, sockets, every client of status and metrics that is let in.
const OPEN_FILES: u64 = 64;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Settings as TOML; options given here go before what it says, and a receiver or pulse replaces the one it names
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    given: Given,
    /// Say every sample and every rejection in the log
    #[arg(long)]
    debug: bool,
}

impl Args {
    fn settings(&self) -> Result<Settings, Failure> {
        let file = self.config.as_deref().map(File::read).transpose()?;
        Ok(Settings::new(self.given.clone(), file.as_ref())?)
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let settings = args.settings()?;
    super::log::start(args.debug);
    limits::survive_file_size_limit();
    match limits::open_files(OPEN_FILES) {
        Ok(OPEN_FILES..) => {}
        Ok(few) => {
            let sentence = format!(
                "no more than {few} files can be open, and {OPEN_FILES} are needed: raise the limit with `ulimit -n \
                 {OPEN_FILES}`, or LimitNOFILE= in the unit"
            );
            return Err(Failure::new(ExitCode::Os, sentence));
        }
        Err(error) => return Err(Failure::new(ExitCode::Os, format!("the limit of open files is unknown: {error}"))),
    }
    if let (ReceiverConfig::Gpsd(gpsd), Some(unit @ ..GPSD_UNITS)) = (&settings.receiver, settings.shm) {
        warn!(
            "unit {unit} may be one that gpsd at {} writes its own, late samples to: take one from {GPSD_UNITS} on",
            gpsd.server
        );
    }
    super::on_runtime(serve(settings))
}

async fn serve(settings: Settings) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    // Everything is tried once before anything runs: what is wrong ends the process here, what is not there yet is
    // waited for by its source. First what another instance may have, so that one which is refused leaves its PHC and
    // port alone; last the recording, so that one which is refused rotates no file away.
    let names = (settings.receiver.to_string(), settings.pulse.to_string());
    let begins = begins(&settings);
    let status = settings.status.as_deref().map(StatusServer::bind).transpose()?;
    let mut sinks = Sinks::new();
    if let Some(unit) = settings.shm {
        sinks.push(Box::new(ShmSink::open_with(unit, settings.world_writable)?));
    }
    if let Some(path) = &settings.sock {
        sinks.push(Box::new(SockSink::open(path)?));
    }
    let place = settings.record.map(|(path, size)| Ok::<_, OpenError>((Place::claim(path)?, size))).transpose()?;
    let pulse = Pulse::open_or_wait(&settings.pulse)?;
    let receiver = Receiver::open(settings.receiver)?;
    let header = Header::new(settings.engine);
    let mut recorder = place.map(|(place, size)| Recorder::open(place, size, header)).transpose()?;
    info!("{begins}");

    let ((sender, others), (of_pulse, events)) = (mpsc::channel(EVENTS_QUEUED), mpsc::channel(EVENTS_QUEUED));
    let inbox = Inbox { pulse: events, others };
    let pulse = PulseThread::spawn(settings.pulse, pulse, of_pulse)
        .map_err(|error| Failure::new(ExitCode::Os, format!("no thread can be started: {error}")))?;
    let witness = tokio::spawn(witness::run(sender.clone()));
    let receiver = tokio::spawn(receiver.run(sender));
    let receiving = receiver.abort_handle();
    // A task of its own: what waits for the end is not asked at every event.
    let death = pulse.death();
    let mut end = tokio::spawn(async move {
        tokio::select! {
            () = death => Err("the thread that reads the pulse"),
            _ = receiver => Err("the task that reads the receiver"),
            signal = stop.asked() => Ok(signal),
        }
    });
    let mut engine = Engine::new(settings.engine);
    let board = Arc::new(Mutex::new(Board::new(&engine, names.0, names.1, settings.gate)));
    let (change, changed) = watch::channel(());
    if let Some(status) = status {
        tokio::spawn(status.run(Arc::clone(&board), changed));
    }
    if let Some(address) = settings.metrics {
        tokio::spawn(metrics::serve(address, Arc::clone(&board)));
    }
    let bug =
        |what| Err(Failure::new(ExitCode::Software, format!("{what} ended by itself: please report it as a bug")));
    let record = |event: &Event| recorder.iter_mut().for_each(|recorder| recorder.record(event));
    let (mut service, mut summary, mut state) = (Service::new(pulse.heart()), Summary::default(), engine.state());
    let observe = |engine: &Engine, event: &Event, verdicts: &[Verdict]| {
        if let Event::Source { change: SourceChange::SentencesLost(Lost::Stdin), .. } = event {
            // It cannot come back. Whoever started the pipeline can start it again, once he knows.
            return ControlFlow::Break(Failure::new(ExitCode::Unavailable, Reason::StdinEnded.sentence()));
        }
        for verdict in verdicts {
            daemon::log(engine, verdict);
            summary.count(verdict);
            if let Verdict::StateChanged { from, to } = *verdict {
                service.status(&daemon::state_line(engine, from, to));
                state = to;
            }
        }
        if matches!(event, Event::Tick { .. }) {
            service.turn();
            if let Some(summary) = summary.tick() {
                info!("{}", summary.line(state));
            }
        }
        if board.lock().unwrap_or_else(PoisonError::into_inner).update(engine, event, verdicts) {
            change.send_replace(());
        }
        ControlFlow::Continue(())
    };
    let ended = tokio::select! {
        over = daemon::serve(&mut engine, inbox, &mut sinks, record, observe) => over.map_or_else(|| bug("every source"), Err),
        end = &mut end => match end {
            Ok(Ok(signal)) => {
                info!("{signal} was sent: ending");
                Ok(())
            }
            Ok(Err(what)) => bug(what),
            Err(_) => bug("the task that waits for the end"),
        }
    };
    service.stopping();
    sinks.withdraw();
    receiving.abort();
    witness.abort();
    drop(pulse);
    recorder.into_iter().for_each(Recorder::finish);
    ended
}

/// The log's first line: what this process is, where everything comes from and where it goes.
fn begins(settings: &Settings) -> String {
    let Settings { receiver, pulse, shm, sock, record, .. } = settings;
    let sinks = [shm.map(|unit| format!("SHM unit {unit}")), sock.as_ref().map(|path| path.display().to_string())];
    let sinks = sinks.into_iter().flatten().collect::<Vec<_>>().join(" and ");
    let record = record.as_ref().map(|(path, _)| format!(", recording to {}", path.display())).unwrap_or_default();
    format!(
        "gnss2shm {}: sentences from {receiver}, pulse from {pulse}, samples to {sinks}{record}",
        env!("CARGO_PKG_VERSION")
    )
}

/// The signals that ask a process to end.
pub(super) struct Stop(Vec<(&'static str, Signal)>);

impl Stop {
    /// SIGHUP stays ignored where it was at the start: under nohup(1) the terminal may go.
    pub(super) fn listen() -> Result<Self, Failure> {
        let os = |error| Failure::new(ExitCode::Os, format!("signals cannot be handled: {error}"));
        let mut kinds = vec![("SIGTERM", SignalKind::terminate()), ("SIGINT", SignalKind::interrupt())];
        if !is_ignored(SignalKind::hangup().as_raw_value()).map_err(os)? {
            kinds.push(("SIGHUP", SignalKind::hangup()));
        }
        let signals = kinds.into_iter().map(|(name, kind)| Ok((name, signal(kind)?))).collect::<Result<_, _>>();
        signals.map(Self).map_err(os)
    }

    /// Waits for one, and gives its name.
    pub(super) async fn asked(&mut self) -> &'static str {
        std::future::poll_fn(|context| {
            let come =
                self.0.iter_mut().find_map(|(name, signal)| signal.poll_recv(context).is_ready().then_some(*name));
            come.map_or(std::task::Poll::Pending, std::task::Poll::Ready)
        })
        .await
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let code = match &error {
            ConfigError::Unreadable(_, error) if error.kind() == ErrorKind::PermissionDenied => ExitCode::NoPermission,
            ConfigError::Unreadable(..) => ExitCode::NoInput,
            ConfigError::File(_) => ExitCode::Config,
            ConfigError::Options(_) => ExitCode::Usage,
        };
        Self::new(code, error.to_string())
    }
}
