//! Splits bytes into lines and frames, with timestamps.
//!
//! The last byte of a read had arrived when the read returned, and each byte before it was on the line one byte time
//! earlier: that dates the first byte of a sentence. The framer also detects where a burst began: after silence on the
//! line. It never fails: input that it cannot use is counted. The number of bytes held back is bounded.
//!
//! Frames of u-blox's binary protocol may occur in between. From a frame's first byte on, bytes are held back until the
//! frame is complete and its checksum is correct; then it is taken whole, whatever its payload. If it is not a frame
//! (wrong checksum, impossible length, or silence within it), the bytes held back are parsed as text, so that no
//! sentence among them is lost.

use std::collections::VecDeque;

use super::line::Byte;
use super::{LINE_MAX, Line, LineCounts, Refusal, Sentence, content};
use crate::core::event::Bytes;
use crate::core::foreign::Recognizer;
use crate::core::time::{Instant, Raw, Span};
use crate::core::ubx::{self, Begun, Frame};

/// A longer pause between two bytes begins a new burst. Sources let the bytes of a burst gather for up to 105 ms.
const SILENCE: Span = Span::from_millis(110);
/// Maximum part of the time since the last read that this read's bytes may have taken at the port's rate: an adapter
/// holds bytes back for at most 255 ms, a UART at most sixteen bytes; more at once was not paced by a line.
const HELD_BACK: Span = Span::from_millis(255);
const FIFO: i64 = 16;
/// A byte at 4800 baud, the slowest rate expected: start, eight data bits, stop.
pub(crate) const SLOWEST: Span = Span::from_nanos(10_000_000_000 / 4_800);

/// A longer pause within it shows that it is not a frame. A late reader may see shorter ones.
const FRAME_SILENCE: Span = Span::from_millis(250);

/// A message that is complete.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// A line.
    Line(Line<'a>),
    /// A frame of u-blox's binary protocol, and all its bytes.
    Frame(Frame, &'a [u8]),
}

/// Cuts bytes into sentences and frames.
#[derive(Clone, Debug, Default)]
pub(crate) struct Framer {
    /// Bytes that may be a frame, from its first byte on; at most as many as the longest frame has.
    held: VecDeque<Byte>,
    /// The line so far; `None` outside a line.
    line: Option<String>,
    first_byte: Byte,
    burst: Burst,
    last_byte: Option<Instant<Raw>>,
    recognizer: Recognizer,
    counts: LineCounts,
}

/// Reads that follow each other without silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Burst {
    /// When its first read returned.
    pub began: Instant<Raw>,
    /// Bytes of its first read.
    pub first_read: usize,
    /// When its second-to-last read returned.
    pub before_last: Instant<Raw>,
    /// When its last read returned.
    pub last: Instant<Raw>,
    /// Bytes of its last read.
    pub last_read: usize,
    /// Number of reads.
    pub reads: usize,
    /// Number of bytes.
    pub bytes: usize,
    /// Lines that ended in it.
    pub lines: usize,
    /// Whether its first read ended with the end of a line.
    pub whole_line: bool,
    /// Duration of a byte at the port's rate; zero if it has none.
    pub byte_time: Span,
}

impl Burst {
    /// Whether no more of it can arrive.
    pub(crate) fn is_over(&self, now: Instant<Raw>) -> bool {
        let next_line = if self.is_by_line() { SLOWEST.times(LINE_MAX as i64) } else { Span::ZERO };
        now - self.last > SILENCE + next_line
    }

    /// Whether each read so far contained one whole line.
    fn is_by_line(&self) -> bool {
        self.whole_line && self.lines <= self.reads
    }

    fn add(&mut self, bytes: &Bytes) {
        let count = bytes.data.len();
        let by_line = self.is_by_line() && bytes.data.last() == Some(&b'\n');
        let byte_time = if by_line { bytes.byte_time.max(SLOWEST) } else { bytes.byte_time };
        let took = byte_time.times(count as i64).min(HELD_BACK.max(byte_time.times(FIFO)));
        let follows = self.reads > 0 && bytes.read_at - self.last - took <= SILENCE;
        if !follows {
            let (began, whole_line) = (bytes.read_at, bytes.data.last() == Some(&b'\n'));
            *self = Self { began, first_read: count, last: began, whole_line, ..Self::default() };
        }
        (self.before_last, self.last) = (self.last, bytes.read_at);
        (self.last_read, self.byte_time) = (count, bytes.byte_time);
        self.reads += 1;
        self.bytes += count;
    }
}

impl Framer {
    /// Takes the bytes of one read and passes each sentence that they complete to `found`.
    pub(crate) fn push(&mut self, bytes: &Bytes, mut found: impl FnMut(Sentence)) {
        self.push_all(bytes, |item| {
            if let Found::Line(Line { read: Ok(sentence), .. }) = item {
                found(sentence);
            }
        });
    }

    /// Takes the bytes of one read and passes each line and frame that they complete to `found`, used or not.
    pub(crate) fn push_all(&mut self, bytes: &Bytes, mut found: impl FnMut(Found<'_>)) {
        let (read_at, read) = (bytes.read_at, bytes.data.len());
        let first = read_at - bytes.byte_time.times(read as i64);
        if self.last_byte.is_none_or(|last| first - last > FRAME_SILENCE) {
            self.release(Patience::None, &mut found);
        }
        if read > 0 {
            self.burst.add(bytes);
            self.last_byte = Some(read_at);
        }
        self.counts.bytes += read as u64;
        self.recognizer.push(&bytes.data, |foreign| self.counts.add_foreign(foreign));
        for (start, &value) in (0..).map(|i| first + bytes.byte_time.times(i)).zip(&bytes.data) {
            let byte = Byte { value, start, read_at, read };
            if self.held.is_empty() && value != 0xB5 {
                self.take(byte, &mut found);
            } else {
                self.held.push_back(byte);
                self.release(Patience::Some, &mut found);
            }
        }
    }

    /// Input has ended: ends an unfinished line or frame.
    pub(crate) fn finish(&mut self, mut found: impl FnMut(Found<'_>)) {
        self.release(Patience::None, &mut found);
        self.end(Ok(()), &mut found);
    }

    /// The burst that the last bytes belong to.
    pub(crate) fn burst(&self) -> Burst {
        self.burst
    }

    /// Counts of all bytes so far.
    pub(crate) fn counts(&self) -> LineCounts {
        self.counts
    }

    /// Discards an unfinished line, for example after the device was reopened.
    pub(crate) fn reset(&mut self) {
        *self = Self { counts: self.counts, ..Self::default() };
    }

    /// Parses the bytes held back, as far as it is known what they are.
    fn release(&mut self, patience: Patience, found: &mut impl FnMut(Found<'_>)) {
        while let Some(&first) = self.held.front() {
            match (ubx::begun(self.held.iter().map(|byte| byte.value)), patience) {
                (Begun::Frame(length), _) => self.take_frame(length, first, found),
                (Begun::Open, Patience::Some) => return,
                (Begun::Open, Patience::None) | (Begun::Nothing, _) => {
                    self.held.pop_front();
                    self.take(first, found);
                }
            }
        }
    }

    fn take_frame(&mut self, length: usize, first: Byte, found: &mut impl FnMut(Found<'_>)) {
        self.end(Err(Refusal::CutOff), found);
        let bytes: Vec<u8> = self.held.drain(..length).map(|byte| byte.value).collect();
        let Byte { start: first_byte, read_at, read, .. } = first;
        self.counts.frames += 1;
        self.burst.lines += 1;
        found(Found::Frame(Frame { message: ubx::Message::read(&bytes), first_byte, read_at, read }, &bytes));
    }

    /// Takes a byte that is not part of a frame.
    fn take(&mut self, byte: Byte, found: &mut impl FnMut(Found<'_>)) {
        match (byte.value, &mut self.line) {
            (b'$', _) => {
                self.end(Err(Refusal::CutOff), found);
                let mut line = String::with_capacity(LINE_MAX);
                line.push('$');
                (self.line, self.first_byte) = (Some(line), byte);
            }
            (_, None) => {}
            (b'\r' | b'\n', Some(_)) => self.end(Ok(()), found),
            (b' '..=b'~', Some(line)) if line.len() < LINE_MAX => line.push(char::from(byte.value)),
            (b' '..=b'~', Some(_)) => self.end(Err(Refusal::TooLong), found),
            (other, Some(_)) => self.end(Err(Refusal::Unprintable(other)), found),
        }
    }

    /// Ends the current line, if any: complete or broken off.
    fn end(&mut self, how: Result<(), Refusal>, found: &mut impl FnMut(Found<'_>)) {
        let Some(line) = self.line.take() else { return };
        let text = line.as_str();
        self.burst.lines += 1;
        let read = how.and_then(|()| content::check(text)).and_then(|()| content::read(text, self.first_byte));
        self.counts.add(text, &read);
        found(Found::Line(Line { text, first_byte: self.first_byte.start, read }));
    }
}

/// Whether to wait for the rest of a frame.
#[derive(Clone, Copy, Debug)]
enum Patience {
    Some,
    None,
}

#[cfg(test)]
mod tests;
