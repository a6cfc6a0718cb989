//! Tools around the daemon, made from the daemon's own parts.

pub mod doctor;
pub mod probe;
