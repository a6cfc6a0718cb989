//! The findings as a file for `gnss2shm run --config` and as a line for chrony.conf.

use std::path::Path;

use serde_json::json;

use super::Findings;
use crate::config::GPSD_UNITS;
use crate::source::gpsd::GpsdConfig;
use crate::source::phc::PhcConfig;
use crate::source::receiver::ReceiverConfig;
use crate::source::serial::{Baud, SerialConfig};

/// The unit of the SHM refclock: 0, or, if gpsd runs and writes its own samples there, one that gpsd does not use.
pub(crate) fn unit(found: &Findings) -> u8 {
    if found.gpsd.is_some() { GPSD_UNITS } else { 0 }
}

/// The line for chrony.conf.
pub(crate) fn chrony(unit: u8) -> String {
    format!("refclock SHM {unit} poll 2 dpoll -1 filter 5 precision 1e-7 refid GNSS\n")
}

/// What to do with both, in an order that creates the SHM segment before chronyd starts. The paths are those of the
/// written files, if any.
pub(crate) fn next(settings: Option<&Path>, chrony: Option<&Path>) -> String {
    let instance =
        |path: &Path| Some(path.strip_prefix("/etc/gnss2shm").ok()?.to_str()?.strip_suffix(".toml")?.to_owned());
    let run = match settings.map(|path| (path.display(), instance(path))) {
        Some((_, Some(name))) => format!("systemctl enable --now gnss2shm@{name}"),
        Some((path, None)) => format!("gnss2shm run --config {path}"),
        None => "save the settings to a file (--write FILE does this), run gnss2shm run --config FILE".into(),
    };
    let line = if chrony.is_some() { "" } else { "add the line to chrony.conf, " };
    format!("{run}; then {line}restart chronyd")
}

/// The settings as TOML, without those that `run` determines itself. JSON's strings are basic strings of TOML, too.
pub(crate) fn toml(receiver: &ReceiverConfig, pulse: &PhcConfig, unit: u8) -> String {
    let option =
        |key, value: Option<&String>| value.map_or(String::new(), |value| format!("{key} = {}\n", json!(value)));
    let receiver = match receiver {
        ReceiverConfig::Serial(SerialConfig { device, baud }) => {
            let baud = if let Baud::Rate(rate) = baud { json!(rate) } else { json!("auto") };
            format!("[serial]\ndevice = {}\nbaud = {baud}\n", json!(device))
        }
        ReceiverConfig::Gpsd(GpsdConfig { server, device }) => {
            format!("[gpsd]\nserver = {}\n{}", json!(server.to_string()), option("device", device.as_ref()))
        }
        // The search yields none of these.
        ReceiverConfig::Tcp(_) | ReceiverConfig::Fifo(_) | ReceiverConfig::Stdin => String::new(),
    };
    let (device, pin) = (json!(pulse.device), option("pin", pulse.pin.as_ref().map(|pin| &pin.0)));
    let phc = format!("[phc]\ndevice = {device}\n{pin}channel = {}\n", pulse.channel);
    format!("# Found by gnss2shm probe.\n{receiver}\n{phc}\n[shm]\nunit = {unit}\n\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{File, Given, Settings};
    use crate::source::phc::Pin;
    use crate::source::pulse::PulseConfig;

    #[test]
    fn run_reads_back_what_was_found() {
        let serial = |device: &str, baud| ReceiverConfig::Serial(SerialConfig { device: device.into(), baud });
        let gpsd = |device: Option<&str>| {
            ReceiverConfig::Gpsd(GpsdConfig { device: device.map(str::to_owned), ..GpsdConfig::default() })
        };
        let phc = |device: &str, pin| PhcConfig { device: device.into(), pin, channel: 1 };
        for (receiver, pulse) in [
            (serial("/dev/ttyS1", Baud::Rate(115_200)), phc("eth0", Some(Pin("SDP0".into())))),
            (serial("/dev/gnss0", Baud::USUAL), phc("/dev/ptp1", None)),
            (serial("/dev/a \"quoted\\name\"", Baud::Auto), phc("eth0", Some(Pin("3".into())))),
            (gpsd(Some("/dev/ttyS1")), phc("eth0", Some(Pin("SDP1".into())))),
            (gpsd(None), phc("eth0", None)),
        ] {
            let text = toml(&receiver, &pulse, 8);
            let file = File::parse("found", &text).unwrap_or_else(|why| panic!("{why} in {text}"));
            let read = Settings::new(Given::default(), Some(&file)).unwrap();
            assert_eq!((read.receiver, read.pulse, read.shm), (receiver, PulseConfig::Phc(pulse), Some(8)), "{text}");
        }
    }

    #[test]
    fn what_comes_next_starts_the_instance_whose_settings_were_written() {
        let next = |settings: &str| next(Some(Path::new(settings)), Some(Path::new("chrony.line")));
        assert_eq!(next("/etc/gnss2shm/roof.toml"), "systemctl enable --now gnss2shm@roof; then restart chronyd");
        assert_eq!(next("/tmp/roof.toml"), "gnss2shm run --config /tmp/roof.toml; then restart chronyd");
        let by_hand = super::next(None, None);
        assert!(by_hand.contains("--write FILE") && by_hand.contains("line to chrony.conf"), "{by_hand}");
    }

    #[test]
    fn the_line_for_chrony_is_the_one_that_readme_gives() {
        assert!(include_str!("../../../README.md").contains(&chrony(0)));
    }
}
