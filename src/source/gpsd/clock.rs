//! gpsd's clock to ours. On one machine gpsd's `CLOCK_REALTIME` is this program's, and a moment on it is dated back
//! however late its line is read. On another machine, or through a tunnel, it is not; then the line's arrival counts.

use crate::core::time::{Instant, Raw, Span, Sys};
use crate::sys::clock::raw_sys_pair;

/// A line that comes this soon after the moment that it names shows that the clocks are the same.
const FRESH: Span = Span::from_millis(50);
/// ... which is believed for so many moments.
const BELIEVED: u32 = 16;
/// A moment longer ago than this is not used: too much can have happened to the system clock since.
const OLDEST: Span = Span::from_secs(2);
/// What two readings of one clock may seem to be apart.
const READING: Span = Span::from_millis(1);
/// chronyd slews a clock by 10 % at most; what goes beyond is a step.
const SLEW_PPM: i64 = 110_000;

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

/// What is known of gpsd's clock.
#[derive(Debug)]
pub(super) struct GpsdClock {
    /// Whether gpsd can be on this machine.
    near: bool,
    last: Option<Arrival>,
    stepped: bool,
    /// Moments since the last one that showed that the clocks are the same.
    unproven: u32,
}

impl GpsdClock {
    pub(super) fn new(near: bool) -> Self {
        Self { near, last: None, stepped: false, unproven: BELIEVED }
    }

    /// Bytes were read.
    pub(super) fn read(&mut self, arrival: Arrival) {
        self.stepped = self.last.is_some_and(|last| {
            let (raw, sys) = (arrival.raw - last.raw, arrival.sys - last.sys);
            (sys - raw).abs() > READING + raw.min(OLDEST).ppm(SLEW_PPM)
        });
        self.last = Some(arrival);
    }

    /// When that moment of gpsd's clock was, told by a line of the last read; nothing where that cannot be said.
    pub(super) fn date(&mut self, moment: Instant<Sys>) -> Option<Instant<Raw>> {
        let Arrival { raw, sys } = self.last?;
        let age = sys - moment;
        if !self.near {
            return Some(raw);
        }
        if self.stepped {
            return None;
        }
        if age >= -READING && age <= FRESH {
            self.unproven = 0;
        } else {
            self.unproven = self.unproven.saturating_add(1);
        }
        if self.unproven >= BELIEVED {
            return Some(raw);
        }
        (age >= -READING && age <= OLDEST).then(|| raw - age.max(Span::ZERO))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EPOCH: i64 = 1_795_176_000_000;

    fn at(raw_ms: i64, sys_ms: i64) -> Arrival {
        Arrival { raw: Instant::default() + Span::from_millis(raw_ms), sys: sys(sys_ms) }
    }

    fn sys(ms: i64) -> Instant<Sys> {
        Instant::default() + Span::from_millis(EPOCH + ms)
    }

    fn date(clock: &mut GpsdClock, arrival: Arrival, moment_ms: i64) -> Option<i64> {
        clock.read(arrival);
        clock.date(sys(moment_ms)).map(|raw| (raw - Instant::default()).nanos() / 1_000_000)
    }

    #[test]
    fn on_one_machine_a_moment_is_dated_back_however_late_it_is_read() {
        let mut clock = GpsdClock::new(true);
        assert_eq!(date(&mut clock, at(1_000, 1_000), 995), Some(995));
        assert_eq!(date(&mut clock, at(3_600, 3_600), 1_990), Some(1_990));
        assert_eq!(date(&mut clock, at(9_000, 9_000), 5_000), None, "too old");
        assert_eq!(date(&mut clock, at(10_000, 10_000), 10_100), None, "from the future");
    }

    #[test]
    fn a_step_of_the_system_clock_between_naming_and_reading_is_noticed() {
        for step in [-400_000, -400, 200, 700, 1_500, 400_000] {
            let mut clock = GpsdClock::new(true);
            assert_eq!(date(&mut clock, at(1_000, 1_000), 1_000), Some(1_000));
            assert_eq!(date(&mut clock, at(2_000, 2_000 + step), 1_999), None, "stepped by {step} ms");
            assert_eq!(date(&mut clock, at(3_000, 3_000 + step), 2_999 + step), Some(2_999), "after the step");
        }
    }

    #[test]
    fn a_slew_is_no_step() {
        let mut clock = GpsdClock::new(true);
        assert_eq!(date(&mut clock, at(0, 0), 0), Some(0));
        assert_eq!(date(&mut clock, at(1_000, 1_100), 1_099), Some(999));
    }

    #[test]
    fn on_another_machine_and_through_a_tunnel_the_arrival_counts() {
        for near in [false, true] {
            let mut clock = GpsdClock::new(near);
            for (second, off) in (1..40).zip([500, -500, 1_400, 90_000_000].into_iter().cycle()) {
                let ms = second * 1_000;
                assert_eq!(date(&mut clock, at(ms, ms), ms - off), Some(ms), "{near} {off}");
            }
        }
    }
}
