//! What is seen from outside of the engine's state: where samples reach nobody, nothing is published.

use crate::core::event::{Reason, State, Verdict};

/// The state that was shown last.
#[derive(Debug)]
pub(super) struct Outlet(State);

impl Outlet {
    pub(super) fn new(state: State) -> Self {
        Self(state)
    }

    /// What is shown of these verdicts. The engine's state now is `state`; `lost` says why its samples reach nobody.
    pub(super) fn shown(&mut self, mut verdicts: Vec<Verdict>, state: State, lost: Option<Reason>) -> Vec<Verdict> {
        let to = lost.filter(|_| state.publishes()).map_or(state, State::Refusing);
        let change = Verdict::StateChanged { from: self.0, to };
        let is_new = std::mem::replace(&mut self.0, to) != to;
        let is_state = |verdict: &Verdict| matches!(verdict, Verdict::StateChanged { .. });
        match verdicts.iter_mut().find(|verdict| is_state(verdict)) {
            Some(said) if is_new => *said = change,
            Some(_) => verdicts.retain(|verdict| !is_state(verdict)),
            None if is_new => verdicts.push(change),
            None => {}
        }
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOST: State = State::Refusing(Reason::SegmentLost);

    fn change(from: State, to: State) -> Verdict {
        Verdict::StateChanged { from, to }
    }

    #[test]
    fn the_state_is_the_engines_unless_its_samples_reach_nobody() {
        let mut outlet = Outlet::new(State::Pairing);
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
            assert_eq!(outlet.shown(said, state, is_lost.then_some(Reason::SegmentLost)), shown);
        }
    }
}
