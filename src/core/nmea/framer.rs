//! Bytes to lines and frames, each dated.
//!
//! The framer dates the first byte of every sentence: the last byte of a read had arrived when the read returned, and
//! each byte before it was on the line one byte time earlier. It also knows where a burst began: after a silence on
//! the line. It never fails: what it cannot use, it counts. What it holds back is bounded.
//!
//! Frames of u-blox's binary protocol may come in between. From their first byte on, bytes are held back until the
//! frame is complete and its checksum right: then it is taken whole, whatever its payload looks like. Where it turns
//! out to be none, because its checksum is wrong, its length cannot be or the line falls silent in it, the bytes held
//! back are read as text, so that no sentence among them is lost.

use std::collections::VecDeque;

use super::{LINE_MAX, Line, LineCounts, Refusal, Sentence, content};
use crate::core::event::Bytes;
use crate::core::foreign::Recognizer;
use crate::core::time::{Instant, Raw, Span};
use crate::core::ubx::{self, Begun, Frame};

/// A longer pause than this between two bytes begins a new burst. Sources let the bytes of a burst gather for up to
/// 105 ms.
const SILENCE: Span = Span::from_millis(110);
/// So much of the time since the last read the bytes of this one may have taken, at the rate that is set: an adapter holds
/// bytes back for 255 ms at most, a UART sixteen bytes, and more than that at once was not paced by any line.
const HELD_BACK: Span = Span::from_millis(255);
const FIFO: i64 = 16;
/// A byte at 4800 baud, the slowest that is expected: start, eight data bits, stop.
pub(crate) const SLOWEST: Span = Span::from_nanos(10_000_000_000 / 4_800);

/// A longer pause than this within a frame shows that it was none. A reader that is late may see shorter ones.
const FRAME_SILENCE: Span = Span::from_millis(250);

/// What has come to its end on the line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found<'a> {
    /// A line.
    Line(Line<'a>),
    /// A frame of u-blox's binary protocol, and all its bytes.
    Frame(Frame, &'a [u8]),
}

/// Cuts bytes into sentences and frames.
#[derive(Clone, Debug)]
pub struct Framer {
    /// Bytes that may be a frame, from its first on; no more than the longest frame has.
    held: VecDeque<Held>,
    line: [u8; LINE_MAX],
    /// Length of the line so far; `None` outside a line.
    len: Option<usize>,
    first_byte: Held,
    burst: Burst,
    last_byte: Option<Instant<Raw>>,
    recognizer: Recognizer,
    counts: LineCounts,
}

/// Reads that follow each other without silence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Burst {
    /// When its first read returned, and how many bytes that brought.
    pub began: Instant<Raw>,
    /// Bytes of its first read.
    pub first_read: usize,
    /// When its last read but one returned.
    pub before_last: Instant<Raw>,
    /// When its last read returned.
    pub last: Instant<Raw>,
    /// Bytes of its last read.
    pub last_read: usize,
    /// Reads in all.
    pub reads: usize,
    /// Bytes in all.
    pub bytes: usize,
    /// Lines that came to their end in it.
    pub lines: usize,
    /// Whether its first read ended with the end of a line.
    pub whole_line: bool,
    /// How long a byte takes at the rate that the port is set to; zero where it has none.
    pub byte_time: Span,
}

impl Burst {
    /// Whether nothing more of it can come.
    pub(crate) fn is_over(&self, now: Instant<Raw>) -> bool {
        let next_line = if self.is_by_line() { SLOWEST.times(LINE_MAX as i64) } else { Span::ZERO };
        now - self.last > SILENCE + next_line
    }

    /// Whether each read so far brought a line when it had come to its end.
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

/// A byte, and the read that brought it.
#[derive(Clone, Copy, Debug, Default)]
struct Held {
    byte: u8,
    start: Instant<Raw>,
    read_at: Instant<Raw>,
    read: usize,
}

/// Whether the rest of a frame is waited for.
#[derive(Clone, Copy, Debug)]
enum Patience {
    Some,
    None,
}

impl Default for Framer {
    fn default() -> Self {
        Self {
            held: VecDeque::new(),
            line: [0; LINE_MAX],
            len: None,
            first_byte: Held::default(),
            burst: Burst::default(),
            last_byte: None,
            recognizer: Recognizer::default(),
            counts: LineCounts::default(),
        }
    }
}

impl Framer {
    /// Takes the bytes of one read and hands each sentence that they complete to `found`.
    pub fn push(&mut self, bytes: &Bytes, mut found: impl FnMut(Sentence)) {
        self.push_lines(bytes, |line| {
            if let Ok(sentence) = line.read {
                found(sentence);
            }
        });
    }

    /// Takes the bytes of one read and hands each line that they bring to an end to `found`, used or not.
    pub fn push_lines(&mut self, bytes: &Bytes, mut found: impl FnMut(Line<'_>)) {
        self.push_all(bytes, |item| {
            if let Found::Line(line) = item {
                found(line);
            }
        });
    }

    /// Takes the bytes of one read and hands each line and frame that they bring to an end to `found`.
    pub fn push_all(&mut self, bytes: &Bytes, mut found: impl FnMut(Found<'_>)) {
        let first = bytes.read_at - bytes.byte_time.times(bytes.data.len() as i64);
        let is_silent_for = |silence: Span| self.last_byte.is_none_or(|last| first - last > silence);
        if is_silent_for(FRAME_SILENCE) {
            self.release(Patience::None, &mut found);
        }
        if !bytes.data.is_empty() {
            self.burst.add(bytes);
        }
        let (read_at, read) = (bytes.read_at, bytes.data.len());
        for (start, &byte) in (0..).map(|i| first + bytes.byte_time.times(i)).zip(&bytes.data) {
            self.counts.bytes += 1;
            if let Some(foreign) = self.recognizer.take(byte) {
                self.counts.add_foreign(foreign);
            }
            let byte = Held { byte, start, read_at, read };
            if self.held.is_empty() && byte.byte != 0xB5 {
                self.take(byte, &mut found);
            } else {
                self.held.push_back(byte);
                self.release(Patience::Some, &mut found);
            }
        }
        if !bytes.data.is_empty() {
            self.last_byte = Some(bytes.read_at);
        }
    }

    /// No more bytes come: a line or frame begun ends here.
    pub fn finish(&mut self, mut found: impl FnMut(Found<'_>)) {
        self.release(Patience::None, &mut found);
        if self.len.is_some() {
            self.end(Ok(()), &mut found);
        }
    }

    /// The burst that the last bytes belong to.
    pub fn burst(&self) -> Burst {
        self.burst
    }

    /// What came of the bytes so far.
    pub fn counts(&self) -> LineCounts {
        self.counts
    }

    /// Forgets a line begun, as after the device was opened anew.
    pub fn reset(&mut self) {
        *self = Self { counts: self.counts, ..Self::default() };
    }

    /// Reads what is held back, as far as it is decided what it is.
    fn release(&mut self, patience: Patience, found: &mut impl FnMut(Found<'_>)) {
        while let Some(&first) = self.held.front() {
            match (ubx::begun(self.held.iter().map(|held| held.byte)), patience) {
                (Begun::Frame(length), _) => self.take_frame(length, first, found),
                (Begun::Open, Patience::Some) => return,
                (Begun::Open, Patience::None) | (Begun::Nothing, _) => {
                    self.held.pop_front();
                    self.take(first, found);
                }
            }
        }
    }

    fn take_frame(&mut self, length: usize, first: Held, found: &mut impl FnMut(Found<'_>)) {
        if self.len.is_some() {
            self.end(Err(Refusal::CutOff), found);
        }
        let bytes: Vec<u8> = self.held.drain(..length).map(|held| held.byte).collect();
        let Held { start: first_byte, read_at, read, .. } = first;
        self.counts.frames += 1;
        self.burst.lines += 1;
        found(Found::Frame(Frame { message: ubx::Message::read(&bytes), first_byte, read_at, read }, &bytes));
    }

    /// A byte that is part of no frame.
    fn take(&mut self, held: Held, found: &mut impl FnMut(Found<'_>)) {
        let byte = held.byte;
        match (byte, self.len) {
            (b'$', len) => {
                if len.is_some() {
                    self.end(Err(Refusal::CutOff), found);
                }
                self.len = Some(0);
                self.first_byte = held;
                self.append(byte, found);
            }
            (b'\r' | b'\n', Some(_)) => self.end(Ok(()), found),
            (b' '..=b'~', Some(_)) => self.append(byte, found),
            (_, Some(_)) => self.end(Err(Refusal::Unprintable(byte)), found),
            (_, None) => {}
        }
    }

    fn append(&mut self, byte: u8, found: &mut impl FnMut(Found<'_>)) {
        let Some(len) = self.len else { return };
        match self.line.get_mut(len) {
            Some(slot) => {
                *slot = byte;
                self.len = Some(len + 1);
            }
            None => self.end(Err(Refusal::TooLong), found),
        }
    }

    /// The line ends here: at its end, or broken off.
    fn end(&mut self, how: Result<(), Refusal>, found: &mut impl FnMut(Found<'_>)) {
        let line = self.len.take().and_then(|len| self.line.get(..len)).unwrap_or_default();
        // Only printable ASCII was appended.
        let text = std::str::from_utf8(line).unwrap_or_default();
        let Held { start: first_byte, read_at, read: in_read, .. } = self.first_byte;
        self.burst.lines += 1;
        let content = how.and_then(|()| content::check(text)).and_then(|()| content::read(text));
        let read = content.map(|content::Content { kind, time, date, validity }| Sentence {
            kind,
            time,
            date,
            validity,
            first_byte,
            read_at,
            read: in_read,
        });
        self.counts.add(text, &read);
        found(Found::Line(Line { text, first_byte, read }));
    }
}

#[cfg(test)]
mod tests;
