//! When the engine's thread wakes up. At one pulse per second, neither the second edge of a pulse nor a tick costs a
//! wake-up of its own.

use std::future::{pending, poll_fn};
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};

use crate::core::event::{Event, State, Verdict};
use crate::core::time::{Instant, Raw, Span};
use crate::sys::clock::raw_now;
use crate::sys::wait::Alarm;

/// Minimum time between two ticks. Below a second, so that pulses, a second apart, bring one each.
const EARLIEST: Span = Span::from_millis(950);
/// Maximum time between two ticks, if nothing else happens.
const LATEST: Duration = Duration::from_millis(1_050);
/// For so long after a sample, edges are not on time.
const OFF_TIME: Duration = Duration::from_millis(900);
/// An alarm that no task waits for would wake the thread nevertheless.
const PUT_OFF: Duration = Duration::from_secs(3_600);

/// Events of all sources.
#[derive(Debug)]
pub struct Inbox {
    /// Events of the clock that timestamps the edges. They may wait for the others; their sender blocks while it is full.
    pub pulse: Receiver<Event>,
    /// Everything else.
    pub others: Receiver<Event>,
}

impl Inbox {
    /// With everything on one channel.
    pub fn one(events: Receiver<Event>) -> Self {
        Self { pulse: channel(1).1, others: events }
    }
}

/// The events of the pulse. An edge that follows the on-time one is not needed before the next sentences, so it does not
/// wake the engine's thread; the next on-time edge does.
#[derive(Debug)]
pub(super) struct Pulse {
    events: Receiver<Event>,
    /// Whether they wait until something else wakes the engine's thread.
    waits: bool,
    /// Ends that.
    alarm: Alarm,
}

impl Pulse {
    /// Each event wakes. Must be called within a tokio runtime.
    pub(super) fn new(events: Receiver<Event>) -> Self {
        Self { events, waits: false, alarm: Alarm::default() }
    }

    /// The engine has handled an event: decides whether the events of the pulse after it wait.
    pub(super) fn after(&mut self, event: &Event, verdicts: &[Verdict], state: State) {
        let is_sample = |verdict: &Verdict| matches!(verdict, Verdict::Sample(_));
        if state == State::Locked && verdicts.iter().any(is_sample) {
            self.waits = true;
            self.alarm.set(OFF_TIME);
        } else if self.waits && (state != State::Locked || matches!(event, Event::Bytes(_) | Event::Report(_))) {
            self.waits = false;
            self.alarm.set(PUT_OFF);
        }
    }

    /// The next event. Pending while there is none, and after the last. Cancel safe.
    pub(super) async fn next(&mut self) -> Event {
        if self.waits {
            tokio::select! {
                biased;
                event = poll_fn(|_| self.events.try_recv().map_or(Poll::Pending, Poll::Ready)) => return event,
                () = self.alarm.rung() => self.waits = false,
            }
        }
        match self.events.recv().await {
            Some(event) => event,
            None => pending().await,
        }
    }
}

/// Makes ticks: with the first event after nearly a second, or at the latest by an alarm. The first is due at once.
#[derive(Debug, Default)]
pub(super) struct Ticker {
    last: Option<Instant<Raw>>,
    alarm: Alarm,
}

impl Ticker {
    /// Waits until a tick is due. Cancel safe.
    pub(super) async fn due(&self) {
        if !self.goes_with_an_event(raw_now()) {
            self.alarm.rung().await;
        }
    }

    fn goes_with_an_event(&self, now: Instant<Raw>) -> bool {
        self.last.is_none_or(|last| now - last >= EARLIEST)
    }

    /// The tick, now.
    pub(super) fn tick(&mut self) -> Instant<Raw> {
        let now = raw_now();
        self.last = Some(now);
        self.alarm.set(LATEST);
        now
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Bytes, Edge, Leap, Sample};
    use crate::core::time::UtcSecond;
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake, Waker};
    use tokio::runtime::{Builder, Runtime};
    use tokio::sync::mpsc::Sender;

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
}
