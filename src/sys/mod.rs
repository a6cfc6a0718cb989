//! The only unsafe code: kernel interfaces as owned structs with safe methods, one operation and one argument why it is
//! sound per `unsafe` block. Nothing in here decides anything.
#![allow(unsafe_code)] // the one place where it is lifted

pub mod adjtimex;
pub mod alarm;
pub mod bytes;
pub mod claim;
pub mod clock;
pub mod clock_set;
pub mod error;
pub mod ethtool;
pub mod eventfd;
pub mod flock;
mod interrupt;
mod ioctl;
pub mod limits;
pub mod listener;
pub mod pps;
pub mod processes;
pub mod ptp;
pub mod reader;
pub mod signal;
pub mod sysv_shm;
pub mod trusted;
pub mod tty;
