//! Unit tests of the crate: engine, parsers, simulated worlds, sources on real pseudo terminals and sockets, sinks with
//! a real chronyd, gpsd, and ptp4l, and every installed file.
//!
//! Programs must be started with [`common::start`]: a child briefly has all open files of this process.
#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unnecessary_cast, // an ioctl's number has another type in musl's libc
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub
)]

mod alone;
mod architecture;
mod autobaud;
mod capture;
mod chain;
mod chronyd;
#[path = "../common/mod.rs"]
mod common;
mod doctor;
mod fuzz;
mod gpsd;
mod grandmaster;
mod heard;
mod inputs;
mod keys;
mod manual;
mod metrics_files;
mod pps;
mod pps_layout;
mod probe;
mod properties;
mod ptp_layout;
mod pty;
mod record;
mod replay;
mod settings;
mod shm;
mod shm_verb;
mod sim;
#[path = "../common/simulated/mod.rs"]
mod simulated;
mod sock;
mod status;
mod stream;
#[path = "../common/twins.rs"]
mod twins;
mod ubx;

pub(crate) use common::nobody_starts;
