//! Keeps ptp4l's grandmaster settings at what was measured, for `gnss2shm grandmaster`. It steers nothing and has no
//! access to a clock: it hears the status of `gnss2shm run`, and speaks PTP management to ptp4l.

pub(crate) mod link;
pub(crate) mod management;
pub(crate) mod policy;
pub(crate) mod session;
