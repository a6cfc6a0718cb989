//! `gnss2shm simulate`: the main job without hardware. The receiver and the NIC are invented, everything after them is
//! the real thing; every sample is held against the invented truth.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::info;

use super::run::Stop;
use super::{ExitCode, Failure};
use crate::config::{Unit, word_parser};
use crate::core::engine::guard::{Conventions, WitnessMode};
use crate::core::engine::{Config, Engine};
use crate::core::event::{Event, Verdict};
use crate::core::time::Span;
use crate::core::units::{parse_span, positive_span, whole};
use crate::daemon::{self, EVENTS_QUEUED, Inbox};
use crate::simulator::live::Live;
use crate::simulator::scenario::{Scenario, SimEdges};
use crate::sink::Sinks;
use crate::sink::shm::ShmSink;
use crate::source::serial::{self, Baud, SerialConfig};
use crate::source::witness;
use crate::sys::reader;

mod tally;

use tally::Tally;

/// What --help says below the options.
const HELP: &str = "\
Standard output has a line for each sample, and at the end a summary; the log, on standard error, has a line for each
change of state and says why no sample comes. The first sample comes about five seconds after the start.

Exit status: 0 samples came and every one was right, 1 none came or one was wrong; others as in sysexits(3).";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Time from the pulse to the first byte of its sentences
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "300ms", value_parser = parse_span)]
    delay: Span,
    /// How far that time wanders
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "20ms", value_parser = parse_span)]
    jitter: Span,
    /// Rate of the serial line in bits a second
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value = "9600", value_parser = baud)]
    baud: u32,
    /// Pulse width
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "100ms", value_parser = parse_span)]
    width: Span,
    /// Which edges the NIC timestamps
    #[arg(long, value_enum, default_value = "both")]
    edges: SimEdges,
    /// How much faster than the system's oscillator the PHC runs
    #[arg(long, value_name = "PPM", default_value = "12", allow_hyphen_values = true, value_parser = phc_ppm)]
    phc_ppm: i64,
    /// How much faster than UTC the system's oscillator runs
    #[arg(long, value_name = "PPM", default_value = "-7", allow_hyphen_values = true, value_parser = system_ppm)]
    system_ppm: i64,
    /// Share of edges that are lost
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, default_value = "0%", value_parser = permille)]
    loss: u32,
    /// Share of seconds whose sentences are lost
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, default_value = "0%", value_parser = permille)]
    sentence_loss: u32,
    /// Share of seconds with an edge that belongs to no pulse
    #[arg(long, value_name = "PERCENT", allow_hyphen_values = true, default_value = "0%", value_parser = permille)]
    glitches: u32,
    /// How far the stamps of the edges scatter
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, default_value = "20ns", value_parser = parse_span)]
    noise: Span,
    /// Seed of everything random
    #[arg(long, value_name = "N", allow_hyphen_values = true, default_value = "1", value_parser = seed)]
    seed: u64,
    /// Unit of chrony's SHM refclock to write to: one that neither gpsd nor `run` takes by itself
    #[arg(long, value_name = "UNIT", allow_hyphen_values = true, default_value = "13")]
    shm: Unit,
    /// What to do when the real system clock is synchronized and disagrees with the first label
    #[arg(long, value_name = "MODE", default_value = "off", value_parser = word_parser::<WitnessMode>())]
    witness: WitnessMode,
    /// Assume the two conventions that no wire can contradict, or have them confirmed [default: assume]
    #[arg(long, value_name = "HOW", value_parser = word_parser::<Conventions>())]
    conventions: Option<Conventions>,
    /// End after this time, with a summary [default: at Ctrl-C]
    #[arg(long = "for", value_name = "TIME", allow_hyphen_values = true, value_parser = positive_span)]
    time: Option<Span>,
}

impl Args {
    fn engine(&self) -> Config {
        let defaults = Config::default();
        Config {
            // The invented oscillator runs away from the real one (--system-ppm), which may be known to microseconds.
            witness: self.witness,
            conventions: self.conventions.unwrap_or(defaults.conventions),
            ..defaults
        }
    }

    fn scenario(&self) -> Result<Scenario, Failure> {
        let usage = |sentence: &str| Err(Failure::new(ExitCode::Usage, sentence));
        if self.width < Span::from_nanos(1) || self.width >= Span::SECOND {
            return usage("--width must be longer than nothing and shorter than a second");
        }
        if self.delay < Span::ZERO || self.delay > Span::from_secs(5) || self.jitter < Span::ZERO {
            return usage("--delay must be from 0s to 5s, and --jitter not below 0s");
        }
        Ok(Scenario {
            delay: self.delay,
            jitter: self.jitter.min(Span::SECOND),
            baud: self.baud,
            width: self.width,
            edges: self.edges,
            phc_ppm: self.phc_ppm,
            system_ppm: self.system_ppm,
            edge_loss: self.loss,
            sentence_loss: self.sentence_loss,
            glitches: self.glitches,
            noise: self.noise.abs(),
            seed: self.seed,
            ..Scenario::default()
        })
    }
}

fn phc_ppm(text: &str) -> Result<i64, String> {
    whole(text, &(-1_000..=1_000))
}

fn system_ppm(text: &str) -> Result<i64, String> {
    whole(text, &(-400..=400))
}

fn seed(text: &str) -> Result<u64, String> {
    whole(text, &(0..=u64::MAX))
}

fn baud(text: &str) -> Result<u32, String> {
    whole(text, &(300..=4_000_000))
}

/// `5%` or `0.5%` as parts in a thousand.
fn permille(text: &str) -> Result<u32, String> {
    let wrong = || format!("`{text}` is not a share: allowed is a percentage from 0% to 100%, as in 5% or 0.5%");
    let number = text.strip_suffix('%').ok_or_else(wrong)?;
    let (whole, tenth) = number.split_once('.').unwrap_or((number, "0"));
    let (whole, tenth): (u32, u32) = (whole.parse().map_err(|_| wrong())?, tenth.parse().map_err(|_| wrong())?);
    let share = whole.saturating_mul(10).saturating_add(tenth);
    if tenth <= 9 && share <= 1_000 { Ok(share) } else { Err(wrong()) }
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let scenario = args.scenario()?;
    super::log::start(false);
    super::on_runtime(simulate(scenario, args.engine(), args.shm.0, args.time))
}

async fn simulate(scenario: Scenario, config: Config, unit: u8, time: Option<Span>) -> Result<(), Failure> {
    let os = |error| Failure::new(ExitCode::Os, format!("the simulation cannot start: {error}"));
    let mut stop = Stop::listen()?;
    let mut sinks = Sinks::from(ShmSink::open(unit)?);
    let baud = scenario.baud;
    let edges = match scenario.edges {
        SimEdges::Both => "both edges",
        SimEdges::One => "one edge",
    };
    let (sender, events) = mpsc::channel(EVENTS_QUEUED);
    let (delay, width) = (scenario.delay, scenario.width);
    let live = Live::start(scenario, sender.clone()).map_err(os)?;
    info!(
        "simulating a receiver on {} ({baud} baud, sentences {delay} after a pulse of {width}) and a NIC that stamps \
         {edges}; samples go to SHM unit {unit}",
        live.device
    );
    let witness = tokio::spawn(witness::run(sender.clone()));
    let serial =
        tokio::spawn(serial::run(SerialConfig { device: live.device.clone(), baud: Baud::Rate(baud) }, None, sender));
    let mut tally = Tally::default();
    let mut engine = Engine::new(config);
    let over = async {
        match time {
            Some(time) => tokio::time::sleep(Duration::from_nanos(time.nanos().unsigned_abs())).await,
            None => std::future::pending().await,
        }
    };
    let observe = |engine: &Engine, event: &Event, verdicts: &[Verdict]| {
        let said = tally.observe(&live, engine, verdicts).and_then(|()| match event {
            // Breaks off where nobody reads any more.
            Event::Tick { .. } => super::while_read(reader::rest(Duration::ZERO)),
            _ => Ok(()),
        });
        said.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    };
    let ended = tokio::select! {
        left = daemon::serve(&mut engine, Inbox::one(events), &mut sinks, |_| {}, observe) => left.map_or(Ok(()), Err),
        () = over => Ok(()),
        _ = stop.asked() => Ok(()),
    };
    sinks.invalidate();
    serial.abort();
    witness.abort();
    match ended {
        Ok(()) => tally.summary(live.pulses()),
        Err(_) if tally.is_any_wrong() => Err(tally.were_wrong()),
        Err(left) => Err(left),
    }
}
