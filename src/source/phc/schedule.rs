//! When the PHC's thread acts: cross timestamps around the edges, and re-arming. Pure: the time is passed in.

use crate::core::time::{Instant, Raw, Span};

/// A cross timestamp is taken this long before an expected edge, a second after the last one of its phase. Without it,
/// two changes of a clock's rate, one of them next to the edge, may cancel out within a bracket of a second.
const BEFORE_EDGE: Span = Span::from_millis(10);
/// Edges expected this close together share the cross timestamp before them: a short pulse whose edges were read one by
/// one.
const SHARED: Span = Span::from_millis(5);
/// Maximum time without a cross timestamp, longer than any pulse interval.
const IDLE: Span = Span::from_millis(1_050);
/// At the start, three in a row at this interval: from them, the engine learns the rate with which it dates an edge up
/// to [`IDLE`] after the last one. It needs a quarter of that time for it.
const START_GAP: Span = Span::from_millis(135);
const START_COUNT: i64 = 3;
/// The average interval is at least this...
const COST: Span = Span::from_millis(10);
/// ...but after a pause, twenty may follow immediately.
const CREDIT: Span = Span::from_millis(200);
/// Maximum number of planned ones: one for each of eight edges per second. With more edges, no single one matters.
const PLANNED: usize = 8;
/// Pin and channel are set again after this time without an edge: a reset of the adapter silently disarms igb and igc.
const WATCHDOG: Span = Span::from_secs(3);
/// The interval of further attempts.
const WATCHDOG_AGAIN: Span = Span::from_secs(10);

/// What to do now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// Take a cross timestamp and call [`Schedule::cross_taken`].
    CrossTs(Delivery),
    /// Set pin and channel again and call [`Schedule::rearmed`].
    Rearm,
    /// Wait this long, or for edges.
    Wait(Span),
}

/// When a cross timestamp is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// At once.
    Now,
    /// Together with the edge expected after it, or else with the next one: delivered alone, it would wake the engine's
    /// thread for nothing.
    WithEdge,
}

/// The deadlines, all on `CLOCK_MONOTONIC_RAW`.
#[derive(Debug)]
pub(crate) struct Schedule {
    /// Cross timestamps to take before edges, in no order.
    before_edges: Vec<Instant<Raw>>,
    /// The next one to deliver at once, at the latest.
    idle: Instant<Raw>,
    /// How many of the initial ones are left.
    first: i64,
    /// Earliest time of the next one. Each one advances it by [`COST`]; it lags behind the present by at most
    /// [`CREDIT`].
    paid_until: Instant<Raw>,
    rearm: Instant<Raw>,
}

impl Schedule {
    /// The PHC was opened and armed at `now`.
    pub(crate) fn new(now: Instant<Raw>) -> Self {
        let (before_edges, paid_until) = (Vec::new(), now - CREDIT);
        Self { before_edges, idle: now, first: START_COUNT, paid_until, rearm: now + WATCHDOG }
    }

    /// An edge of the channel was read. The cross timestamp that should follow immediately is delayed if too many were
    /// taken recently, but never dropped.
    pub(crate) fn edges_read(&mut self, now: Instant<Raw>) {
        (self.rearm, self.idle) = (now + WATCHDOG, now);
        let expected = now + Span::SECOND - BEFORE_EDGE;
        let is_shared = self.before_edges.iter().any(|before| (expected - *before).abs() <= SHARED);
        if !is_shared && self.before_edges.len() < PLANNED {
            self.before_edges.push(expected);
        }
    }

    /// A cross timestamp was taken or attempted.
    pub(crate) fn cross_taken(&mut self, now: Instant<Raw>) {
        self.before_edges.retain(|before| *before > now);
        self.first = (self.first - 1).max(0);
        self.idle = now + if self.first > 0 { START_GAP } else { IDLE };
        self.paid_until = self.paid_until.max(now - CREDIT) + COST;
    }

    /// Pin and channel were set again, or this was attempted.
    pub(crate) fn rearmed(&mut self, now: Instant<Raw>) {
        self.rearm = now + WATCHDOG_AGAIN;
    }

    /// Pin and channel cannot be set now, for a temporary reason.
    pub(crate) fn rearm_soon(&mut self, now: Instant<Raw>) {
        self.rearm = now + Span::SECOND;
    }

    /// What to do now.
    pub(crate) fn next(&self, now: Instant<Raw>) -> Step {
        let before_edge = self.before_edges.iter().copied().min();
        let at = before_edge.map_or(self.idle, |before| before.min(self.idle)).max(self.paid_until);
        if at <= now {
            Step::CrossTs(if self.idle <= now { Delivery::Now } else { Delivery::WithEdge })
        } else if self.rearm <= now {
            Step::Rearm
        } else {
            Step::Wait(at.min(self.rearm) - now)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs the schedule in virtual time against edges at these milliseconds, each read immediately; returns the
    /// milliseconds at which cross timestamps were taken, and for when, and at which pin and channel were set again.
    fn play(edges: impl IntoIterator<Item = i64>, until_ms: i64) -> (Vec<(i64, Delivery)>, Vec<i64>) {
        let at = |ms| Instant::from_nanos(0) + Span::from_millis(ms);
        let (mut schedule, mut now) = (Schedule::new(at(0)), at(0));
        let (mut cross, mut rearm) = (vec![], vec![]);
        let mut edges = edges.into_iter().map(at).peekable();
        while now <= at(until_ms) {
            let ms = now.nanos() / 1_000_000;
            match schedule.next(now) {
                Step::CrossTs(delivery) => {
                    cross.push((ms, delivery));
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
            assert!(schedule.before_edges.len() <= PLANNED);
        }
        (cross, rearm)
    }

    fn run(edges: impl IntoIterator<Item = i64>, until_ms: i64) -> (Vec<i64>, Vec<i64>) {
        let (cross, rearm) = play(edges, until_ms);
        (cross.into_iter().map(|(ms, _)| ms).collect(), rearm)
    }

    #[test]
    fn a_start_takes_three_in_a_row_then_about_one_every_second() {
        let (cross, _) = play([], 3_500);
        assert_eq!(cross, [0, 135, 270, 1_320, 2_370, 3_420].map(|ms| (ms, Delivery::Now)));
    }

    #[test]
    fn each_edge_gets_one_before_it_that_waits_for_it_and_one_at_once() {
        use Delivery::{Now, WithEdge};
        for (name, phases, second) in [
            ("one edge", &[0][..], &[(-10, WithEdge), (0, Now)][..]),
            ("both edges", &[0, 100], &[(-10, WithEdge), (0, Now), (90, WithEdge), (100, Now)]),
            // The second edge is 1 ms after the first, and read separately.
            ("a short pulse", &[0, 1], &[(-10, WithEdge), (0, Now), (1, Now)]),
        ] {
            let edges = (1..=9).flat_map(|n| phases.iter().map(move |phase| n * 1_000 + phase));
            let (cross, rearm) = play(edges, 9_800);
            let expected: Vec<_> =
                (2..=9).flat_map(|n| second.iter().map(move |&(ms, delivery)| (n * 1_000 + ms, delivery))).collect();
            let taken: Vec<_> = cross.into_iter().filter(|(ms, _)| *ms >= 1_900).collect();
            assert_eq!(taken, expected, "{name}");
            assert!(rearm.is_empty(), "{name}: {rearm:?}");
        }
    }

    #[test]
    fn after_an_edge_that_did_not_come_they_go_on_about_each_second() {
        let (cross, _) = play([1_000, 2_000], 5_000);
        let taken: Vec<_> = cross.into_iter().filter(|(ms, _)| *ms > 2_000).collect();
        assert_eq!(taken, [(2_990, Delivery::WithEdge), (4_040, Delivery::Now)]);
    }

    #[test]
    fn a_thousand_edges_a_second_cost_a_hundred_cross_timestamps_at_most() {
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
    fn a_lone_edge_after_noise_gets_its_cross_timestamp() {
        let (cross, _) = run((1..3_000).chain([3_500, 4_500]), 5_000);
        for ms in [3_500, 4_490, 4_500] {
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
