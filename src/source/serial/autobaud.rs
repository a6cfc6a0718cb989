//! The receiver's rate, found by listening at one rate after the other until a checksum is right.
//!
//! Each rate is listened to for as long as it takes a receiver that sends once a second to begin with a sentence and end
//! it: a burst that is heard from its middle may be garbage at the right rate, too, because the UART cannot tell where a
//! byte begins. All nine rates take less than ten seconds. While the receiver is silent, the search goes on.

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
pub const RATES: [u32; 9] = [9_600, 115_200, 38_400, 4_800, 57_600, 19_200, 230_400, 460_800, 921_600];

/// A USB adapter delivers what it received at the former rate within this.
const SETTLE: Duration = Duration::from_millis(30);
/// From the beginning of a burst to the next one, and some jitter.
const ONE_SECOND: Duration = Duration::from_millis(1_030);
/// The longest sentence of NMEA 0183.
const SENTENCE: i64 = 82;
/// After this long with bytes but nothing valid, the rate that was found is wrong.
const MISHEARD_AFTER: Span = Span::from_secs(5);

/// Finds the receiver's rate, again each time it changes, and passes on what is read until the device or the engine is
/// gone. Returns the last rate.
pub(super) async fn pump_at_its_rate(tty: &Tty, device: &str, mut baud: u32, events: &Sender<Event>) -> u32 {
    while let Some(found) = find(tty, device, baud, events).await {
        baud = found;
        let mut watch = Watch::default();
        let _ended = pump(events, &tty.bytes, byte_time(baud), |bytes| watch.hears_nothing_valid(bytes)).await;
    }
    baud
}

/// Listens until the receiver's rate is found, at `last` first. `None`: the device or the engine is gone. All that is
/// read goes to the engine, which says what is missing meanwhile.
async fn find(tty: &Tty, device: &str, last: u32, events: &Sender<Event>) -> Option<u32> {
    let mut order = RATES;
    order.sort_by_key(|rate| *rate != last);
    let mut is_warned = false;
    loop {
        for rate in order {
            let set = tty.set_baud(rate).ok()?;
            sleep(SETTLE).await;
            if is_near(set, rate) && listen(tty, rate, events).await? {
                info!("{device}: {rate} baud, by a right checksum");
                return Some(rate);
            }
        }
        if !std::mem::replace(&mut is_warned, true) {
            warn!("{device}: no valid sentence at any rate: check wiring, power and that it sends NMEA; going on");
        }
    }
}

/// Listens at one rate until a checksum is right; whether one was in time. `None`: the device or the engine is gone.
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

/// Whether two rates are the same for a receiver and a sender: after ten bits they are apart by less than half a bit.
fn is_near(one: u32, other: u32) -> bool {
    u64::from(one.abs_diff(other)) * 33 <= u64::from(other)
}

/// How long one rate is listened to.
fn patience(rate: u32) -> Duration {
    ONE_SECOND + Duration::from_nanos(byte_time(rate).times(SENTENCE).nanos().unsigned_abs())
}

/// Listens on at the rate that was found: whether the receiver still speaks at it.
#[derive(Default)]
struct Watch {
    framer: Framer,
    /// Since when nothing valid has come, although bytes have.
    garbage_since: Option<time::Instant<Raw>>,
}

impl Watch {
    /// Takes bytes; whether they have been nothing but garbage for too long.
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
