//! A receiver and a NIC that are not there, for `gnss2shm simulate` and for tests.

pub mod agenda;
pub mod clock;
pub mod draw;
pub mod envelope;
pub mod fault;
pub mod live;
pub mod random;
pub mod receiver;
pub mod scenario;
pub mod threads;
pub mod timeline;
pub mod world;
