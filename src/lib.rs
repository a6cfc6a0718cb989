//! Pairs a GNSS receiver's NMEA sentences with the pulse edges that a NIC's PTP hardware clock (PHC) timestamped, and
//! passes finished samples to chronyd through its SHM or SOCK refclock.
//!
//! # Architecture
//! ```text
//! serial | TCP | FIFO | stdin ─ bytes ─> framer ─> Sentence ┐
//! gpsd ──────────────────────────────────────────> Report ──┤
//! PHC | kernel PPS ──────────────────────────────> Edge ────┼─> Engine ─> Verdict ─> SHM | SOCK | log | status
//! PHC <-> system clock ──────────────────────────> CrossTs ─┘   (pure)
//! ```
//! Data flows in one direction. A [`source`] only creates [`Event`](event::Event)s, the [`Engine`] turns events into
//! [`Verdict`](event::Verdict)s, a [`sink`] only consumes them. The modules of `src`, from the bottom up; each imports
//! only those before it:
//!
//! | module | contents |
//! |---|---|
//! | [`core`] | time, events, parsers, and the engine: pure, no I/O, no clock |
//! | [`sys`] | kernel interfaces, and all unsafe code |
//! | [`recording`] | events as text: header, reader, and the recorder |
//! | [`sink`] | chrony's SHM and SOCK refclocks |
//! | [`source`] | serial ports, gpsd, streams, PHC, kernel PPS |
//! | [`simulator`] | a simulated receiver and NIC for `gnss2shm simulate` |
//! | [`daemon`] | wiring, status, metrics, systemd |
//! | [`grandmaster`] | ptp4l's grandmaster settings for `gnss2shm grandmaster` |
//! | [`config`] | settings, from the file and the command line |
//! | [`tools`] | probe and doctor |
//! | [`cli`] | commands, exit codes, the log |
//!
//! The way of an edge: [`sys::ptp`] reads it, [`source::phc`] sends it, [`daemon`] passes it to [`core::engine`], where it
//! waits for the next cross timestamp; then [`core::engine::clock_map`] converts it, [`core::engine::edges`] decides whether
//! it is on time, [`core::engine::phase`] counts it, [`core::engine::guard`] checks the sample, [`daemon`] passes that to
//! [`sink::shm`], which stores it in the segment.
//!
//! `gnss2shm run` uses one thread for the PHC or the kernel PPS device, because reading either one blocks. A recording has
//! a writer thread, because a disk may block, and standard input has a reader thread. All the rest runs on one
//! current-thread tokio runtime. Each event carries the time of its capture, so verdicts depend on events, not on
//! scheduling.
//!
//! # Where to make changes
//! | to change | go to |
//! |---|---|
//! | which sentences count, how a time is parsed | [`core::nmea`], [`core::ubx`], [`core::engine::epochs`] |
//! | how input that is not NMEA is named | [`core::foreign`] |
//! | what a u-blox receiver reports about UTC and its pulse | [`core::ubx`], [`core::engine::ublox`] |
//! | which edge is on time | [`core::engine::edges`] |
//! | how pulses are counted, whether the pulse moved | [`core::engine::phase`] |
//! | which second a pulse marks | [`core::engine::label`] |
//! | possible dates, leap seconds, the system-clock check | [`core::engine::guard`], [`source::witness`] |
//! | PHC time to system time, steps | [`core::engine::clock_map`] |
//! | the PHC compared with GNSS | [`core::engine::audit`] |
//! | states, and the sentences an operator reads | [`core::engine`], [`core::event::Reason`] |
//! | log lines | [`daemon`], [`daemon::log`] |
//! | the text format of a recording | [`core::event::text`], [`recording`] |
//! | the figures of the promise | docs/envelope.md, tests/library/sim/figures.rs |
//! | a setting | [`config`] |
//! | a source, a sink | [`source::receiver`], [`sink`]; CONTRIBUTING.md |
//! | status and metrics | [`daemon::status`] |
//! | what ptp4l may claim as a grandmaster | [`grandmaster::policy`] |
//! | exclusive use of a unit, file, or PHC channel | [`sys::claim`] |
//!
//! # The engine as a library
//! Events in, verdicts out; here from a recording. A program that creates events itself uses [`event`] and [`time`].
//! ```
//! use gnss2shm::event::Verdict;
//! use gnss2shm::{Engine, Item, Reader};
//!
//! # let recording = include_bytes!("../tests/replay/one-edge.rec");
//! let (mut engine, mut samples) = (Engine::default(), Vec::new());
//! Reader::default().push(recording, |item| match item {
//!     Item::Header(header) => engine = Engine::new(header.config),
//!     Item::Event(event) => samples.extend(engine.handle(&event).into_iter().filter_map(|verdict| match verdict {
//!         Verdict::Sample(sample) => Some(sample),
//!         _ => None,
//!     })),
//!     Item::Lost(events) => println!("{events} events are missing"),
//! })?;
//! assert!(!samples.is_empty());
//! # Ok::<(), gnss2shm::Damage>(())
//! ```

#![allow(rustdoc::private_intra_doc_links)] // the map is for those who read the source

mod cli;
mod config;
mod core;
mod daemon;
mod grandmaster;
mod recording;
mod simulator;
mod sink;
mod source;
mod sys;
mod tools;

#[cfg(test)]
extern crate self as gnss2shm;
#[cfg(test)]
#[path = "../tests/library/main.rs"]
mod library;

pub use cli::main;
pub use core::engine::{Config, Conventions, Engine, Rollover, WitnessMode};
pub use core::{event, time};
pub use recording::{Damage, Header, Item, Reader};
