//! The pure core: time, events, parsers and the engine. It does no input or output, reads no clock and logs nothing.

pub mod engine;
pub mod event;
pub mod foreign;
pub mod nmea;
pub mod printable;
pub mod time;
pub mod ubx;
pub mod units;
