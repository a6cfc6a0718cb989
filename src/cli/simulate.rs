//! `gnss2shm simulate`: the main job without hardware. Receiver and NIC are simulated, everything after them is the real
//! code; every sample is checked against the simulated truth.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::info;

use super::run::Stop;
use super::{ExitCode, Failure, Rejections};
use crate::config::{Unit, word_parser};
use crate::core::engine::guard::{Conventions, WitnessMode};
use crate::core::engine::{Config, Engine};
use crate::core::event::{Event, Sample, Verdict};
use crate::core::time::Span;
use crate::core::units::positive_span;
use crate::daemon::{self, EVENTS_QUEUED, Inbox};
use crate::simulator::live::Live;
use crate::simulator::{Scenario, SimEdges};
use crate::sink::Sink;
use crate::sink::shm::ShmSink;
use crate::source::serial::{self, Baud, SerialConfig};
use crate::source::witness;
use crate::sys::wait;

/// A sample further off than this is wrong.
const WRONG: Span = Span::from_micros(10);
/// Below the options in --help.
const HELP: &str = "\
Standard output has a line for each sample, and at the end a summary; the log, on standard error, has a line for each
change of state and says why no sample comes. The first sample comes about five seconds after the start.

Exit status: 0 samples came and every one was right, 1 none came or one was wrong; others as in sysexits(3).";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: Scenario,
    /// Unit of chrony's SHM refclock to write to: one that neither gpsd nor `run` takes by itself
    #[arg(long, value_name = "UNIT", allow_hyphen_values = true, default_value = "13")]
    shm: Unit,
    /// What to do when the real system clock is synchronized and disagrees with the first label
    #[arg(long, value_name = "MODE", default_value = "off", value_parser = word_parser::<WitnessMode>())]
    witness: WitnessMode,
    /// Assume the two conventions that no wire can contradict, or have them confirmed
    #[arg(long, value_name = "HOW", default_value = "assume", value_parser = word_parser::<Conventions>())]
    conventions: Conventions,
    /// End after this time, with a summary [default: at Ctrl-C]
    #[arg(long = "for", value_name = "TIME", allow_hyphen_values = true, value_parser = positive_span)]
    time: Option<Span>,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let Scenario { delay, jitter, width, .. } = args.scenario;
    let usage = |sentence: &str| Err(Failure::new(ExitCode::Usage, sentence));
    if width <= Span::ZERO || width >= Span::SECOND {
        return usage("--width must be longer than nothing and shorter than a second");
    }
    let is_within = |span: Span, most: i64| span >= Span::ZERO && span <= Span::from_secs(most);
    if !is_within(delay, 5) || !is_within(jitter, 1) {
        return usage("--delay must be from 0s to 5s, and --jitter from 0s to 1s");
    }
    // The simulated oscillator drifts from the real one (--system-ppm), which may be known to microseconds: no witness.
    let (witness, conventions) = (args.witness, args.conventions);
    super::log::start(false);
    super::on_runtime(simulate(
        args.scenario.clone(),
        Config { witness, conventions, ..Config::default() },
        args.shm.0,
        args.time,
    ))
}

async fn simulate(scenario: Scenario, config: Config, unit: u8, time: Option<Span>) -> Result<(), Failure> {
    let mut stop = Stop::listen()?;
    let mut sink = ShmSink::open(unit)?;
    let Scenario { baud, delay, width, edges, .. } = scenario;
    let (sender, events) = mpsc::channel(EVENTS_QUEUED);
    let live = Live::start(scenario, sender.clone())
        .map_err(|error| Failure::new(ExitCode::Os, format!("the simulation cannot start: {error}")))?;
    info!(
        "simulating a receiver on {} ({baud} baud, sentences {delay} after a pulse of {width}) and a NIC that \
         timestamps {} of its edges; samples go to SHM unit {unit}",
        live.device,
        if edges == SimEdges::Both { "both" } else { "one" }
    );
    let witness = tokio::spawn(witness::run(sender.clone()));
    let serial =
        tokio::spawn(serial::run(SerialConfig { device: live.device.clone(), baud: Baud::Rate(baud) }, None, sender));
    let (mut tally, mut engine) = (Tally::default(), Engine::new(config));
    let over = async {
        match time {
            Some(time) => tokio::time::sleep(Duration::from_nanos(time.nanos().unsigned_abs())).await,
            None => std::future::pending().await,
        }
    };
    let observe = |engine: &Engine, event: &Event, verdicts: &[Verdict]| {
        let said = tally.observe(&live, engine, verdicts).and_then(|()| match event {
            Event::Tick { .. } => super::written(wait::rest(Duration::ZERO)),
            _ => Ok(()),
        });
        said.map_or_else(ControlFlow::Break, ControlFlow::Continue)
    };
    let ended = tokio::select! {
        left = daemon::serve(&mut engine, Inbox::one(events), &mut sink, |_| {}, observe) => left.map_or(Ok(()), Err),
        () = over => Ok(()),
        _ = stop.asked() => Ok(()),
    };
    sink.withdraw();
    serial.abort();
    witness.abort();
    // If standard output was closed, the exit code still tells.
    let said = ended.and_then(|()| super::shown(super::print(&tally.summary(live.pulses()))));
    match (tally.samples, tally.wrong) {
        (_, 1..) => Err(Failure::new(
            ExitCode::No,
            format!("wrong samples: {}, outside the known envelope (see Limits in README.md)", tally.wrong),
        )),
        (0, 0) => said.and(Err(Failure::new(ExitCode::No, "no sample came"))),
        _ => said,
    }
}

/// Samples against the simulated truth.
#[derive(Debug, Default)]
struct Tally {
    samples: u64,
    /// Samples whose second exists, so that they have an error.
    judged: u64,
    wrong: u64,
    worst: Span,
    sum_of_squares: u128,
    rejections: Rejections,
}

impl Tally {
    /// Counts, prints and logs verdicts; an error if standard output cannot be written.
    fn observe(&mut self, live: &Live, engine: &Engine, verdicts: &[Verdict]) -> Result<(), Failure> {
        for verdict in verdicts {
            daemon::log(engine, verdict);
            match verdict {
                Verdict::Sample(sample) => {
                    let error = live.error(sample);
                    self.samples += 1;
                    self.wrong += u64::from(error.is_none_or(|error| error.abs() > WRONG));
                    if let Some(error) = error {
                        self.judged += 1;
                        self.worst = self.worst.max(error.abs());
                        self.sum_of_squares += u128::from(error.nanos().unsigned_abs()).pow(2);
                    }
                    super::written(super::print(&line(engine, sample, error)))?;
                }
                Verdict::Rejected(reason) => self.rejections.count(*reason),
                Verdict::StateChanged { .. }
                | Verdict::Contradiction(_)
                | Verdict::Relabeled { .. }
                | Verdict::RolledOver { .. }
                | Verdict::WitnessOverruled { .. } => {}
            }
        }
        Ok(())
    }

    fn summary(&self, pulses: u64) -> String {
        let Self { samples, wrong, judged, rejections, .. } = self;
        let (without, worst) = (pulses.saturating_sub(*samples), self.worst.nanos());
        let rms = (self.sum_of_squares / u128::from(*judged).max(1)).isqrt();
        format!(
            "pulses {pulses}, samples {samples}, wrong {wrong}, pulses without a sample {without}\n{rejections}\
             error against the simulated truth: worst {worst} ns, RMS {rms} ns\n"
        )
    }
}

fn line(engine: &Engine, sample: &Sample, error: Option<Span>) -> String {
    let edge = match engine.on_time().and_then(|on_time| on_time.width) {
        Some(width) => format!("before {width:>8}"),
        None => "on its own".into(),
    };
    let (state, label, offset) = (engine.state(), sample.label, sample.offset().nanos());
    let delay = engine.label().map(|label| label.delay).unwrap_or_default();
    let truth = error.map_or("NO SUCH PULSE".into(), |error| format!("{:+} ns off", error.nanos()));
    format!("{state:<10} {label}  edge {edge}  delay {delay:>8}  offset {offset:>+8} ns  {truth}\n")
}
