//! Where samples go. A sink takes finished samples and knows nothing about their origin.
//!
//! To add one: a file here with an `impl Sink`, and the line in `cli/run.rs` that opens it.

pub mod shm;
pub mod sock;

use std::fmt::Debug;

use crate::core::event::{Reason, Sample};

/// Takes samples, never blocks, and reports trouble in the log, once per change. Each type has an `open` of its own,
/// which fails where no retry would help.
pub trait Sink: Debug + Send {
    /// Publishes a sample.
    fn publish(&mut self, sample: &Sample);

    /// Checks what other programs may have removed; called once a second.
    fn tick(&mut self) {}

    /// Takes back a sample that nobody has read yet, where the protocol has a way to do so.
    fn withdraw(&mut self) {}

    /// Why samples reach nobody until an operator acts; `None` in a sink that only waits for its reader.
    fn lost(&self) -> Option<Reason> {
        None
    }
}

/// Every sink of a run. Each fails on its own; all of them are lost together.
pub type Sinks = Vec<Box<dyn Sink>>;

/// Why samples reach no reader, if that is so of every sink.
pub fn lost(sinks: &Sinks) -> Option<Reason> {
    sinks.iter().map(|sink| sink.lost()).reduce(Option::and).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug)]
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
        for (sinks, lost) in [
            (&[][..], None),
            (&[None], None),
            (&[LOST], LOST),
            (&[LOST, None], None),
            (&[None, LOST], None),
            (&[LOST, LOST], LOST),
        ] {
            let sinks: Sinks = sinks.iter().map(|lost| Box::new(Fake(*lost)) as Box<dyn Sink>).collect();
            assert_eq!(super::lost(&sinks), lost, "{sinks:?}");
        }
    }
}
