//! What gpsd says, a line at a time (`gpsd_json(5)`): only what is used here. Classes and fields that are not known
//! pass.
//!
//! gpsd is judged by its fields and never by its protocol's number, which says little: `proto_major` is 3 up to 3.26.1
//! and in 3.27.3, 0 in 3.27 to 3.27.2 and 16 from 3.27.5 on (`api_version_major` in gpsd's `SConscript`), of one and
//! the same protocol.
//!
//! `gpsd_proto` knows `TPV` and `SKY`. It has no `TOFF`, insists on the numbers in `VERSION`, and fails on a device at
//! 115200 baud or one that was unplugged, so those are read here.

use serde::Deserialize;
use serde_json::Value;

use crate::core::time::{Date, Instant, NANOS, Sys, UtcSecond};

/// What a time may be off from a whole second and still be one. A binary receiver's solution is a few ns off, and gpsd
/// prints milliseconds; no receiver gives 250 solutions a second.
const WHOLE: i64 = 2_000_000;

/// Asks for the devices.
pub(super) const ASK_DEVICES: &str = "?DEVICES;\n";
/// Asks for anything at all.
pub(super) const ASK_VERSION: &str = "?VERSION;\n";

/// Asks for everything about this device. `TOFF` comes with `pps`; `timing` is what newer versions call it.
pub(super) fn watch(device: &str) -> String {
    let policy = serde_json::json!({
        "enable": true, "json": true, "nmea": true, "timing": true, "pps": true, "device": device,
    });
    format!("?WATCH={policy}\n")
}

/// A line of gpsd.
#[derive(Debug)]
pub(super) enum Message {
    /// Which gpsd this is.
    Version(Version),
    /// All devices that it has.
    Devices(Vec<Device>),
    /// One of them was opened or lost.
    Device(Device),
    /// Time, position and whether there is a fix.
    Tpv(gpsd_proto::Tpv),
    /// Satellites.
    Sky(gpsd_proto::Sky),
    /// The time of day.
    Toff(Toff),
    /// It could not do what it was asked.
    Error(String),
    /// Anything else.
    Other,
}

/// gpsd's greeting.
#[derive(Debug, Deserialize)]
pub(super) struct Version {
    /// For the log: `3.22`.
    #[serde(default)]
    pub(super) release: Option<String>,
}

/// A device, in `DEVICES` and `DEVICE`.
#[derive(Debug, Deserialize)]
pub(super) struct Device {
    /// Empty where it is not named.
    #[serde(default)]
    pub(super) path: String,
    #[serde(default)]
    driver: Option<String>,
    #[serde(default)]
    bps: Option<i64>,
    /// A time, or 0, or nothing where it is not open.
    #[serde(default)]
    activated: Option<Value>,
}

impl Device {
    /// Whether gpsd has it open.
    pub(super) fn is_open(&self) -> bool {
        match &self.activated {
            Some(Value::String(_)) => true,
            Some(Value::Number(number)) => number.as_f64().is_some_and(|at| at > 0.0),
            Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => false,
        }
    }

    /// Whether it can name seconds: a kernel PPS device cannot.
    pub(super) fn is_receiver(&self) -> bool {
        self.driver.as_deref() != Some("PPS") && !self.path.starts_with("/dev/pps")
    }

    /// Bits a second of its line, where it has one.
    pub(super) fn bps(&self) -> Option<i64> {
        self.bps.filter(|bps| *bps > 0)
    }
}

/// The UTC second that the receiver named, and `CLOCK_REALTIME` of gpsd's machine when gpsd had read the sentence that
/// names it to its end (`ntp_latch` in gpsd's `libgpsd_core.c`, 3.22 to 3.27). It is sent at once, before the sentence
/// itself and before the `TPV` of that second, and only where there was a fix before.
#[derive(Debug, Deserialize)]
pub(super) struct Toff {
    pub(super) device: String,
    real_sec: i64,
    real_nsec: i64,
    clock_sec: i64,
    clock_nsec: i64,
}

impl Toff {
    /// The second, if it is a whole one. gpsd adds a constant for some drivers: their times are none.
    pub(super) fn utc(&self) -> Option<UtcSecond> {
        whole(self.real_sec, self.real_nsec)
    }

    /// When gpsd had read it, by its system clock; nothing where no clock shows that. It may be far off nevertheless: a
    /// machine without a battery starts in 1970.
    pub(super) fn clock(&self) -> Option<Instant<Sys>> {
        let is_shown = self.clock_sec >= 0 && (0..NANOS).contains(&self.clock_nsec);
        is_shown.then(|| Instant::from_parts(self.clock_sec, self.clock_nsec))
    }
}

/// What a line that begins with `{` says.
pub(super) fn parse(line: &[u8]) -> Result<Message, serde_json::Error> {
    #[derive(Deserialize)]
    struct Head {
        class: String,
    }
    #[derive(Deserialize)]
    struct Devices {
        #[serde(default)]
        devices: Option<Vec<Device>>,
    }
    #[derive(Deserialize)]
    struct Error {
        message: String,
    }
    let head: Head = serde_json::from_slice(line)?;
    Ok(match head.class.as_str() {
        "VERSION" => Message::Version(serde_json::from_slice(line)?),
        "DEVICES" => serde_json::from_slice::<Devices>(line)?.devices.map_or(Message::Other, |mut devices| {
            devices.retain(|device| !device.path.is_empty());
            Message::Devices(devices)
        }),
        "DEVICE" => Message::Device(serde_json::from_slice(line)?),
        "TPV" => Message::Tpv(serde_json::from_slice(line)?),
        "SKY" => Message::Sky(serde_json::from_slice(line)?),
        "TOFF" => Message::Toff(serde_json::from_slice(line)?),
        "ERROR" => Message::Error(serde_json::from_slice::<Error>(line)?.message),
        _ => Message::Other,
    })
}

/// Whether the receiver has a fix by satellites: mode 2D or 3D, and a status (where given) that is neither dead
/// reckoning alone (5) nor a simulator (8). A status of 0 says nothing.
pub(super) fn has_fix(tpv: &gpsd_proto::Tpv) -> bool {
    let by_satellites = !matches!(tpv.status, Some(5 | 8));
    matches!(tpv.mode, gpsd_proto::Mode::Fix2d | gpsd_proto::Mode::Fix3d) && by_satellites
}

/// `2026-11-20T12:00:00.000Z`, if it is a whole second. Second 60 is none that can be labeled.
pub(super) fn time(text: &str) -> Option<UtcSecond> {
    let number = |text: &str, digits: usize| -> Option<u32> {
        (text.len() == digits && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
    };
    let (date, rest) = text.strip_suffix('Z')?.split_once('T')?;
    let mut date = date.split('-');
    let (year, month, day) = (number(date.next()?, 4)?, number(date.next()?, 2)?, number(date.next()?, 2)?);
    let (clock, fraction) = rest.split_once('.').unwrap_or((rest, "0"));
    let mut clock = clock.split(':');
    let (hour, minute, second) = (number(clock.next()?, 2)?, number(clock.next()?, 2)?, number(clock.next()?, 2)?);
    if date.next().is_some() || clock.next().is_some() || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let nanos = i64::from(number(fraction, fraction.len())?) * 10_i64.pow(9_u32.checked_sub(fraction.len() as u32)?);
    let date = Date::new(year as i32, month as u8, day as u8)?;
    whole(UtcSecond::from_civil(date, hour * 3600 + minute * 60 + second).posix(), nanos)
}

fn whole(sec: i64, nsec: i64) -> Option<UtcSecond> {
    match nsec {
        0..=WHOLE => Some(UtcSecond::from_posix(sec)),
        _ if (NANOS - WHOLE..NANOS).contains(&nsec) => Some(UtcSecond::from_posix(sec).plus(1)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_strictly() {
        let noon = UtcSecond::from_posix(1_795_176_000);
        for (text, want) in [
            ("2026-11-20T12:00:00.000Z", Some(noon)),
            ("2026-11-20T12:00:00Z", Some(noon)),
            ("2026-11-20T11:59:59.999Z", Some(noon)),
            ("2026-11-20T12:00:00.200Z", None),
            ("2026-12-31T23:59:60.000Z", None),
            ("2026-11-31T12:00:00.000Z", None),
            ("2026-11-20T24:00:00.000Z", None),
            ("2026-11-20T12:00:00.000", None),
            ("2026-11-20T12:00:00.Z", None),
            ("2026-11-20T12:00:00.0000000001Z", None),
            ("2026-11-20T+1:00:00.000Z", None),
            ("", None),
        ] {
            assert_eq!(time(text), want, "{text}");
        }
    }

    #[test]
    fn a_time_of_day_is_a_whole_second_or_none() {
        for (sec, nsec, want) in
            [(5, 0, Some(5)), (5, 7, Some(5)), (4, 999_999_995, Some(5)), (5, 200_000_000, None), (5, -1, None)]
        {
            assert_eq!(whole(sec, nsec), want.map(UtcSecond::from_posix), "{sec} {nsec}");
        }
        assert_eq!(whole(i64::MAX, 999_999_999), Some(UtcSecond::from_posix(i64::MAX)));
    }

    #[test]
    fn a_time_of_day_counts_only_with_a_clock_that_can_be() {
        for (sec, nsec, can_be) in
            [(1_795_176_000, 300, true), (9, 0, true), (-1, 0, false), (5, -1, false), (5, NANOS, false)]
        {
            let toff = Toff { device: "/d".into(), real_sec: 5, real_nsec: 0, clock_sec: sec, clock_nsec: nsec };
            assert_eq!(toff.clock(), can_be.then(|| Instant::from_parts(sec, nsec)), "{sec} {nsec}");
        }
    }

    #[test]
    fn fields_may_be_missing_and_unknown() {
        for line in [
            r#"{"class":"VERSION"}"#,
            r#"{"class":"VERSION","release":null,"proto_major":"x","proto_minor":65536}"#,
            r#"{"class":"VERSION","release":"4.0","rev":"4","proto_major":16,"proto_minor":1,"remote":"gpsd://h","new":[]}"#,
            r#"{"class":"DEVICE"}"#,
            r#"{"class":"DEVICE","path":"/d","driver":null,"bps":null,"activated":null}"#,
            r#"{"class":"DEVICE","path":"/d","readonly":"true","sernum":"7","subtype1":"x","mincycle":0.02,"new":{}}"#,
            r#"{"class":"DEVICES"}"#,
            r#"{"class":"DEVICES","devices":null,"remote":"gpsd://h"}"#,
            r#"{"class":"WATCH"}"#,
            r#"{"class":"WATCH","enable":true,"json":true,"nmea":true,"raw":0,"scaled":false,"timing":true,"split24":false,"pps":true,"device":"/d","new":7}"#,
        ] {
            assert!(parse(line.as_bytes()).is_ok(), "{line}");
        }
        let list = r#"{"class":"DEVICES","devices":[{},{"class":"DEVICE","path":"/d","new":7},{"driver":"PPS"}]}"#;
        let Ok(Message::Devices(devices)) = parse(list.as_bytes()) else { panic!("{list}") };
        assert_eq!(devices.iter().map(|device| &device.path).collect::<Vec<_>>(), ["/d"], "those that have a name");
    }

    #[test]
    fn devices_are_open_or_not_however_that_is_written() {
        for (device, open) in [
            (r#"{"class":"DEVICE","path":"/dev/ttyUSB0","activated":0}"#, false),
            (r#"{"class":"DEVICE","path":"/dev/ttyUSB0","activated":1795176000.25,"bps":115200}"#, true),
            (r#"{"class":"DEVICE","path":"/dev/ttyUSB0","activated":"2026-11-20T12:00:00.000Z","bps":460800}"#, true),
            (r#"{"class":"DEVICE","path":"/dev/ttyUSB0"}"#, false),
        ] {
            let Ok(Message::Device(read)) = parse(device.as_bytes()) else { panic!("{device}") };
            assert_eq!(read.is_open(), open, "{device}");
        }
    }

    #[test]
    fn a_fix_is_by_satellites() {
        for (tpv, fix) in [
            (r#"{"class":"TPV","mode":3}"#, true),
            (r#"{"class":"TPV","mode":2,"status":2}"#, true),
            (r#"{"class":"TPV","mode":3,"status":7}"#, true),
            (r#"{"class":"TPV","mode":1}"#, false),
            (r#"{"class":"TPV","mode":0}"#, false),
            (r#"{"class":"TPV","mode":3,"status":5}"#, false),
            (r#"{"class":"TPV","mode":3,"status":8}"#, false),
        ] {
            let Ok(Message::Tpv(read)) = parse(tpv.as_bytes()) else { panic!("{tpv}") };
            assert_eq!(has_fix(&read), fix, "{tpv}");
        }
    }
}
