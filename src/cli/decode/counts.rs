//! How many messages about time a capture holds, by what they are worth; why lines are not used.

use std::collections::BTreeMap;
use std::io::{self, Write};

use super::row::VALID;
use crate::core::foreign::Foreign;
use crate::core::nmea::LineCounts;

/// Messages about time by what they are worth, lines by why they are not used.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) valid: u64,
    worth: BTreeMap<&'static str, u64>,
    refused: BTreeMap<&'static str, u64>,
}

impl Counts {
    pub(super) fn add(&mut self, worth: &'static str) {
        *self.worth.entry(worth).or_default() += 1;
        self.valid += u64::from(worth == VALID);
    }

    pub(super) fn refuse(&mut self, key: &'static str) {
        *self.refused.entry(key).or_default() += 1;
    }

    pub(super) fn summary(&self, lines: LineCounts, out: &mut impl Write) -> io::Result<()> {
        let refused: u64 = self.refused.values().sum();
        writeln!(out, "{} bytes, {} lines with a right checksum, {refused} refused", lines.bytes, lines.sentences)?;
        for (worth, times) in &self.worth {
            writeln!(out, "  about time {times} x {worth}")?;
        }
        for (key, times) in &self.refused {
            writeln!(out, "  refused {times} x {key}")?;
        }
        for foreign in Foreign::ALL.into_iter().filter(|foreign| *foreign != Foreign::Damaged) {
            if lines.of(foreign) > 0 {
                writeln!(out, "{} {}", lines.of(foreign), foreign.name())?;
            }
        }
        Ok(())
    }
}
