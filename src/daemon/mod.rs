//! Wires sources to the engine and the engine to its sinks. The caller makes the sources and watches the verdicts.

mod inbox;
mod outlet;
mod scale;
pub mod service;
pub mod status;
pub mod summary;
mod tick;

use std::ops::ControlFlow;

use tracing::{debug, info, warn};

use crate::core::engine::Engine;
use crate::core::event::{Event, Reason, State, Verdict};
use crate::sink::Sink;
use crate::sys::clock::raw_sys_pair;
use crate::sys::clock_set::ClockSet;
use inbox::Pulse;
use outlet::Outlet;
use scale::{Reading, Scale, Standing};
use tick::Ticker;

pub use inbox::Inbox;

/// Events that may wait for the engine: seconds of a busy line. Sources wait when it is full.
pub const EVENTS_QUEUED: usize = 1_024;

/// Feeds events to the engine and samples to the sinks, until all sources are gone or `observe` breaks off, with this.
///
/// `record` sees every event, just before the engine does.
/// `observe` sees every event after the engine did, and what came of it.
pub async fn serve<B>(
    engine: &mut Engine,
    inbox: Inbox,
    sinks: &mut dyn Sink,
    mut record: impl FnMut(&Event),
    mut observe: impl FnMut(&Engine, &Event, &[Verdict]) -> ControlFlow<B>,
) -> Option<B> {
    let (mut ticker, mut scale, mut outlet) = (Ticker::default(), Scale::default(), Outlet::new(engine.state()));
    let (clock_set, mut pulse, mut others) = (ClockSet::new(), Pulse::new(inbox.pulse), inbox.others);
    loop {
        let event = tokio::select! {
            biased;
            () = clock_set.heard() => {
                // The sample that chronyd has not taken yet is of the scale before.
                sinks.withdraw();
                continue;
            }
            event = pulse.next() => event,
            () = ticker.due() => Event::Tick { raw: ticker.tick() },
            event = others.recv() => event?,
        };
        record(&event);
        if let Event::CrossTs(cross) = &event
            && scale.add(cross.into()) == Standing::Stepped
        {
            // Where no descriptor was left to hear of it.
            sinks.withdraw();
        }
        if let Event::Tick { .. } = event {
            sinks.tick();
        }
        let verdicts: Vec<_> =
            engine.handle(&event).into_iter().map(|verdict| publish(verdict, &scale, sinks)).collect();
        pulse.after(&event, &verdicts, engine.state());
        let verdicts = outlet.shown(verdicts, engine.state(), sinks.lost());
        if let ControlFlow::Break(why) = observe(engine, &event, &verdicts) {
            return Some(why);
        }
    }
}

/// Hands a sample to the sinks; one that nobody would get, or that the system clock has left behind, becomes a rejection.
fn publish(verdict: Verdict, scale: &Scale, sinks: &mut dyn Sink) -> Verdict {
    let Verdict::Sample(sample) = verdict else { return verdict };
    if let Some(reason) = sinks.lost() {
        return Verdict::Rejected(reason);
    }
    match scale.stands(sample.at, Reading::from(raw_sys_pair())) {
        Standing::Same => {
            sinks.publish(&sample);
            verdict
        }
        Standing::Stepped => Verdict::Rejected(Reason::SysStepped),
    }
}

/// Says in the log what the operator has to know: one line for each change of state, nothing each second.
pub fn log(engine: &Engine, verdict: &Verdict) {
    match verdict {
        Verdict::StateChanged { from, to } => log_state(engine, *from, *to),
        Verdict::Relabeled { seconds } => warn!(
            seconds,
            "the sentences agree on another second than before ({seconds:+} s): a leap second, or the receiver has now \
             learnt how many there were"
        ),
        Verdict::Contradiction(figures) => warn!("{figures}"),
        Verdict::RolledOver { weeks } => warn!(weeks, "the receiver's dates are corrected by {weeks} weeks"),
        Verdict::WitnessOverruled { offset } => warn!(
            "the system clock is synchronized and disagrees by {offset}; publishing all the same, because \
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

fn log_state(engine: &Engine, from: State, to: State) {
    let (line, reason) = (state_line(engine, from, to), to.reason().map(Reason::key));
    let state = to.to_string();
    match to {
        State::Searching(Reason::Starting) | State::Measuring | State::Pairing | State::Locked => {
            info!(state, reason, "{line}");
        }
        State::Coasting | State::Searching(_) | State::Refusing(_) => warn!(state, reason, "{line}"),
    }
}

/// The state and what it comes from, in one line for the operator.
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
        State::Searching(reason) | State::Refusing(reason) if from.publishes() => {
            format!("{to}: {reason}; nothing is published")
        }
        State::Searching(reason) | State::Refusing(reason) => format!("{to}: {reason}"),
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
        let (raw, sys, window) = raw_sys_pair();
        let sample = Sample { label: UtcSecond::from_posix(0), at: sys, error: Span::ZERO, leap: Leap::None };
        for (step, expected) in [
            (Span::ZERO, Verdict::Sample(sample)),
            (Span::from_millis(-250), Verdict::Rejected(Reason::SysStepped)),
            (Span::SECOND, Verdict::Rejected(Reason::SysStepped)),
        ] {
            let mut scale = Scale::default();
            scale.add((raw, sys + step, window).into());
            assert_eq!(publish(Verdict::Sample(sample), &scale, &mut Sinks::new()), expected, "{step}");
        }
    }
}
