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

/// Runs the function with a pulse and its sender.
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

/// A reading at this time (us); the system clock gains `ppm`, and was stepped by `step` (us).
fn at(us: i64, ppm: i64, step: i64) -> Reading {
    let sys = Span::from_micros(us + step) + Span::from_micros(us).ppm(ppm);
    Reading {
        raw: Instant::from_nanos(0) + Span::from_micros(us),
        sys: Instant::from_parts(1_000, 0) + sys,
        window: Span::from_nanos(500),
    }
}

/// The readings around a pulse at 2 s: a second of them, 10 ms before it, and right after it.
fn around(ppm: i64) -> Scale {
    let mut scale = Scale::default();
    for us in [990_000, 1_000_200, 1_090_000, 1_100_200, 1_990_000, 2_000_200] {
        assert!(scale.add(at(us, ppm, 0)), "{us} at {ppm} ppm");
    }
    scale
}

#[test]
fn a_clock_that_runs_on_stands() {
    for ppm in [-100_000, -500, 0, 20, 100_000] {
        let pulse = at(2_000_000, ppm, 0).sys;
        for later_us in [300, 2_000, 100_000, 900_000] {
            let now = at(2_000_000 + later_us, ppm, 0);
            assert!(around(ppm).stands(pulse, now), "{ppm} ppm, {later_us} us");
        }
    }
}

#[test]
fn a_step_after_the_last_reading_is_seen() {
    for step in [-1_000_000_000, -250_000, -100, -10, 10, 100, 250_000, 37_000_000] {
        for ppm in [-100_000, 0, 500] {
            let pulse = at(2_000_000, ppm, 0).sys;
            let stands = around(ppm).stands(pulse, at(2_001_000, ppm, step));
            assert!(!stands, "{step} us at {ppm} ppm");
        }
    }
}

#[test]
fn a_slew_that_begins_after_the_last_reading_is_no_step() {
    let pulse = at(2_000_000, 0, 0).sys;
    // chronyd corrects by some parts per million, the kernel's PLL by 500 at most.
    let now = at(2_050_000, 0, 24); // 480 ppm of 50 ms
    assert!(around(0).stands(pulse, now));
}

#[test]
fn a_sample_that_comes_after_readings_of_another_scale_is_seen() {
    for step in [-500_000, -90_000, -100, 100, 90_000, 500_000] {
        let mut scale = around(0);
        assert!(!scale.add(at(2_090_000, 0, step)), "{step}");
        let (before, now) = (at(2_000_000, 0, 0).sys, at(2_100_300, 0, step));
        assert!(!scale.stands(before, now), "{step}");
    }
}

#[test]
fn samples_of_the_new_scale_stand() {
    for step in [-3_600_000_000, -500_000, -100, 100, 500_000, 3_600_000_000] {
        let mut scale = around(0);
        for us in [2_090_000, 2_100_200, 2_990_000, 3_000_200] {
            scale.add(at(us, 0, step));
        }
        assert!(scale.stands(at(3_000_000, 0, step).sys, at(3_000_500, 0, step)), "{step}");
    }
}

#[test]
fn the_first_readings_forbid_nothing() {
    assert!(Scale::default().stands(at(0, 0, 0).sys, at(1_000, 0, 0)));
    let mut scale = Scale::default();
    assert!(scale.add(at(0, 0, 0)));
    assert!(scale.add(at(0, 0, 5_000)), "not later");
    assert!(scale.stands(at(0, 0, 0).sys, at(100_000, 100_000, 0)), "a slew of 10 %");
    assert!(!scale.stands(at(0, 0, 0).sys, at(100_000, 0, 250_000)));
}

#[test]
fn what_is_kept_is_bounded() {
    let mut scale = Scale::default();
    for ms in 0..10_000 {
        scale.add(at(ms * 1_000, 0, ms % 2 * 1_000_000));
        assert!(scale.readings.len() <= KEPT + 1 && scale.left.len() <= KEPT + 1);
    }
}
