//! Pairs a GNSS receiver's NMEA sentences with the pulse edges that a NIC's PTP hardware clock time stamped, and hands
//! chronyd finished samples through its SHM refclock.
pub mod cli;
pub mod config;
pub mod daemon;
pub mod duration;
pub mod engine;
pub mod event;
pub mod nmea;
pub mod sink;
pub mod source;
pub mod sys;
pub mod time;
