//! A live recording contains the engine's input: its replay gives the same verdicts.

use std::fs;
use std::ops::ControlFlow;
use std::time::Duration;

use crate::library::common::{TestDir, TestUnit};
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Event, Verdict};
use gnss2shm::core::time::Span;
use gnss2shm::daemon::{self, EVENTS_QUEUED, Inbox};
use gnss2shm::recording::recorder::{self, Recorder};
use gnss2shm::recording::{Header, Item, Reader};
use gnss2shm::simulator::Scenario;
use gnss2shm::simulator::live::Live;
use gnss2shm::sink::shm::ShmSink;
use gnss2shm::source::serial::{self, Baud, SerialConfig};
use tokio::sync::mpsc;

#[test]
fn a_live_run_replayed_gives_the_same_verdicts() {
    let (dir, unit) = (TestDir::new("record-live"), TestUnit::claim());
    let file = dir.join("rec");
    let config = Config { holdover: Span::from_secs(7), ..Config::default() };
    let scenario = Scenario { glitches: 300, edge_loss: 50, ..crate::library::chain::scenario() };
    let (mut events_seen, mut verdicts) = (Vec::new(), Vec::new());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let claim = recorder::claim(&file).unwrap();
        let mut recorder = Recorder::open(file.clone(), claim, u64::MAX, Header::new(config)).unwrap();
        let (sender, events) = mpsc::channel(EVENTS_QUEUED);
        let live = Live::start(scenario, sender.clone()).unwrap();
        let port = SerialConfig { device: live.device.clone(), baud: Baud::Rate(9_600) };
        let source = tokio::spawn(serial::run(port, None, sender));
        let mut sinks: gnss2shm::sink::Sinks = vec![Box::new(ShmSink::open(unit.unit).unwrap())];
        let mut engine = Engine::new(config);
        let record = |event: &Event| {
            events_seen.push(event.clone());
            recorder.record(event);
        };
        let serve = daemon::serve(&mut engine, Inbox::one(events), &mut sinks, record, |_, _, new| {
            verdicts.extend(new);
            ControlFlow::<()>::Continue(())
        });
        // Half a second after a tick: later events are only written by `finish`.
        let _ = tokio::time::timeout(Duration::from_millis(8_500), serve).await;
        source.abort();
        recorder.finish();
    });
    assert!(verdicts.iter().any(|verdict| matches!(verdict, Verdict::Sample(_))), "{verdicts:?}");
    let mut items = Vec::new();
    Reader::default().push(&fs::read(&file).unwrap(), |item| items.push(item)).unwrap();
    assert_eq!(items[0], Item::Header(Header::new(config)));
    let recorded: Vec<Event> = items[1..]
        .iter()
        .map(|item| if let Item::Event(event) = item { event.clone() } else { panic!("{item:?}") })
        .collect();
    assert_eq!(recorded, events_seen);
    assert!(recorded.iter().any(|event| matches!(event, Event::Tick { .. })));
    let mut engine = Engine::new(config);
    let replayed: Vec<Verdict> = recorded.iter().flat_map(|event| engine.handle(event)).collect();
    assert_eq!(replayed, verdicts);
}
