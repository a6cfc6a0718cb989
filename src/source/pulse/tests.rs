//! The thread without a device: its behavior while there is none, and how it ends.

use super::*;
use crate::core::time::Instant;
use crate::source::phc::PhcConfig;

/// The thread while it waits for a PHC.
fn waiting(sender: mpsc::Sender<Event>) -> PulseThread {
    let absent = PhcConfig { device: "/dev/ptp4095".into(), pin: None, channel: 0 };
    PulseThread::spawn(PulseConfig::Phc(absent), None, sender).unwrap()
}

/// The thread has ended, which closed its end of the channel.
fn has_ended(mut events: mpsc::Receiver<Event>) -> bool {
    loop {
        match events.try_recv() {
            Ok(_) => {}
            Err(error) => return error == mpsc::error::TryRecvError::Disconnected,
        }
    }
}

#[test]
fn an_absent_phc_is_told_once_and_waited_for() {
    let (sender, mut events) = mpsc::channel(4);
    let thread = waiting(sender);
    let told = events.blocking_recv().unwrap();
    assert!(matches!(told, Event::Source { change: SourceChange::PulseLost, .. }), "{told:?}");
    sleep(Duration::from_millis(1_200)); // past the first retry
    assert!(!thread.handle.is_finished() && events.try_recv().is_err());
}

#[test]
fn it_stops_during_a_rest() {
    let (sender, events) = mpsc::channel(4);
    let thread = waiting(sender);
    sleep(Duration::from_millis(20)); // it pauses for a second
    drop(thread);
    assert!(has_ended(events));
}

#[test]
fn it_stops_when_a_full_channel_is_closed() {
    let (sender, events) = mpsc::channel(1);
    sender.try_send(Event::Tick { raw: Instant::from_nanos(0) }).unwrap();
    let thread = waiting(sender);
    sleep(Duration::from_millis(20));
    assert!(!thread.handle.is_finished(), "it waits for room");
    drop(events);
    wait_for_the_end(&thread);
}

fn wait_for_the_end(thread: &PulseThread) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let ended = async { tokio::time::timeout(Duration::from_secs(60), thread.death()).await };
    runtime.block_on(ended).expect("the thread did not end");
}

#[test]
fn it_ends_when_the_channel_is_closed_and_completes_death() {
    let (sender, mut events) = mpsc::channel(4);
    let thread = waiting(sender);
    events.blocking_recv().unwrap(); // now it pauses, with nothing more to send
    drop(events);
    wait_for_the_end(&thread);
    wait_for_the_end(&thread); // may be called again
}

fn start(body: impl FnOnce() + Send + 'static) -> PulseThread {
    PulseThread::start(io::pipe().unwrap().1, Heartbeat::default(), body).unwrap()
}

#[test]
fn a_panic_within_is_noticed() {
    wait_for_the_end(&start(|| panic!("as a bug would")));
}

#[test]
fn a_stuck_thread_is_left_behind_after_three_seconds() {
    let thread = start(|| sleep(Duration::from_secs(60)));
    let begin = StdInstant::now();
    drop(thread);
    assert!((STUCK..Duration::from_secs(30)).contains(&begin.elapsed()), "{:?}", begin.elapsed());
}
