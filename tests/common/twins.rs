//! The fresh twin: a second engine that starts in the middle of a stream. It needs no truth: the first one's memory is
//! right only if both reach the same samples within twenty seconds.
#![allow(dead_code, unreachable_pub)] // each of those who look at twins uses its part

use std::collections::BTreeMap;

use gnss2shm::event::{Event, Verdict};
use gnss2shm::time::{Instant, Raw, Span, UtcSecond};
use gnss2shm::{Config, Engine};

/// How long the twin may take.
pub const AGREE: Span = Span::from_secs(20);
/// Maximum difference between two samples of the same edge.
const SAME_EDGE: Span = Span::from_micros(20);

/// By the second in which they were published.
pub type Samples = BTreeMap<i64, Said>;
/// The second, and when it began by the system clock.
pub type Said = (UtcSecond, i64);

/// The result of a twin.
#[derive(Clone, Debug, Default)]
pub struct Compared {
    /// Seconds for which both had a sample.
    pub both: usize,
    /// Seconds in which they differed: the second, the twin's sample, the first one's sample.
    pub differ: Vec<(i64, Said, Said)>,
    /// Seconds for which only the first had a sample: its memory helped.
    pub first_alone: usize,
    /// Seconds for which only the twin had one: the first one's memory hindered.
    pub twin_alone: usize,
}

/// The samples of an engine that receives these events from then on.
pub fn samples(config: Config, events: &[Event], from: Instant<Raw>) -> Samples {
    let (mut engine, mut samples) = (Engine::new(config), Samples::new());
    // Events that the daemon sends once are also sent to the twin.
    let once = |event: &&Event| matches!(event, Event::Source { .. } | Event::LeapTable { .. } | Event::Witness(_));
    let mut hear = |event: &Event| {
        for verdict in engine.handle(event) {
            if let Verdict::Sample(sample) = verdict {
                samples.insert(second(event.head().0), (sample.label, sample.at.nanos()));
            }
        }
    };
    events.iter().take_while(|event| event.head().0 < from).filter(once).for_each(&mut hear);
    events.iter().filter(|event| event.head().0 >= from).for_each(&mut hear);
    samples
}

/// The twin that starts at `from`, against the first engine's samples; its samples within `patience` do not count.
pub fn compare(config: Config, events: &[Event], first: &Samples, from: Instant<Raw>, patience: Span) -> Compared {
    let twin = samples(config, events, from);
    let since = second(from + patience);
    let mut compared = Compared::default();
    for (second, said) in twin.range(since..) {
        let Some(other) = first.get(second) else {
            compared.twin_alone += 1;
            continue;
        };
        compared.both += 1;
        if said.0 != other.0 || (said.1 - other.1).abs() > SAME_EDGE.nanos() {
            compared.differ.push((*second, *said, *other));
        }
    }
    compared.first_alone = first.range(since..).filter(|(second, _)| !twin.contains_key(second)).count();
    compared
}

fn second(raw: Instant<Raw>) -> i64 {
    (raw - Instant::default()).nearest(Span::SECOND).0
}
