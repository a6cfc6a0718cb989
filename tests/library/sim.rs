//! The engine against simulated worlds in virtual time: every sample is compared with the truth.
//!
//! `GNSS2SHM_SIM_SECONDS=10000000 cargo test --release --lib random -- --nocapture` is the full size;
//! `GNSS2SHM_SIM_SEED=n` runs the world of one seed again, also for single faults; `GNSS2SHM_SIM_FIRST=n` starts at
//! that seed.

mod adversary;
mod bursts;
pub mod draw;
mod envelope;
mod envelope_document;
mod faults;
mod figures;
mod garbage;
pub mod harness;
mod hostile;
pub mod inside;
mod parts;
mod pulses;
mod seen;
mod stabilise;
mod states;
mod twins;
