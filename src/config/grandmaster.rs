//! The settings of `gnss2shm grandmaster`: options of that command, and keys of the file's table `[grandmaster]`, which
//! `gnss2shm run` ignores.

use super::file::File;
use super::given::GrandmasterGiven;
use super::refuse;
use crate::grandmaster::link::LinkConfig;
use crate::grandmaster::policy::PolicyConfig;
use crate::sys::error::OpenError;

/// Everything that `gnss2shm grandmaster` needs to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct GrandmasterSettings {
    /// How to reach ptp4l.
    pub link: LinkConfig,
    /// What to claim.
    pub policy: PolicyConfig,
}

impl GrandmasterSettings {
    /// Merges options, file and defaults.
    ///
    /// # Errors
    /// One sentence about holdover without its bound, or the reverse, or a bound that is tighter than class 6's.
    pub(crate) fn new(options: GrandmasterGiven, file: Option<&File>) -> Result<Self, OpenError> {
        let is_option = options.holdover.or(options.holdover_bound).or(options.bound).is_some();
        let (o, f) = (options, file.map(|file| file.grandmaster.clone()).unwrap_or_default());
        let default = PolicyConfig::default();
        let bound = o.bound.or(f.bound).unwrap_or(default.bound);
        let wrong = |key: &str, why: &str| {
            let place = file.filter(|_| !is_option);
            refuse(place, Some(&format!("[grandmaster] {key}")), why)
        };
        let holdover = match (o.holdover.or(f.holdover), o.holdover_bound.or(f.holdover_bound)) {
            (None, None) => None,
            (Some(_), Some(tighter)) if tighter < bound => {
                return Err(wrong("holdover-bound", "holdover-bound is less than bound: give bound or more"));
            }
            (Some(length), Some(bound)) => Some((length, bound)),
            (Some(_), None) => {
                return Err(wrong("holdover", "holdover needs holdover-bound: give the error after that time, too"));
            }
            (None, Some(_)) => {
                return Err(wrong("holdover-bound", "holdover-bound needs holdover: give the length, too"));
            }
        };
        Ok(Self {
            link: LinkConfig {
                socket: o.socket.or(f.socket),
                domain: o.domain.or(f.domain).unwrap_or(0),
                transport_specific: o.transport_specific.or(f.transport_specific).unwrap_or(0),
            },
            policy: PolicyConfig {
                profile: o.profile.or(f.profile).unwrap_or(default.profile),
                bound,
                steady: o.steady.or(f.steady).unwrap_or(default.steady),
                holdover,
            },
        })
    }
}
