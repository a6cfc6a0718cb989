//! A receiver and a NIC that are not there, for `gnss2shm simulate` and for tests.

pub mod agenda;
pub mod clock;
pub mod live;
pub mod random;
pub mod scenario;
pub mod timeline;
pub mod world;
