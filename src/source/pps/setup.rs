//! Which edges to capture, and what is wrong where that cannot be, in the operator's words.

use std::io;

use super::node::Node;
use super::{Capture, abi};
use crate::core::time::Span;
use crate::source::error::SourceError;
use crate::sys::pps::{Mode, Params};

/// Both edges.
pub(super) const BOTH: Mode = Mode(abi::CAPTURE_ASSERT | abi::CAPTURE_CLEAR);

/// The edges to capture: those asked for; of both, those that the driver has.
pub(super) fn choose(node: &Node, capture: Capture, caps: Mode) -> Result<Mode, SourceError> {
    let able = caps.and(BOTH);
    let (wanted, word) = match capture {
        Capture::Both => (able, "both"),
        Capture::Assert => (Mode(abi::CAPTURE_ASSERT), "assert"),
        Capture::Clear => (Mode(abi::CAPTURE_CLEAR), "clear"),
    };
    match able.0 {
        0 => Err(SourceError::Other(format!("{node} captures no edges at all: choose another PPS device"))),
        _ if able.has(wanted) => Ok(wanted),
        _ => Err(SourceError::Wrong(format!("{node} cannot capture {word} edges: leave capture out"))),
    }
}

/// Stamps that another program has the kernel shift are not when the edges came.
pub(super) fn check_offsets(node: &Node, params: &Params) -> Result<(), SourceError> {
    match params.offsets().into_iter().find(|offset| *offset != Span::ZERO) {
        None => Ok(()),
        Some(offset) => Err(SourceError::Other(format!(
            "{node} has its timestamps shifted by {offset}, which another program asked for: stop that program, set its \
             offset to 0 and have it run once more, or load the port's driver anew"
        ))),
    }
}

/// Having it capture the edges failed.
pub(super) fn setting(node: &Node, error: &io::Error) -> SourceError {
    match error.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => SourceError::Denied(format!(
            "another program has {node} capture fewer edges than capture asks for, and changing that takes CAP_SYS_TIME: \
             set capture to what is left, or run as root"
        )),
        _ => failed(node, error),
    }
}

/// Something failed that should not.
pub(super) fn failed(node: &Node, error: &io::Error) -> SourceError {
    SourceError::Other(format!("{node} does not answer ({error}): look for its driver's messages with dmesg"))
}

/// The device is gone.
pub(super) fn gone(node: &Node) -> String {
    format!("{node} is gone: check the driver of its port and its line discipline; it is waited for")
}

#[cfg(test)]
mod tests {
    use super::*;
    use Capture::{Assert, Both, Clear};

    fn node() -> Node {
        Node::sample("/dev/pps0", "serial0")
    }

    #[test]
    fn edges_are_those_asked_for_and_of_both_those_that_there_are() {
        for (capture, caps, chosen) in [
            (Both, 0x1133, Some(3)),
            (Both, 0x1111, Some(1)),
            (Both, 0x1022, Some(2)),
            (Both, 0x1000, None),
            (Assert, 0x1133, Some(1)),
            (Clear, 0x1133, Some(2)),
            (Clear, 0x1111, None),
            (Assert, 0x1022, None),
        ] {
            let found = choose(&node(), capture, Mode(caps));
            assert_eq!(found.as_ref().ok().map(|mode| mode.0), chosen, "{capture:?} {caps:x}");
            assert!(found.err().is_none_or(|error| error.to_string().contains("/dev/pps0 (serial0)")));
        }
    }

    #[test]
    fn shifted_stamps_are_refused_with_the_figure() {
        let shift = [Span::from_micros(-3), Span::ZERO];
        let shifting = Mode(abi::CAPTURE_ASSERT | abi::OFFSET_ASSERT);
        assert_eq!(check_offsets(&node(), &Params::new(shifting, [Span::ZERO; 2])), Ok(()));
        assert_eq!(check_offsets(&node(), &Params::new(BOTH, shift)), Ok(()), "it has them and does not apply them");
        let error = check_offsets(&node(), &Params::new(shifting, shift)).unwrap_err();
        assert!(error.to_string().contains(&Span::from_micros(-3).to_string()), "{error}");
    }

    #[test]
    fn a_setting_that_takes_a_privilege_names_it() {
        let error = setting(&node(), &io::Error::from_raw_os_error(libc::EPERM));
        assert!(matches!(&error, SourceError::Denied(sentence) if sentence.contains("CAP_SYS_TIME")), "{error}");
    }
}
