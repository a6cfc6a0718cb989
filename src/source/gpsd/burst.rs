//! When a burst began on gpsd's serial line, of which only the ends of its sentences are seen here. The pace of the
//! line is measured: the bit rate that gpsd names means nothing on USB.

use crate::core::time::{Instant, NANOS, Raw, Span};
use crate::source::feed::BITS_PER_BYTE;

/// A longer pause than this begins a new burst.
const SILENCE: Span = Span::from_millis(30);

/// A burst that does not end is measured this often.
const MEASURED_OVER: Span = Span::SECOND;

/// The sentences that came without a pause.
#[derive(Debug, Default)]
pub(super) struct Burst {
    began: Option<Instant<Raw>>,
    last: Option<Instant<Raw>>,
    /// When the first sentence that is measured ended, and how many bytes came after it.
    measured: Option<(Instant<Raw>, i64)>,
    /// How long a byte takes at most, by what gpsd says of the line.
    nominal: Option<Span>,
    /// How long a byte took when that could be measured last.
    pace: Option<Span>,
}

impl Burst {
    /// gpsd says how fast the line is.
    pub(super) fn bps(&mut self, bps: i64) {
        self.nominal = Some(Span::from_nanos(BITS_PER_BYTE * NANOS / bps.max(1)));
    }

    /// A sentence of so many bytes has come to its end.
    pub(super) fn sentence(&mut self, bytes: usize, at: Instant<Raw>) {
        let bytes = bytes as i64;
        let began = at - self.byte_time().times(bytes);
        let goes_on = self.last.is_some_and(|last| began - last <= SILENCE);
        match self.measured {
            Some((first, sum)) if goes_on && at - first <= MEASURED_OVER => self.measured = Some((first, sum + bytes)),
            Some((first, sum)) => {
                if let (Some(last), 1..) = (self.last, sum) {
                    self.pace = Some((last - first).scaled(Span::from_nanos(1), Span::from_nanos(sum)));
                }
                self.measured = Some((at, 0));
            }
            None => self.measured = Some((at, 0)),
        }
        if !goes_on {
            self.began = Some(began);
        }
        self.last = Some(at);
    }

    /// When the burst began that had named something at `named`.
    pub(super) fn began(&self, named: Instant<Raw>) -> Instant<Raw> {
        self.began.map_or(named, |began| began.min(named))
    }

    fn byte_time(&self) -> Span {
        match (self.pace, self.nominal) {
            (Some(pace), Some(nominal)) => pace.min(nominal),
            (pace, nominal) => pace.or(nominal).unwrap_or_default(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(us: i64) -> Instant<Raw> {
        Instant::default() + Span::from_micros(us)
    }

    /// Sends a burst each second; its sentences end as the line's pace has it. When the last one is said to have begun.
    fn began_after(first_us: i64, byte_us: i64, sentences: &[usize], seconds: i64) -> i64 {
        let mut burst = Burst::default();
        burst.bps(9_600);
        for second in 0..seconds {
            let mut end = second * 1_000_000 + first_us;
            for &bytes in sentences {
                end += bytes as i64 * byte_us;
                burst.sentence(bytes, at(end + second % 3 * 300));
            }
        }
        (burst.began(at(i64::MAX / 1_000)) - at((seconds - 1) * 1_000_000)).nanos() / 1_000
    }

    #[test]
    fn on_a_line_a_burst_began_as_long_before_as_its_bytes_take() {
        let began = began_after(300_000, 1_042, &[70, 38, 70, 60], 5);
        assert!((298_000..=302_000).contains(&began), "{began}");
        let busy = began_after(20_000, 1_042, &[70, 38, 70, 60, 80, 80, 80, 80, 80, 80, 80, 60], 5);
        assert!((10_000..=30_000).contains(&busy), "{busy}");
    }

    #[test]
    fn on_usb_a_burst_began_when_it_came() {
        let began = began_after(5_000, 1, &[70, 38, 70, 60], 5);
        assert!((4_000..=6_000).contains(&began), "{began}");
    }

    #[test]
    fn a_line_that_overflows_has_bursts_that_never_end() {
        let mut burst = Burst::default();
        burst.bps(9_600);
        for n in 1..200 {
            burst.sentence(80, at(n * 83_400));
        }
        assert!(burst.began(at(199 * 83_400)) <= at(83_400));
    }
}
