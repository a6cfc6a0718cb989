//! Common code of all byte sources: timestamps bytes, batches reads, and reports to the engine and the log when a
//! source appears or disappears.

use std::io;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::Sender;
use tokio::sync::mpsc::error::SendError;
use tokio::time::sleep;
use tracing::{info, warn};

use crate::core::event::{Bytes, Event, Lost, SourceChange};
use crate::core::time::{self as clock, Raw, Span};
use crate::sys::clock::raw_now;
use crate::sys::tty::ByteFile;
use crate::sys::wait::Alarm;

/// How often a missing source is retried.
pub(super) const RETRY: Duration = Duration::from_secs(1);
/// Start bit, eight data bits, stop bit.
pub(crate) const BITS_PER_BYTE: i64 = 10;
/// A read returns at most what a terminal's buffer holds.
pub(super) const READ_MAX: usize = 4096;
/// Changes of an intermittent source that are logged per hour.
const LINES: u32 = 20;
const HOUR: Duration = Duration::from_secs(3_600);
/// The pause if no serial line paces the bytes: well below the gap by which the framer separates bursts.
const UNPACED: Span = Span::from_millis(20);
/// Maximum pause on a serial line: the end of a burst is read at most this late.
const GATHER: Span = Span::from_millis(105);
/// After a first read of at least a packet, the next one follows this soon: native USB has delivered the rest by then,
/// and the engine sees that no line paces the bytes.
const PACKET: usize = 32;
const AT_ONCE: Span = Span::from_millis(4);
/// A line without a gap for this long is read in pieces this short: only the read times show when a second was named.
const BUSY_AFTER: Span = Span::from_millis(1_500);
const BUSY: Span = Span::from_millis(20);
/// At most this many bytes are left to accumulate: half of the kernel's buffer (`n_tty`: 4095 bytes in raw mode).
const GATHER_BYTES: usize = 2_048;

/// The engine is gone: end.
pub(super) type Closed = SendError<Event>;

/// A change of a source.
pub(super) fn change(change: SourceChange) -> Event {
    Event::Source { raw: raw_now(), change }
}

/// Reports each change of a source to the engine and the log, once.
pub(super) struct Presence<'a> {
    pub(super) events: &'a Sender<Event>,
    /// Why the source is missing, as last reported to the engine.
    lost: Option<Lost>,
    /// The last sentence in the log.
    last: String,
    /// Number of log lines in the hour that began at this time.
    lines: u32,
    hour: Instant,
}

impl<'a> Presence<'a> {
    pub(super) fn new(events: &'a Sender<Event>) -> Self {
        Self { events, lost: None, last: String::new(), lines: 0, hour: Instant::now() }
    }

    pub(super) async fn opened(&mut self, sentence: String) -> Result<(), Closed> {
        if let Some(sentence) = self.news(sentence) {
            info!("{sentence}");
        }
        self.lost = None;
        self.events.send(change(SourceChange::SentencesOpen)).await
    }

    pub(super) async fn lost(&mut self, lost: Lost, sentence: String) -> Result<(), Closed> {
        if let Some(sentence) = self.news(sentence) {
            warn!("{sentence}");
        }
        if self.lost.replace(lost) != Some(lost) {
            self.events.send(change(SourceChange::SentencesLost(lost))).await?;
        }
        Ok(())
    }

    /// The same after an attempt to follow it, and waits before the next one.
    pub(super) async fn gone(&mut self, lost: Lost, sentence: String, pause: Duration) -> Result<(), Closed> {
        self.lost(lost, sentence).await?;
        sleep(pause).await;
        Ok(())
    }

    /// The line for the log: none if it repeats the last one, or if there were too many within the hour.
    fn news(&mut self, mut sentence: String) -> Option<String> {
        if sentence == self.last {
            return None;
        }
        self.last.clone_from(&sentence);
        if self.hour.elapsed() >= HOUR {
            (self.lines, self.hour) = (0, Instant::now());
        }
        self.lines += 1;
        if self.lines == LINES {
            sentence += "; this changes often and is not logged again for an hour";
        }
        (self.lines <= LINES).then_some(sentence)
    }
}

/// The bytes that a read has just put into the buffer; `byte_time` is zero if no line paces them.
pub(super) fn bytes_now(buffer: &[u8], length: usize, byte_time: Span) -> Bytes {
    Bytes { read_at: raw_now(), byte_time, data: buffer.get(..length).unwrap_or_default().into() }
}

/// Passes on bytes until the source ends or no more are wanted. An error if the other side did not end it.
pub(super) async fn pump(
    events: &Sender<Event>,
    file: &ByteFile,
    byte_time: Span,
    mut is_enough: impl FnMut(&Bytes) -> bool,
) -> Result<io::Result<()>, Closed> {
    let (mut buffer, mut alarm, mut pauses) = (vec![0; READ_MAX], Alarm::default(), Pauses::default());
    loop {
        let length = match file.read(&mut buffer).await {
            Ok(length @ 1..) => length,
            ended => return Ok(ended.map(drop)),
        };
        let bytes = bytes_now(&buffer, length, byte_time);
        let (pause, is_enough) = (pauses.after(&bytes), is_enough(&bytes));
        events.send(Event::Bytes(bytes)).await?;
        if is_enough {
            return Ok(Ok(()));
        }
        if pause > Span::ZERO {
            alarm.sleep(Duration::from_nanos(pause.nanos().unsigned_abs())).await;
        }
    }
}

/// How long bytes may accumulate in the kernel after a read. The first bytes of a burst are read on arrival, because
/// its time depends on them; each later read that is saved is one wake-up less.
#[derive(Default)]
struct Pauses {
    /// When the current bytes without a gap began, and when bytes last arrived.
    busy: Option<(clock::Instant<Raw>, clock::Instant<Raw>)>,
    /// Whether there was a pause before this read.
    gathered: bool,
}

impl Pauses {
    /// The pause after a read.
    fn after(&mut self, read: &Bytes) -> Span {
        let (now, length, byte_time) = (read.read_at, read.data.len(), read.byte_time);
        if byte_time == Span::ZERO {
            return UNPACED;
        }
        let longest = GATHER.min(byte_time.times(GATHER_BYTES as i64));
        let busy = self.busy.filter(|(_, last)| now - *last <= GATHER.times(2));
        let since = busy.map_or(now, |(since, _)| since);
        self.busy = Some((since, now));
        // Few bytes, or a complete line: probably the end of the burst.
        let is_little = busy.is_some_and(|(_, last)| byte_time.times(length as i64) < (now - last).per(4).times(3));
        let is_over = self.gathered && (is_little || read.data.ends_with(b"\n"));
        // Faster than the rate allows, as from a USB receiver, whose rate has no meaning: catch up.
        let is_flood = length >= GATHER_BYTES;
        let pause = if is_over || is_flood {
            Span::ZERO
        } else if busy.is_none() && length >= PACKET {
            longest.min(AT_ONCE)
        } else if now - since > BUSY_AFTER {
            longest.min(BUSY)
        } else {
            longest
        };
        self.gathered = pause > Span::ZERO;
        pause
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::serial::byte_time;

    #[test]
    fn each_change_is_logged_once_and_no_more_than_twenty_an_hour() {
        let (events, _) = tokio::sync::mpsc::channel(1);
        let mut presence = Presence::new(&events);
        let mut says = |sentence: &str| presence.news(sentence.into());
        assert!(says("refused").is_some() && says("refused").is_none(), "it is waited for");
        assert!(says("connected").is_some() && says("refused").is_some(), "each change");
        let lines: Vec<_> = (0..100).filter_map(|n| says(["closed", "connected"][n % 2])).collect();
        assert_eq!(lines.len() + 3, LINES as usize);
        assert!(lines.last().unwrap().contains("; this changes often"), "{lines:?}");
        presence.hour -= HOUR;
        assert!(presence.news("closed".into()).is_some(), "an hour later");
    }

    /// A read of this many bytes, with or without a line's end.
    fn read(ms: i64, length: usize, baud: u32, ends_with: &[u8]) -> Bytes {
        let data = [&vec![b'.'; length - ends_with.len()], ends_with].concat().into();
        Bytes { read_at: clock::Instant::from_nanos(ms * 1_000_000), byte_time: byte_time(baud), data }
    }

    #[test]
    fn no_more_gathers_than_half_of_what_the_kernel_holds() {
        for (baud, ms) in [(300, 105), (9_600, 105), (115_200, 105), (230_400, 88), (921_600, 22), (4_000_000, 5)] {
            let pause = Pauses::default().after(&read(0, 16, baud, b""));
            assert_eq!(pause.nanos() / 1_000_000, ms, "{baud}");
        }
    }

    #[test]
    fn a_packet_is_followed_up_at_once_and_a_busy_line_read_often() {
        let mut pauses = Pauses::default();
        let mut after = |ms, length| pauses.after(&read(ms, length, 9_600, b""));
        assert_eq!(after(0, 64), AT_ONCE);
        assert_eq!(after(4, 64), GATHER);
        let busy: Vec<Span> = (1..20).map(|n| after(4 + 105 * n, 95)).collect();
        assert_eq!((busy.first(), busy.last()), (Some(&GATHER), Some(&BUSY)));
        assert_eq!(after(3_000, 16), GATHER, "after silence");
        assert_eq!(after(3_100, 4_000), Span::ZERO);
    }

    #[test]
    fn a_line_that_has_fallen_silent_is_not_woken_up_for() {
        let mut pauses = Pauses::default();
        let mut after = |ms, length, ends_with: &[u8]| pauses.after(&read(ms, length, 9_600, ends_with));
        assert_eq!([after(0, 16, b""), after(105, 101, b""), after(210, 101, b"")], [GATHER; 3]);
        assert_eq!(after(315, 40, b""), Span::ZERO, "the end of the burst");
        assert_eq!(
            [after(355, 8, b""), after(1_000, 16, b""), after(1_105, 101, b"")],
            [GATHER; 3],
            "another one begins"
        );
        assert_eq!(after(1_210, 97, b"\r\n"), Span::ZERO, "with the end of a line");
        assert_eq!(after(2_000, 97, b"\r\n"), AT_ONCE, "what comes in one piece may go on");
    }
}
