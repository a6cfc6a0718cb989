//! From what the operator wrote to a node and a pin.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};

use super::error::{PhcError, PhcErrorKind};
use super::{PhcConfig, Pin};
use crate::sys::ethtool;
use crate::sys::ptp::{Function, PinState};

/// The node of a device: an interface's PHC, or a path (anything with a slash) to a PHC's node.
///
/// # Errors
/// Not fatal: interface or node are not there. Fatal: the interface has no PHC, or the path leads to something else.
pub fn resolve(device: &str) -> Result<PathBuf, PhcError> {
    if device.contains('/') { of_path(Path::new(device)) } else { of_interface(device) }
}

fn of_interface(name: &str) -> Result<PathBuf, PhcError> {
    let error = match ethtool::phc_index(name) {
        Ok(Some(index)) => return Ok(PathBuf::from(format!("/dev/ptp{index}"))),
        Ok(None) => {
            return Err(PhcError::new(
                PhcErrorKind::NoClock,
                format!("{name} has no PTP hardware clock: name the interface that the pulse is wired to"),
            ));
        }
        Err(error) => error,
    };
    Err(match error.raw_os_error() {
        Some(libc::ENODEV) => PhcError::new(
            PhcErrorKind::NotThere,
            format!(
                "there is no network interface {name}: check its name and that its driver is loaded; it is waited for"
            ),
        ),
        Some(libc::EINVAL) => PhcError::new(
            PhcErrorKind::NotAClock,
            format!("{name:?} is no interface's name: give a network interface or the path of a /dev/ptpN"),
        ),
        _ => PhcError::failed(name, "cannot be asked for its PTP hardware clock", &error),
    })
}

fn of_path(path: &Path) -> Result<PathBuf, PhcError> {
    let found = fs::metadata(path).map_err(|error| PhcError::opening(path, &error))?;
    // Looked up before the node is opened: opening some devices (a watchdog, a modem) does something.
    let class = found.file_type().is_char_device().then(|| sysfs(&found, "subsystem"));
    match class {
        Some(subsystem) if fs::read_link(&subsystem).is_ok_and(|class| !class.ends_with("ptp")) => {
            Err(not_a_clock(path))
        }
        None => Err(not_a_clock(path)),
        Some(_ptp_or_no_sysfs) => Ok(fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf())),
    }
}

/// The path is something, but not a PHC.
pub(super) fn not_a_clock(path: &Path) -> PhcError {
    PhcError::new(
        PhcErrorKind::NotAClock,
        format!("{} is not a PTP hardware clock: give a network interface or the path of a /dev/ptpN", path.display()),
    )
}

/// The name that the driver gave the clock; empty where sysfs does not say.
pub(super) fn clock_name(path: &Path) -> String {
    let name = fs::metadata(path).and_then(|found| fs::read_to_string(sysfs(&found, "clock_name")));
    name.unwrap_or_default().trim().to_owned()
}

fn sysfs(node: &fs::Metadata, file: &str) -> PathBuf {
    let (major, minor) = (libc::major(node.rdev()), libc::minor(node.rdev()));
    PathBuf::from(format!("/sys/dev/char/{major}:{minor}/{file}"))
}

/// The channel is one of the clock's.
pub(super) fn check_channel(clock: &str, channel: u32, channels: u32) -> Result<(), PhcError> {
    if channel < channels {
        return Ok(());
    }
    Err(match channels {
        0 => PhcError::new(
            PhcErrorKind::NoTimeStamps,
            format!(
                "{clock} cannot time stamp a pulse: it has no external time stamps; name the NIC that the pulse is wired to"
            ),
        ),
        1 => PhcError::new(
            PhcErrorKind::NoSuchChannel,
            format!("there is no channel {channel}: {clock} has channel 0 and no other; leave channel out"),
        ),
        _ => PhcError::new(
            PhcErrorKind::NoSuchChannel,
            format!("there is no channel {channel}: {clock} has {channels}, 0 to {}", channels - 1),
        ),
    })
}

/// Which pin to set. Without one in the settings: the one that has this channel already, else the first, if it is free.
/// `None` where the wiring is fixed.
pub(super) fn choose_pin(clock: &str, config: &PhcConfig, pins: &[PinState]) -> Result<Option<PinState>, PhcError> {
    let list = || pins.iter().map(|pin| format!("{} ({})", pin.name, pin.index)).collect::<Vec<_>>().join(", ");
    if let Some(wanted) = &config.pin {
        let found = pins.iter().find(|pin| match wanted {
            Pin::Name(name) => pin.name == *name,
            Pin::Index(index) => pin.index == *index,
        });
        return match found {
            Some(pin) => Ok(Some(pin.clone())),
            None if pins.is_empty() => Err(PhcError::new(
                PhcErrorKind::NoSuchPin,
                format!("there is no pin {wanted}: {clock} has no pins to choose from; leave pin out"),
            )),
            None => {
                Err(PhcError::new(PhcErrorKind::NoSuchPin, format!("there is no pin {wanted}: {clock} has {}", list())))
            }
        };
    }
    let set = pins.iter().find(|pin| pin.function == Function::ExtTs && pin.channel == config.channel);
    match set.or(pins.first()) {
        Some(pin) if set.is_none() && pin.function != Function::None => Err(PhcError::new(
            PhcErrorKind::PinInUse,
            format!(
                "no pin is named, and the first one of {clock}, {}, is in use for something else: name the pin that the \
                 pulse is wired to, one of {}",
                pin.name,
                list()
            ),
        )),
        chosen => Ok(chosen.cloned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_absent_is_waited_for_and_a_wrong_one_is_fatal() {
        for (device, kind) in [
            ("nosuchif0", PhcErrorKind::NotThere),
            ("lo", PhcErrorKind::NoClock),
            ("a-name-too-long-for-an-interface", PhcErrorKind::NotAClock),
            ("/dev/ptp4095", PhcErrorKind::NotThere),
            ("/nosuchdir/ptp0", PhcErrorKind::NotThere),
            ("/dev/null", PhcErrorKind::NotAClock),
            ("/proc/version", PhcErrorKind::NotAClock),
            ("/dev", PhcErrorKind::NotAClock),
        ] {
            let error = resolve(device).unwrap_err();
            assert_eq!(error.kind(), kind, "{error}");
            assert_eq!(error.is_fatal(), kind != PhcErrorKind::NotThere);
            assert!(error.to_string().contains(device), "{error}");
        }
    }

    #[test]
    fn a_channel_out_of_range_says_how_many_there_are() {
        assert_eq!(check_channel("ptp0", 1, 2), Ok(()));
        for (channel, channels, kind, says) in [
            (2, 2, PhcErrorKind::NoSuchChannel, "has 2, 0 to 1"),
            (1, 1, PhcErrorKind::NoSuchChannel, "channel 0 and no other"),
            (0, 0, PhcErrorKind::NoTimeStamps, "no external time stamps"),
        ] {
            let error = check_channel("ptp0 (igb)", channel, channels).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.is_fatal() && error.to_string().contains(says), "{error}");
        }
    }

    fn pins(functions: &[(Function, u32)]) -> Vec<PinState> {
        let pin = |(index, (function, channel)): (usize, &(Function, u32))| PinState {
            name: format!("SDP{index}"),
            index: index as u32,
            function: *function,
            channel: *channel,
        };
        functions.iter().enumerate().map(pin).collect()
    }

    fn config(pin: Option<&str>, channel: u32) -> PhcConfig {
        PhcConfig { device: "eth0".into(), pin: pin.map(|pin| pin.parse().unwrap()), channel }
    }

    #[test]
    fn the_pin_is_the_named_one_or_the_one_that_has_the_channel_or_the_first() {
        let free = (Function::None, 0);
        let (ours, output) = ((Function::ExtTs, 0), (Function::Other(2), 0));
        for (functions, pin, channel, chosen) in [
            (vec![free, free, free], Some("SDP2"), 0, Some(2)),
            (vec![free, free, free], Some("1"), 1, Some(1)),
            (vec![output, output], Some("SDP0"), 0, Some(0)),
            (vec![free, free], None, 0, Some(0)),
            (vec![output, ours], None, 0, Some(1)),
            (vec![free, ours], None, 1, Some(0)),
            (vec![], None, 0, None),
        ] {
            let found = choose_pin("ptp0", &config(pin, channel), &pins(&functions)).unwrap();
            assert_eq!(found.map(|pin| pin.index), chosen, "{functions:?} {pin:?} {channel}");
        }
    }

    #[test]
    fn a_wrong_pin_names_those_that_exist() {
        let (free, output) = ((Function::None, 0), (Function::Other(2), 0));
        for (functions, pin, kind, says) in [
            (vec![free, free], Some("SDP7"), PhcErrorKind::NoSuchPin, "no pin SDP7: ptp0 has SDP0 (0), SDP1 (1)"),
            (vec![free, free], Some("2"), PhcErrorKind::NoSuchPin, "no pin 2: ptp0 has SDP0 (0), SDP1 (1)"),
            (vec![], Some("SDP0"), PhcErrorKind::NoSuchPin, "leave pin out"),
            (vec![output, free], None, PhcErrorKind::PinInUse, "one of SDP0 (0), SDP1 (1)"),
        ] {
            let error = choose_pin("ptp0", &config(pin, 0), &pins(&functions)).unwrap_err();
            assert_eq!(error.kind(), kind);
            assert!(error.is_fatal() && error.to_string().contains(says), "{error}");
        }
    }
}
