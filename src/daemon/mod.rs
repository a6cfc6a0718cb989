//! Connects sources to the engine and the engine to its sinks. The caller creates the sources and observes the
//! verdicts.
//!
//! At one pulse per second, neither the second edge of a pulse nor a tick costs a wake-up of its own.

pub(crate) mod log;
pub(crate) mod service;
pub(crate) mod status;

use std::collections::VecDeque;
use std::future::{pending, poll_fn};
use std::ops::ControlFlow;
use std::task::Poll;
use std::time::Duration;

use tokio::sync::mpsc::{Receiver, channel};

use crate::core::engine::Engine;
use crate::core::event::{CrossTs, Event, Reason, State, Verdict};
use crate::core::time::{Instant, Raw, Span, Sys};
use crate::sink::{Sinks, lost};
use crate::sys::clock::{ClockSet, Reading, raw_now};
use crate::sys::wait::Alarm;

/// Maximum number of events that wait for the engine: seconds of a busy line. Sources block when the queue is full.
pub(crate) const EVENTS_QUEUED: usize = 1_024;

/// Minimum time between two ticks. Less than a second, so that each pulse brings one.
const EARLIEST: Span = Span::from_millis(950);
/// Maximum time between two ticks, if nothing else happens.
const LATEST: Duration = Duration::from_millis(1_050);
/// For this long after a sample, edges are not on time.
const OFF_TIME: Duration = Duration::from_millis(900);
/// An alarm wakes the thread even if no task waits for it, so an unused one is postponed by this.
const PUT_OFF: Duration = Duration::from_secs(3_600);

/// Allowed change of the rate.
const RATE_PPM: i64 = 500;
/// Allowed rate while none is known: one eighth exceeds any slew.
const ANY_RATE_PPM: i64 = 125_000;
/// Allowed disagreement of two readings, in addition to their windows.
const SLACK: Span = Span::from_micros(2);
/// The rate is measured over at least this span: over a shorter one, the windows would dominate.
const BASELINE: Span = Span::from_millis(50);
/// Readings older than this are dropped: no sample is published later than that after its pulse.
const KEPT_FOR: Span = Span::from_millis(2_500);
/// Maximum number of readings kept: some arrive every second, a hundred if there is noise on the pin.
const KEPT: usize = 256;

/// Events of all sources.
pub(crate) struct Inbox {
    /// Events of the clock that timestamps the edges. They may wait for the others; their sender blocks while the
    /// channel is full.
    pub pulse: Receiver<Event>,
    /// Everything else.
    pub others: Receiver<Event>,
}

impl Inbox {
    /// With everything on one channel.
    pub(crate) fn one(events: Receiver<Event>) -> Self {
        Self { pulse: channel(1).1, others: events }
    }
}

/// Feeds events to the engine and samples to the sinks until all sources are gone, or until `observe` breaks with the
/// returned value.
///
/// `record` sees every event just before the engine does, `observe` sees it afterwards with its verdicts.
pub(crate) async fn serve<B>(
    engine: &mut Engine,
    inbox: Inbox,
    sinks: &mut Sinks,
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
                sinks.iter_mut().for_each(|sink| sink.withdraw());
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
            sinks.iter_mut().for_each(|sink| sink.withdraw());
        }
        if let Event::Tick { .. } = event {
            sinks.iter_mut().for_each(|sink| sink.tick());
        }
        let verdicts: Vec<_> =
            engine.handle(&event).into_iter().map(|verdict| publish(verdict, &scale, sinks)).collect();
        pulse.after(&event, &verdicts, engine.state());
        let verdicts = show(verdicts, &mut shown, engine.state(), lost(sinks));
        if let ControlFlow::Break(why) = observe(engine, &event, &verdicts) {
            return Some(why);
        }
    }
}

/// Passes a sample to the sinks; one that would not reach a reader, or that a step of the system clock made obsolete,
/// becomes a rejection.
fn publish(verdict: Verdict, scale: &Scale, sinks: &mut Sinks) -> Verdict {
    let Verdict::Sample(sample) = verdict else { return verdict };
    if let Some(reason) = lost(sinks) {
        return Verdict::Rejected(reason);
    }
    if !scale.stands(sample.at, Reading::now()) {
        return Verdict::Rejected(Reason::SysStepped);
    }
    sinks.iter_mut().for_each(|sink| sink.publish(&sample));
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

/// Recent readings of the system clock, divided at its steps into scales: detects whether the clock was stepped between the
/// pulse and the publication of its sample, some milliseconds later. chronyd would mistake the step for an error of its own.
///
/// A slewed clock stays on its scale: the kernel slews by at most 10 % (adjtimex(2), `ADJ_TICK`), and the measured rate is
/// expected to continue. A rate that changes abruptly by more than [`RATE_PPM`] looks like a step. That costs a sample when
/// chronyd starts or ends a fast slew, but the opposite assumption would be wrong more often.
#[derive(Clone, Debug, Default)]
struct Scale {
    /// Since the last step; the oldest first.
    readings: VecDeque<Reading>,
    /// The times that earlier scales could have shown: from the first reading to the step.
    left: VecDeque<Left>,
}

/// A scale that a step has ended.
#[derive(Clone, Copy, Debug)]
struct Left {
    /// When the first reading of the next scale was taken.
    at: Instant<Raw>,
    first: Instant<Sys>,
    last: Instant<Sys>,
}

impl Scale {
    /// Takes a reading, and returns whether the clock ran on to it; otherwise, it was stepped, and another scale
    /// begins. A reading that is not later than the last is ignored.
    fn add(&mut self, reading: Reading) -> bool {
        self.left.retain(|left| reading.raw - left.at <= KEPT_FOR);
        self.left.drain(..self.left.len().saturating_sub(KEPT));
        let Some(last) = self.readings.back().copied() else {
            self.readings.push_back(reading);
            return true;
        };
        if reading.raw <= last.raw {
            return true;
        }
        self.readings.retain(|kept| *kept == last || reading.raw - kept.raw <= KEPT_FOR);
        self.readings.drain(..self.readings.len().saturating_sub(KEPT));
        let runs_on = self.runs_on(last, reading);
        if !runs_on {
            let first = self.readings.front().map_or(last.sys, |first| first.sys);
            let elapsed = reading.raw - last.raw;
            let left = Left { at: reading.raw, first, last: last.sys + elapsed + elapsed.ppm(ANY_RATE_PPM) + SLACK };
            self.left.push_back(left);
            self.readings.clear();
        }
        self.readings.push_back(reading);
        runs_on
    }

    /// Whether the system clock, read `now`, is still on the scale on which it showed `at`, at the last pulse. Not if `at`
    /// could also have been shown before a step.
    fn stands(&self, at: Instant<Sys>, now: Reading) -> bool {
        if self.left.iter().any(|left| left.first <= at && at <= left.last) {
            return false;
        }
        self.readings.back().is_none_or(|&last| self.runs_on(last, now))
    }

    /// Whether the clock ran on from the last reading to this one.
    fn runs_on(&self, last: Reading, reading: Reading) -> bool {
        let elapsed = reading.raw - last.raw;
        let base = self.readings.iter().rev().find(|base| last.raw - base.raw >= BASELINE);
        let (expected, ppm) = match base {
            Some(base) => (elapsed.scaled(last.sys - base.sys, last.raw - base.raw), RATE_PPM),
            None => (elapsed, ANY_RATE_PPM),
        };
        let allowed = elapsed.abs().ppm(ppm) + SLACK + last.window + reading.window;
        (reading.sys - last.sys - expected).abs() <= allowed
    }
}

#[cfg(test)]
mod tests;
