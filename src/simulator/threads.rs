//! Threads that do not get the processor when they want it: what was to happen happens later, in the same order.

use crate::core::time::{Instant, Raw, Span};
use crate::simulator::scenario::{FaultKind, SimThread};
use crate::simulator::world::World;

/// When threads run.
#[derive(Clone, Debug)]
pub struct Threads {
    stalls: Vec<Stall>,
}

/// A time in which a thread runs only now and then.
#[derive(Clone, Copy, Debug)]
struct Stall {
    thread: SimThread,
    from: Instant<Raw>,
    until: Instant<Raw>,
    /// This often, and at the end.
    every: Span,
}

impl Threads {
    /// The threads of this world.
    pub fn new(world: &World) -> Self {
        let stalls = world.scenario().faults.iter().filter_map(|fault| match fault.kind {
            FaultKind::Stall(thread, every) if every > Span::ZERO => {
                let (from, until) = (world.pulse_number(fault.from), world.pulse_number(fault.until));
                Some(Stall { thread, from, until, every })
            }
            _ => None,
        });
        Self { stalls: stalls.collect() }
    }

    /// When the thread gets to what it would have done at `at`. What comes first stays first.
    pub fn runs(&self, thread: SimThread, at: Instant<Raw>) -> Instant<Raw> {
        let stalls = self.stalls.iter().filter(|stall| stall.thread == thread && stall.from < at && at < stall.until);
        let wakes = stalls.map(|stall| {
            let (slept, rest) = (at - stall.from).div_rem(stall.every);
            let slots = if rest > Span::ZERO { slept + 1 } else { slept };
            (stall.from + stall.every.times(slots)).min(stall.until)
        });
        wakes.fold(at, Instant::max)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::UtcSecond;
    use crate::simulator::scenario::{Fault, Scenario};

    #[test]
    fn what_a_stalled_thread_does_comes_late_and_in_order() {
        let kind = FaultKind::Stall(SimThread::Reader, Span::from_millis(1_500));
        let faults = vec![Fault { from: 10, until: 12, kind }];
        let scenario = Scenario { faults, system_ppm: 0, ..Scenario::default() };
        let threads = Threads::new(&World::new(scenario, UtcSecond::from_posix(0), Instant::from_nanos(0)));
        let ms = |ms: i64| Instant::from_nanos(ms * 1_000_000);
        for (at, runs) in [(9_900, 9_900), (10_000, 10_000), (10_001, 11_500), (11_500, 11_500), (11_600, 12_000)] {
            assert_eq!(threads.runs(SimThread::Reader, ms(at)), ms(runs), "{at}");
            assert_eq!(threads.runs(SimThread::Phc, ms(at)), ms(at), "another thread");
        }
    }
}
