//! The thread without a device: what it does while there is none, and how it ends.

use super::*;
use crate::core::time::Instant;
use crate::source::phc::{Phc, PhcConfig};

fn absent() -> PhcConfig {
    PhcConfig { device: "/dev/ptp4095".into(), pin: None, channel: 0 }
}

#[test]
fn an_absent_phc_is_told_once_and_waited_for() {
    let (sender, mut events) = mpsc::channel(4);
    let thread = PulseThread::spawn::<Phc>(absent(), None, sender).unwrap();
    let told = events.blocking_recv().unwrap();
    assert!(matches!(told, Event::Source { change: SourceChange::PulseLost, .. }), "{told:?}");
    sleep(Duration::from_millis(1_200)); // past the first retry
    assert!(!thread.is_finished() && events.try_recv().is_err());
}

#[test]
fn it_stops_in_the_midst_of_a_rest() {
    let (sender, _events) = mpsc::channel(4);
    let thread = PulseThread::spawn::<Phc>(absent(), None, sender).unwrap();
    sleep(Duration::from_millis(20)); // it is in the midst of its second's rest
    assert_eq!(thread.stop(), ThreadEnd::Clean);
}

#[test]
fn it_stops_even_while_the_channel_is_full() {
    let (sender, _events) = mpsc::channel(1);
    sender.try_send(Event::Tick { raw: Instant::from_nanos(0) }).unwrap();
    let thread = PulseThread::spawn::<Phc>(absent(), None, sender).unwrap();
    sleep(Duration::from_millis(20));
    assert_eq!(thread.stop(), ThreadEnd::Clean);
}

fn wait_for_the_end(thread: &mut PulseThread) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = async { tokio::time::timeout(Duration::from_secs(60), thread.death()).await };
    runtime.block_on(ended).expect("nobody was told that the thread ended");
}

#[test]
fn it_ends_when_nobody_listens_and_says_so() {
    let (sender, mut events) = mpsc::channel(4);
    let mut thread = PulseThread::spawn::<Phc>(absent(), None, sender).unwrap();
    events.blocking_recv().unwrap(); // now it rests, with nothing more to send
    drop(events);
    wait_for_the_end(&mut thread);
    wait_for_the_end(&mut thread); // may be asked again
    assert_eq!(thread.stop(), ThreadEnd::Clean);
}

#[test]
fn a_panic_within_is_noticed() {
    let mut thread =
        PulseThread::start(Arc::new(EventFd::new().unwrap()), Heartbeat::default(), || panic!("as a bug would"))
            .unwrap();
    wait_for_the_end(&mut thread);
    // What it says of its panic may take a while on a busy machine.
    while !thread.is_finished() {
        sleep(Duration::from_millis(1));
    }
    assert_eq!(thread.stop(), ThreadEnd::Panicked);
}

#[test]
fn a_thread_that_sits_in_a_read_is_left_behind_after_a_second() {
    let stuck = || {
        sleep(Duration::from_secs(30));
        Stop
    };
    let thread = PulseThread::start(Arc::new(EventFd::new().unwrap()), Heartbeat::default(), stuck).unwrap();
    assert_eq!(thread.stop(), ThreadEnd::Stuck);
}
