//! Whether the receiver still speaks at the rate that was found.

use crate::core::event::Bytes;
use crate::core::nmea::Framer;
use crate::core::time::{Instant, Raw, Span};

/// After this long without anything valid while bytes come, the rate is looked for again.
const MISHEARD_AFTER: Span = Span::from_secs(5);

/// Listens on at the rate that was found.
#[derive(Default)]
pub(super) struct Watch {
    framer: Framer,
    valid: u64,
    /// Since when bytes come of which nothing is valid.
    garbage_since: Option<Instant<Raw>>,
}

impl Watch {
    /// Takes bytes; whether they have been nothing but garbage for too long.
    pub(super) fn hears_nothing_valid(&mut self, bytes: &Bytes) -> bool {
        self.framer.push(bytes, |_| {});
        let valid = self.framer.counts().understood();
        if valid != self.valid {
            self.valid = valid;
            self.garbage_since = None;
            return false;
        }
        let since = *self.garbage_since.get_or_insert(bytes.read_at);
        bytes.read_at - since > MISHEARD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(ms: i64, data: &[u8]) -> Bytes {
        Bytes { read_at: Instant::from_nanos(ms * 1_000_000), byte_time: Span::ZERO, data: data.into() }
    }

    #[test]
    fn a_receiver_that_changes_its_rate_is_noticed_but_silence_is_not_garbage() {
        let mut watch = Watch::default();
        assert!(!watch.hears_nothing_valid(&bytes(0, b"$GPGSV,1,1,00*79\r\n")));
        assert!(!watch.hears_nothing_valid(&bytes(60_000, b"$GPGS")));
        assert!(!watch.hears_nothing_valid(&bytes(60_100, b"V,1,1,00*79\r\n")));
        assert!(!watch.hears_nothing_valid(&bytes(61_000, &[0x80; 50])));
        assert!(!watch.hears_nothing_valid(&bytes(66_000, &[0x80; 50])));
        assert!(watch.hears_nothing_valid(&bytes(66_001, &[0x80; 50])));
        let mut watch = Watch::default();
        assert!(!watch.hears_nothing_valid(&bytes(0, b"\xB5\x62 noise")));
        assert!(watch.hears_nothing_valid(&bytes(5_001, b"\xB5\x62 noise")), "a header alone is not valid");
    }
}
