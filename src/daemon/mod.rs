//! Connects sources to the engine and the engine to its sinks. The caller creates the sources and observes the
//! verdicts.
//!
//! At one pulse per second, neither the second edge of a pulse nor a tick costs a wake-up of its own.

pub mod log;
mod scale;
pub mod service;
pub mod status;

use std::future::{pending, poll_fn};
use std::ops::ControlFlow;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};

use crate::core::engine::Engine;
use crate::core::event::{CrossTs, Event, Reason, State, Verdict};
use crate::core::time::{Instant, Raw, Span};
use crate::sink::Sink;
use crate::sys::clock::{ClockSet, Reading, raw_now};
use crate::sys::wait::Alarm;
use scale::Scale;

/// Maximum number of events that wait for the engine: seconds of a busy line. Sources block when the queue is full.
pub const EVENTS_QUEUED: usize = 1_024;

/// Minimum time between two ticks. Less than a second, so that each pulse brings one.
const EARLIEST: Span = Span::from_millis(950);
/// Maximum time between two ticks, if nothing else happens.
const LATEST: Duration = Duration::from_millis(1_050);
/// For this long after a sample, edges are not on time.
const OFF_TIME: Duration = Duration::from_millis(900);
/// An alarm wakes the thread even if no task waits for it, so an unused one is postponed by this.
const PUT_OFF: Duration = Duration::from_secs(3_600);

/// Events of all sources.
#[derive(Debug)]
pub struct Inbox {
    /// Events of the clock that timestamps the edges. They may wait for the others; their sender blocks while the
    /// channel is full.
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

/// Feeds events to the engine and samples to the sinks until all sources are gone, or until `observe` breaks with the
/// returned value.
///
/// `record` sees every event just before the engine does, `observe` sees it afterwards with its verdicts.
pub async fn serve<B>(
    engine: &mut Engine,
    inbox: Inbox,
    sinks: &mut dyn Sink,
    mut record: impl FnMut(&Event),
    mut observe: impl FnMut(&Engine, &Event, &[Verdict]) -> ControlFlow<B>,
) -> Option<B> {
    let (mut ticker, mut scale, mut shown) = (Ticker::default(), Scale::default(), engine.state());
    let (clock_set, mut pulse, mut others) = (ClockSet::new(), Pulse::new(inbox.pulse), inbox.others);
    loop {
        let event = tokio::select! {
            biased;
            () = clock_set.heard() => {
                // A sample that chronyd has not taken yet refers to the time before the step.
                sinks.withdraw();
                continue;
            }
            event = pulse.next() => event,
            () = ticker.due() => Event::Tick { raw: ticker.tick() },
            event = others.recv() => event?,
        };
        record(&event);
        if let Event::CrossTs(CrossTs { raw, sys, window, .. }) = event
            && !scale.add(Reading { raw, sys, window })
        {
            // In case no descriptor was left for `clock_set`.
            sinks.withdraw();
        }
        if let Event::Tick { .. } = event {
            sinks.tick();
        }
        let verdicts: Vec<_> =
            engine.handle(&event).into_iter().map(|verdict| publish(verdict, &scale, sinks)).collect();
        pulse.after(&event, &verdicts, engine.state());
        let verdicts = show(verdicts, &mut shown, engine.state(), sinks.lost());
        if let ControlFlow::Break(why) = observe(engine, &event, &verdicts) {
            return Some(why);
        }
    }
}

/// Passes a sample to the sinks; one that would not reach a reader, or that a step of the system clock made obsolete,
/// becomes a rejection.
fn publish(verdict: Verdict, scale: &Scale, sinks: &mut dyn Sink) -> Verdict {
    let Verdict::Sample(sample) = verdict else { return verdict };
    if let Some(reason) = sinks.lost() {
        return Verdict::Rejected(reason);
    }
    if !scale.stands(sample.at, Reading::now()) {
        return Verdict::Rejected(Reason::SysStepped);
    }
    sinks.publish(&sample);
    verdict
}

/// Replaces the engine's change of state with that of the state as seen from outside, previously `shown`: if samples do
/// not reach a reader, nothing is published.
fn show(mut verdicts: Vec<Verdict>, shown: &mut State, state: State, lost: Option<Reason>) -> Vec<Verdict> {
    let to = lost.filter(|_| state.publishes()).map_or(state, State::Refusing);
    let is_change = |verdict: &Verdict| matches!(verdict, Verdict::StateChanged { .. });
    let at = verdicts.iter().position(is_change).unwrap_or(verdicts.len());
    verdicts.retain(|verdict| !is_change(verdict));
    let from = std::mem::replace(shown, to);
    if from != to {
        verdicts.insert(at, Verdict::StateChanged { from, to });
    }
    verdicts
}

/// The events of the pulse. An edge that follows the on-time one is not needed before the next sentences, so it does not
/// wake the engine's thread; the next on-time edge does.
#[derive(Debug)]
struct Pulse {
    events: Receiver<Event>,
    /// Whether they wait until something else wakes the engine's thread.
    waits: bool,
    /// Ends this wait.
    alarm: Alarm,
}

impl Pulse {
    /// At first, each event wakes the thread. Must be called within a tokio runtime.
    fn new(events: Receiver<Event>) -> Self {
        Self { events, waits: false, alarm: Alarm::default() }
    }

    /// The engine has handled an event: decides whether the events of the pulse after it wait.
    fn after(&mut self, event: &Event, verdicts: &[Verdict], state: State) {
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
    async fn next(&mut self) -> Event {
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

/// Generates ticks: together with the first event after nearly a second, or at the latest by an alarm. The first is due
/// at once.
#[derive(Debug, Default)]
struct Ticker {
    last: Option<Instant<Raw>>,
    alarm: Alarm,
}

impl Ticker {
    /// Waits until a tick is due. Cancel safe.
    async fn due(&self) {
        if !self.goes_with_an_event(raw_now()) {
            self.alarm.rung().await;
        }
    }

    fn goes_with_an_event(&self, now: Instant<Raw>) -> bool {
        self.last.is_none_or(|last| now - last >= EARLIEST)
    }

    /// The tick, now.
    fn tick(&mut self) -> Instant<Raw> {
        let now = raw_now();
        self.last = Some(now);
        self.alarm.set(LATEST);
        now
    }
}

#[cfg(test)]
mod tests;
