//! `gnss2shm simulate`: `run` without hardware. Receiver and NIC are simulated; the rest is the real code, and every
//! sample is checked against the simulated truth.

use std::ops::ControlFlow;
use std::time::Duration;

use tokio::sync::mpsc;
use tracing::info;

use super::run::stop;
use super::{ExitCode, Failure};
use crate::config::{unit, word_parser};
use crate::core::engine::{Config, Engine};
use crate::core::engine::{Conventions, WitnessMode};
use crate::core::event::{Event, Verdict};
use crate::core::time::Span;
use crate::core::units::positive_span;
use crate::daemon::log::Rejections;
use crate::daemon::{self, EVENTS_QUEUED, Inbox};
use crate::simulator::live::Live;
use crate::simulator::{Scenario, SimEdges};
use crate::sink::Sinks;
use crate::sink::shm::ShmSink;
use crate::source::serial::{self, Baud, SerialConfig};
use crate::source::witness;
use crate::sys::wait;

/// A sample with a larger error is wrong.
const WRONG: Span = Span::from_micros(10);

/// Simulate a receiver and a NIC, and check every sample against the true time
///
/// Standard output has a line for each sample and a summary at the end; the log, on standard error, has a line for each
/// change of state and the reason if there is no sample. The first sample appears about five seconds after the start.
///
/// Exit status: 0 if there were samples and all were right; 1 if there were none or one was wrong; other codes as in
/// sysexits(3).
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    #[command(flatten)]
    scenario: Scenario,
    /// Unit of chrony's SHM refclock to write to; neither gpsd nor `run` uses the default
    #[arg(long, value_name = "UNIT", allow_hyphen_values = true, default_value = "13", value_parser = unit)]
    shm: u8,
    /// What to do if this machine's own system clock is synchronized and disagrees with the first second determined: block
    /// samples, warn, or nothing (off: no check is made)
    #[arg(long, value_name = "MODE", default_value = "off", value_parser = word_parser::<WitnessMode>())]
    witness: WitnessMode,
    /// Whether to assume that the pulse is the shorter part of the second and that a sentence names the last pulse before
    /// it, or to confirm both before publishing
    #[arg(long, value_name = "HOW", default_value = "assume", value_parser = word_parser::<Conventions>())]
    conventions: Conventions,
    /// Print a summary and end after this time [default: run until Ctrl-C]
    #[arg(long = "for", value_name = "TIME", allow_hyphen_values = true, value_parser = positive_span)]
    time: Option<Span>,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    super::log::start(false);
    super::on_runtime(simulate(args))
}

async fn simulate(Args { scenario, shm: unit, witness, conventions, time }: Args) -> Result<(), Failure> {
    let stop = stop()?;
    let mut sinks: Sinks = vec![Box::new(ShmSink::open(unit)?)];
    let Scenario { baud, delay, width, edges, .. } = scenario;
    let (sender, events) = mpsc::channel(EVENTS_QUEUED);
    let live = Live::start(scenario, sender.clone());
    let live = live.map_err(|error| Failure::os("cannot start the simulation", error))?;
    info!(
        "simulating a receiver on {} ({baud} baud, sentences {delay} after a pulse of {width}) and a NIC that \
         timestamps {} of its edges; samples go to SHM unit {unit}",
        live.device,
        if edges == SimEdges::Both { "both" } else { "one" }
    );
    let witnessing = tokio::spawn(witness::run(sender.clone()));
    let config = SerialConfig { device: live.device.clone(), baud: Baud::Rate(baud) };
    let serial = tokio::spawn(serial::run(config, None, sender));
    let (mut tally, mut engine) = (Tally::default(), Engine::new(Config { witness, conventions, ..Config::default() }));
    let over = tokio::time::sleep(time.map_or(Duration::MAX, |time| Duration::from_nanos(time.nanos().unsigned_abs())));
    let observe = |engine: &Engine, event: &Event, verdicts: &[Verdict]| {
        tally.observe(&live, engine, event, verdicts).map_or_else(ControlFlow::Break, ControlFlow::Continue)
    };
    let ended = tokio::select! {
        left = daemon::serve(&mut engine, Inbox::one(events), &mut sinks, |_| {}, observe) => left.map_or(Ok(()), Err),
        () = over => Ok(()),
        _ = stop => Ok(()),
    };
    sinks.clear();
    serial.abort();
    witnessing.abort();
    // If standard output was closed, the exit code still shows the result.
    let said = ended.and_then(|()| super::show(&tally.summary(live.pulses())));
    match (tally.samples, tally.wrong) {
        (_, 1..) => Err(Failure::new(
            ExitCode::No,
            format!("wrong samples: {}; is this scenario outside the envelope (docs/envelope.md)?", tally.wrong),
        )),
        (0, 0) => said.and(Err(Failure::new(ExitCode::No, "there were no samples"))),
        _ => said,
    }
}

/// Samples against the simulated truth.
#[derive(Debug, Default)]
struct Tally {
    samples: u64,
    wrong: u64,
    worst: Span,
    sum_of_squares: u128,
    rejections: Rejections,
}

impl Tally {
    /// Counts, prints, and logs verdicts; an error if writing to standard output fails.
    fn observe(&mut self, live: &Live, engine: &Engine, event: &Event, verdicts: &[Verdict]) -> Result<(), Failure> {
        if let Event::Tick { .. } = event {
            super::written(wait::rest(Duration::ZERO))?;
        }
        for verdict in verdicts {
            daemon::log::log(engine, verdict);
            self.rejections.count(verdict);
            if let Verdict::Sample(sample) = verdict {
                let error = live.error(sample);
                self.samples += 1;
                self.wrong += u64::from(error.is_none_or(|error| error.abs() > WRONG));
                if let Some(error) = error {
                    self.worst = self.worst.max(error.abs());
                    self.sum_of_squares += u128::from(error.nanos().unsigned_abs()).pow(2);
                }
                let (state, label, offset) = (engine.state(), sample.label, sample.offset().nanos());
                let truth = error.map_or("NO SUCH PULSE".into(), |error| format!("{:+} ns off", error.nanos()));
                super::print(&format!("{state:<10} {label}  offset {offset:>+8} ns  {truth}\n"))?;
            }
        }
        Ok(())
    }

    fn summary(&self, pulses: u64) -> String {
        let Self { samples, wrong, rejections, .. } = self;
        let (without, worst) = (pulses.saturating_sub(*samples), self.worst.nanos());
        let rms = (self.sum_of_squares / u128::from(*samples).max(1)).isqrt();
        format!(
            "pulses {pulses}, samples {samples}, wrong {wrong}, pulses without a sample {without}\n{rejections}\
             error against the simulated truth: worst {worst} ns, RMS {rms} ns\n"
        )
    }
}
