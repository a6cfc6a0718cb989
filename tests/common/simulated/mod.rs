//! Simulated worlds for tests: a receiver, a NIC, and the machine's clocks with all their faults, in virtual time.
#![allow(dead_code, unreachable_pub, missing_docs)] // each test binary uses its part

pub mod clocks;
pub mod random;
pub mod scenario;
pub mod sentence;
pub mod timeline;
pub mod world;
