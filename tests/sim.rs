//! The engine against simulated worlds in virtual time: every sample is held against the truth.
//!
//! `GNSS2SHM_SIM_SECONDS=10000000 cargo test --release --test sim random -- --nocapture` is the full size;
//! `GNSS2SHM_SIM_SEED=n` plays the world of one seed again, and a single fault's; `GNSS2SHM_SIM_FIRST=n` begins there.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    missing_docs,
    unreachable_pub
)]

#[path = "sim/adversary.rs"]
mod adversary;
#[path = "sim/bursts.rs"]
mod bursts;
#[path = "sim/draw.rs"]
mod draw;
#[path = "sim/envelope.rs"]
mod envelope;
#[path = "sim/faults.rs"]
mod faults;
#[path = "sim/garbage.rs"]
mod garbage;
#[path = "sim/harness.rs"]
mod harness;
#[path = "sim/hostile.rs"]
mod hostile;
#[path = "sim/inside.rs"]
mod inside;
#[path = "sim/parts.rs"]
mod parts;
#[path = "sim/pulses.rs"]
mod pulses;
#[path = "sim/readme.rs"]
mod readme;
#[path = "sim/seen.rs"]
mod seen;
#[path = "common/simulated/mod.rs"]
mod simulated;
#[path = "sim/stabilise.rs"]
mod stabilise;
#[path = "sim/states.rs"]
mod states;
#[path = "sim/twins.rs"]
mod twins;
