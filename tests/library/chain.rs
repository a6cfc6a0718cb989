//! Feeds events to an engine until a test's condition is met.

use std::time::Duration;

use clap::{Args, FromArgMatches};
use gnss2shm::core::engine::Engine;
use gnss2shm::core::event::{Event, Verdict};
use gnss2shm::simulator::Scenario;
use gnss2shm::simulator::live::Live;
use tokio::sync::mpsc::Receiver;

/// Time limit of every wait.
pub const PATIENCE: Duration = Duration::from_secs(40);

/// The scenario of `gnss2shm simulate` without options.
pub fn scenario() -> Scenario {
    let given = Scenario::augment_args(clap::Command::new("simulate")).get_matches_from(["simulate"]);
    Scenario::from_arg_matches(&given).unwrap()
}

/// Feeds events to an engine until `enough` accepts a verdict, or none at a tick.
pub async fn until(
    engine: &mut Engine,
    events: &mut Receiver<Event>,
    what: &str,
    mut each_second: impl FnMut(),
    enough: impl Fn(&Verdict) -> bool,
) {
    let mut tick = tokio::time::interval(Duration::from_millis(500));
    let search = async {
        loop {
            let event = tokio::select! {
                event = events.recv() => event.unwrap(),
                _ = tick.tick() => {
                    each_second();
                    Event::Tick { raw: gnss2shm::sys::clock::raw_now() }
                }
            };
            if engine.handle(&event).iter().any(&enough) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, search).await.unwrap_or_else(|_| panic!("{what}: still {:?}", engine.state()));
}

pub fn on_runtime(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

/// Runs until there is a sample; each must be right.
pub async fn until_sample(engine: &mut Engine, events: &mut Receiver<Event>, live: &Live, what: &str) {
    until(
        engine,
        events,
        what,
        || {},
        |verdict| {
            let Verdict::Sample(sample) = verdict else { return false };
            let error = live.error(sample).expect("no such pulse");
            assert!(error.abs() <= sample.error, "{error} off, bound {}", sample.error);
            true
        },
    )
    .await;
}
