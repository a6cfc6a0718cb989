//! A complete line: its content or why it is refused, and the counts of both.

use super::{LINE_MAX, Sentence};
use crate::core::foreign::{self, Foreign};
use crate::core::time::{Instant, Raw};

/// A byte, and the read that returned it.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Byte {
    pub(super) value: u8,
    /// When it began on the line, at the port's rate.
    pub(super) start: Instant<Raw>,
    /// When the read returned, and how many bytes it contained.
    pub(super) read_at: Instant<Raw>,
    pub(super) read: usize,
}

/// A complete line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Line<'a> {
    /// Its printable characters, from `$` up to its end or to where it was broken off.
    pub text: &'a str,
    /// When its first byte began on the line.
    pub first_byte: Instant<Raw>,
    /// Its content, or why it is refused.
    pub read: Result<Sentence, Refusal>,
}

/// Why a line is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Refusal {
    /// No `*` and two hexadecimal digits at the end.
    #[error("it has no checksum")]
    NoChecksum,
    /// The checksum does not match.
    #[error("its checksum is {said:02X}, but its bytes give {computed:02X}")]
    WrongChecksum {
        /// As given in the line.
        said: u8,
        /// As computed from its bytes.
        computed: u8,
    },
    /// Longer than any sentence.
    #[error("it is longer than {LINE_MAX} bytes")]
    TooLong,
    /// A byte that is not printable ASCII, in the middle.
    #[error("it contains byte {0:02X}, which is not printable ASCII")]
    Unprintable(u8),
    /// A new sentence or frame begins in the middle.
    #[error("another message begins within it")]
    CutOff,
    /// The time of day does not exist or is malformed.
    #[error("its time of day is invalid or not in the form hhmmss")]
    Time,
    /// The date does not exist or is malformed.
    #[error("its date is invalid or not in the form that the sentence requires")]
    Date,
}

impl Refusal {
    /// Short name for programs.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::NoChecksum => "no-checksum",
            Self::WrongChecksum { .. } => "wrong-checksum",
            Self::TooLong => "too-long",
            Self::Unprintable(_) => "unprintable",
            Self::CutOff => "cut-off",
            Self::Time => "malformed-time",
            Self::Date => "malformed-date",
        }
    }
}

/// Counts of the input so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LineCounts {
    /// Total bytes.
    pub bytes: u64,
    /// Lines with a correct checksum.
    pub sentences: u64,
    /// Lines whose checksum is missing or wrong.
    pub bad_checksum: u64,
    /// Lines broken off: too long, a byte that is not printable ASCII, or a new `$` in the middle.
    pub broken: u64,
    /// Sentences with a correct checksum and a time or date that does not exist.
    pub malformed: u64,
    /// Frames of u-blox's binary protocol with a correct checksum.
    pub frames: u64,
    /// Input that is not a sentence, by [`Foreign`]; u-blox's frames are counted in `frames`.
    foreign: [u64; Foreign::ALL.len()],
}

impl LineCounts {
    /// Messages with a correct checksum, which shows that the baud rate is right.
    pub fn understood(&self) -> u64 {
        let told = |foreign: &Foreign| !matches!(foreign, Foreign::Gpsd | Foreign::Damaged);
        self.sentences + Foreign::ALL.into_iter().filter(told).map(|foreign| self.of(foreign)).sum::<u64>()
    }

    /// Lines that arrived damaged.
    pub fn damaged(&self) -> u64 {
        self.bad_checksum + self.broken
    }

    /// How many messages of this kind.
    pub fn of(&self, foreign: Foreign) -> u64 {
        match foreign {
            Foreign::Ubx => self.frames,
            other => self.foreign.get(other as usize).copied().unwrap_or_default(),
        }
    }

    pub(super) fn add_foreign(&mut self, foreign: Foreign) {
        if let Some(count) = self.foreign.get_mut(foreign as usize) {
            *count += 1;
        }
    }

    pub(super) fn add(&mut self, text: &str, read: &Result<Sentence, Refusal>) {
        match read {
            Ok(_) => self.sentences += 1,
            Err(Refusal::Time | Refusal::Date) => {
                self.sentences += 1;
                self.malformed += 1;
            }
            Err(Refusal::NoChecksum | Refusal::WrongChecksum { .. }) => {
                self.bad_checksum += 1;
                if foreign::reads_like_a_sentence(text) {
                    self.add_foreign(Foreign::Damaged);
                }
            }
            Err(Refusal::TooLong | Refusal::Unprintable(_) | Refusal::CutOff) => self.broken += 1,
        }
    }
}

impl Foreign {
    /// The most specific kind that arrived between two counts of one framer.
    pub fn between(before: &LineCounts, now: &LineCounts) -> Option<Self> {
        Self::ALL.into_iter().find(|foreign| now.of(*foreign) > before.of(*foreign))
    }
}
