//! The receiver on a serial port: reads bytes, dates them, hands them on. A device that is not there, or goes away, is
//! waited for; what cannot become right by waiting is an error at start.

mod autobaud;
pub(crate) mod class;
pub(crate) mod holder;
mod port;
mod watch;

use std::convert::Infallible;
use std::path::Path;
use std::str::FromStr;
use std::time::Duration;

use tokio::sync::mpsc::Sender;
use tracing::{info, warn};

pub use autobaud::RATES;
pub use port::Port;

use super::error::SourceError;
use super::feed::{self, BITS_PER_BYTE, Closed, Feed, READ_MAX, RETRY, bytes_now};
use crate::core::event::{Bytes, Event, Lost};
use crate::core::time::{Instant, Raw, Span};
use crate::sys::alarm::Alarm;
use crate::sys::tty::Tty;
use watch::Watch;

/// How long a missing port is left alone before it is tried again: a port that comes back is worth having soon.
const REOPEN: Duration = Duration::from_millis(250);

/// The longest pause after a read. The first bytes of a burst are read when they arrive, which is what its time depends
/// on; the rest gathers in the kernel meanwhile. What the burst ends with is read at most this late.
const GATHER: Span = Span::from_millis(105);
/// A first read of a packet's size is followed by another one so soon: what native USB hands over at once is there then,
/// and the engine sees that the line has no pace.
const PACKET: usize = 32;
const AT_ONCE: Span = Span::from_millis(4);
/// A line that has not been silent for so long is read in pieces this short: only their reads say when a second was named.
const BUSY_AFTER: Span = Span::from_millis(1_500);
const BUSY: Span = Span::from_millis(20);
/// No more bytes gather than half of what the kernel's buffer holds (`n_tty`: 4095 bytes in raw mode).
const GATHER_BYTES: usize = 2_048;

/// Which port, and how fast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SerialConfig {
    /// Path of the device: best a name that stays, as in /dev/serial/by-id.
    pub device: String,
    /// Bits a second; means nothing to a device that has no rate.
    pub baud: Baud,
}

/// Bits a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baud {
    /// Found out by listening.
    Auto,
    /// This many.
    Rate(u32),
}

impl Default for Baud {
    fn default() -> Self {
        Self::Rate(9_600)
    }
}

impl Baud {
    /// What an operator may write.
    pub const ALLOWED: &'static str = "a whole number from 300 to 4000000, or \"auto\"";

    /// The rate to begin with.
    fn rate(self) -> u32 {
        match self {
            Self::Auto => 9_600,
            Self::Rate(rate) => rate,
        }
    }
}

impl FromStr for Baud {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let rate = text.parse().ok().filter(|rate| (300..=4_000_000).contains(rate)).map(Self::Rate);
        match text {
            "auto" => Ok(Self::Auto),
            _ => rate.ok_or_else(|| format!("`{text}` is not a baud rate: allowed is {}", Self::ALLOWED)),
        }
    }
}

/// Opens the port once.
pub fn open(config: &SerialConfig) -> Result<Port, SourceError> {
    if let Some(stable) = class::stable_name(Path::new(&config.device)) {
        info!("{} may have another number tomorrow; {} is the same device", config.device, stable.display());
    }
    port::open(&config.device, config.baud.rate())
}

/// Whether this is a device of the kernel's GNSS subsystem, or will be one when it comes.
pub(super) fn is_gnss(device: &Path) -> bool {
    class::is_gnss(device)
}

/// Reads the port until the events have nowhere to go. Reopens it when it is gone.
pub async fn run(config: SerialConfig, opened: Option<Port>, events: Sender<Event>) {
    // Ends when the engine is gone, and only then.
    let Err(Closed) = follow(&config, opened, &Feed::new(events)).await;
}

async fn follow(config: &SerialConfig, opened: Option<Port>, feed: &Feed) -> Result<Infallible, Closed> {
    let device = &config.device;
    let mut baud = config.baud.rate();
    let mut next = opened.map_or_else(|| port::open(device, baud), Ok);
    loop {
        let error = match next {
            Ok(port) => {
                feed.opened().await?;
                match (port, config.baud) {
                    (Port::Gnss(file), _) => {
                        info!("reading {device}");
                        feed::pump(feed, &file).await?;
                    }
                    (Port::Tty(tty), Baud::Rate(_)) => {
                        info!("reading {device} at {baud} baud");
                        pump(&tty, baud, None, feed).await?;
                    }
                    (Port::Tty(tty), Baud::Auto) => baud = pump_at_its_rate(&tty, device, baud, feed).await?,
                }
                warn!("{device} is gone; waiting for it");
                port::not_there(device)
            }
            Err(error) => {
                warn!("{error}; waiting for it");
                error
            }
        };
        let held = matches!(error, SourceError::Busy(_));
        feed.lost(if held { Lost::Held } else { Lost::Device }).await?;
        next = tokio::select! {
            next = wait_for(device, baud, &error) => next,
            () = feed.closed() => return Err(Closed),
        };
    }
}

/// Tries until the port opens or fails in another way than was `said`.
async fn wait_for(device: &str, baud: u32, said: &SourceError) -> Result<Port, SourceError> {
    // Whoever holds the port is looked for in all of /proc: not four times a second.
    let rest = if matches!(said, SourceError::Busy(_)) { RETRY } else { REOPEN };
    loop {
        tokio::time::sleep(rest).await;
        match port::open(device, baud) {
            Err(error) if error == *said => {}
            opened => return opened,
        }
    }
}

/// Finds the receiver's rate, again whenever it changed, and hands on what is read until the device is gone. Returns
/// the rate that it had last.
async fn pump_at_its_rate(tty: &Tty, device: &str, mut baud: u32, feed: &Feed) -> Result<u32, Closed> {
    loop {
        let Some(found) = autobaud::find(tty, device, baud, feed).await? else { return Ok(baud) };
        baud = found;
        match pump(tty, baud, Some(Watch::default()), feed).await? {
            Ended::Gone => return Ok(baud),
            Ended::Misheard => warn!("{device}: no valid sentence at {baud} baud any more; looking for another rate"),
        }
    }
}

/// Why nothing more is read.
enum Ended {
    /// The device is gone.
    Gone,
    /// The receiver speaks at another rate.
    Misheard,
}

fn byte_time(baud: u32) -> Span {
    Span::from_nanos(BITS_PER_BYTE * 1_000_000_000 / i64::from(baud.max(1)))
}

/// How long the bytes of a line are left to gather after a read.
#[derive(Default)]
struct Pauses {
    /// When bytes began to come without silence, and came last.
    busy: Option<(Instant<Raw>, Instant<Raw>)>,
    /// Whether the last pause was one.
    gathers: bool,
}

impl Pauses {
    /// The pause after a read.
    fn after(&mut self, read: &Bytes) -> Span {
        let (now, length, byte_time) = (read.read_at, read.data.len(), read.byte_time);
        let most = GATHER.min(byte_time.times(GATHER_BYTES as i64));
        let busy = self.busy.filter(|(_, last)| now - *last <= GATHER.times(2));
        let since = busy.map(|(since, _)| since);
        self.busy = Some((since.unwrap_or(now), now));
        // Little gathered, or up to a line's end: that was all, it seems, and what comes next begins something.
        let is_little = busy.is_some_and(|(_, last)| byte_time.times(length as i64) < (now - last).per(4).times(3));
        let is_over = is_little || read.data.ends_with(b"\n");
        let pause = match since {
            _ if self.gathers && is_over => Span::ZERO,
            // More than that came faster than the rate allows, as from a USB receiver, whose rate means nothing: catch up.
            _ if length >= GATHER_BYTES => Span::ZERO,
            None if length >= PACKET => most.min(AT_ONCE),
            Some(since) if now - since > BUSY_AFTER => most.min(BUSY),
            None | Some(_) => most,
        };
        self.gathers = pause > Span::ZERO;
        pause
    }
}

/// Hands on what is read until the device is gone, or `watch` hears nothing valid in it.
async fn pump(tty: &Tty, baud: u32, mut watch: Option<Watch>, feed: &Feed) -> Result<Ended, Closed> {
    let byte_time = byte_time(baud);
    let (mut buffer, mut alarm, mut pauses) = (vec![0; READ_MAX], Alarm::new(), Pauses::default());
    // Zero bytes, EIO and EPIPE are how the kernel says that the device is gone; any other error is no better.
    while let Ok(length @ 1..) = tty.read(&mut buffer).await {
        let bytes = bytes_now(buffer.get(..length).unwrap_or_default(), byte_time);
        let pause = pauses.after(&bytes);
        let is_misheard = watch.as_mut().is_some_and(|watch| watch.hears_nothing_valid(&bytes));
        feed.send(Event::Bytes(bytes)).await?;
        if is_misheard {
            return Ok(Ended::Misheard);
        }
        if pause > Span::ZERO {
            alarm.sleep(Duration::from_nanos(pause.nanos().unsigned_abs())).await;
        }
    }
    Ok(Ended::Gone)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A read of so many bytes within a line, or of a line's end with them.
    fn read(ms: i64, length: usize, baud: u32, ends_with: &[u8]) -> Bytes {
        let data = [&vec![b'.'; length - ends_with.len()], ends_with].concat().into();
        Bytes { read_at: Instant::from_nanos(ms * 1_000_000), byte_time: byte_time(baud), data }
    }

    #[test]
    fn no_more_gathers_than_half_of_what_the_kernel_holds() {
        for (baud, ms) in [(300, 105), (9_600, 105), (115_200, 105), (230_400, 88), (921_600, 22), (4_000_000, 5)] {
            let pause = Pauses::default().after(&read(0, 16, baud, b""));
            assert_eq!(pause.nanos() / 1_000_000, ms, "{baud}");
        }
    }

    #[test]
    fn a_packet_is_followed_up_at_once_and_a_busy_line_read_often() {
        let mut pauses = Pauses::default();
        let mut after = |ms, length| pauses.after(&read(ms, length, 9_600, b""));
        assert_eq!(after(0, 64), AT_ONCE);
        assert_eq!(after(4, 64), GATHER);
        let busy: Vec<Span> = (1..20).map(|n| after(4 + 105 * n, 95)).collect();
        assert_eq!((busy.first(), busy.last()), (Some(&GATHER), Some(&BUSY)));
        assert_eq!(after(3_000, 16), GATHER, "after silence");
        assert_eq!(after(3_100, 4_000), Span::ZERO);
    }

    #[test]
    fn a_line_that_has_fallen_silent_is_not_woken_up_for() {
        let mut pauses = Pauses::default();
        let mut after = |ms, length, ends_with: &[u8]| pauses.after(&read(ms, length, 9_600, ends_with));
        assert_eq!([after(0, 16, b""), after(105, 101, b""), after(210, 101, b"")], [GATHER; 3]);
        assert_eq!(after(315, 40, b""), Span::ZERO, "the end of the burst");
        assert_eq!(
            [after(355, 8, b""), after(1_000, 16, b""), after(1_105, 101, b"")],
            [GATHER; 3],
            "another one begins"
        );
        assert_eq!(after(1_210, 97, b"\r\n"), Span::ZERO, "with the end of a line");
        assert_eq!(after(2_000, 97, b"\r\n"), AT_ONCE, "what comes in one piece may go on");
    }
}
