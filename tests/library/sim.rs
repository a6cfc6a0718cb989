//! The engine against simulated worlds in virtual time: every sample is held against the truth.
//!
//! `GNSS2SHM_SIM_SECONDS=10000000 cargo test --release --lib random -- --nocapture` is the full size;
//! `GNSS2SHM_SIM_SEED=n` plays the world of one seed again, and a single fault's; `GNSS2SHM_SIM_FIRST=n` begins there.

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
