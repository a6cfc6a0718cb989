//! Sinks of samples. A sink takes finished samples and does not depend on their origin. It sees samples only: what is
//! wanted every second, or with a state and a reason, belongs in the `observe` closure of `cli/run.rs`.
//!
//! To add one: the recipe in CONTRIBUTING.md.

pub(crate) mod shm;
pub(crate) mod sock;

use crate::core::event::{Reason, Sample};

/// Takes samples, never blocks, and logs problems, once per change. Each type has its own `open`, which fails if no
/// retry would help. A disk may block: a sink that writes to one needs a thread, as [`crate::recording::recorder`] has.
pub(crate) trait Sink: Send {
    /// Publishes a sample.
    fn publish(&mut self, sample: &Sample);

    /// Checks for objects that other programs have removed; called once per second.
    fn tick(&mut self) {}

    /// Withdraws a sample that has not been read yet, if the protocol supports it.
    fn withdraw(&mut self) {}

    /// Why samples are lost until an operator acts; `None` in a sink that only waits for its reader: it then counts as one
    /// that reaches a reader, and the state is published as such.
    fn lost(&self) -> Option<Reason> {
        None
    }
}

/// All sinks of a run. Each may fail separately.
pub(crate) type Sinks = Vec<Box<dyn Sink>>;

/// Why samples do not reach any reader, if this applies to every sink.
pub(crate) fn lost(sinks: &Sinks) -> Option<Reason> {
    sinks.iter().map(|sink| sink.lost()).reduce(Option::and).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fake(Option<Reason>);

    impl Sink for Fake {
        fn publish(&mut self, _: &Sample) {}
        fn lost(&self) -> Option<Reason> {
            self.0
        }
    }

    #[test]
    fn samples_are_lost_only_if_no_sink_is_left() {
        const LOST: Option<Reason> = Some(Reason::SegmentLost);
        for (each, lost) in [
            (&[][..], None),
            (&[None], None),
            (&[LOST], LOST),
            (&[LOST, None], None),
            (&[None, LOST], None),
            (&[LOST, LOST], LOST),
        ] {
            let sinks: Sinks = each.iter().map(|lost| Box::new(Fake(*lost)) as Box<dyn Sink>).collect();
            assert_eq!(super::lost(&sinks), lost, "{each:?}");
        }
    }
}
