//! The pure core: time, events, parsers and the engine. It does no input or output, reads no clock and logs nothing.

pub(crate) mod engine;
pub mod event;
pub(crate) mod foreign;
pub(crate) mod nmea;
pub(crate) mod printable;
pub mod time;
pub(crate) mod ubx;
pub(crate) mod units;
