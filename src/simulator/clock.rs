//! A clock that runs straight over the raw clock, but for steps and changes of rate at known moments.

use crate::core::time::{Clock, Instant, Raw, Span};

/// A simulated clock.
#[derive(Clone, Debug)]
pub struct PiecewiseClock<C: Clock> {
    pieces: Vec<Piece<C>>,
}

#[derive(Clone, Copy, Debug)]
struct Piece<C: Clock> {
    from: Instant<Raw>,
    shows: Instant<C>,
    ppb: i64,
}

impl<C: Clock> PiecewiseClock<C> {
    /// A clock that shows this then, and runs faster than the raw clock by `ppb` parts per billion, before and after.
    pub fn new(from: Instant<Raw>, shows: Instant<C>, ppb: i64) -> Self {
        Self { pieces: vec![Piece { from, shows, ppb }] }
    }

    /// From then on it is ahead by `step` more, and gains `ppb` more. Changes are to be made in their order.
    pub fn change(&mut self, from: Instant<Raw>, step: Span, ppb: i64) {
        self.set(from, self.at(from) + step, ppb);
    }

    /// From then on it counts on from what it `shows`, and gains `ppb` more.
    pub fn set(&mut self, from: Instant<Raw>, shows: Instant<C>, ppb: i64) {
        let ppb = ppb + self.pieces.last().map_or(0, |piece| piece.ppb);
        self.pieces.push(Piece { from, shows, ppb });
    }

    /// What it shows.
    pub fn at(&self, raw: Instant<Raw>) -> Instant<C> {
        let later = self.pieces.partition_point(|piece| piece.from <= raw);
        self.pieces.get(later.saturating_sub(1)).map_or(Instant::from_nanos(0), |piece| {
            let elapsed = raw - piece.from;
            let gained = elapsed.scaled(Span::from_nanos(piece.ppb), Span::from_secs(1));
            piece.shows + elapsed + gained
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Sys;

    #[test]
    fn steps_and_rates_add_up() {
        let second = |s: i64| Instant::<Raw>::from_parts(s, 0);
        let mut clock = PiecewiseClock::<Sys>::new(second(0), Instant::from_parts(100, 0), 0);
        clock.change(second(10), Span::from_secs(5), 1_000_000);
        clock.change(second(20), Span::ZERO, -1_000_000);
        clock.set(second(30), Instant::from_parts(7, 0), 0);
        for (at, shows) in
            [(0, 100_000), (9, 109_000), (10, 115_000), (20, 125_010), (29, 134_010), (30, 7_000), (31, 8_000)]
        {
            assert_eq!(clock.at(second(at)), Instant::from_nanos(shows * 1_000_000), "{at}");
        }
    }
}
