//! Benchmarks of the core: `cargo bench`. The events are from the recordings in tests/replay.
#![allow(missing_docs, clippy::expect_used)]

use std::path::Path;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use gnss2shm::event::Event;
use gnss2shm::{Engine, Item, Reader};

/// For each recording, an engine with its settings, and the events.
fn recordings() -> Vec<(Engine, Vec<Event>)> {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/replay").read_dir().expect("tests/replay");
    let mut paths: Vec<_> = files.map(|entry| entry.expect("an entry").path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "rec"));
    paths.sort();
    paths.iter().map(|path| recording(path)).collect()
}

fn recording(path: &Path) -> (Engine, Vec<Event>) {
    let (mut engine, mut events) = (Engine::default(), Vec::new());
    let read = Reader::default().push(&std::fs::read(path).expect("a recording"), |item| match item {
        Item::Header(header) => engine = Engine::new(header.config),
        Item::Event(event) => events.push(event),
        Item::Lost(_) => {}
    });
    read.expect("a recording without damage");
    (engine, events)
}

fn core(criterion: &mut Criterion) {
    let events = recordings().iter().map(|(_, events)| events.len() as u64).sum();
    let mut group = criterion.benchmark_group("engine");
    group.throughput(Throughput::Elements(events)).sample_size(20);
    group.bench_function("every recording", |bencher| {
        bencher.iter_batched_ref(
            recordings,
            |recordings| -> usize {
                recordings
                    .iter_mut()
                    .flat_map(|(engine, events)| events.iter().map(|event| engine.handle(event).len()))
                    .sum()
            },
            BatchSize::LargeInput,
        );
    });
    group.finish();
}

criterion_group!(benches, core);
criterion_main!(benches);
