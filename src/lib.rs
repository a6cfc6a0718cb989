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
//! One direction, no way back. [`source`]s only make [`event::Event`]s; the [`engine`] turns events into
//! [`event::Verdict`]s; [`sink`]s only consume them. [`daemon`] wires them, [`cli`] starts it with a [`config`].
//! Imports point the same way: cli → daemon, probe, doctor → source, sink, status → sys, and engine → nmea, ubx →
//! event → [`mod@time`].
//!
//! In `gnss2shm run`, one thread owns the PHC or the kernel PPS device, because reading either blocks whatever one asks
//! for. Everything else is one tokio current-thread runtime, but for the thread that writes a recording, because a disk
//! may block, and one that reads standard input. Every event carries the time at which it was captured, so what the
//! engine says depends on the events alone and not on when it was asked.
//!
//! # Where to change what
//! | to change | go to |
//! |---|---|
//! | which sentences count, how a time is read | [`nmea`], [`ubx`], [`engine::epochs`] |
//! | what bytes that are no sentences are called | [`foreign`] |
//! | what a u-blox receiver says of UTC and its pulse | [`ubx`], [`engine::ublox`] |
//! | which edge is on time | [`engine::edges`] |
//! | how the pulse is counted, whether it lies still | [`engine::phase`] |
//! | which second it is | [`engine::label`] |
//! | which dates are possible, when a leap second may come, what the witness forbids | [`engine::guard`] |
//! | what the kernel and the table of leap seconds are asked | [`source::witness`] |
//! | PHC time to system time, steps | [`engine::clock_map`] |
//! | states, and what an operator reads | [`engine`], [`event::Reason`] |
//! | the lines of the log | [`daemon`], [`summary`] |
//! | the text form of a recording | [`event::text`], [`recording`] |
//! | what is made of gpsd's lines | [`source::gpsd`] |
//! | serial ports, the search for their rate | [`source::serial`] |
//! | TCP, FIFOs, standard input | [`source::stream`] |
//! | drivers' and kernels' ways with the PHC | [`source::phc`] |
//! | those with `/dev/ppsN` | [`source::pps`] |
//! | the thread that owns either | [`source::thread`] |
//! | the receiver and the NIC that are not there | [`source::simulator`] |
//! | what the promise covers, in figures; which worlds that are; drawing them | [`mod@envelope`], [`source::simulator::envelope`], [`source::simulator::draw`] |
//! | how a machine is searched for receiver and pulse | [`probe`] |
//! | a setting: its key, its option, what it may be | [`config`] |
//! | chrony's protocols | [`sink::shm`], [`sink::sock`] |
//! | what `gnss2shm status` and the metrics show | [`status`] |
//! | what systemd is told | [`service`] |
//! | what `gnss2shm doctor` looks at | [`doctor`] |
//! | commands and their options, how times and sizes are written | [`cli`], [`duration`], [`size`] |
//! | what only one process may have, and who has it | [`claim`] |
//! | whose segments and claims are believed | [`trusted`] |
//! | text that is not ours, before a terminal or a log gets it | [`mod@printable`] |
//! | how a task of the runtime waits without waking twice | [`alarm`] |
//! | anything `unsafe` | [`sys`] |
pub mod alarm;
pub mod claim;
pub mod cli;
pub mod config;
pub mod daemon;
pub mod doctor;
pub mod duration;
pub mod engine;
pub mod envelope;
pub mod event;
pub mod foreign;
pub mod nmea;
pub mod printable;
pub mod probe;
mod processes;
pub mod recording;
pub mod service;
pub mod sink;
pub mod size;
pub mod source;
pub mod status;
pub mod summary;
pub mod sys;
pub mod time;
pub mod trusted;
pub mod ubx;
