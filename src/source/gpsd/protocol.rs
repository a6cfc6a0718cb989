//! gpsd's JSON, line by line (`gpsd_json(5)`), and the splitting of a connection's bytes into lines. Unknown classes
//! and fields are ignored.
//!
//! Only fields matter, never the protocol version: `proto_major` is 3 up to 3.26.1 and in 3.27.3, 0 in
//! 3.27 to 3.27.2 and 16 from 3.27.5 on (`api_version_major` in gpsd's `SConscript`), all for the same protocol.

use std::ops::Range;

use serde::Deserialize;
use serde_json::Value;

use crate::core::time::{Date, NANOS, UtcSecond};

/// Maximum length of a line. gpsd's lines have up to 10,240 bytes, 16,384 with many satellites.
const LINE_MAX: usize = 32_768;

/// A time this close to a whole second counts as whole. The solution of a binary receiver is a few ns off, and gpsd
/// prints milliseconds; no receiver outputs 250 solutions per second.
const WHOLE: i64 = 2_000_000;

/// Requests the list of devices.
pub(super) const ASK_DEVICES: &str = "?DEVICES;\n";

/// Requests all reports of one device. `TOFF` comes with `pps`; newer versions call it `timing`.
pub(super) fn watch(device: &str) -> String {
    let policy = serde_json::json!({
        "enable": true, "json": true, "nmea": true, "timing": true, "pps": true, "device": device,
    });
    format!("?WATCH={policy}\n")
}

/// Splits bytes into lines of bounded length.
#[derive(Debug, Default)]
pub(super) struct Lines(Vec<u8>);

impl Lines {
    /// Takes the bytes of one read and passes on each completed line without its end, unless it is too long.
    pub(super) fn push(&mut self, bytes: &[u8], mut found: impl FnMut(&[u8])) {
        for &byte in bytes {
            if byte != b'\n' && self.0.len() < LINE_MAX {
                self.0.push(byte);
            } else if byte == b'\n' {
                let line = self.0.trim_ascii_end();
                if !line.is_empty() && self.0.len() < LINE_MAX {
                    found(line);
                }
                self.0.clear();
            }
        }
    }
}

/// A line of gpsd that is JSON.
#[derive(Debug, Deserialize)]
#[serde(tag = "class", rename_all = "UPPERCASE")]
pub(super) enum Message {
    /// All devices.
    Devices {
        /// Missing in some answers to a failed request.
        devices: Option<Vec<Device>>,
    },
    /// A device was opened or lost.
    Device(Device),
    /// Time, position, fix.
    Tpv(Tpv),
    /// Time of day.
    Toff(Toff),
    /// Any other class.
    #[serde(other)]
    Other,
}

/// A device, in `DEVICES` and `DEVICE`.
#[derive(Debug, Deserialize)]
pub(super) struct Device {
    /// Empty if not named.
    #[serde(default)]
    pub(super) path: String,
    driver: Option<String>,
    /// Baud rate of its line; missing, null, or 0 if it has none.
    pub(super) bps: Option<i64>,
    /// A time as text or number; 0, null, or missing if it is not open.
    activated: Option<Value>,
}

impl Device {
    /// Whether gpsd has it open.
    pub(super) fn is_open(&self) -> bool {
        self.activated.as_ref().is_some_and(|at| at.is_string() || at.as_f64().is_some_and(|at| at > 0.0))
    }

    /// Whether it can name seconds: a kernel PPS device cannot, and neither can one without a name.
    pub(super) fn is_receiver(&self) -> bool {
        let is_pps = self.driver.as_deref() == Some("PPS") || self.path.starts_with("/dev/pps");
        !is_pps && !self.path.is_empty()
    }
}

/// Time and fix of a device.
#[derive(Debug, Deserialize)]
pub(super) struct Tpv {
    pub(super) device: Option<String>,
    mode: u8,
    status: Option<i64>,
    time: Option<String>,
}

impl Tpv {
    /// Whether the receiver has a fix by satellites: mode 2D or 3D, and a status (where given) that is neither dead
    /// reckoning alone (5) nor a simulator (8). A status of 0 has no meaning.
    pub(super) fn has_fix(&self) -> bool {
        matches!(self.mode, 2 | 3) && !matches!(self.status, Some(5 | 8))
    }

    /// Its time, if it is a whole second.
    pub(super) fn utc(&self) -> Option<UtcSecond> {
        time(self.time.as_deref()?)
    }
}

/// The UTC second that the receiver named. Sent at once (`ntp_latch` in gpsd's `libgpsd_core.c`, 3.22 to 3.27), before
/// the sentence that names it and before the `TPV` of that second, and only after an earlier fix.
#[derive(Debug, Deserialize)]
pub(super) struct Toff {
    pub(super) device: String,
    real_sec: i64,
    real_nsec: i64,
}

impl Toff {
    /// The second, if it is a whole one. gpsd adds a constant for some drivers; their times are not whole.
    pub(super) fn utc(&self) -> Option<UtcSecond> {
        whole(self.real_sec, self.real_nsec)
    }
}

/// `2026-11-20T12:00:00.000Z`, if it is a whole second. Second 60 cannot be labeled.
fn time(text: &str) -> Option<UtcSecond> {
    let shape = text.replace(|c: char| c.is_ascii_digit(), "0");
    if !["0000-00-00T00:00:00Z", "0000-00-00T00:00:00.000Z"].contains(&shape.as_str()) {
        return None;
    }
    let number = |at: Range<usize>| text.get(at)?.parse::<u32>().ok();
    let date = Date::new(number(0..4)? as i32, number(5..7)? as u8, number(8..10)? as u8)?;
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let nanos = i64::from(number(20..23).unwrap_or(0)) * 1_000_000;
    let is_time = hour < 24 && minute < 60 && second < 60;
    is_time.then(|| whole(UtcSecond::from_civil(date, hour * 3600 + minute * 60 + second).posix(), nanos))?
}

fn whole(sec: i64, nsec: i64) -> Option<UtcSecond> {
    match nsec {
        0..=WHOLE => Some(UtcSecond::from_posix(sec)),
        _ if (NANOS - WHOLE..NANOS).contains(&nsec) => Some(UtcSecond::from_posix(sec).plus(1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests;
