//! When the PHC's thread does what: cross time stamps around the edges, and the watchdog. Pure: it is given the time.

use crate::time::{Instant, Raw, Span};

/// A cross time stamp this long after a read of edges, so that there is one safely after them...
const AFTER_EDGE: Span = Span::from_millis(10);
/// ...and this long before the next edge is expected, a second after the last.
const BEFORE_EDGE: Span = Span::from_millis(10);
/// The longest time without a cross time stamp.
const IDLE: Span = Span::from_millis(500);
/// At the start three in a row, this far apart: the engine learns the rate from them.
const START_GAP: Span = Span::from_millis(100);
const START_COUNT: i64 = 3;
/// In the long run at most one in this time...
const COST: Span = Span::from_millis(10);
/// ...but after some rest twenty at once.
const CREDIT: Span = Span::from_millis(200);
/// Planned ones at most: two for each of eight edges a second. With more edges than that no single one matters.
const PLANNED: usize = 16;
/// This long without an edge, and pin and channel are set again: a link flap disarms igb and igc without a word.
const WATCHDOG: Span = Span::from_secs(3);
/// Then again in this time, as long as there is no edge.
const WATCHDOG_AGAIN: Span = Span::from_secs(10);

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Take a cross time stamp and call [`Schedule::cross_taken`].
    CrossTs,
    /// Set pin and channel again and call [`Schedule::rearmed`].
    Rearm,
    /// Nothing for this long, unless edges come.
    Wait(Span),
}

/// The deadlines, all on `CLOCK_MONOTONIC_RAW`.
#[derive(Debug)]
pub(super) struct Schedule {
    /// Cross time stamps to take, in no order.
    planned: Vec<Instant<Raw>>,
    /// The next one at the latest.
    idle: Instant<Raw>,
    /// None before this. Each one taken moves it on by [`COST`]; it lags behind now by [`CREDIT`] at most.
    paid_until: Instant<Raw>,
    rearm: Instant<Raw>,
}

impl Schedule {
    /// The PHC was opened and armed now.
    pub(super) fn new(now: Instant<Raw>) -> Self {
        Self {
            planned: (0..START_COUNT).map(|n| now + START_GAP.times(n)).collect(),
            idle: now + IDLE,
            paid_until: now - CREDIT,
            rearm: now + WATCHDOG,
        }
    }

    /// Edges of our channel were read now. The cross time stamp that follows at once is put off where too many were
    /// taken lately, never dropped.
    pub(super) fn edges_read(&mut self, now: Instant<Raw>) {
        self.rearm = now + WATCHDOG;
        self.idle = now; // the one that follows at once
        if self.planned.len() + 2 <= PLANNED {
            self.planned.push(now + AFTER_EDGE);
            self.planned.push(now + Span::SECOND - BEFORE_EDGE);
        }
    }

    /// A cross time stamp was taken now, or tried.
    pub(super) fn cross_taken(&mut self, now: Instant<Raw>) {
        self.planned.retain(|planned| *planned > now);
        self.idle = now + IDLE;
        self.paid_until = self.paid_until.max(now - CREDIT) + COST;
    }

    /// Pin and channel were set again now, or it was tried.
    pub(super) fn rearmed(&mut self, now: Instant<Raw>) {
        self.rearm = now + WATCHDOG_AGAIN;
    }

    /// What to do now.
    pub(super) fn next(&self, now: Instant<Raw>) -> Step {
        let cross = self.planned.iter().copied().fold(self.idle, Instant::min).max(self.paid_until);
        if cross <= now {
            Step::CrossTs
        } else if self.rearm <= now {
            Step::Rearm
        } else {
            Step::Wait(cross.min(self.rearm) - now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the schedule in virtual time against edges at these milliseconds, each read at once; tells at which
    /// milliseconds cross time stamps were taken and pin and channel set again.
    fn run(edges: impl IntoIterator<Item = i64>, until_ms: i64) -> (Vec<i64>, Vec<i64>) {
        let at = |ms| Instant::from_nanos(0) + Span::from_millis(ms);
        let (mut schedule, mut now) = (Schedule::new(at(0)), at(0));
        let (mut cross, mut rearm) = (vec![], vec![]);
        let mut edges = edges.into_iter().map(at).peekable();
        while now <= at(until_ms) {
            let ms = now.nanos() / 1_000_000;
            match schedule.next(now) {
                Step::CrossTs => {
                    cross.push(ms);
                    schedule.cross_taken(now);
                }
                Step::Rearm => {
                    rearm.push(ms);
                    schedule.rearmed(now);
                }
                Step::Wait(span) => {
                    assert!(span > Span::ZERO, "it spins at {ms} ms");
                    now = now + span;
                    if let Some(edge) = edges.next_if(|edge| *edge <= now) {
                        now = edge;
                        schedule.edges_read(now);
                    }
                }
            }
            assert!(schedule.planned.len() <= PLANNED);
        }
        (cross, rearm)
    }

    #[test]
    fn a_start_takes_three_in_a_row_then_one_every_half_second() {
        let (cross, _) = run([], 1_900);
        assert_eq!(cross, [0, 100, 200, 700, 1_200, 1_700]);
    }

    #[test]
    fn an_edge_gets_one_at_once_one_after_it_and_one_before_the_next() {
        let (cross, rearm) = run((1..=9).map(|n| n * 1_000), 9_700);
        for n in 1..=8 {
            for ms in [n * 1_000, n * 1_000 + 10, n * 1_000 + 990] {
                assert_eq!(cross.iter().filter(|taken| **taken == ms).count(), 1, "at {ms} ms");
            }
        }
        assert!(cross.windows(2).all(|pair| pair[1] - pair[0] <= 500));
        assert!(cross.len() < 9 * 5, "{} in 9 s", cross.len());
        assert!(rearm.is_empty(), "{rearm:?}");
    }

    #[test]
    fn both_edges_of_a_pulse_get_theirs() {
        let (cross, _) = run((1..=5).flat_map(|n| [n * 1_000, n * 1_000 + 100]), 5_700);
        for n in 2..=5 {
            for ms in [-10, 0, 10, 90, 100, 110] {
                assert!(cross.contains(&(n * 1_000 + ms)), "{ms} ms around second {n}");
            }
        }
    }

    #[test]
    fn a_thousand_edges_a_second_cost_a_hundred_cross_time_stamps_at_most() {
        let (cross, _) = run(1..10_000, 10_000);
        assert!((900..1_100).contains(&cross.len()), "{}", cross.len());
    }

    #[test]
    fn a_long_rest_saves_up_no_more_than_twenty() {
        let (cross, _) = run(60_000..61_000, 61_000);
        let in_noise = cross.iter().filter(|ms| **ms >= 60_000).count();
        assert!((100..=122).contains(&in_noise), "{in_noise}");
    }

    #[test]
    fn a_lone_edge_after_noise_gets_its_cross_time_stamp() {
        let (cross, _) = run((1..3_000).chain([3_500, 4_500]), 5_000);
        for ms in [3_500, 3_510, 4_490, 4_500, 4_510] {
            assert!(cross.contains(&ms), "at {ms} ms");
        }
    }

    #[test]
    fn an_edge_in_the_midst_of_noise_is_followed_by_one_soon() {
        let (cross, _) = run(1..3_000, 3_000);
        assert!((300..3_000).all(|edge| cross.iter().any(|ms| (edge..edge + 11).contains(ms))));
    }

    #[test]
    fn three_seconds_without_an_edge_set_pin_and_channel_again_then_every_ten() {
        assert_eq!(run([], 30_000).1, [3_000, 13_000, 23_000]);
        assert_eq!(run([2_900, 5_800, 8_700], 12_000).1, [11_700]);
        assert_eq!(run([4_000], 20_000).1, [3_000, 7_000, 17_000]);
    }
}
