//! Which channel and which pin: what the operator wrote, against what the clock has.

use super::error::{PhcError, PhcErrorKind};
use super::{PhcConfig, Pin};
use crate::sys::ptp::{Function, PinState};

/// The channel is one of the clock's.
pub(super) fn check_channel(clock: &str, channel: u32, channels: u32) -> Result<(), PhcError> {
    if channel < channels {
        return Ok(());
    }
    Err(match channels {
        0 => PhcError::new(
            PhcErrorKind::NoTimeStamps,
            format!(
                "{clock} cannot timestamp a pulse: it has no external timestamps; name the NIC that the pulse is wired to"
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
    fn a_channel_out_of_range_says_how_many_there_are() {
        assert_eq!(check_channel("ptp0", 1, 2), Ok(()));
        for (channel, channels, kind, says) in [
            (2, 2, PhcErrorKind::NoSuchChannel, "has 2, 0 to 1"),
            (1, 1, PhcErrorKind::NoSuchChannel, "channel 0 and no other"),
            (0, 0, PhcErrorKind::NoTimeStamps, "no external timestamps"),
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
