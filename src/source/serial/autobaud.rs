//! Which rate the receiver speaks at: found by listening at one after the other until a checksum is right.
//!
//! No rate is listened to for longer than a receiver's second takes, so all nine are through in less than ten. Where
//! garbage comes, the next is tried at once. A receiver that says nothing costs nothing: the search goes round.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::{Instant, sleep, timeout_at};
use tracing::{info, warn};

use super::byte_time;
use super::port::is_near;
use crate::core::event::{Bytes, Event};
use crate::core::nmea::Framer;
use crate::source::feed::{Closed, Feed, READ_MAX, RETRY, bytes_now};
use crate::sys::tty::Tty;

/// The rates that are tried, the likeliest first.
pub const RATES: [u32; 9] = [9_600, 115_200, 38_400, 4_800, 57_600, 19_200, 230_400, 460_800, 921_600];

/// A USB adapter hands over this much later what it received at the rate before.
const SETTLE: Duration = Duration::from_millis(30);
/// The second of a receiver that sends once a second, and its jitter; nine of it and of [`SETTLE`] are less than 10 s.
const ONE_SECOND: Duration = Duration::from_millis(1_050);
/// The same, with room for a sentence that the beginning cut off.
const WHOLE_BURST: Duration = Duration::from_millis(1_350);
/// What looks like text may go on for this much longer, as long as it does not pause.
const TO_ITS_END: Duration = Duration::from_millis(1_200);
/// After a pause this long a burst is over.
const PAUSE: Duration = Duration::from_millis(150);
/// After this the next byte begins a burst. One that is listened to from its middle may be garbage at the right rate,
/// too, for there is no telling where a byte begins.
const QUIET: Duration = Duration::from_millis(100);
/// So many bytes that are no text, and a quarter of all of them, are the wrong rate, even amid a burst.
const GARBAGE: usize = 16;
/// So many of them are enough where the burst is over.
const SHORT_GARBAGE: usize = 2;

/// How long one rate is listened to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Patience {
    /// Until it is garbage.
    Quick,
    /// For a whole burst in any case: there may be text amid binary messages.
    Thorough,
}

/// What came of listening at one rate.
enum Listened {
    /// A right checksum.
    Found,
    Nothing {
        bytes: usize,
    },
    Gone,
}

/// Listens until the receiver's rate is found, at `last` first. `None`: the device is gone. All that is read goes to
/// the engine, which says what is missing meanwhile.
pub(super) async fn find(tty: &Tty, device: &str, last: u32, feed: &Feed) -> Result<Option<u32>, Closed> {
    let order: Vec<u32> = std::iter::once(last).chain(RATES.into_iter().filter(|&rate| rate != last)).collect();
    info!("{device}: looking for the receiver's rate, beginning with {last} baud");
    let mut patience = Patience::Quick;
    let mut said = None;
    // What was tried since the search began; of each rate, the latest.
    let mut tried: VecDeque<String> = VecDeque::new();
    loop {
        let (mut heard, mut listened) = (0, false);
        for &rate in &order {
            let Ok(set) = tty.set_baud(rate) else { return Ok(None) };
            let what = if is_near(set, rate) {
                listened = true;
                match listen(tty, rate, patience, feed).await? {
                    Listened::Gone => return Ok(None),
                    Listened::Found => {
                        let before = if tried.is_empty() {
                            "at the first try".into()
                        } else {
                            format!("after {}", list(&tried))
                        };
                        info!("{device}: {rate} baud, by a right checksum, {before}; reading");
                        return Ok(Some(rate));
                    }
                    Listened::Nothing { bytes: 0 } => "silence".into(),
                    Listened::Nothing { bytes } => {
                        heard += bytes;
                        format!("{bytes} bytes, none of them valid")
                    }
                }
            } else {
                "the port cannot do it".into()
            };
            if tried.len() == order.len() {
                tried.pop_front();
            }
            tried.push_back(format!("{rate} ({what})"));
        }
        let is_silent = heard == 0;
        if said.replace(is_silent) != Some(is_silent) {
            let why = if is_silent {
                "nothing arrives at any rate: check the wiring and that the receiver has power"
            } else {
                "no valid sentence at any rate: the receiver speaks a binary protocol, or not with 8 data bits, no \
                 parity and 1 stop bit, or its signal is inverted (RS-232 or TTL); set it to NMEA"
            };
            warn!("{device}: {why}; tried {}; going on", list(&tried));
        }
        patience = match patience {
            Patience::Quick if !is_silent => Patience::Thorough,
            Patience::Quick | Patience::Thorough => Patience::Quick,
        };
        if !listened {
            sleep(RETRY).await;
        }
    }
}

fn list(tried: &VecDeque<String>) -> String {
    tried.iter().map(String::as_str).collect::<Vec<_>>().join(", ")
}

async fn listen(tty: &Tty, rate: u32, patience: Patience, feed: &Feed) -> Result<Listened, Closed> {
    let mut buffer = vec![0; READ_MAX];
    sleep(SETTLE).await;
    if tty.drop_received().is_err() {
        return Ok(Listened::Gone);
    }
    let mut listening = Listening::begin(Instant::now(), patience);
    loop {
        let length = match timeout_at(listening.until(), tty.read(&mut buffer)).await {
            Err(_) => return Ok(Listened::Nothing { bytes: listening.bytes }),
            Ok(Ok(length @ 1..)) => length,
            Ok(_) => return Ok(Listened::Gone),
        };
        let bytes = bytes_now(buffer.get(..length).unwrap_or_default(), byte_time(rate));
        listening.hear(Instant::now(), &bytes);
        feed.send(Event::Bytes(bytes)).await?;
        if listening.is_understood() {
            return Ok(Listened::Found);
        }
        if listening.is_garbage() {
            return Ok(Listened::Nothing { bytes: listening.bytes });
        }
    }
}

/// What is heard at one rate.
struct Listening {
    began: Instant,
    patience: Patience,
    framer: Framer,
    bytes: usize,
    /// Bytes since the first burst that was listened to from its beginning, and those of them that are no text.
    whole: Option<usize>,
    odd: usize,
    last: Option<Instant>,
}

impl Listening {
    fn begin(began: Instant, patience: Patience) -> Self {
        Self { began, patience, framer: Framer::default(), bytes: 0, whole: None, odd: 0, last: None }
    }

    fn hear(&mut self, now: Instant, bytes: &Bytes) {
        if now - self.last.unwrap_or(self.began) >= QUIET {
            self.whole.get_or_insert(0);
        }
        self.last = Some(now);
        self.bytes += bytes.data.len();
        if let Some(whole) = &mut self.whole {
            *whole += bytes.data.len();
            self.odd += odd(bytes);
        }
        self.framer.push(bytes, |_| {});
    }

    /// Whether something had a right checksum: this is the rate. What it is that the receiver speaks, the engine says.
    fn is_understood(&self) -> bool {
        self.framer.counts().understood() > 0
    }

    /// A quarter of the bytes: the rates are a factor of 1.5 apart at least, which leaves little text.
    fn looks_like_text(&self) -> bool {
        self.whole.is_some_and(|whole| self.odd * 4 < whole)
    }

    fn is_garbage(&self) -> bool {
        self.patience == Patience::Quick && self.odd >= GARBAGE && !self.looks_like_text()
    }

    /// When to listen at another rate.
    fn until(&self) -> Instant {
        let until = self.began
            + match self.patience {
                Patience::Quick => ONE_SECOND,
                Patience::Thorough => WHOLE_BURST,
            };
        match self.last {
            Some(last) if self.looks_like_text() => until.max((last + PAUSE).min(until + TO_ITS_END)),
            Some(last) if self.patience == Patience::Quick && self.odd >= SHORT_GARBAGE => until.min(last + PAUSE),
            Some(_) | None => until,
        }
    }
}

/// How many of them are no text.
fn odd(bytes: &Bytes) -> usize {
    bytes.data.iter().filter(|byte| !matches!(byte, b' '..=b'~' | b'\r' | b'\n')).count()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::{Instant as TimeOf, Span};

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
            let mut listening = Listening::begin(Instant::now(), Patience::Quick);
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
        let mut listening = Listening::begin(began, Patience::Quick);
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
}
