//! When gpsd's device said something: gpsd's clock to ours, and the beginning of a burst of which only the ends of its
//! sentences are seen.

use crate::core::time::{Instant, NANOS, Raw, Span, Sys};
use crate::source::feed::BITS_PER_BYTE;
use crate::sys::clock::raw_sys_pair;

/// A line that arrives this soon after the moment that it names shows that the clocks are the same,
const FRESH: Span = Span::from_millis(50);
/// which is believed for this many moments.
const BELIEVED: u32 = 16;
/// An older moment is not used: the system clock may have been set since.
const OLDEST: Span = Span::from_secs(2);
/// How far apart two readings of one clock may seem to be.
const READING: Span = Span::from_millis(1);
/// chronyd slews a clock by 10 % at most; more is a step.
const SLEW_PPM: i64 = 110_000;

/// A longer pause begins a new burst.
const SILENCE: Span = Span::from_millis(30);
/// The pace of a burst that does not end is measured this often.
const MEASURED_OVER: Span = Span::SECOND;

/// When bytes were read, on both clocks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Arrival {
    pub(super) raw: Instant<Raw>,
    pub(super) sys: Instant<Sys>,
}

impl Arrival {
    pub(super) fn now() -> Self {
        let (raw, sys, _) = raw_sys_pair();
        Self { raw, sys }
    }
}

/// gpsd's `CLOCK_REALTIME`. On one machine it is this program's, and a moment on it is dated back however late its line
/// is read. On another machine, or through a tunnel, it is not; then the line's arrival counts.
#[derive(Debug)]
pub(super) struct GpsdClock {
    /// Whether gpsd can be on this machine.
    near: bool,
    last: Arrival,
    stepped: bool,
    /// Moments since the last one that showed that the clocks are the same.
    unproven: u32,
}

impl GpsdClock {
    pub(super) fn new(near: bool, arrival: Arrival) -> Self {
        Self { near, last: arrival, stepped: false, unproven: BELIEVED }
    }

    /// Bytes were read.
    pub(super) fn read(&mut self, arrival: Arrival) {
        let (raw, sys) = (arrival.raw - self.last.raw, arrival.sys - self.last.sys);
        self.stepped = (sys - raw).abs() > READING + raw.min(OLDEST).ppm(SLEW_PPM);
        self.last = arrival;
    }

    /// When that moment of gpsd's clock was, told by a line of the last read; `None` where that is unknown.
    pub(super) fn date(&mut self, moment: Instant<Sys>) -> Option<Instant<Raw>> {
        let Arrival { raw, sys } = self.last;
        if !self.near {
            return Some(raw);
        }
        if self.stepped {
            return None;
        }
        let age = sys - moment;
        let is_fresh = (-READING..=FRESH).contains(&age);
        self.unproven = if is_fresh { 0 } else { self.unproven.saturating_add(1) };
        if self.unproven >= BELIEVED {
            return Some(raw);
        }
        (-READING..=OLDEST).contains(&age).then(|| raw - age.max(Span::ZERO))
    }
}

/// The sentences that arrive without a pause. The pace of the line is measured: the bit rate that gpsd names means
/// nothing on USB.
#[derive(Debug, Default)]
pub(super) struct Burst {
    began: Option<Instant<Raw>>,
    last: Option<Instant<Raw>>,
    /// When the first measured sentence ended, and how many bytes arrived after it.
    measured: Option<(Instant<Raw>, i64)>,
    /// How long a byte takes, by the rate that gpsd names.
    nominal: Option<Span>,
    /// How long a byte took when that was measured last.
    pace: Option<Span>,
}

impl Burst {
    /// The rate of the line, in bits a second.
    pub(super) fn bps(&mut self, bps: i64) {
        self.nominal = Some(Span::from_nanos(BITS_PER_BYTE * NANOS / bps.max(1)));
    }

    /// A sentence of so many bytes ended.
    pub(super) fn sentence(&mut self, bytes: usize, at: Instant<Raw>) {
        let bytes = bytes as i64;
        let byte_time = match (self.pace, self.nominal) {
            (Some(pace), Some(nominal)) => pace.min(nominal),
            (pace, nominal) => pace.or(nominal).unwrap_or_default(),
        };
        let began = at - byte_time.times(bytes);
        let goes_on = self.last.is_some_and(|last| began - last <= SILENCE);
        self.measured = Some(match self.measured {
            Some((first, sum)) if goes_on && at - first <= MEASURED_OVER => (first, sum + bytes),
            before => {
                if let (Some((first, sum @ 1..)), Some(last)) = (before, self.last) {
                    self.pace = Some((last - first).scaled(Span::from_nanos(1), Span::from_nanos(sum)));
                }
                (at, 0)
            }
        });
        if !goes_on {
            self.began = Some(began);
        }
        self.last = Some(at);
    }

    /// When the burst began in which something was named at `named`.
    pub(super) fn began(&self, named: Instant<Raw>) -> Instant<Raw> {
        self.began.map_or(named, |began| began.min(named))
    }
}

#[cfg(test)]
mod tests;
