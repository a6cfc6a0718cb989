//! The program as its users start it, with a real chronyd, a real gpsd, and every file that is installed beside it.
#![allow(
    clippy::cast_precision_loss,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::print_stdout,
    clippy::unnecessary_cast, // an ioctl's number has another type in musl's libc
    clippy::unwrap_used,
    missing_docs,
    unreachable_pub,
    unsafe_code // signals, and one thread of the program is halted from outside
)]

mod attacks;
mod capture;
mod chronyd;
mod cli;
#[path = "../common/mod.rs"]
mod common;
mod decode;
mod doctor;
mod gpsd;
mod inputs;
mod manual;
mod metrics_files;
mod pps_layout;
mod ptp_layout;
mod record;
mod rivals;
mod service;
mod settings;
mod shm;
mod shm_verb;
mod sock;
mod status;
