//! What came of a simulation: a line for each sample, and the summary.

use std::collections::BTreeMap;
use std::io::{self, Write};

use crate::cli::{self, ExitCode, Failure};
use crate::core::engine::Engine;
use crate::core::event::{Reason, Sample, Verdict};
use crate::core::time::Span;
use crate::daemon;
use crate::simulator::live::Live;

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
    /// Counts, prints and logs what the engine said; an error where it cannot be printed.
    pub(super) fn observe(&mut self, live: &Live, engine: &Engine, verdicts: &[Verdict]) -> Result<(), Failure> {
        let mut said = Ok(());
        for verdict in verdicts {
            daemon::log(engine, verdict);
            match verdict {
                Verdict::Sample(sample) => {
                    let error = live.error(sample);
                    self.count(error);
                    said = said.and(say(&sample_line(engine, sample, error)));
                }
                Verdict::Rejected(reason) => *self.rejected.entry(reason.key()).or_default() += 1,
                Verdict::StateChanged { .. }
                | Verdict::Contradiction(_)
                | Verdict::Relabeled { .. }
                | Verdict::RolledOver { .. }
                | Verdict::WitnessOverruled { .. } => {}
            }
        }
        cli::written(said)
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

    /// Prints the sum; an error where one was wrong, it cannot be printed, or no sample came.
    pub(super) fn summary(&self, pulses: u64) -> Result<(), Failure> {
        // Whoever reads no more of it has the answer in the exit code.
        let said = cli::shown(self.say_sum(pulses));
        match (self.samples, self.wrong) {
            (0, _) => said.and(Err(Failure::new(ExitCode::No, "no sample came"))),
            (_, 0) => said,
            (_, _) => Err(self.were_wrong()),
        }
    }

    fn say_sum(&self, pulses: u64) -> io::Result<()> {
        let rms = (self.sum_of_squares / u128::from(self.judged.max(1))).isqrt();
        let without = pulses.saturating_sub(self.samples);
        say(&format!(
            "pulses {pulses}, samples {}, wrong {}, pulses without a sample {without}",
            self.samples, self.wrong
        ))?;
        if !self.rejected.is_empty() {
            say("edges and sentences passed over (a pulse may have two edges):")?;
        }
        for (reason, times) in &self.rejected {
            let sentence = Reason::ALL.iter().find(|r| r.key() == *reason).map_or("", |r| r.sentence());
            say(&format!("  {times} x {reason}: {sentence}"))?;
        }
        if self.judged > 0 {
            say(&format!("error against the simulated truth: worst {} ns, RMS {rms} ns", self.worst.nanos()))?;
        }
        Ok(())
    }

    pub(super) fn is_any_wrong(&self) -> bool {
        self.wrong > 0
    }

    /// Why the answer is no.
    pub(super) fn were_wrong(&self) -> Failure {
        let wrong = match self.wrong {
            1 => "1 sample was".to_owned(),
            several => format!("{several} samples were"),
        };
        let sentence = format!("{wrong} wrong (outside the envelope that is known: see Limits in README.md)");
        Failure::new(ExitCode::No, sentence)
    }
}

fn say(line: &str) -> io::Result<()> {
    writeln!(crate::cli::stdout(), "{line}")
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_wrong_is_said_of_one_and_of_several() {
        let mut tally = Tally::default();
        for says in ["1 sample was wrong (", "2 samples were wrong ("] {
            tally.count(None);
            let said = tally.were_wrong().message;
            assert!(said.starts_with(says), "{said}");
        }
    }
}
