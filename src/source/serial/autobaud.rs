//! The receiver's rate, found by listening at one rate after the other until a checksum is right.
//!
//! No rate is listened to for longer than a receiver's second takes, so all nine take less than ten seconds. Garbage ends
//! a rate early. While the receiver is silent, the search goes on.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use super::byte_time;
use super::port::is_near;
use crate::core::event::{Bytes, Event};
use crate::core::nmea::Framer;
use crate::core::time::{self, Raw, Span};
use crate::source::feed::{Closed, Feed, READ_MAX, bytes_now};
use crate::sys::tty::Tty;

/// The rates that are tried, the likeliest first.
pub const RATES: [u32; 9] = [9_600, 115_200, 38_400, 4_800, 57_600, 19_200, 230_400, 460_800, 921_600];

/// A USB adapter delivers what it received at the former rate within this.
const SETTLE: Duration = Duration::from_millis(30);
/// The second of a receiver that sends once a second, and its jitter.
const ONE_SECOND: Duration = Duration::from_millis(1_050);
/// The same, with room for a sentence whose beginning was missed.
const WHOLE_BURST: Duration = Duration::from_millis(1_350);
/// What looks like text may go on for this much longer, as long as it does not pause.
const TO_ITS_END: Duration = Duration::from_millis(1_200);
/// After a pause this long a burst is over.
const PAUSE: Duration = Duration::from_millis(150);
/// After this the next byte begins a burst. A burst heard from its middle may be garbage at the right rate, too, because
/// the UART cannot tell where a byte begins.
const QUIET: Duration = Duration::from_millis(100);
/// This many bytes that are not text, and a quarter of all of them, are the wrong rate, even within a burst.
const GARBAGE: usize = 16;
/// This many are enough if the burst is over.
const SHORT_GARBAGE: usize = 2;
/// After this long with bytes but nothing valid, the rate that was found is wrong.
const MISHEARD_AFTER: Span = Span::from_secs(5);

/// Listens until the receiver's rate is found, at `last` first. `None`: the device is gone. All that is read goes to
/// the engine, which says what is missing meanwhile.
pub(super) async fn find(tty: &Tty, device: &str, last: u32, feed: &Feed) -> Result<Option<u32>, Closed> {
    let order: Vec<u32> = std::iter::once(last).chain(RATES.into_iter().filter(|&rate| rate != last)).collect();
    let (mut is_thorough, mut warned) = (false, None);
    loop {
        let (mut tried, mut heard) = (Vec::new(), 0);
        for &rate in &order {
            let Ok(set) = tty.set_baud(rate) else { return Ok(None) };
            sleep(SETTLE).await;
            if !is_near(set, rate) {
                tried.push(format!("{rate} (the port cannot do it)"));
                continue;
            }
            let Some(listening) = listen(tty, rate, is_thorough, feed).await? else { return Ok(None) };
            if listening.is_understood() {
                let before = if tried.is_empty() { String::new() } else { format!(", after {}", tried.join(", ")) };
                info!("{device}: {rate} baud, by a right checksum{before}");
                return Ok(Some(rate));
            }
            heard += listening.bytes;
            tried.push(match listening.bytes {
                0 => format!("{rate} (silence)"),
                bytes => format!("{rate} ({bytes} bytes, none of them valid)"),
            });
        }
        let why = if heard == 0 {
            "nothing arrives at any rate: check the wiring and that the receiver has power"
        } else {
            "no valid sentence at any rate: the receiver speaks a binary protocol, or not with 8 data bits, no parity and \
             1 stop bit, or its signal is inverted (RS-232 or TTL); set it to NMEA"
        };
        if warned.replace(why) != Some(why) {
            warn!("{device}: {why}; tried {}; going on", tried.join(", "));
        }
        is_thorough = heard > 0 && !is_thorough;
    }
}

/// Listens at one rate. `None`: the device is gone.
async fn listen(tty: &Tty, rate: u32, is_thorough: bool, feed: &Feed) -> Result<Option<Listening>, Closed> {
    let mut buffer = vec![0; READ_MAX];
    if tty.discard_received().is_err() {
        return Ok(None);
    }
    let mut listening = Listening::begin(Instant::now(), is_thorough);
    while !listening.is_understood() && !listening.is_garbage() {
        let length = match timeout_at(listening.until(), tty.read(&mut buffer)).await {
            Err(_) => break,
            Ok(Ok(length @ 1..)) => length,
            Ok(_) => return Ok(None),
        };
        let bytes = bytes_now(buffer.get(..length).unwrap_or_default(), byte_time(rate));
        listening.hear(Instant::now(), &bytes);
        feed.send(Event::Bytes(bytes)).await?;
    }
    Ok(Some(listening))
}

/// What is heard at one rate.
struct Listening {
    began: Instant,
    /// Listens for a whole burst even to garbage: there may be text between binary messages.
    is_thorough: bool,
    framer: Framer,
    bytes: usize,
    /// Bytes since the first burst that was heard from its beginning, and those of them that are not text.
    whole: Option<usize>,
    odd: usize,
    last: Option<Instant>,
}

impl Listening {
    fn begin(began: Instant, is_thorough: bool) -> Self {
        Self { began, is_thorough, framer: Framer::default(), bytes: 0, whole: None, odd: 0, last: None }
    }

    fn hear(&mut self, now: Instant, bytes: &Bytes) {
        if now - self.last.unwrap_or(self.began) >= QUIET {
            self.whole.get_or_insert(0);
        }
        self.last = Some(now);
        self.bytes += bytes.data.len();
        if let Some(whole) = &mut self.whole {
            *whole += bytes.data.len();
            let is_odd = |byte: &&u8| !matches!(byte, b' '..=b'~' | b'\r' | b'\n');
            self.odd += bytes.data.iter().filter(is_odd).count();
        }
        self.framer.push(bytes, |_| {});
    }

    /// Whether anything had a right checksum: then this is the rate. Which protocol it is, the engine says.
    fn is_understood(&self) -> bool {
        self.framer.counts().understood() > 0
    }

    /// A quarter of the bytes: the rates are at least a factor of 1.5 apart, which leaves little text.
    fn looks_like_text(&self) -> bool {
        self.whole.is_some_and(|whole| self.odd * 4 < whole)
    }

    fn is_garbage(&self) -> bool {
        !self.is_thorough && self.odd >= GARBAGE && !self.looks_like_text()
    }

    /// When to try another rate.
    fn until(&self) -> Instant {
        let until = self.began + if self.is_thorough { WHOLE_BURST } else { ONE_SECOND };
        match self.last {
            Some(last) if self.looks_like_text() => until.max((last + PAUSE).min(until + TO_ITS_END)),
            Some(last) if !self.is_thorough && self.odd >= SHORT_GARBAGE => until.min(last + PAUSE),
            Some(_) | None => until,
        }
    }
}

/// Listens on at the rate that was found: whether the receiver still speaks at it.
#[derive(Default)]
pub(super) struct Watch {
    framer: Framer,
    valid: u64,
    /// Since when nothing valid has come, although bytes have.
    garbage_since: Option<time::Instant<Raw>>,
}

impl Watch {
    /// Takes bytes; whether they have been nothing but garbage for too long.
    pub(super) fn hears_nothing_valid(&mut self, bytes: &Bytes) -> bool {
        self.framer.push(bytes, |_| {});
        let valid = self.framer.counts().understood();
        if valid != self.valid {
            (self.valid, self.garbage_since) = (valid, None);
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
        assert!((ONE_SECOND + SETTLE) * RATES.len() as u32 <= Duration::from_secs(10));
    }

    #[test]
    fn the_rate_is_right_where_a_checksum_is() {
        let is_heard = |data: &[u8]| {
            let mut listening = Listening::begin(Instant::now(), false);
            listening.hear(Instant::now(), &bytes(0, data));
            listening.is_understood()
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
    fn garbage_is_left_at_once_but_not_a_few_odd_bytes() {
        let began = Instant::now();
        let now = began + QUIET;
        let mut listening = Listening::begin(began, false);
        listening.hear(began, &bytes(0, &[0x80; GARBAGE]));
        assert!(!listening.is_garbage(), "from the middle of a burst");
        listening.hear(now, &bytes(0, &[0x80; GARBAGE - 1]));
        assert!(!listening.is_garbage());
        assert_eq!(listening.until(), now + PAUSE, "the burst is over by then");
        listening.hear(now, &bytes(0, &[0x80]));
        assert!(listening.is_garbage());
        listening.hear(now, &bytes(0, &[b'5'; 4 * GARBAGE]));
        assert!(!listening.is_garbage(), "mostly text");
        assert!(listening.until() >= began + ONE_SECOND);
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
