//! The serial ports that the kernel lists, and what is received on them at any rate. A port in use by another process
//! is not touched.

use std::fs;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant as TokioInstant, timeout_at};

use super::{FIND, QUEUED};
use crate::core::event::{Bytes, Event};
use crate::core::foreign::Foreign;
use crate::core::nmea::{Found, Framer, Kind, Line, Validity};
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::{self, Baud, RATES, SerialConfig, byte_time, holder, stable_name};
use crate::source::sysfs::names;
use crate::sys::tty::Tty;

/// After the first time of day, listening continues for this long to receive the other sentences.
const REST: Duration = Duration::from_millis(2_500);

/// Kinds of messages that are listed.
const KINDS_MAX: usize = 24;

/// A port and what was heard on it.
pub(crate) struct Port {
    /// Its device.
    pub device: String,
    /// Why it was not tried.
    pub left: Option<String>,
    /// What was heard.
    pub heard: Heard,
}

impl Port {
    /// Its settings. Without a rate, the default remains.
    pub(super) fn config(&self) -> ReceiverConfig {
        let baud = self.heard.rate.map_or(Baud::USUAL, Baud::Rate);
        ReceiverConfig::Serial(SerialConfig { device: self.device.clone(), baud })
    }
}

/// Listens at one rate after the other.
pub(super) async fn listen(device: String) -> Port {
    let mut port = Port { device: device.clone(), left: None, heard: Heard::default() };
    let config = SerialConfig { device, baud: Baud::Auto };
    let opened = match open(&config) {
        Ok(opened) => opened,
        Err(why) => return Port { left: Some(why), ..port },
    };
    let (sender, mut events) = mpsc::channel(QUEUED);
    let mut until = TokioInstant::now() + FIND;
    let hear = async {
        while let Ok(Some(event)) = timeout_at(until, events.recv()).await {
            if let Event::Bytes(bytes) = event {
                port.heard.take(&bytes);
            }
            if port.heard.names_time {
                until = until.min(TokioInstant::now() + REST);
            }
        }
    };
    tokio::select! {
        () = serial::run(config, Some(opened), sender) => {}
        () = hear => {}
    }
    port
}

/// The ports that have hardware behind them.
pub(super) fn hardware() -> Vec<String> {
    let is_hardware = |device: &String| {
        let tty = Path::new("/sys/class/tty").join(device.trim_start_matches("/dev/"));
        // Many nodes have no UART (PORT_UNKNOWN), and virtual terminals have no device at all.
        let kind = fs::read_to_string(tty.join("type")).unwrap_or_default();
        tty.join("device").exists() && kind.trim() != "0"
    };
    let ttys = devices("/sys/class/tty").into_iter().filter(is_hardware);
    let devices = ttys.chain(devices("/sys/class/gnss")).filter(|device| Path::new(device).exists());
    // The settings get the adapter's stable name.
    devices.map(|device| stable_name(Path::new(&device)).map_or(device, |name| name.display().to_string())).collect()
}

/// Opens a port; an error if it must not be touched.
fn open(config: &SerialConfig) -> Result<Tty, String> {
    let holders = holder::holders(&config.device);
    if let Some(console) = holder::console(&config.device) {
        return Err(console);
    }
    let opened = if holders.is_empty() { serial::open(config) } else { Err(holder::held(&config.device, &holders)) };
    opened.map_err(|error| error.to_string())
}

/// Device nodes of a class; they need not exist.
pub(super) fn devices(class: &str) -> Vec<String> {
    entries(class).into_iter().map(|name| format!("/dev/{name}")).collect()
}

/// Names in a directory, sorted by their numbers.
pub(super) fn entries(directory: &str) -> Vec<String> {
    let mut names = names(Path::new(directory));
    names.sort_by_key(String::len);
    names
}

/// What is known of the receiver on a port.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    framer: Framer,
    /// Its messages: addresses of sentences, and names of other protocols.
    pub speaks: Vec<String>,
    /// Baud rate of the valid messages; `None` before there are any, and if the line has no rate.
    pub rate: Option<u32>,
    /// Whether a message with the time of day was heard.
    pub names_time: bool,
    /// The last reported fix.
    pub fix: Option<Validity>,
}

impl Heard {
    /// Takes the bytes of one read.
    fn take(&mut self, bytes: &Bytes) {
        let Self { framer, speaks, rate, names_time, fix } = self;
        let mut speaks = |kind: &str| {
            if !speaks.iter().any(|known| known == kind) && speaks.len() < KINDS_MAX {
                speaks.push(kind.to_owned());
            }
        };
        let before = framer.counts();
        framer.push_all(bytes, |found| {
            let sentence = match found {
                Found::Line(Line { text, read: Ok(sentence), .. }) => {
                    speaks(text.trim_start_matches('$').split([',', '*']).next().unwrap_or_default());
                    sentence
                }
                Found::Line(_) => return,
                Found::Frame(frame, _) => frame.sentence(),
            };
            // PUBX,04 does not report whether there is a fix, so it does not name a second alone.
            *names_time |= sentence.time.is_some() && !matches!(sentence.kind, Kind::Other | Kind::Clock);
            if sentence.validity != Validity::Unsaid {
                *fix = Some(sentence.validity);
            }
        });
        let counts = framer.counts();
        if let Some(foreign) = Foreign::between(&before, &counts).filter(|foreign| *foreign != Foreign::Damaged) {
            speaks(foreign.name());
        }
        // Bytes received at a wrong rate have no meaning at the right one.
        if counts.understood() > before.understood() {
            *rate = RATES.into_iter().find(|rate| byte_time(*rate) == bytes.byte_time);
        }
    }

    /// Number of bytes received.
    pub(crate) fn bytes(&self) -> u64 {
        self.framer.counts().bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::{Instant, Span};

    fn heard(lines: &[&str], byte_ns: i64) -> Heard {
        let mut heard = Heard::default();
        for line in lines {
            let sum = line.bytes().fold(0, |sum, byte| sum ^ byte);
            let data = format!("${line}*{sum:02X}\r\n").into_bytes().into();
            heard.take(&Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_nanos(byte_ns), data });
        }
        heard
    }

    #[test]
    fn each_message_is_listed_once() {
        let rmc = "GNRMC,120000,A,1,N,2,E,0,0,201126,,,A";
        let heard = heard(&[rmc, "GNGGA,120000,1,N,2,E,1,8,1,1,M,1,M,,", rmc, "PMTK011,MTKGPS"], 1_041_666);
        assert_eq!(heard.speaks, ["GNRMC", "GNGGA", "PMTK011"]);
    }

    #[test]
    fn the_rate_is_that_of_what_was_understood() {
        for rate in RATES {
            assert_eq!(heard(&["GPGSV,1,1,00"], 10_000_000_000 / i64::from(rate)).rate, Some(rate));
        }
        assert_eq!(heard(&["GPGSV,1,1,00"], 0).rate, None, "a line without a rate");
        let mut garbled = heard(&["GPGSV,1,1,00"], 1_041_666);
        let data = (*b"garbage, later, at another rate").into();
        garbled.take(&Bytes { read_at: Instant::from_nanos(9), byte_time: Span::from_nanos(86_805), data });
        assert_eq!(garbled.rate, Some(9_600));
    }

    #[test]
    fn binary_frames_name_the_time_the_rate_and_the_protocol() {
        // NAV-TIMEUTC: 2026-11-20T12:00:00, accurate to 20 ns, all of it valid.
        let mut frame =
            vec![0x01, 0x21, 20, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xEA, 0x07, 11, 20, 12, 0, 0, 0x07];
        let (a, b) = frame.iter().fold((0_u8, 0_u8), |(a, b), byte| {
            let a = a.wrapping_add(*byte);
            (a, b.wrapping_add(a))
        });
        frame.extend([a, b]);
        let data: Box<[u8]> = [&b"\xB5\x62"[..], &frame].concat().into();
        let mut heard = Heard::default();
        heard.take(&Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_nanos(260_416), data });
        assert_eq!((heard.rate, heard.names_time, heard.fix), (Some(38_400), true, Some(Validity::Valid)));
        assert_eq!(heard.speaks, ["frames of u-blox's binary protocol"]);
    }

    #[test]
    fn a_fix_is_what_was_said_last_and_a_satellite_list_names_no_time() {
        let fix = ["GPRMC,120000,A,1,N,2,E,0,0,201126,,,A", "GPRMC,120001,V,,,,,,,201126,,,N"];
        assert_eq!(heard(&fix[..1], 1).fix, Some(Validity::Valid));
        assert_eq!(heard(&fix, 1).fix, Some(Validity::Invalid));
        assert!(heard(&fix, 1).names_time && !heard(&["GPGSV,1,1,00"], 1).names_time);
    }
}
