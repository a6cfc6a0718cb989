//! A clock that runs straight over the raw clock, but for steps and changes of rate at known moments.

use crate::time::{Clock, Instant, Raw, Span};

/// A simulated clock.
#[derive(Clone, Debug)]
pub struct PiecewiseClock<C: Clock> {
    pieces: Vec<Piece<C>>,
}

#[derive(Clone, Copy, Debug)]
struct Piece<C: Clock> {
    from: Instant<Raw>,
    shows: Instant<C>,
    ppm: i64,
}

impl<C: Clock> PiecewiseClock<C> {
    /// A clock that shows this then, and runs faster than the raw clock by `ppm`, before and after.
    pub fn new(from: Instant<Raw>, shows: Instant<C>, ppm: i64) -> Self {
        Self { pieces: vec![Piece { from, shows, ppm }] }
    }

    /// From then on it is ahead by `step` more, and gains `ppm` more. Changes are to be made in their order.
    pub fn change(&mut self, from: Instant<Raw>, step: Span, ppm: i64) {
        let shows = self.at(from) + step;
        let ppm = ppm + self.pieces.last().map_or(0, |piece| piece.ppm);
        self.pieces.push(Piece { from, shows, ppm });
    }

    /// What it shows.
    pub fn at(&self, raw: Instant<Raw>) -> Instant<C> {
        let piece = self.pieces.iter().rev().find(|piece| piece.from <= raw).or(self.pieces.first());
        piece.map_or(Instant::from_nanos(0), |piece| {
            let elapsed = raw - piece.from;
            let gained = elapsed.scaled(Span::from_nanos(piece.ppm), Span::from_nanos(1_000_000));
            piece.shows + elapsed + gained
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Sys;

    #[test]
    fn steps_and_rates_add_up() {
        let second = |s: i64| Instant::<Raw>::from_parts(s, 0);
        let mut clock = PiecewiseClock::<Sys>::new(second(0), Instant::from_parts(100, 0), 0);
        clock.change(second(10), Span::from_secs(5), 1_000);
        clock.change(second(20), Span::ZERO, -1_000);
        for (at, shows) in [(0, 100_000), (9, 109_000), (10, 115_000), (20, 125_010), (30, 135_010)] {
            assert_eq!(clock.at(second(at)), Instant::from_nanos(shows * 1_000_000), "{at}");
        }
    }
}
