//! What is on its way to the engine. An edge that follows the one on time is needed no sooner than the next sentences:
//! it does not wake the engine's thread for itself.

use std::future::poll_fn;
use std::task::Poll;

use tokio::sync::mpsc::Receiver;

use crate::event::{Event, State, Verdict};

/// Events of all sources.
#[derive(Debug)]
pub struct Inbox {
    /// What the clock with the edges tells. They may wait for the others; those who send them wait while it is full.
    pub pulse: Option<Receiver<Event>>,
    /// Everything else.
    pub others: Receiver<Event>,
}

impl Inbox {
    /// With everything on one channel.
    pub fn one(events: Receiver<Event>) -> Self {
        Self { pulse: None, others: events }
    }
}

/// What the pulse's events do when they come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Pulse {
    /// They wake the engine's thread.
    #[default]
    Wakes,
    /// They wait until something else does: a sentence, or the next tick, a second after the last at most.
    Waits,
}

impl Pulse {
    /// What those after this event are to do.
    pub(super) fn after(self, event: &Event, verdicts: &[Verdict], state: State) -> Self {
        let is_sample = |verdict: &Verdict| matches!(verdict, Verdict::Sample(_));
        match event {
            _ if state != State::Locked => Self::Wakes,
            _ if verdicts.iter().any(is_sample) => Self::Waits,
            Event::Bytes(_) | Event::Report(_) => Self::Wakes,
            _ => self,
        }
    }

    /// The pulse's next event. Pending where none has come, and after the last. Cancel safe.
    pub(super) async fn next(self, events: &mut Option<Receiver<Event>>) -> Event {
        poll_fn(|context| {
            let event = events.as_mut().and_then(|events| match self {
                Self::Waits => events.try_recv().ok(),
                Self::Wakes => match events.poll_recv(context) {
                    Poll::Ready(event) => event,
                    Poll::Pending => None,
                },
            });
            event.map_or(Poll::Pending, Poll::Ready)
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Bytes, Edge, Leap, Sample};
    use crate::time::{Instant, Span, UtcSecond};
    use std::pin::pin;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};
    use std::task::{Context, Wake, Waker};
    use tokio::sync::mpsc::channel;

    fn edge(ms: i64) -> Event {
        Event::Edge(Edge { phc: Instant::from_nanos(0), read_at: Instant::from_nanos(ms * 1_000_000) })
    }

    fn bytes() -> Event {
        Event::Bytes(Bytes { read_at: Instant::from_nanos(0), byte_time: Span::ZERO, data: Box::default() })
    }

    #[derive(Default)]
    struct Woken(AtomicU32);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::Relaxed);
        }
    }

    #[test]
    fn an_edge_wakes_the_engine_or_waits_for_what_does() {
        for (pulse, woken) in [(Pulse::Wakes, 1), (Pulse::Waits, 0)] {
            let (sender, events) = channel(8);
            let mut events = Some(events);
            let count = Arc::new(Woken::default());
            let waker = Waker::from(Arc::clone(&count));
            let mut context = Context::from_waker(&waker);
            {
                let mut next = pin!(pulse.next(&mut events));
                assert!(next.as_mut().poll(&mut context).is_pending());
                sender.try_send(edge(1)).unwrap();
                assert_eq!(count.0.load(Ordering::Relaxed), woken, "{pulse:?}");
                assert_eq!(next.as_mut().poll(&mut context), Poll::Ready(edge(1)), "{pulse:?}");
            }
            drop(sender);
            assert!(pin!(pulse.next(&mut events)).poll(&mut context).is_pending(), "{pulse:?}: the pulse is gone");
        }
    }

    #[test]
    fn edges_wait_from_a_sample_on_until_sentences_come() {
        let at = Instant::from_nanos(0);
        let sample = Sample { label: UtcSecond::from_posix(0), at, error: Span::ZERO, leap: Leap::None };
        let sample = [Verdict::Sample(sample)];
        let tick = Event::Tick { raw: Instant::from_nanos(0) };
        for (before, event, verdicts, state, after) in [
            (Pulse::Wakes, edge(0), &sample[..], State::Locked, Pulse::Waits),
            (Pulse::Waits, tick.clone(), &[], State::Locked, Pulse::Waits),
            (Pulse::Waits, edge(100), &[], State::Locked, Pulse::Waits),
            (Pulse::Waits, bytes(), &[], State::Locked, Pulse::Wakes),
            (Pulse::Wakes, tick.clone(), &[], State::Locked, Pulse::Wakes),
            (Pulse::Wakes, edge(0), &sample, State::Coasting, Pulse::Wakes),
            (Pulse::Waits, tick, &[], State::Coasting, Pulse::Wakes),
        ] {
            assert_eq!(before.after(&event, verdicts, state), after, "{before:?} {event:?} {state}");
        }
    }
}
