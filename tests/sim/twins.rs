//! The fresh twin: a second engine that starts in the middle of a stream. It needs no truth: what the first one
//! remembers from before is right only if both come to the same samples within twenty seconds.

use std::collections::BTreeMap;

use gnss2shm::engine::{Config, Engine};
use gnss2shm::envelope::Envelope;
use gnss2shm::event::{Event, Verdict};
use gnss2shm::source::simulator::envelope::Case;
use gnss2shm::source::simulator::timeline::Timeline;
use gnss2shm::source::simulator::world::World;
use gnss2shm::time::{Instant, Raw, Span, UtcSecond};

use super::harness::ms;

/// How long the twin may take.
const AGREE: Span = Span::from_secs(20);
const SECONDS: i64 = 400;

/// The samples of an engine that hears these events from then on, by when they came: label and system time.
fn samples(events: &[Event], from: Instant<Raw>) -> BTreeMap<i64, (UtcSecond, i64)> {
    let (mut engine, mut samples) = (Engine::new(Config::default()), BTreeMap::new());
    // What the daemon says once it says to the twin, too.
    let once = |event: &&Event| matches!(event, Event::Source { .. } | Event::LeapTable { .. } | Event::Witness(_));
    let mut hear = |event: &Event, samples: &mut BTreeMap<i64, (UtcSecond, i64)>| {
        for verdict in engine.handle(event) {
            if let Verdict::Sample(sample) = verdict {
                let second = (event.head().0 - Instant::default()).nearest(Span::SECOND).0;
                samples.insert(second, (sample.label, sample.at.nanos()));
            }
        }
    };
    for event in events.iter().take_while(|event| event.head().0 < from).filter(once) {
        hear(event, &mut samples);
    }
    for event in events.iter().filter(|event| event.head().0 >= from) {
        hear(event, &mut samples);
    }
    samples
}

#[test]
fn a_twin_that_starts_late_agrees_within_twenty_seconds() {
    let (mut compared, mut differ) = (0, Vec::new());
    for seed in 0..150 {
        let Case { first, scenario } = Envelope::draw(seed, 1_000);
        let mut timeline = Timeline::new(World::new(scenario, first, Instant::from_parts(1_000, 0)));
        let end = timeline.world().pulse_number(SECONDS);
        let events: Vec<Event> =
            std::iter::from_fn(|| Some(timeline.next_event())).take_while(|event| event.head().0 < end).collect();
        let one = samples(&events, Instant::from_nanos(0));
        for start in [40, 130, 270] {
            let from = timeline.world().pulse_number(start) + ms((seed * 37 % 1_000) as i64);
            let twin = samples(&events, from);
            let since = (from + AGREE - Instant::default()).nearest(Span::SECOND).0;
            for (second, said) in twin.range(since..) {
                if let Some(other) = one.get(second) {
                    compared += 1;
                    if said.0 != other.0 || (said.1 - other.1).abs() > 20_000 {
                        differ.push((seed, start, *second, *said, *other));
                    }
                }
            }
        }
    }
    assert!(compared > 50_000, "{compared}");
    assert!(differ.is_empty(), "{} of {compared}: {:?}", differ.len(), differ.iter().take(5).collect::<Vec<_>>());
}
