//! How fast the core is: `cargo bench`. The events are those of a simulated hour: both edges, 9600 baud, four sentences.
#![allow(missing_docs, clippy::unwrap_used)]

#[path = "../common/simulated/mod.rs"]
mod simulated;

use std::hint::black_box;

use crate::simulated::scenario::Scenario;
use crate::simulated::timeline::Timeline;
use crate::simulated::world::World;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gnss2shm::core::engine::clock_map::ClockMap;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::Event;
use gnss2shm::core::nmea::Framer;
use gnss2shm::core::time::{Date, Instant, UtcSecond};

fn hour() -> Vec<Event> {
    let first = UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 43_200);
    let mut timeline = Timeline::new(World::new(Scenario::default(), first, Instant::from_parts(1_000, 0)));
    let end = timeline.world().pulse_number(3_600);
    let mut events = Vec::new();
    loop {
        let event = timeline.next_event();
        if matches!(event, Event::Tick { raw } if raw >= end) {
            return events;
        }
        events.push(event);
    }
}

fn core(criterion: &mut Criterion) {
    let events = hour();

    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(events.len() as u64)).sample_size(20);
    group.bench_function("an hour of events", |bencher| {
        bencher.iter_batched_ref(
            || Engine::new(Config::default()),
            |engine| events.iter().map(|event| engine.handle(event).len()).sum::<usize>(),
            BatchSize::LargeInput,
        );
    });
    group.finish();

    let lines: Vec<_> =
        events.iter().filter_map(|e| if let Event::Bytes(bytes) = e { Some(bytes) } else { None }).collect();
    let mut group = criterion.benchmark_group("framer");
    group.throughput(Throughput::Bytes(lines.iter().map(|bytes| bytes.data.len() as u64).sum())).sample_size(20);
    group.bench_function("an hour of bytes", |bencher| {
        bencher.iter_batched_ref(
            Framer::default,
            |framer| {
                for bytes in &lines {
                    framer.push(bytes, |found| {
                        black_box(found);
                    });
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();

    let mut group = criterion.benchmark_group("clock map");
    let clocks = events.iter().filter(|e| matches!(e, Event::CrossTs(_) | Event::Edge(_))).count();
    group.throughput(Throughput::Elements(clocks as u64)).sample_size(20);
    group.bench_function("an hour of cross timestamps and edges", |bencher| {
        bencher.iter_batched_ref(
            ClockMap::default,
            |map| {
                for event in &events {
                    match event {
                        Event::CrossTs(cross) => {
                            black_box(map.add(*cross));
                        }
                        Event::Edge(edge) => {
                            let _ = black_box(map.date(edge.phc, edge.read_at));
                        }
                        _ => {}
                    }
                }
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
