//! Wires sources to the engine and the engine to its sinks. The caller creates the sources and observes the verdicts.

mod pace;
mod scale;
pub mod service;
pub mod status;
pub mod summary;

use std::ops::ControlFlow;

use tracing::{debug, info, warn};

use crate::core::engine::Engine;
use crate::core::event::{CrossTs, Event, Reason, State, Verdict};
use crate::sink::Sink;
use crate::sys::clock::ClockSet;
use crate::sys::clock::Reading;
use pace::{Pulse, Ticker};
use scale::Scale;

pub use pace::Inbox;

/// Events that may wait for the engine: seconds of a busy line. Sources block when it is full.
pub const EVENTS_QUEUED: usize = 1_024;

/// Feeds events to the engine and samples to the sinks until all sources are gone, or until `observe` breaks off with the
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
            // If no descriptor was left for `clock_set`.
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

/// Passes a sample to the sinks; one that would reach nobody, or that a step of the system clock made obsolete, becomes a
/// rejection.
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

/// Replaces the engine's change of state by that of the state as seen from outside, which was `shown` before: if samples
/// reach nobody, nothing is published.
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

/// Logs a verdict for the operator: one line for each change of state, nothing every second.
pub fn log(engine: &Engine, verdict: &Verdict) {
    match verdict {
        Verdict::StateChanged { from, to } => {
            let (line, reason) = (state_line(engine, *from, *to), to.reason().map(Reason::key));
            let state = to.to_string();
            match to {
                State::Searching(Reason::Starting) | State::Measuring | State::Pairing | State::Locked => {
                    info!(state, reason, "{line}");
                }
                State::Coasting | State::Searching(_) | State::Refusing(_) => warn!(state, reason, "{line}"),
            }
        }
        Verdict::Relabeled { seconds } => warn!(
            seconds,
            "the sentences agree on a different second than before ({seconds:+} s): a leap second, or the receiver has now \
             received the leap second count"
        ),
        Verdict::Contradiction(figures) => warn!("{figures}"),
        Verdict::RolledOver { weeks } => warn!(weeks, "the receiver's dates are corrected by {weeks} weeks"),
        Verdict::WitnessOverruled { offset } => warn!(
            "the system clock is synchronized and disagrees by {offset}; publishing nevertheless, because \
             witness is \"warn\""
        ),
        Verdict::Sample(sample) => debug!(
            label = %sample.label,
            offset_ns = sample.offset().nanos(),
            error_ns = sample.error.nanos(),
            "sample"
        ),
        Verdict::Rejected(reason) => debug!(reason = reason.key(), "rejected: {reason}"),
    }
}

/// The state and its cause, in one line for the operator.
pub fn state_line(engine: &Engine, from: State, to: State) -> String {
    match to {
        State::Searching(Reason::Starting) | State::Measuring | State::Pairing => to.to_string(),
        State::Locked => {
            let width = engine.on_time().and_then(|on_time| on_time.width);
            let edge = width.map_or("the only edge".into(), |width| format!("the edge that starts {width}"));
            let delay = engine.label().map(|label| label.delay).unwrap_or_default();
            format!("Locked: on time is {edge}, sentences come {delay} after it")
        }
        State::Coasting => {
            let missing = engine.missing().map_or("no sentences confirm the second", Reason::sentence);
            format!("Coasting: {missing}; seconds are counted on the pulse meanwhile")
        }
        State::Searching(reason) | State::Refusing(reason) => {
            let consequence = if from.publishes() { "; nothing is published" } else { "" };
            format!("{to}: {reason}{consequence}")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::{Leap, Sample};
    use crate::core::time::{Span, UtcSecond};
    use crate::sink::Sinks;

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
            (
                vec![change(State::Coasting, State::Measuring)],
                State::Measuring,
                true,
                vec![change(LOST, State::Measuring)],
            ),
        ] {
            let lost = is_lost.then_some(Reason::SegmentLost);
            assert_eq!(show(said, &mut before, state, lost), shown);
        }
    }
}
