//! Other programs that read the same PHC. Before Linux 6.7 all of them share one queue, and whoever reads an edge takes
//! it away from the rest: then part of the pulse's edges is missing, at random. That is noticed here, and who it may
//! be.

use std::collections::VecDeque;
use std::ops::Range;
use std::path::{Path, PathBuf};

use tracing::warn;

use crate::core::event::Edge;
use crate::core::time::Span;
use crate::sys::processes::Process;
use crate::sys::ptp::Queue;

/// Edges after which it is judged whether some are missing.
const JUDGED: usize = 20;
/// Of these, so many follow another edge by a second where part of them is missing: half where every other is taken,
/// all where none is, and hardly any where it is no pulse.
const THINNED: Range<usize> = 3..15;
/// A second on the PHC, give or take this: more than a PHC is off by, and any stamp.
const TOLERANCE: Span = Span::from_millis(2);
/// The same where the edges were read, for a PHC that is stepped, or far off: more than their
/// delay varies on a machine that is not busy.
const READ_TOLERANCE: Span = Span::from_millis(5);
/// Edges that may have come a second ago: more than a pulse has in two.
const REMEMBERED: usize = 8;

/// Watches over the edges that are read, and says in the log when somebody else seems to read some, once for each time.
#[derive(Debug)]
pub(super) struct Others {
    node: PathBuf,
    queue: Queue,
    gaps: Gaps,
    said: bool,
}

/// How much of the pulse arrives.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Share {
    Whole,
    Part,
    Nothing,
}

impl Others {
    pub(super) fn new(node: PathBuf, queue: Queue) -> Self {
        Self { node, queue, gaps: Gaps::default(), said: false }
    }

    /// The clock's node.
    pub(super) fn node(&self) -> &Path {
        &self.node
    }

    /// Edges were read.
    pub(super) fn edges(&mut self, edges: &[Edge]) {
        for edge in edges {
            if let Some(share) = self.gaps.edge(*edge) {
                self.judge(share);
            }
        }
    }

    /// No edges have come for a while.
    pub(super) fn nothing(&mut self) {
        self.judge(Share::Nothing);
    }

    fn judge(&mut self, share: Share) {
        if share == Share::Whole {
            self.said = false;
        } else if self.queue == Queue::Shared && !self.said {
            let holders = Holders::find(&self.node);
            if let Some(sentence) = sentence(&self.node, share, &holders) {
                warn!("{sentence}");
                self.said = true;
            }
        }
    }
}

/// What an operator should know; nothing where nobody else can be it.
fn sentence(node: &Path, share: Share, holders: &Holders) -> Option<String> {
    let node = node.display();
    let missing = match share {
        Share::Whole => return None,
        Share::Part => "part of the pulse's edges is missing",
        Share::Nothing => "no pulse edges arrive",
    };
    let who = match (holders.named.as_slice(), holders.unseen, share) {
        ([], Unseen::Some, Share::Part) => format!(
            "whether another has {node} open, only root can see: stop what `fuser -v {node}` names, if it reads timestamps"
        ),
        ([], ..) => return None, // and without any edge there are likelier causes
        (named, ..) => format!("{node} is open in {}, too: stop it if it reads timestamps", named.join(", ")),
    };
    Some(format!(
        "{missing}, and before Linux 6.7 a program that reads a clock's timestamps takes them away from the others; {who} \
         (as ts2phc, testptp and chronyd's extpps do, and ptp4l and phc2sys do not)"
    ))
}

/// Tells a thinned pulse from a whole one: in a whole one every edge follows another by a second, whichever it is.
#[derive(Debug, Default)]
struct Gaps {
    recent: VecDeque<Edge>,
    judged: usize,
    following: usize,
}

impl Gaps {
    /// An edge; says after every [`JUDGED`] of them how it stands.
    fn edge(&mut self, edge: Edge) -> Option<Share> {
        self.judged += 1;
        let is_second = |before: &Edge| {
            (edge.phc - before.phc - Span::SECOND).abs() < TOLERANCE
                || (edge.read_at - before.read_at - Span::SECOND).abs() < READ_TOLERANCE
        };
        self.following += usize::from(self.recent.iter().any(is_second));
        self.recent.push_back(edge);
        if self.recent.len() > REMEMBERED {
            self.recent.pop_front();
        }
        if self.judged < JUDGED {
            return None;
        }
        let share = if THINNED.contains(&self.following) { Share::Part } else { Share::Whole };
        (self.judged, self.following) = (0, 0);
        Some(share)
    }
}

/// Who has a file open, besides us.
#[derive(Debug, PartialEq, Eq)]
struct Holders {
    /// Name and PID of each.
    named: Vec<String>,
    unseen: Unseen,
}

/// Whether there are processes whose files we may not see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Unseen {
    None,
    Some,
}

impl Holders {
    fn find(file: &Path) -> Self {
        let mut found = Self { named: vec![], unseen: Unseen::None };
        for process in Process::others() {
            match process.has_open(file) {
                Some(true) => found.named.push(process.to_string()),
                Some(false) => {}
                None => found.unseen = Unseen::Some,
            }
        }
        found.named.sort();
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Instant;

    /// An edge that is read at once, by two clocks that do not agree.
    fn edge(phc_ns: i64, read_at_ns: i64) -> Edge {
        Edge { phc: Instant::from_nanos(phc_ns), read_at: Instant::from_nanos(read_at_ns) }
    }

    /// What is said of a minute of a pulse with edges at these milliseconds, of which a part arrives.
    fn said(edges_ms: &[i64], arrives: impl Fn(i64) -> bool) -> Vec<Share> {
        let mut gaps = Gaps::default();
        let times = (0..60).flat_map(|second| edges_ms.iter().map(move |ms| second * 1_000 + ms));
        let seen = times.enumerate().filter(|(n, _)| arrives(*n as i64)).map(|(_, ms)| ms);
        seen.filter_map(|ms| gaps.edge(edge(ms * 1_000_500, ms * 1_000_000))).collect() // 500 ppm fast
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
            let arriving = |share: u64| said(edges, |n| percent(n) < share);
            assert!(arriving(100).len() >= 3 && arriving(100).iter().all(|share| *share == Share::Whole), "{edges:?}");
            assert!(arriving(95).iter().all(|share| *share == Share::Whole), "{edges:?}");
            assert!(arriving(50).contains(&Share::Part), "{edges:?}");
        }
    }

    #[test]
    fn what_is_no_pulse_is_not_thinned_and_a_step_of_the_clock_is_neither() {
        let mut gaps = Gaps::default();
        let at = |n: i64| (n * 300 + 3 * percent(n) as i64) * 1_000_000;
        let noise = (1..200).filter_map(|n: i64| gaps.edge(edge(at(n), at(n))));
        assert!(noise.inspect(|share| assert_eq!(*share, Share::Whole)).count() > 5);
        let mut gaps = Gaps::default();
        let stepped = (0..60).filter_map(|n: i64| gaps.edge(edge(n * 38_000_000_000, n * 1_000_000_000)));
        assert!(stepped.inspect(|share| assert_eq!(*share, Share::Whole)).count() == 3);
    }

    #[test]
    fn it_is_said_only_where_somebody_else_can_be_it() {
        let node = Path::new("/dev/ptp0");
        for (share, named, unseen, says) in [
            (Share::Part, vec!["ts2phc (pid 12)".to_owned()], Unseen::Some, Some("open in ts2phc (pid 12), too")),
            (Share::Nothing, vec!["dd (pid 9)".to_owned()], Unseen::None, Some("no pulse edges arrive")),
            (Share::Part, vec![], Unseen::Some, Some("`fuser -v /dev/ptp0`")),
            (Share::Nothing, vec![], Unseen::Some, None),
            (Share::Part, vec![], Unseen::None, None),
            (Share::Whole, vec!["ts2phc (pid 12)".to_owned()], Unseen::None, None),
        ] {
            let said = sentence(node, share, &Holders { named, unseen });
            assert_eq!(said.is_some(), says.is_some(), "{said:?}");
            assert!(said.as_deref().unwrap_or_default().contains(says.unwrap_or_default()), "{said:?}");
        }
    }
}
