//! The serial source on real pseudo terminals, with the engine and a simulated NIC: bad input is named, never
//! published, and a receiver may disappear and return.

use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Event, Lost, Reason, SourceChange, State, Verdict};
use gnss2shm::core::time::Span;
use gnss2shm::simulator::Scenario;
use gnss2shm::simulator::live::Live;
use gnss2shm::source::serial::{self, Baud, SerialConfig};
use gnss2shm::sys::clock::raw_now;
use serialport::{SerialPort, TTYPort};
use std::fs;
use std::io::Write;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::sync::mpsc::{Receiver, channel};

use crate::library::chain::{PATIENCE, on_runtime, until, until_sample};

/// A receiver's end of a line; the machine's end has a stable name.
struct Line {
    name: PathBuf,
    ends: Option<(TTYPort, TTYPort)>,
}

impl Line {
    fn new(test: &str) -> Self {
        let name = std::env::temp_dir().join(format!("gnss2shm-{test}-{}", std::process::id()));
        let mut line = Self { name, ends: None };
        line.plug();
        line
    }

    fn plug(&mut self) {
        let (receiver, machine) = TTYPort::pair().unwrap();
        let _ = fs::remove_file(&self.name);
        symlink(machine.name().unwrap(), &self.name).unwrap();
        self.ends = Some((receiver, machine));
    }

    fn unplug(&mut self) {
        self.ends = None;
    }

    fn send(&mut self, bytes: &[u8]) {
        self.ends.as_mut().unwrap().0.write_all(bytes).unwrap();
    }

    fn config(&self) -> SerialConfig {
        SerialConfig { device: self.name.to_str().unwrap().to_owned(), baud: Baud::Rate(9_600) }
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let _ = fs::remove_file(&self.name);
    }
}

/// A NIC with a pulse, whose simulated receiver is silent.
fn silent() -> Scenario {
    Scenario { sentence_loss: 1_000, ..crate::library::chain::scenario() }
}

/// What is sent every half second, and the expected reason; it must not lead to a sample.
fn is_named(test: &str, sent: &[u8], reason: Reason) {
    on_runtime(async {
        let (sender, mut events) = channel(1_024);
        let _live = Live::start(silent(), sender.clone()).unwrap();
        let mut line = Line::new(test);
        let source = tokio::spawn(serial::run(line.config(), None, sender));
        let mut engine = Engine::new(Config::default());
        until(
            &mut engine,
            &mut events,
            test,
            || line.send(sent),
            |verdict| {
                assert!(!matches!(verdict, Verdict::Sample(_)), "{test}: a sample came of this");
                matches!(verdict, Verdict::StateChanged { to: State::Searching(named), .. } if *named == reason)
            },
        )
        .await;
        source.abort();
    });
}

#[test]
fn noise_and_a_wrong_baud_rate_are_named() {
    let noise: Vec<u8> = (0..200_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8 | 0x80).collect();
    is_named("noise", &noise, Reason::NoSentence);
}

#[test]
fn bad_checksums_are_named() {
    is_named("checksum", b"$GPRMC,120000,A,1,N,2,E,0,0,201126,,,A*00\r\n", Reason::WrongChecksum);
}

#[test]
fn overlong_lines_are_named() {
    is_named("overlong", format!("$GPRMC,1200{}", "x".repeat(900)).as_bytes(), Reason::NoSentence);
}

#[test]
fn a_receiver_in_binary_mode_is_named() {
    // UBX-ACK-ACK for CFG-MSG, from the interface description.
    is_named("binary", b"\xB5\x62\x05\x01\x02\x00\x06\x01\x0F\x38", Reason::BinaryProtocol);
    is_named("headers", b"\xB5\x62\x01\x07\x5C\x00\x00\x00", Reason::NoSentence);
}

#[test]
fn silence_is_named() {
    is_named("silence", b"", Reason::NoBytes);
}

#[test]
fn sentences_without_time_are_named() {
    is_named("timeless", b"$GPGSV,1,1,00*79\r\n", Reason::NoTime);
}

#[test]
fn a_receiver_without_a_fix_is_named() {
    is_named("no-fix", b"$GPRMC,,V,,,,,,,,,,N*53\r\n", Reason::NoFix);
}

#[test]
fn who_holds_the_port_is_named() {
    on_runtime(async {
        let line = Line::new("held");
        let flock = ["-F", "-x", line.name.to_str().unwrap(), "sleep", "60"];
        let mut holder = crate::library::common::start(std::process::Command::new("flock").args(flock));
        let begin = std::time::Instant::now();
        let name = format!("is held by sleep (pid {})", holder.id());
        // It locks the port and then execs sleep.
        loop {
            let said = serial::open(&line.config()).map_or_else(|error| error.to_string(), |_| "free".into());
            if said.contains(&name) {
                break;
            }
            assert!(begin.elapsed() < PATIENCE, "{said}");
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
        holder.kill().unwrap();
        holder.wait().unwrap();
    });
}

#[test]
fn a_burst_is_read_when_it_begins_and_then_in_few_reads_that_block_nobody() {
    on_runtime(async {
        let (sender, mut events) = channel(1_024);
        let mut line = Line::new("burst");
        let source = tokio::spawn(serial::run(line.config(), None, sender));
        assert!(matches!(events.recv().await, Some(Event::Source { .. })));
        let ticks = Arc::new(AtomicU32::new(0));
        let ticking = tokio::spawn({
            let ticks = Arc::clone(&ticks);
            async move {
                loop {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                    ticks.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        tokio::time::sleep(Duration::from_millis(200)).await;
        let ticks_before = ticks.load(Ordering::Relaxed);
        let receiver = line.ends.as_mut().unwrap().0.try_clone_native().unwrap();
        let talking = std::thread::spawn(move || {
            let (mut receiver, began) = (receiver, raw_now());
            for _ in 0..250 {
                receiver.write_all(b"$").unwrap();
                std::thread::sleep(Duration::from_millis(2));
            }
            (began, raw_now())
        });
        let (mut reads, mut length) = (Vec::new(), 0);
        while length < 250 {
            let waited = tokio::time::timeout(PATIENCE, events.recv()).await;
            let Event::Bytes(bytes) = waited.expect("no event").expect("the source ended") else { continue };
            length += bytes.data.len();
            reads.push(bytes.read_at);
        }
        let ticked = ticks.load(Ordering::Relaxed) - ticks_before;
        let (began, ended) = talking.join().unwrap();
        let (at_once, late) = (reads[0] - began, *reads.last().unwrap() - ended);
        assert!(at_once < Span::from_millis(50), "the first byte was read {at_once} after it was sent");
        assert!(late < Span::from_millis(150), "the last byte was read {late} after it was sent");
        // After a pause of 100 ms with few bytes, as here, the source waits for the next byte.
        let most = 2 + 2 * ((ended - began).nanos() / 100_000_000);
        assert!(reads.len() as i64 <= most, "{} reads, {most} at most", reads.len());
        assert!(ticked >= 20, "others on the runtime got {ticked} turns of 10 ms");
        source.abort();
        ticking.abort();
    });
}

#[test]
fn a_receiver_may_be_unplugged_and_come_back_under_its_name() {
    on_runtime(async {
        let (sender, mut events) = channel(1_024);
        let mut line = Line::new("replug");
        let source = tokio::spawn(serial::run(line.config(), None, sender));
        let next = async |events: &mut Receiver<Event>| {
            let waited = tokio::time::timeout(PATIENCE, events.recv()).await;
            waited.expect("no event").expect("the source ended")
        };
        for _ in 0..3 {
            let opened = next(&mut events).await;
            assert!(matches!(opened, Event::Source { change: SourceChange::SentencesOpen, .. }), "{opened:?}");
            line.send(b"$GPGSV,1,1,00*79\r\n");
            let bytes = next(&mut events).await;
            assert!(matches!(bytes, Event::Bytes(_)), "{bytes:?}");
            line.unplug();
            let lost = next(&mut events).await;
            assert!(
                matches!(lost, Event::Source { change: SourceChange::SentencesLost(Lost::Device), .. }),
                "{lost:?}"
            );
            line.plug();
        }
        source.abort();
    });
}

#[test]
fn the_whole_chain_locks_through_a_pty_and_every_sample_is_right() {
    on_runtime(async {
        let (sender, mut events) = channel(1_024);
        let live = Live::start(crate::library::chain::scenario(), sender.clone()).unwrap();
        let config = SerialConfig { device: live.device.clone(), baud: Baud::Rate(9_600) };
        let source = tokio::spawn(serial::run(config, None, sender));
        let mut engine = Engine::new(Config::default());
        for _ in 0..3 {
            until_sample(&mut engine, &mut events, &live, "chain").await;
        }
        source.abort();
    });
}
