//! How long bytes are left to gather in the kernel after a read. The first bytes of a burst are read when they arrive,
//! which is what its time depends on; each read that is saved after that is a wake-up saved.

use crate::core::event::Bytes;
use crate::core::time::{Instant, Raw, Span};

/// The pause if no line paces the bytes: well below the silence between bursts that the framer looks for.
const UNPACED: Span = Span::from_millis(20);
/// The longest pause on a line: the end of a burst is read at most this late.
const GATHER: Span = Span::from_millis(105);
/// A first read of at least a packet is followed by another one this soon: what native USB delivers at once is there by
/// then, and the engine sees that the line has no pace.
const PACKET: usize = 32;
const AT_ONCE: Span = Span::from_millis(4);
/// A line without silence for this long is read in pieces this short: only their reads say when a second was named.
const BUSY_AFTER: Span = Span::from_millis(1_500);
const BUSY: Span = Span::from_millis(20);
/// At most this many bytes gather: half of the kernel's buffer (`n_tty`: 4095 bytes in raw mode).
const GATHER_BYTES: usize = 2_048;

/// What the pauses depend on.
#[derive(Default)]
pub(super) struct Pauses {
    /// When bytes began to arrive without silence, and when they last arrived.
    busy: Option<(Instant<Raw>, Instant<Raw>)>,
    /// Whether there was a pause before this read.
    gathered: bool,
}

impl Pauses {
    /// The pause after a read.
    pub(super) fn after(&mut self, read: &Bytes) -> Span {
        let (now, length, byte_time) = (read.read_at, read.data.len(), read.byte_time);
        if byte_time == Span::ZERO {
            return UNPACED;
        }
        let longest = GATHER.min(byte_time.times(GATHER_BYTES as i64));
        let busy = self.busy.filter(|(_, last)| now - *last <= GATHER.times(2));
        let since = busy.map_or(now, |(since, _)| since);
        self.busy = Some((since, now));
        // Little gathered, or up to a line's end: that seems to be the end of the burst.
        let is_little = busy.is_some_and(|(_, last)| byte_time.times(length as i64) < (now - last).per(4).times(3));
        let is_over = self.gathered && (is_little || read.data.ends_with(b"\n"));
        // Faster than the rate allows, as from a USB receiver, whose rate means nothing: catch up.
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

    /// A read of so many bytes within a line, or of a line's end with them.
    fn read(ms: i64, length: usize, baud: u32, ends_with: &[u8]) -> Bytes {
        let data = [&vec![b'.'; length - ends_with.len()], ends_with].concat().into();
        Bytes { read_at: Instant::from_nanos(ms * 1_000_000), byte_time: byte_time(baud), data }
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
