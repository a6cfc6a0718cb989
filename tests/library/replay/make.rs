//! Makes the recordings of tests/replay/*.rec from simulated worlds. Existing recordings are kept: they must not change
//! with the simulator.
//!
//! `cargo test --lib replay -- --ignored` makes those that are missing.

use std::fmt::Write as _;
use std::fs;
use std::io::Write as _;
use std::thread::{sleep, spawn};
use std::time::Duration;

use crate::library::simulated::scenario::{Fault, FaultKind, Scenario, SimEdges, SimSentence};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::{Act, World};
use gnss2shm::core::engine::Config;
use gnss2shm::core::event::{Bytes, Event};
use gnss2shm::core::time::{Date, Instant, Raw, Span, UtcSecond};
use gnss2shm::recording::{Header, LEGEND};
use gnss2shm::source::serial::{self, Baud, SerialConfig};
use gnss2shm::sys::clock::raw_now;
use serialport::{SerialPort, TTYPort};
use tokio::sync::mpsc::channel;

use super::path;

/// The system clock of all recordings is off by this.
pub(crate) const SYS_AHEAD: Span = Span::from_nanos(-1_234);

/// Noon of a day that no release of the next years refuses as too early.
fn first_second() -> UtcSecond {
    UtcSecond::from_civil(Date::new(2035, 5, 17).unwrap(), 43_200)
}

fn timeline(scenario: Scenario) -> Timeline {
    Timeline::new(World::new(scenario, first_second(), Instant::from_parts(1_000, 0)))
}

fn events(scenario: Scenario, seconds: i64) -> Vec<Event> {
    let mut timeline = timeline(scenario);
    let end = timeline.world().pulse_number(seconds);
    std::iter::from_fn(|| Some(timeline.next_event())).take_while(|event| event.head().0 < end).collect()
}

/// Writes a recording of this many hours without a fault, and returns the number of its events.
pub(crate) fn long(file: &std::path::Path, hours: i64) -> usize {
    let mut out = std::io::BufWriter::new(fs::File::create(file).unwrap());
    writeln!(out, "{}", Header::new(Config::default())).unwrap();
    let mut timeline = timeline(Scenario::default());
    let end = timeline.world().pulse_number(hours * 3_600);
    let mut written = 0;
    loop {
        let event = timeline.next_event();
        if event.head().0 >= end {
            out.flush().unwrap();
            return written;
        }
        writeln!(out, "{event}").unwrap();
        written += 1;
    }
}

/// The world's sentences through a pseudo terminal, in real time, into the real serial source; all else simulated.
fn through_a_pty(scenario: Scenario, seconds: i64) -> Vec<Event> {
    let mut events = events(scenario.clone(), seconds);
    events.retain(|event| !matches!(event, Event::Bytes(_)));
    let mut world = timeline(scenario).world().clone();
    let baud = world.scenario().baud;
    let (mut receiver, machine) = TTYPort::pair().unwrap();
    let config = SerialConfig { device: machine.name().unwrap(), baud: Baud::Rate(baud) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (sender, mut came) = channel(1_024);
        let source = tokio::spawn(serial::run(config, None, sender));
        came.recv().await.unwrap();
        let ahead = world.pulse_number(0) - (raw_now() + Span::SECOND);
        let wait_until = move |at: Instant<Raw>| {
            let wait = (at - ahead) - raw_now();
            sleep(Duration::from_nanos(wait.nanos().max(0).unsigned_abs()));
        };
        let sending = spawn(move || {
            for n in 0..seconds - 1 {
                for (at, act) in world.acts(n) {
                    let Act::Bytes(piece) = act else { continue };
                    wait_until(at);
                    receiver.write_all(&piece).unwrap();
                }
            }
            sleep(Duration::from_millis(200));
            drop(receiver);
        });
        while let Some(Event::Bytes(Bytes { read_at, byte_time, data })) = came.recv().await {
            events.push(Event::Bytes(Bytes { read_at: read_at + ahead, byte_time, data }));
        }
        source.abort();
        sending.join().unwrap();
    });
    events.sort_by_key(|event| event.head().0);
    events
}

#[test]
#[ignore = "makes recordings that are missing; run by hand"]
fn make_missing_recordings() {
    use SimSentence::{Gga, Rmc, Zda};
    let plain = Scenario {
        sentences: vec![Rmc, Gga, Zda],
        jitter: Span::from_millis(8),
        system_ppm: 0,
        sys_ahead: SYS_AHEAD,
        ..Scenario::default()
    };
    let both = "simulated i210: stamps both edges, 12 ppm fast";
    let one = "simulated, strict rising edge alone, 12 ppm fast";
    let pulse = "simulated, RMC GGA ZDA at 9600 baud, 300 ms after a pulse of 100 ms";
    let fault = |from, until, kind| Scenario { faults: vec![Fault { from, until, kind }], ..plain.clone() };
    let kernel = |name: &str| {
        if name.contains("pty") { "Linux, for the bytes; else virtual time" } else { "none: virtual time" }
    };
    let make = |name: &str, receiver: &str, nic: &str, fault: &str, events: &dyn Fn() -> Vec<Event>| {
        let file = path(name);
        if file.exists() {
            return;
        }
        let kernel = kernel(name);
        let mut text = format!("# receiver: {receiver}\n# nic: {nic}\n# kernel: {kernel}\n# fault: {fault}\n");
        write!(text, "{}\n{LEGEND}", Header::new(Config::default())).unwrap();
        for event in events() {
            writeln!(text, "{event}").unwrap();
        }
        fs::write(&file, text).unwrap();
        eprintln!("made {}", file.display());
    };
    make("clean-both-edges.rec", pulse, both, "none", &|| events(plain.clone(), 14));
    make("one-edge.rec", pulse, one, "none", &|| events(Scenario { edges: SimEdges::One, ..plain.clone() }, 14));
    make(
        "lost-edges-and-glitches.rec",
        pulse,
        both,
        "15 % of edges lost, an edge of no pulse in 20 % of seconds",
        &|| {
            events(
                Scenario {
                    faults: [FaultKind::EdgeLoss(150), FaultKind::Glitches(200)].map(Fault::always).into(),
                    seed: 7,
                    ..plain.clone()
                },
                30,
            )
        },
    );
    make("no-fix-in-the-middle.rec", pulse, both, "no fix (V, N, quality 0) from second 10 to 20", &|| {
        events(fault(10, 20, FaultKind::NoFix), 28)
    });
    make("sentences-lost.rec", pulse, both, "no sentences from second 10 to 22", &|| {
        events(fault(10, 22, FaultKind::NoSentences), 28)
    });
    make("half-second-pulse.rec", "simulated GPSDO, 50 % duty", both, "the pulse is 500 ms long", &|| {
        events(Scenario { width: Span::from_millis(500), ..plain.clone() }, 14)
    });
    let serial = "simulated, RMC GGA ZDA at 9600 baud, 16 bytes at a time through a pseudo terminal in real time";
    make("through-a-pty.rec", serial, both, "none", &|| through_a_pty(plain.clone(), 14));
}
