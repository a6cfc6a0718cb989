//! Tools for the daemon, built from its parts.

pub mod doctor;
pub mod probe;
