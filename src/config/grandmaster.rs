//! The settings of `gnss2shm grandmaster`: options of that command, and keys of the file's table `[grandmaster]`, which
//! `gnss2shm run` ignores.

use std::path::PathBuf;

use super::file::File;
use super::given::word_parser;
use super::refuse;
use crate::core::time::Span;
use crate::core::units::{number, span_within};
use crate::grandmaster::link::LinkConfig;
use crate::grandmaster::policy::{PolicyConfig, Profile};
use crate::sys::error::OpenError;

/// The settings of a file, or of the command line.
#[derive(Clone, Debug, Default, clap::Args)]
pub(crate) struct GrandmasterGiven {
    /// ptp4l's read-write socket, its `uds_address` [default: /var/run/ptp4l or /var/run/ptp/ptp4l]
    #[arg(long, alias = "[grandmaster] socket", value_name = "PATH")]
    socket: Option<PathBuf>,
    /// ptp4l's domainNumber [default: 0]
    #[arg(long, alias = "[grandmaster] domain", value_name = "N", allow_hyphen_values = true)]
    #[arg(value_parser = |text: &str| number(text, 0..=u8::MAX))]
    domain: Option<u8>,
    /// ptp4l's transportSpecific [default: 0]
    #[arg(long, alias = "[grandmaster] transport-specific", value_name = "N", allow_hyphen_values = true)]
    #[arg(value_parser = |text: &str| number(text, 0..=15_u8))]
    transport_specific: Option<u8>,
    /// Class of a clock that is not synchronized: 52 (1588), or 248 (g8275) [default: 1588]
    #[arg(long, alias = "[grandmaster] profile", value_name = "PROFILE", allow_negative_numbers = true)]
    #[arg(value_parser = word_parser::<Profile>())]
    profile: Option<Profile>,
    /// Maximum distance of the PHC from TAI for class 6; clockAccuracy covers it [default: 1us]
    #[arg(long, alias = "[grandmaster] bound", value_name = "TIME", allow_hyphen_values = true, value_parser = bound)]
    bound: Option<Span>,
    /// Claim class 6 once every pulse has been within the bound for this long [default: 5s]
    #[arg(long, alias = "[grandmaster] steady", value_name = "TIME", allow_hyphen_values = true, value_parser = steady)]
    steady: Option<Span>,
    /// Claim class 7 for this long after class 6, with --holdover-bound [default: never]
    #[arg(long, alias = "[grandmaster] holdover", value_name = "TIME", allow_hyphen_values = true, value_parser = holdover)]
    holdover: Option<Span>,
    /// Maximum distance of the PHC from TAI after this holdover
    #[arg(long, alias = "[grandmaster] holdover-bound", value_name = "TIME", allow_hyphen_values = true, value_parser = bound)]
    holdover_bound: Option<Span>,
}

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

fn bound(text: &str) -> Result<Span, String> {
    // A timestamp's own error bound is half of the least.
    let range = Span::from_nanos(100)..Span::from_nanos(10_000_001);
    span_within(text, range, "from 100ns to 10ms, such as \"1us\"")
}

fn steady(text: &str) -> Result<Span, String> {
    span_within(text, Span::ZERO..Span::from_secs(3_601), "from 0s to 1h, such as \"5s\"")
}

fn holdover(text: &str) -> Result<Span, String> {
    span_within(text, Span::from_nanos(1)..Span::from_secs(604_801), "above 0s up to 168h, such as \"4h\"")
}
