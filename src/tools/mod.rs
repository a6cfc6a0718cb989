//! Tools for the daemon, built from its parts.

pub(crate) mod doctor;
pub(crate) mod probe;
