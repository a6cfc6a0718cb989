//! Notices missing edges. Before Linux 6.7 all readers of a PHC share one queue, and a program that reads an edge takes
//! it away from the others: then part of the pulse's edges is missing, at random.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::Path;

use tracing::warn;

use crate::core::event::Edge;
use crate::core::time::Span;
use crate::source::serial::holder;
use crate::sys::ptp::Queue;

/// Edges after which it is judged whether some are missing.
const JUDGED: usize = 20;
/// How many of these follow another edge by a second if part of them is missing: half if every other is taken, all if
/// none is, and hardly any if this is not a pulse.
const THINNED: Range<usize> = 3..15;
/// Tolerance of a second on the PHC: more than a PHC's rate is off, and than any timestamp.
const TOLERANCE: Span = Span::from_millis(2);
/// Tolerance of a second between reads, for a PHC that is stepped or far off: more than the delay varies on a machine
/// that is not busy.
const READ_TOLERANCE: Span = Span::from_millis(5);
/// Edges that may have come a second ago: more than a pulse has in two.
const REMEMBERED: usize = 8;

/// Watches the edges that are read, and warns when another program seems to read some, once each time.
#[derive(Debug)]
pub(super) struct Watch {
    queue: Queue,
    recent: VecDeque<Edge>,
    judged: usize,
    following: usize,
    warned: bool,
}

impl Watch {
    pub(super) fn new(queue: Queue) -> Self {
        Self { queue, recent: VecDeque::new(), judged: 0, following: 0, warned: false }
    }

    /// An edge was read.
    pub(super) fn edge(&mut self, edge: Edge, node: &Path) {
        match self.is_thinned(edge) {
            Some(true) => self.warn(node, true),
            Some(false) => self.warned = false,
            None => {}
        }
    }

    /// After every [`JUDGED`] edges: whether part of the pulse is missing. In a whole pulse every edge follows another by
    /// a second, whichever edge of the pulse it is.
    fn is_thinned(&mut self, edge: Edge) -> Option<bool> {
        let is_second = |before: &Edge| {
            (edge.phc - before.phc - Span::SECOND).abs() < TOLERANCE
                || (edge.read_at - before.read_at - Span::SECOND).abs() < READ_TOLERANCE
        };
        self.judged += 1;
        self.following += usize::from(self.recent.iter().any(is_second));
        self.recent.push_back(edge);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
        if self.judged < JUDGED {
            return None;
        }
        let is_thinned = THINNED.contains(&self.following);
        (self.judged, self.following) = (0, 0);
        Some(is_thinned)
    }

    /// Warns if another program may have the missing edges. If none arrive and none is seen, other causes are likelier.
    pub(super) fn warn(&mut self, node: &Path, some_arrive: bool) {
        if self.queue == Queue::Shared && !self.warned {
            let holders = holder::list(&holder::holders(&node.to_string_lossy()));
            self.warned = some_arrive || !holders.is_empty();
            if self.warned {
                warn!("{}", sentence(node, &holders));
            }
        }
    }
}

fn sentence(node: &Path, holders: &str) -> String {
    let node = node.display();
    let holders = if holders.is_empty() { &*format!("what `fuser -v {node}` as root names") } else { holders };
    format!(
        "edges of the pulse are missing, and before Linux 6.7 a program that reads a clock's timestamps takes them away \
         from the others; {node} is also open in {holders}: stop it if it reads timestamps (as ts2phc, testptp and \
         chronyd's extpps do, and ptp4l and phc2sys do not)"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Instant;

    /// An edge that is read at once, by two clocks that do not agree.
    fn edge(phc_ns: i64, read_at_ns: i64) -> Edge {
        Edge { phc: Instant::from_nanos(phc_ns), read_at: Instant::from_nanos(read_at_ns) }
    }

    /// The judgments of a minute of a pulse with edges at these milliseconds, of which a part arrives.
    fn judgments(edges_ms: &[i64], arrives: impl Fn(i64) -> bool) -> Vec<bool> {
        let mut watch = Watch::new(Queue::Shared);
        let times = (0..60).flat_map(|second| edges_ms.iter().map(move |ms| second * 1_000 + ms));
        let seen = times.enumerate().filter(|(n, _)| arrives(*n as i64)).map(|(_, ms)| ms);
        seen.filter_map(|ms| watch.is_thinned(edge(ms * 1_000_500, ms * 1_000_000))).collect() // 500 ppm fast
    }

    /// 0 to 99 for each edge, the same in every run: the mixer of `SplitMix64`.
    fn percent(n: i64) -> u64 {
        let mixed = (n as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % 100
    }

    #[test]
    fn a_thinned_pulse_is_told_from_a_whole_one() {
        for edges in [&[0][..], &[0, 100], &[0, 500], &[0, 200, 400, 600]] {
            let arriving = |share: u64| judgments(edges, |n| percent(n) < share);
            assert!(arriving(100).len() >= 3 && arriving(100).iter().all(|thinned| !thinned), "{edges:?}");
            assert!(arriving(95).iter().all(|thinned| !thinned), "{edges:?}");
            assert!(arriving(50).contains(&true), "{edges:?}");
        }
    }

    #[test]
    fn noise_is_not_a_thinned_pulse_and_a_step_of_the_clock_is_neither() {
        let mut watch = Watch::new(Queue::Shared);
        let at = |n: i64| (n * 300 + 3 * percent(n) as i64) * 1_000_000;
        let noise = (1..200).filter_map(|n: i64| watch.is_thinned(edge(at(n), at(n))));
        assert!(noise.inspect(|thinned| assert!(!thinned)).count() > 5);
        let mut watch = Watch::new(Queue::Shared);
        let stepped = (0..60).filter_map(|n: i64| watch.is_thinned(edge(n * 38_000_000_000, n * 1_000_000_000)));
        assert!(stepped.inspect(|thinned| assert!(!thinned)).count() == 3);
    }

    #[test]
    fn a_warning_names_the_other_program_or_how_to_find_it() {
        let node = Path::new("/dev/ptp0");
        for (holders, says) in
            [("ts2phc (pid 12)", "/dev/ptp0 is also open in ts2phc (pid 12): stop it"), ("", "`fuser -v /dev/ptp0`")]
        {
            let said = sentence(node, holders);
            assert!(said.contains(says), "{said}");
        }
    }
}
