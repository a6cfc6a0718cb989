//! Pairs a GNSS receiver's NMEA sentences with the pulse edges that a NIC's PTP hardware clock timestamped, and hands
//! chronyd finished samples through its SHM or SOCK refclock.
//!
//! # Architecture
//! ```text
//! serial | TCP | FIFO | stdin ─ bytes ─> framer ─> Sentence ┐
//! gpsd ──────────────────────────────────────────> Report ──┤
//! PHC | kernel PPS ──────────────────────────────> Edge ────┼─> Engine ─> Verdict ─> SHM | SOCK | log | status
//! PHC <-> system clock ──────────────────────────> CrossTs ─┘   (pure)
//! ```
//! One direction, no way back. [`source`]s only make [`core::event::Event`]s; the [`core::engine`] turns events into
//! [`core::event::Verdict`]s; [`sink`]s only consume them. [`daemon`] wires them, [`cli`] starts it with a [`config`].
//! Imports point the same way: cli → daemon, probe, doctor → source, sink, status → sys, and engine → nmea, ubx →
//! event → [`core::time`].
//!
//! In `gnss2shm run`, one thread owns the PHC or the kernel PPS device, because reading either blocks whatever one asks
//! for. Everything else is one tokio current-thread runtime, but for the thread that writes a recording, because a disk
//! may block, and one that reads standard input. Every event carries the time at which it was captured, so what the
//! engine says depends on the events alone and not on when it was asked.
//!
//! # Where to change what
//! | to change | go to |
//! |---|---|
//! | which sentences count, how a time is read | [`core::nmea`], [`core::ubx`], [`core::engine::epochs`] |
//! | what bytes that are no sentences are called | [`core::foreign`] |
//! | what a u-blox receiver says of UTC and its pulse | [`core::ubx`], [`core::engine::ublox`] |
//! | which edge is on time | [`core::engine::edges`] |
//! | how the pulse is counted, whether it lies still | [`core::engine::phase`] |
//! | which second it is | [`core::engine::label`] |
//! | which dates are possible, when a leap second may come, what the witness forbids | [`core::engine::guard`] |
//! | what the kernel and the table of leap seconds are asked | [`source::witness`] |
//! | PHC time to system time, steps | [`core::engine::clock_map`] |
//! | states, and what an operator reads | [`core::engine`], [`core::event::Reason`] |
//! | the lines of the log | [`daemon`], [`daemon::summary`] |
//! | the text form of a recording | [`core::event::text`], [`recording`] |
//! | what is made of gpsd's lines | [`source::gpsd`] |
//! | serial ports, the search for their rate | [`source::serial`] |
//! | TCP, FIFOs, standard input | [`source::stream`] |
//! | drivers' and kernels' ways with the PHC | [`source::phc`] |
//! | those with `/dev/ppsN` | [`source::pps`] |
//! | the thread that owns either | [`source::thread`] |
//! | the receiver and the NIC that are not there | [`simulator`] |
//! | what the promise covers, in figures; which worlds that are; drawing them | [`core::envelope`], [`simulator::envelope`], [`simulator::draw`] |
//! | how a machine is searched for receiver and pulse | [`tools::probe`] |
//! | a setting: its key, its option, what it may be | [`config`] |
//! | chrony's protocols | [`sink::shm`], [`sink::sock`] |
//! | what `gnss2shm status` and the metrics show | [`daemon::status`] |
//! | what systemd is told | [`daemon::service`] |
//! | what `gnss2shm doctor` looks at | [`tools::doctor`] |
//! | commands and their options, how times and sizes are written | [`cli`], [`core::units`] |
//! | what only one process may have, and who has it | [`sys::claim`] |
//! | whose segments and claims are believed | [`sys::trusted`] |
//! | text that is not ours, before a terminal or a log gets it | [`core::printable`] |
//! | how a task of the runtime waits without waking twice | [`sys::alarm`] |
//! | anything `unsafe` | [`sys`] |
pub mod cli;
pub mod config;
pub mod core;
pub mod daemon;
pub mod recording;
pub mod simulator;
pub mod sink;
pub mod source;
pub mod sys;
pub mod tools;
