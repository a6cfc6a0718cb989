//! The fresh twin in simulated worlds with random faults.

use crate::library::twins as fresh;

use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::core::engine::Config;
use gnss2shm::core::event::Event;
use gnss2shm::core::time::Instant;

use super::harness::ms;
use super::inside::Case;

const SECONDS: i64 = 400;

#[test]
fn a_twin_that_starts_late_agrees_within_twenty_seconds() {
    let (mut compared, mut differ) = (0, Vec::new());
    for seed in 0..150 {
        let Case { first, scenario } = super::draw::world(seed, 1_000);
        let mut timeline = Timeline::new(World::new(scenario, first, Instant::from_parts(1_000, 0)));
        let end = timeline.world().pulse_number(SECONDS);
        let events: Vec<Event> =
            std::iter::from_fn(|| Some(timeline.next_event())).take_while(|event| event.head().0 < end).collect();
        let one = fresh::samples(Config::default(), &events, Instant::from_nanos(0));
        for start in [40, 130, 270] {
            let from = timeline.world().pulse_number(start) + ms((seed * 37 % 1_000) as i64);
            let twin = fresh::compare(Config::default(), &events, &one, from, fresh::AGREE);
            compared += twin.both;
            differ.extend(twin.differ.into_iter().map(|said| (seed, start, said)));
        }
    }
    assert!(compared > 50_000, "{compared}");
    assert!(differ.is_empty(), "{} of {compared}: {:?}", differ.len(), differ.iter().take(5).collect::<Vec<_>>());
}
