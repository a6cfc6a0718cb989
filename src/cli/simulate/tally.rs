//! What came of a simulation: a line for each sample, and the summary.

use std::collections::BTreeMap;
use std::io::Write;

use crate::cli::{ExitCode, Failure};
use crate::daemon;
use crate::engine::Engine;
use crate::event::{Reason, Sample, Verdict};
use crate::source::simulator::live::Live;
use crate::time::Span;

/// A sample further off than this is wrong.
const WRONG: Span = Span::from_micros(10);

/// What came of a simulation.
#[derive(Debug, Default)]
pub(super) struct Tally {
    samples: u64,
    /// Samples whose second exists, so that they have an error.
    judged: u64,
    wrong: u64,
    worst: Span,
    sum_of_squares: u128,
    rejected: BTreeMap<&'static str, u64>,
}

impl Tally {
    /// Counts, prints and logs what the engine said.
    pub(super) fn observe(&mut self, live: &Live, engine: &Engine, verdicts: &[Verdict]) {
        for verdict in verdicts {
            daemon::log(engine, verdict);
            match verdict {
                Verdict::Sample(sample) => {
                    let error = live.error(sample);
                    self.count(error);
                    say(&sample_line(engine, sample, error));
                }
                Verdict::Rejected(reason) => *self.rejected.entry(reason.key()).or_default() += 1,
                Verdict::StateChanged { .. }
                | Verdict::Contradiction(_)
                | Verdict::Relabelled { .. }
                | Verdict::RolledOver { .. }
                | Verdict::WitnessOverruled { .. } => {}
            }
        }
    }

    fn count(&mut self, error: Option<Span>) {
        self.samples += 1;
        match error {
            Some(error) => {
                self.judged += 1;
                self.worst = self.worst.max(error.abs());
                self.sum_of_squares += u128::from(error.nanos().unsigned_abs()).pow(2);
                self.wrong += u64::from(error.abs() > WRONG);
            }
            None => self.wrong += 1,
        }
    }

    /// Prints the sum; an error where no sample came or one was wrong.
    pub(super) fn summary(&self, pulses: u64) -> Result<(), Failure> {
        let rms = (self.sum_of_squares / u128::from(self.judged.max(1))).isqrt();
        let without = pulses.saturating_sub(self.samples);
        say(&format!(
            "pulses {pulses}, samples {}, wrong {}, pulses without a sample {without}",
            self.samples, self.wrong
        ));
        if !self.rejected.is_empty() {
            say("edges and sentences passed over (a pulse may have two edges):");
        }
        for (reason, times) in &self.rejected {
            let sentence = Reason::ALL.iter().find(|r| r.key() == *reason).map_or("", |r| r.sentence());
            say(&format!("  {times} x {reason}: {sentence}"));
        }
        if self.judged > 0 {
            say(&format!("error against the simulated truth: worst {} ns, RMS {rms} ns", self.worst.nanos()));
        }
        match (self.samples, self.wrong) {
            (0, _) => Err(Failure::new(ExitCode::No, "no sample came")),
            (_, 0) => Ok(()),
            (_, _) => Err(self.were_wrong()),
        }
    }

    pub(super) fn is_any_wrong(&self) -> bool {
        self.wrong > 0
    }

    /// Why the answer is no.
    pub(super) fn were_wrong(&self) -> Failure {
        let wrong = self.wrong;
        let sentence =
            format!("{wrong} samples were wrong (outside the envelope that is known: see Limits in README.md)");
        Failure::new(ExitCode::No, sentence)
    }
}

/// Prints a line; where nobody reads any more, there is nobody to tell.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

fn sample_line(engine: &Engine, sample: &Sample, error: Option<Span>) -> String {
    let edge = match engine.on_time().and_then(|on_time| on_time.width) {
        Some(width) => format!("before {width:>8}"),
        None => "on its own".into(),
    };
    let delay = engine.label().map(|label| label.delay).unwrap_or_default();
    let truth = error.map_or("NO SUCH PULSE".into(), |error| format!("{:+} ns off", error.nanos()));
    format!(
        "{:<10} {}  edge {edge}  delay {delay:>8}  offset {:>+8} ns  {truth}",
        engine.state(),
        sample.label,
        sample.offset().nanos(),
    )
}
