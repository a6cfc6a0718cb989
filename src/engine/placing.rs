//! Which edge a mention names: the last on-time edge before it or, where a delay is known, the edge nearest to where
//! that delay puts it; and how far from naming another one it is.

use crate::engine::mention::Mention;
use crate::engine::track::Track;
use crate::time::{Instant, Raw, Span, UtcSecond};

/// Nearer than this to the pulse, a mention's edge is a guess.
const MARGIN: Span = Span::from_millis(2);
/// Delays that keep this far from the pulse, or as far as they scatter, are clear of it. Others must agree as often as
/// is remembered.
const CLEAR: Span = Span::from_millis(60);
/// Half-way to the next pulse the nearest one is another one.
const HALF_SECOND: Span = Span::from_millis(500);
/// A configured delay fits while the measured one lies this near to it.
pub(super) const DELAY_FITS: Span = Span::from_millis(300);
/// A delay may jump this far and still be the same receiver at work. Those in the field jump by 200 ms.
pub(super) const DELAY_JUMP: Span = Span::from_millis(400);

/// A mention as seen from the on-time track.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Placed {
    /// The second that the mention names.
    pub(super) utc: UtcSecond,
    /// UTC second of the track's count 0.
    pub(super) base: UtcSecond,
    /// Pulse to first byte.
    pub(super) delay: Span,
    /// The first byte.
    pub(super) at: Instant<Raw>,
    /// How much less or more delay would make it name another edge.
    clear: Span,
}

/// Why a mention has no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Unplaced {
    /// Which edge it names is a guess.
    Guess,
    /// The configured delay is another one than this.
    Misfit(Span),
    /// The line has not been silent for more than a second: by how many seconds it is late nobody knows.
    Saturated,
}

impl Placed {
    /// The edge that a mention names. A guess is one within [`MARGIN`] of a pulse, or one with a pulse between the burst's
    /// first byte and the sentence that names the second.
    pub(super) fn new(mention: &Mention, track: &Track, delay: Option<Span>) -> Result<Self, Unplaced> {
        if mention.first_byte - mention.burst_start > track.period() {
            return Err(Unplaced::Saturated);
        }
        let (index, delay, clear) = match delay {
            Some(configured) => {
                let (index, miss) = track.nearest(mention.first_byte - configured);
                if miss.abs() > DELAY_FITS {
                    return Err(Unplaced::Misfit(configured + miss));
                }
                (index, configured + miss, HALF_SECOND - miss.abs())
            }
            None => {
                let (index, delay) = track.before(mention.first_byte);
                if track.before(mention.burst_start).0 != index {
                    return Err(Unplaced::Guess);
                }
                if delay < MARGIN {
                    return Err(Unplaced::Guess);
                }
                // By convention no sentence comes before its pulse: only more delay can make it name another one.
                (index, delay, track.period() - delay)
            }
        };
        if clear < MARGIN {
            return Err(Unplaced::Guess);
        }
        Ok(Self {
            utc: mention.utc,
            base: mention.utc.plus(index.saturating_neg()),
            delay,
            at: mention.first_byte,
            clear,
        })
    }
}

/// Whether these mentions keep their distance from where they would name another edge.
pub(super) fn are_clear(placed: &[Placed]) -> bool {
    let delays = || placed.iter().map(|p| p.delay);
    let scatter = delays().max().unwrap_or_default() - delays().min().unwrap_or_default();
    placed.iter().all(|p| p.clear >= scatter.min(CLEAR))
}

/// Whether two mentions that name different labels differ because the delay moved across the pulse: under the newer
/// one's label, the older one's delay lies outside the second, but near enough to have been the same delay.
pub(super) fn moved(newest: &Placed, older: &Placed) -> bool {
    let seconds = newest.base.posix().saturating_sub(older.base.posix());
    let under_newest = older.delay + Span::SECOND.times(seconds);
    seconds != 0 && (under_newest - newest.delay).abs() <= DELAY_JUMP
}
