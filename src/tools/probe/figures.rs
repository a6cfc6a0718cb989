//! What was measured of the pairing, in the words of a report. Pure.

use std::fmt::Write;

use crate::core::time::{Instant, Phc, Span};

/// The longest pulse whose edges can be told apart by its width.
pub const WIDEST: Span = Span::from_millis(450);
/// Bars of a histogram, at most.
const BARS: i64 = 10;
/// A bar is one of these wide.
const BAR_WIDTHS_MS: [i64; 9] = [1, 2, 5, 10, 20, 50, 100, 200, 500];
/// Edges remembered for counting.
const EDGES_KEPT: usize = 1_024;

/// Sentence delays, pulse to first byte, a sample each.
#[derive(Debug, Default)]
pub struct Delays(Vec<Span>);

impl Delays {
    /// Takes another one.
    pub fn add(&mut self, delay: Span) {
        self.0.push(delay);
        self.0.sort();
    }

    /// How many there are.
    pub fn count(&self) -> usize {
        self.0.len()
    }

    /// Shortest, median and longest.
    pub fn spread(&self) -> Option<[Span; 3]> {
        Some([*self.0.first()?, *self.0.get(self.0.len() / 2)?, *self.0.last()?])
    }

    /// How far the delays stay from the pulse that they name and from the next one.
    pub fn margins(&self) -> Option<[Span; 2]> {
        self.spread().map(|[shortest, _, longest]| [shortest, Span::SECOND - longest])
    }

    /// A line for each range of delays.
    pub fn histogram(&self) -> String {
        let Some([shortest, _, longest]) = self.spread() else { return String::new() };
        let bars_of = |ms: i64| {
            let bar = Span::from_millis(ms);
            (shortest.div_rem(bar).0, longest.div_rem(bar).0)
        };
        let fits = |ms: &i64| matches!(bars_of(*ms), (first, last) if last - first < BARS);
        let ms = BAR_WIDTHS_MS.into_iter().find(fits).unwrap_or(1_000);
        let (first, last) = bars_of(ms);
        let mut text = String::new();
        for bar in first..=last {
            let count = self.0.iter().filter(|delay| delay.div_rem(Span::from_millis(ms)).0 == bar).count();
            let _never_fails = writeln!(text, "    {:>4} to {:>4} ms  {}", bar * ms, (bar + 1) * ms, "#".repeat(count));
        }
        text
    }
}

/// The edges of the pulse, by the PHC's time.
#[derive(Debug, Default)]
pub struct EdgeCount(Vec<Instant<Phc>>);

impl EdgeCount {
    /// Takes an edge.
    pub fn add(&mut self, phc: Instant<Phc>) {
        if self.0.len() < EDGES_KEPT {
            self.0.push(phc);
        }
    }

    /// Edges a second, in tenths: over the whole seconds since the first edge.
    pub fn tenths_a_second(&self) -> Option<i64> {
        let (first, last) = (*self.0.first()?, *self.0.last()?);
        let slack = Span::from_millis(50); // the last second's first edge does not belong to it
        let seconds = (last - first + slack).div_rem(Span::SECOND).0;
        let end = first + Span::from_secs(seconds) - slack;
        let count = self.0.iter().filter(|edge| **edge < end).count() as i64;
        (seconds > 0).then(|| (count * 10 + seconds / 2) / seconds)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(ms: &[i64]) -> Delays {
        let mut delays = Delays::default();
        for ms in ms {
            delays.add(Span::from_millis(*ms));
        }
        delays
    }

    #[test]
    fn delays_have_a_spread_and_margins_to_both_pulses() {
        let delays = delays(&[310, 290, 300]);
        assert_eq!(delays.spread(), Some([290, 300, 310].map(Span::from_millis)));
        assert_eq!(delays.margins(), Some([Span::from_millis(290), Span::from_millis(690)]));
        assert_eq!(Delays::default().spread(), None);
    }

    #[test]
    fn a_histogram_has_ten_bars_at_most_and_loses_nothing() {
        for ms in [&[300][..], &[290, 291, 299, 310], &[5, 950], &[0, 999], &[-20, 40], &[-900, 4_900]] {
            let text = delays(ms).histogram();
            assert!(text.lines().count() as i64 <= BARS, "{text}");
            assert_eq!(text.matches('#').count(), ms.len(), "{text}");
        }
        assert_eq!(delays(&[290, 291, 300]).histogram().lines().next(), Some("     290 to  292 ms  ##"));
    }

    #[test]
    fn edges_are_counted_over_whole_seconds_of_a_phc_that_is_off() {
        for (edges_ms, expected) in [(&[0][..], Some(10)), (&[0, 100], Some(20)), (&[0, 200, 400, 600, 800], Some(50))]
        {
            for ppm in [-1_000, 0, 1_000] {
                let mut count = EdgeCount::default();
                for second in 0..8 {
                    for ms in edges_ms {
                        count.add(Instant::from_nanos((second * 1_000 + ms) * (1_000_000 + ppm)));
                    }
                }
                assert_eq!(count.tenths_a_second(), expected, "{edges_ms:?} {ppm}");
            }
        }
        assert_eq!(EdgeCount::default().tenths_a_second(), None);
    }
}
