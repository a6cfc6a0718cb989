//! A receiver and a NIC that are not there, for `gnss2shm simulate` and for tests.

pub mod timeline;
pub mod world;
