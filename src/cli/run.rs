//! `gnss2shm run`: the real thing.

use std::io::ErrorKind;
use std::path::PathBuf;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::{ExitCode, Failure};
use crate::config::{
    Baud, ConfigError, Conventions, Delay, Given, PhcGiven, Pulse, Rollover, Sentences, Serial, Settings, Shm, Width,
    Witness,
};
use crate::daemon::{self, EVENTS_QUEUED};
use crate::engine::Engine;
use crate::event::{Event, Verdict};
use crate::recording::Header;
use crate::sink::record::{OpenError, Recorder};
use crate::sink::shm::ShmSink;
use crate::size::parse_size;
use crate::source::phc::{Phc, PhcError, PhcErrorKind, PhcThread, Pin};
use crate::source::serial::{self, SerialError};
use crate::source::witness;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Settings as TOML; options given here go before what it says
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Serial port of the receiver
    #[arg(long, value_name = "DEV")]
    serial: Option<String>,
    /// Its rate in bits a second [default: 9600]
    #[arg(long, value_name = "N")]
    baud: Option<Baud>,
    /// PTP hardware clock that the pulse is wired to: its network interface or device
    #[arg(long, value_name = "IFACE|/dev/ptpN")]
    phc: Option<String>,
    /// Pin that the pulse is wired to [default: the one that has the channel, or the first]
    #[arg(long, value_name = "NAME|INDEX")]
    pin: Option<Pin>,
    /// Channel of external time stamps to use [default: 0]
    #[arg(long, value_name = "N")]
    channel: Option<u32>,
    /// Unit of chrony's SHM refclock to write to [default: 0]
    #[arg(long, value_name = "UNIT")]
    shm: Option<u8>,
    /// Pulse width, if it is not the shorter part of the second
    #[arg(long, value_name = "TIME")]
    width: Option<Width>,
    /// Time from the pulse to the first byte of its sentence, if it is not from 0 to 1 s
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    delay: Option<Delay>,
    /// Record every event in this file, for `gnss2shm replay`; the four files before it are kept as FILE.1 to FILE.4
    #[arg(long, value_name = "FILE")]
    record: Option<PathBuf>,
    /// Begin the next file of the recording at this size
    #[arg(long, value_name = "SIZE", default_value = "64MB", value_parser = parse_size, requires = "record")]
    record_size: u64,
    /// What to do when the system clock is synchronised and disagrees with the first label [default: block]
    #[arg(long, value_enum, value_name = "MODE")]
    witness: Option<Witness>,
    /// Assume the two conventions that no wire can contradict, or have them confirmed [default: assume]
    #[arg(long, value_enum, value_name = "HOW")]
    conventions: Option<Conventions>,
    /// What to do with dates from before this release [default: refuse]
    #[arg(long, value_enum, value_name = "HOW")]
    rollover: Option<Rollover>,
    /// Say every sample and every rejection in the log
    #[arg(long)]
    debug: bool,
}

impl Args {
    fn settings(&self) -> Result<Settings, Failure> {
        let flags = Given {
            serial: Serial { device: self.serial.clone(), baud: self.baud },
            phc: PhcGiven { device: self.phc.clone(), pin: self.pin.clone(), channel: self.channel },
            shm: Shm { unit: self.shm },
            pulse: Pulse { width: self.width },
            sentences: Sentences { delay: self.delay, trust_zda: None },
            holdover: None,
            rollover: self.rollover,
            witness: self.witness,
            conventions: self.conventions,
        };
        let file = self.config.as_deref().map(Given::read).transpose()?;
        Ok(flags.or(file.unwrap_or_default()).settle()?)
    }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let settings = args.settings()?;
    super::log_to_stderr(args.debug);
    super::on_runtime(serve(settings, args.record.clone().map(|path| (path, args.record_size))))
}

async fn serve(settings: Settings, record: Option<(PathBuf, u64)>) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    // Everything is tried once before anything runs: what is wrong ends the process here, what is not there yet is
    // waited for by its source.
    let phc = may_come(Phc::open(&settings.phc), |error| !error.is_fatal())?;
    let tty = may_come(serial::open(&settings.serial), SerialError::may_pass)?;
    let mut sink = ShmSink::open(settings.shm)?;
    let header = Header::new(settings.engine);
    let mut recorder = record.map(|(path, size)| Recorder::open(path, size, header)).transpose()?;

    let (sender, events) = mpsc::channel(EVENTS_QUEUED);
    let mut phc = PhcThread::spawn(settings.phc, phc, sender.clone())
        .map_err(|error| Failure::new(ExitCode::Os, format!("no thread can be started: {error}")))?;
    let witness = tokio::spawn(witness::run(sender.clone()));
    let mut serial = tokio::spawn(serial::run(settings.serial, tty, sender));
    let mut engine = Engine::new(settings.engine);
    let bug =
        |what| Err(Failure::new(ExitCode::Software, format!("{what} ended by itself: please report it as a bug")));
    let record = |event: &Event| recorder.iter_mut().for_each(|recorder| recorder.record(event));
    let observe = |engine: &Engine, verdict: Option<&Verdict>| {
        if let Some(verdict) = verdict {
            daemon::log(engine, verdict);
        }
    };
    let ended = tokio::select! {
        () = daemon::serve(&mut engine, events, &mut sink, record, observe) => bug("every source"),
        () = phc.ended() => bug("the PHC's thread"),
        _ = &mut serial => bug("the serial port's task"),
        () = stop.asked() => Ok(()),
    };
    sink.invalidate();
    serial.abort();
    witness.abort();
    phc.stop();
    recorder.into_iter().for_each(Recorder::finish);
    ended
}

/// What is open, or nothing where waiting may help; anything else is an error.
fn may_come<T, E: Into<Failure>>(opened: Result<T, E>, may_pass: impl Fn(&E) -> bool) -> Result<Option<T>, Failure> {
    match opened {
        Ok(opened) => Ok(Some(opened)),
        Err(error) if may_pass(&error) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The signals that ask a process to end.
pub(super) struct Stop(Vec<Signal>);

impl Stop {
    pub(super) fn listen() -> Result<Self, Failure> {
        let kinds = [SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup()];
        let signals = kinds.into_iter().map(signal).collect::<Result<_, _>>();
        signals.map(Self).map_err(|error| Failure::new(ExitCode::Os, format!("signals cannot be handled: {error}")))
    }

    pub(super) async fn asked(&mut self) {
        std::future::poll_fn(|context| {
            if self.0.iter_mut().any(|signal| signal.poll_recv(context).is_ready()) {
                std::task::Poll::Ready(())
            } else {
                std::task::Poll::Pending
            }
        })
        .await;
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        let code = match error {
            ConfigError::Unreadable(_) => ExitCode::NoInput,
            ConfigError::Wrong(_) => ExitCode::Config,
            ConfigError::Missing(_) => ExitCode::Usage,
        };
        Self::new(code, error.to_string())
    }
}

impl From<OpenError> for Failure {
    fn from(error: OpenError) -> Self {
        let code = match &error {
            OpenError::NotAFile(_) => ExitCode::Config,
            OpenError::File(_, error) if error.kind() == ErrorKind::PermissionDenied => ExitCode::NoPermission,
            OpenError::File(..) => ExitCode::CannotCreate,
            OpenError::NoThread(_) => ExitCode::Os,
        };
        Self::new(code, error.to_string())
    }
}

impl From<PhcError> for Failure {
    fn from(error: PhcError) -> Self {
        use PhcErrorKind as Kind;
        let code = match error.kind() {
            Kind::NotAClock | Kind::NoSuchChannel | Kind::NoSuchPin | Kind::PinInUse => ExitCode::Config,
            Kind::NoClock | Kind::NoTimeStamps | Kind::Refused => ExitCode::Unavailable,
            Kind::Permission => ExitCode::NoPermission,
            Kind::NotThere => ExitCode::NoInput,
            Kind::Failed => ExitCode::Os,
        };
        Self::new(code, error.to_string())
    }
}

impl From<SerialError> for Failure {
    fn from(error: SerialError) -> Self {
        let code = match error {
            SerialError::NotATty(_) => ExitCode::Config,
            SerialError::Denied(_) => ExitCode::NoPermission,
            SerialError::NotThere(_) | SerialError::Busy(_) => ExitCode::NoInput,
            SerialError::Other(_) => ExitCode::Os,
        };
        Self::new(code, error.to_string())
    }
}
