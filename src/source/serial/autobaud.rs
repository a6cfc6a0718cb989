//! Finds the receiver's baud rate by listening at one rate after the other until a checksum is correct.
//!
//! It listens at each rate until a receiver that sends once per second has sent a sentence from start to end: from the
//! middle of a burst, even the right rate may yield garbage, because the UART cannot tell where a byte begins. All nine
//! rates take less than ten seconds. While the receiver is silent, the search continues.

use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use super::byte_time;
use crate::core::event::{Bytes, Event};
use crate::core::nmea::Framer;
use crate::core::time::{self, Raw, Span};
use crate::source::feed::{READ_MAX, bytes_now, pump};
use crate::sys::tty::Tty;

/// The rates that are tried, the likeliest first.
pub(crate) const RATES: [u32; 9] = [9_600, 115_200, 38_400, 4_800, 57_600, 19_200, 230_400, 460_800, 921_600];

/// A USB adapter delivers bytes received at the previous rate within this time.
const SETTLE: Duration = Duration::from_millis(30);
/// From the beginning of a burst to the next one, plus jitter.
const ONE_SECOND: Duration = Duration::from_millis(1_030);
/// Maximum length of an NMEA 0183 sentence.
const SENTENCE: i64 = 82;
/// After this time with bytes but without a valid sentence, the rate is wrong.
const MISHEARD_AFTER: Span = Span::from_secs(5);

/// Finds the receiver's rate, and again after each change, and passes on bytes until the device or the engine is gone.
/// Returns the last rate.
pub(super) async fn pump_at_its_rate(tty: &Tty, device: &str, mut baud: u32, events: &Sender<Event>) -> u32 {
    while let Some(found) = find(tty, device, baud, events).await {
        baud = found;
        let mut watch = Watch::default();
        let _ended = pump(events, &tty.bytes, byte_time(baud), |bytes| watch.hears_nothing_valid(bytes)).await;
    }
    baud
}

/// Listens until the receiver's rate is found, at `last` first. `None`: the device or the engine is gone. All bytes go
/// to the engine, which reports what is missing.
async fn find(tty: &Tty, device: &str, last: u32, events: &Sender<Event>) -> Option<u32> {
    let mut order = RATES;
    order.sort_by_key(|rate| *rate != last);
    let mut is_warned = false;
    loop {
        for rate in order {
            let set = tty.set_baud(rate).ok()?;
            sleep(SETTLE).await;
            if is_near(set, rate) && listen(tty, rate, events).await? {
                info!("{device}: {rate} baud, confirmed by a correct checksum");
                return Some(rate);
            }
        }
        if !std::mem::replace(&mut is_warned, true) {
            warn!("{device}: no valid sentence at any rate: check the wiring, power, and that it sends NMEA; retrying");
        }
    }
}

/// Listens at one rate until a checksum is correct; returns whether one was in time. `None`: the device or the engine
/// is gone.
async fn listen(tty: &Tty, rate: u32, events: &Sender<Event>) -> Option<bool> {
    let (mut buffer, mut framer) = (vec![0; READ_MAX], Framer::default());
    tty.discard_received().ok()?;
    let until = Instant::now() + patience(rate);
    while framer.counts().understood() == 0 {
        let Ok(read) = timeout_at(until, tty.bytes.read(&mut buffer)).await else { break };
        let bytes = bytes_now(&buffer, read.ok().filter(|length| *length > 0)?, byte_time(rate));
        framer.push(&bytes, |_| {});
        events.send(Event::Bytes(bytes)).await.ok()?;
    }
    Some(framer.counts().understood() > 0)
}

/// Whether two rates are compatible: after ten bits, they differ by less than half a bit.
fn is_near(one: u32, other: u32) -> bool {
    u64::from(one.abs_diff(other)) * 33 <= u64::from(other)
}

/// How long to listen at one rate.
fn patience(rate: u32) -> Duration {
    ONE_SECOND + Duration::from_nanos(byte_time(rate).times(SENTENCE).nanos().unsigned_abs())
}

/// Watches whether the receiver still uses the rate that was found.
#[derive(Default)]
struct Watch {
    framer: Framer,
    /// Since when bytes have arrived, but no valid sentence.
    garbage_since: Option<time::Instant<Raw>>,
}

impl Watch {
    /// Takes bytes; returns whether they have been only garbage for too long.
    fn hears_nothing_valid(&mut self, bytes: &Bytes) -> bool {
        let valid = self.framer.counts().understood();
        self.framer.push(bytes, |_| {});
        if self.framer.counts().understood() > valid {
            self.garbage_since = None;
            return false;
        }
        bytes.read_at - *self.garbage_since.get_or_insert(bytes.read_at) > MISHEARD_AFTER
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::Instant as TimeOf;

    fn bytes(ms: i64, data: &[u8]) -> Bytes {
        Bytes { read_at: TimeOf::from_nanos(ms * 1_000_000), byte_time: Span::ZERO, data: data.into() }
    }

    #[test]
    fn all_rates_are_through_within_ten_seconds() {
        let all: Duration = RATES.into_iter().map(|rate| SETTLE + patience(rate)).sum();
        assert!(all <= Duration::from_secs(10), "{all:?}");
    }

    #[test]
    fn the_rate_is_right_where_a_checksum_is() {
        let is_heard = |data: &[u8]| {
            let mut framer = Framer::default();
            framer.push(&bytes(0, data), |_| {});
            framer.counts().understood() > 0
        };
        assert!(is_heard(b"\xF0\x80$GPGSV,1,1,00*79\r\n"));
        assert!(!is_heard(b"$GPGSV,1,1,00*78\r\n"), "a wrong checksum");
        // UBX-ACK-ACK for CFG-MSG, from the interface description.
        assert!(is_heard(b"xx\xB5\x62\x05\x01\x02\x00\x06\x01\x0F\x38"));
        assert!(!is_heard(b"xx\xB5\x62\x05\x01\x02\x00\x06\x01\x0F\x39"), "a wrong checksum");
        assert!(!is_heard(b"\xB5\x62\x05\x01\xFF\xFF"), "cut off");
        assert!(!is_heard(b"\xB5\x62\xB5\x62\xB5\x62"), "headers");
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
