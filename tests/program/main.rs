//! The program from outside: arguments, files, sockets, signals.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    unsafe_code // signals, and one thread of the program is halted from outside
)]

mod attacks;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod decode;
mod record;
mod rivals;
mod service;
