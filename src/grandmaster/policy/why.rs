//! Why a class is claimed, or class 6 is not, as sentences for the operator.

use std::fmt;

use super::TaiSources;
use crate::core::time::Span;

/// Why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Why {
    /// Class 6: the PHC is within this of TAI.
    Locked(Span),
    /// Class 7: for how much longer, and why it is not class 6.
    Holdover(Span, Box<Why>),
    /// ptp4l follows another clock on this port.
    Follows(u16),
    /// Nothing is heard from `gnss2shm run`, and why.
    NoStatus(String),
    /// The state is not Locked: the state, and its sentence.
    NotLocked(String),
    GateClosed,
    /// There is nothing that compares the PHC with the pulse.
    NotCompared,
    /// The receiver has named no valid second for this long.
    NoTime(Span),
    /// The pulse is missing, or its second is not known.
    NoPulse,
    /// The PHC shows another time scale.
    NotTai(String),
    /// No two sources agree on TAI - UTC.
    NotAgreed(TaiSources),
    /// The PHC's distance from TAI with its error bound, and the allowed one.
    Off(Span, Span, Span),
    /// Everything has been right only for so long, of so long.
    NotSteady(Span, Span),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Locked(bound) => write!(f, "the PHC is within {bound} of TAI at every pulse"),
            Self::Holdover(left, why) => write!(f, "holdover for {left} at most: {why}"),
            Self::Follows(port) => write!(
                f,
                "ptp4l follows another clock on port {port}, so the PHC is not this receiver's: set serverOnly 1 \
                 (masterOnly before 4.0) in ptp4l's configuration"
            ),
            Self::NoStatus(why) => write!(f, "gnss2shm run is not heard: {why}"),
            Self::NotLocked(state) => write!(f, "gnss2shm run is {state}"),
            Self::GateClosed => write!(f, "the gate is closed: samples have not been uninterrupted for opens-after"),
            Self::NotCompared => write!(
                f,
                "gnss2shm run does not compare a PHC with the pulse: it needs [phc] and a pulse whose second is known"
            ),
            Self::NoTime(age) => {
                write!(f, "the receiver has named no valid second for {age}: check its antenna, fix, and line")
            }
            Self::NoPulse => write!(
                f,
                "gnss2shm run has reported no pulse for 1.5 s: check antenna, pulse, and cable, and with `gnss2shm status` \
                 whether it is hung"
            ),
            Self::NotTai(scale) => write!(
                f,
                "the PHC shows {scale}, not TAI: set it with a servo, such as ts2phc or phc2sys, that knows TAI - UTC"
            ),
            Self::NotAgreed(sources) => write!(
                f,
                "no two sources agree on TAI - UTC ({sources}): let chronyd set the kernel's (leapseclist), and update \
                 tzdata"
            ),
            Self::Off(offset, error, bound) => write!(
                f,
                "the PHC is {offset} (error up to {error}) from TAI, more than the bound of {bound}: check the program \
                 that steers it"
            ),
            Self::NotSteady(span, of) => write!(f, "the PHC has been within the bound for {span} of {of} so far"),
        }
    }
}
