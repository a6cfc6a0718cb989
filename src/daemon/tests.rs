use super::*;
use crate::core::event::{Bytes, Edge, Leap, Sample};
use crate::core::time::UtcSecond;
use crate::sink::Sinks;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Wake, Waker};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc::Sender;

#[test]
fn a_sample_that_a_step_overtook_is_seen_as_a_rejection() {
    let Reading { raw, sys, window } = Reading::now();
    let sample = Sample { label: UtcSecond::from_posix(0), at: sys, error: Span::ZERO, leap: Leap::None };
    for (step, expected) in [
        (Span::ZERO, Verdict::Sample(sample)),
        (Span::from_millis(-250), Verdict::Rejected(Reason::SysStepped)),
        (Span::SECOND, Verdict::Rejected(Reason::SysStepped)),
    ] {
        let mut scale = Scale::default();
        scale.add(Reading { raw, sys: sys + step, window });
        assert_eq!(publish(Verdict::Sample(sample), &scale, &mut Sinks::new()), expected, "{step}");
    }
}

const LOST: State = State::Refusing(Reason::SegmentLost);

fn change(from: State, to: State) -> Verdict {
    Verdict::StateChanged { from, to }
}

#[test]
fn the_state_is_the_engines_unless_its_samples_reach_nobody() {
    let mut before = State::Pairing;
    let sample = Verdict::Rejected(Reason::NotYet);
    for (said, state, is_lost, shown) in [
        (vec![sample], State::Pairing, true, vec![sample]),
        (vec![change(State::Pairing, State::Locked)], State::Locked, true, vec![change(State::Pairing, LOST)]),
        (vec![change(State::Locked, State::Coasting)], State::Coasting, true, vec![]),
        (vec![sample], State::Coasting, false, vec![sample, change(LOST, State::Coasting)]),
        (vec![], State::Coasting, true, vec![change(State::Coasting, LOST)]),
        (vec![change(State::Coasting, State::Measuring)], State::Measuring, true, vec![change(LOST, State::Measuring)]),
    ] {
        let lost = is_lost.then_some(Reason::SegmentLost);
        assert_eq!(show(said, &mut before, state, lost), shown);
    }
}

fn edge(ms: i64) -> Event {
    Event::Edge(Edge { phc: Instant::from_nanos(0), read_at: Instant::from_nanos(ms * 1_000_000) })
}

fn bytes() -> Event {
    Event::Bytes(Bytes { read_at: Instant::from_nanos(0), byte_time: Span::ZERO, data: Box::default() })
}

#[derive(Default)]
struct Woken(AtomicU32);

impl Woken {
    fn counted() -> (Arc<Self>, Waker) {
        let count = Arc::new(Self::default());
        (Arc::clone(&count), Waker::from(count))
    }
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

fn sample() -> [Verdict; 1] {
    let at = Instant::from_nanos(0);
    let sample = Sample { label: UtcSecond::from_posix(0), at, error: Span::ZERO, leap: Leap::None };
    [Verdict::Sample(sample)]
}

/// Runs the work with a pulse and its sender.
fn on_runtime(work: impl FnOnce(&Runtime, Pulse, Sender<Event>)) {
    let runtime = Builder::new_current_thread().enable_all().build().unwrap();
    let (sender, events) = channel(8);
    let _within = runtime.enter();
    work(&runtime, Pulse::new(events), sender);
}

#[test]
fn an_edge_wakes_the_engine_or_waits_for_what_does() {
    for waits in [false, true] {
        on_runtime(|_, mut pulse, sender| {
            pulse.waits = waits;
            pulse.alarm.set(PUT_OFF);
            let (count, waker) = Woken::counted();
            let mut context = Context::from_waker(&waker);
            {
                let mut next = pin!(pulse.next());
                assert!(next.as_mut().poll(&mut context).is_pending());
                sender.try_send(edge(1)).unwrap();
                assert_eq!(count.0.load(Ordering::Relaxed), u32::from(!waits));
                assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(edge(1)));
            }
            drop(sender);
            assert!(pin!(pulse.next()).poll(&mut context).is_pending(), "the pulse is gone");
        });
    }
}

#[test]
fn the_next_edge_on_time_wakes_though_no_sentence_came() {
    on_runtime(|runtime, mut pulse, sender| {
        pulse.after(&edge(0), &sample(), State::Locked);
        let (count, waker) = Woken::counted();
        let mut context = Context::from_waker(&waker);
        let mut next = pin!(pulse.next());
        assert!(next.as_mut().poll(&mut context).is_pending());
        runtime.block_on(tokio::time::sleep(OFF_TIME + Duration::from_millis(50)));
        assert!(next.as_mut().poll(&mut context).is_pending(), "none has come");
        let before = count.0.load(Ordering::Relaxed);
        sender.try_send(edge(1_000)).unwrap();
        assert_eq!(count.0.load(Ordering::Relaxed), before + 1);
    });
}

#[test]
fn edges_wait_from_a_sample_on_until_sentences_come() {
    let tick = Event::Tick { raw: Instant::from_nanos(0) };
    for (before, event, verdicts, state, after) in [
        (false, edge(0), &sample()[..], State::Locked, true),
        (true, tick.clone(), &[], State::Locked, true),
        (true, edge(100), &[], State::Locked, true),
        (true, bytes(), &[], State::Locked, false),
        (false, tick.clone(), &[], State::Locked, false),
        (false, edge(0), &sample(), State::Coasting, false),
        (true, tick, &[], State::Coasting, false),
    ] {
        on_runtime(|_, mut pulse, _| {
            pulse.waits = before;
            pulse.after(&event, verdicts, state);
            assert_eq!(pulse.waits, after, "{before} {event:?} {state}");
        });
    }
}

#[test]
fn a_tick_goes_with_an_event_or_comes_by_itself() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let mut ticker = Ticker::default();
        assert!(ticker.goes_with_an_event(raw_now()), "the first");
        let first = ticker.tick();
        for (ms, is_due) in [(0, false), (949, false), (950, true), (5_000, true)] {
            assert_eq!(ticker.goes_with_an_event(first + Span::from_millis(ms)), is_due, "{ms}");
        }
        ticker.due().await;
        assert!(raw_now() - first >= Span::from_millis(1_040));
    });
}
