//! What of a PHC only one process can use: another one that arms it takes it away without a word, and switches it off
//! when it ends.

use std::path::Path;

use super::error::{PhcError, PhcErrorKind};
use crate::sys::claim::{Claim, ClaimError};
use crate::sys::ptp::{PinState, Queue};

/// Claims channel and pin; the whole clock where all who read it share one queue.
pub(super) fn take(node: &Path, channel: u32, pin: Option<&PinState>, queue: Queue) -> Result<Vec<Claim>, PhcError> {
    let shown = node.display();
    let mut wanted = vec![match queue {
        Queue::Own => (
            format!("phc-channel-{channel}"),
            format!("{shown} channel {channel}"),
            "give each a channel and a pin of its own",
        ),
        Queue::Shared => (
            "phc".to_owned(),
            format!("{shown}"),
            "give each a clock of its own (before Linux 6.7 two take each other's timestamps away)",
        ),
    }];
    if let Some(pin) = pin {
        let name = format!("phc-pin-{}", pin.index);
        wanted.push((name, format!("{shown} pin {}", pin.name), "give each a pin of its own"));
    }
    let claim = |(purpose, what, cure): (String, String, &str)| {
        Claim::take_path(&purpose, node).map_err(|error| match error {
            ClaimError::Taken(rival) => {
                PhcError::new(PhcErrorKind::Taken, format!("{what} is used by {rival}: stop that one, or {cure}"))
            }
            ClaimError::Os(error) => PhcError::failed(&what, "cannot be claimed", &error),
        })
    };
    wanted.into_iter().map(claim).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::ptp::Function;

    #[test]
    fn channel_and_pin_have_one_user_and_a_shared_queue_too_until_he_ends() {
        let pin = |index| PinState { index, name: format!("SDP{index}"), function: Function::None, channel: 0 };
        let node = std::env::temp_dir().join(format!("gnss2shm-ptp-{}", std::process::id()));
        let me = format!("(pid {})", std::process::id());
        let claim = |(channel, index, queue)| take(&node, channel, Some(&pin(index)), queue);
        for (first, second, taken) in [
            ((0, 0, Queue::Own), (0, 1, Queue::Own), Some("channel 0 is used by")),
            ((0, 0, Queue::Own), (1, 0, Queue::Own), Some("pin SDP0 is used by")),
            ((0, 0, Queue::Own), (1, 1, Queue::Own), None),
            ((0, 0, Queue::Shared), (1, 1, Queue::Shared), Some("Linux 6.7")),
        ] {
            let held = claim(first).unwrap();
            match (claim(second), taken) {
                (Ok(_), None) => {}
                (Err(error), Some(words)) => {
                    let said = error.to_string();
                    assert!(said.contains(words) && said.contains(&me), "{said}");
                    assert!(error.kind() == PhcErrorKind::Taken && error.is_fatal(), "{said}");
                }
                (other, _) => panic!("{first:?} {second:?}: {other:?}"),
            }
            drop(held);
            claim(second).unwrap();
        }
    }
}
