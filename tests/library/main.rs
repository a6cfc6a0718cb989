//! The library: engine, parsers, simulated worlds, and sources on real pseudo terminals and sockets. Starts hardly any
//! process, as one that starts holds for a moment what this one has open.
#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub
)]

mod architecture;
mod autobaud;
#[path = "../common/mod.rs"]
mod common;
mod fuzz;
mod pps;
mod probe;
mod properties;
mod pty;
mod replay;
mod sim;
mod stream;
#[path = "../common/twins.rs"]
mod twins;
mod ubx;
