//! The output of receivers from different manufacturers, byte for byte: through `decode`, and through a real pseudo
//! terminal at the line's rate and in pieces of any size. The findings are always the same.
//!
//! Each capture in tests/replay/*.nmea begins with comment lines: the receiver, its baud rate, its faults, and counts
//! made by hand.

use std::collections::HashMap;
use std::io::Write;
use std::path::PathBuf;
use std::process::Output;
use std::thread::{JoinHandle, sleep, spawn};
use std::time::{Duration, Instant as Clock};

use crate::library::simulated::random::Random;
use gnss2shm::core::event::{Bytes, Event};
use gnss2shm::core::nmea::{Found, Framer, LineCounts, Refusal, Sentence};
use gnss2shm::core::time::{Instant, Span};
use gnss2shm::source::serial::{self, Baud, SerialConfig};
use serialport::{SerialPort, TTYPort};
use tokio::sync::mpsc::channel;

/// A line's content without its time.
type Content = Result<String, Refusal>;

struct Capture {
    bytes: Vec<u8>,
    header: HashMap<String, String>,
}

fn path(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/replay").join(name)
}

impl Capture {
    fn read(name: &str) -> Self {
        let mut bytes = std::fs::read(path(name)).unwrap();
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let comments: Vec<_> = text.lines().take_while(|line| line.starts_with('#')).collect();
        let pairs = comments.iter().map(|line| line.trim_start_matches("# ").split_once(": ").expect(line));
        let header = pairs.map(|(key, value)| (key.into(), value.into())).collect();
        // Every line ends as NMEA's do.
        bytes.drain(..comments.iter().map(|line| line.len() + 2).sum::<usize>());
        Self { bytes, header }
    }

    fn number(&self, key: &str) -> u64 {
        self.header.get(key).unwrap_or_else(|| panic!("no {key}")).parse().unwrap()
    }

    /// A framer's findings in all of it at once.
    fn contents(&self) -> (Vec<Content>, LineCounts) {
        let data = self.bytes.clone().into();
        let bytes = Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_nanos(1), data };
        let (mut framer, mut contents) = (Framer::default(), Vec::new());
        contents.extend(lines(&mut framer, &bytes).into_iter().map(content));
        (contents, framer.counts())
    }

    /// The seconds' bursts: each begins with the same type of sentence.
    fn bursts(&self) -> Vec<&[u8]> {
        let starts: Vec<usize> = (0..self.bytes.len()).filter(|&i| self.bytes[i] == b'$').collect();
        let kind = |at: usize| &self.bytes[at + 1..at + 6];
        let mut cuts: Vec<usize> = starts.iter().copied().filter(|&at| kind(at) == kind(starts[0])).collect();
        cuts[0] = 0;
        cuts.push(self.bytes.len());
        cuts.windows(2).map(|pair| &self.bytes[pair[0]..pair[1]]).collect()
    }
}

/// The lines completed by these bytes.
fn lines(framer: &mut Framer, bytes: &Bytes) -> Vec<Result<Sentence, Refusal>> {
    let mut lines = Vec::new();
    framer.push_all(bytes, |found| {
        if let Found::Line(line) = found {
            lines.push(line.read);
        }
    });
    lines
}

fn content(read: Result<Sentence, Refusal>) -> Content {
    read.map(|Sentence { kind, time, date, validity, .. }| format!("{kind:?} {time:?} {date:?} {validity:?}"))
}

/// Sends the bytes with `send`, and returns the findings of the real serial source and a framer.
fn through_a_pty(
    capture: &Capture,
    send: impl FnOnce(TTYPort, Vec<u8>) -> TTYPort + Send + 'static,
) -> (Vec<Content>, LineCounts) {
    let (receiver, machine) = TTYPort::pair().unwrap();
    let config = SerialConfig { device: machine.name().unwrap(), baud: Baud::Rate(capture.number("baud") as u32) };
    let total = capture.bytes.len() as u64;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let (sender, mut events) = channel(1_024);
        let source = tokio::spawn(serial::run(config, None, sender));
        let mut sending: Option<JoinHandle<TTYPort>> = None;
        let (mut framer, mut contents) = (Framer::default(), Vec::new());
        let mut to_send = Some((receiver, send));
        let work = async {
            while framer.counts().bytes < total {
                match events.recv().await.unwrap() {
                    Event::Bytes(bytes) => contents.extend(lines(&mut framer, &bytes).into_iter().map(content)),
                    // The port is open, so nothing is lost from now on.
                    Event::Source { .. } => {
                        let ((port, send), bytes) = (to_send.take().unwrap(), capture.bytes.clone());
                        sending = Some(spawn(move || send(port, bytes)));
                    }
                    other => panic!("{other:?}"),
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(60), work).await.expect("bytes are missing");
        source.abort();
        drop(sending.map(JoinHandle::join));
        (contents, framer.counts())
    })
}

/// One byte at a time, at the line's rate.
fn at_the_pace_of_the_line(name: &str) {
    let capture = Capture::read(name);
    let byte_time = Duration::from_secs(10) / capture.number("baud") as u32;
    let found = through_a_pty(&capture, move |mut port, bytes| {
        let begin = Clock::now();
        for (n, byte) in bytes.iter().enumerate() {
            sleep((byte_time * n as u32).saturating_sub(begin.elapsed()));
            port.write_all(&[*byte]).unwrap();
        }
        port
    });
    assert_eq!(found, capture.contents(), "{name}");
}

#[test]
fn ublox_at_the_pace_of_its_line() {
    at_the_pace_of_the_line("ublox-m8.nmea");
}

#[test]
fn atgm336h_at_the_pace_of_its_line() {
    at_the_pace_of_the_line("atgm336h.nmea");
}

#[test]
fn sirf_at_the_pace_of_its_line() {
    at_the_pace_of_the_line("sirf2.nmea");
}

fn begins_with_a_sentence(burst: &[u8]) -> bool {
    let line = burst.split_inclusive(|&byte| byte == b'\n').next().unwrap();
    let bytes = Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_nanos(1), data: line.into() };
    lines(&mut Framer::default(), &bytes).iter().any(Result::is_ok)
}

/// In virtual time, independent of the machine's load: one burst per second, read in the pieces of a UART's FIFO.
#[test]
fn every_second_has_a_burst_of_its_own() {
    for name in ["ublox-m8.nmea", "atgm336h.nmea", "sirf2.nmea"] {
        let capture = Capture::read(name);
        let byte_ns = 10_000_000_000 / capture.number("baud") as i64;
        let (mut framer, mut begun) = (Framer::default(), 0);
        for (second, burst) in (1..).zip(capture.bursts()) {
            let mut read_at = Instant::from_nanos(second * 1_000_000_000);
            for piece in burst.chunks(8) {
                read_at = read_at + Span::from_nanos(byte_ns * piece.len() as i64);
                let byte_time = Span::from_nanos(byte_ns);
                let lines = lines(&mut framer, &Bytes { read_at, byte_time, data: piece.into() });
                let started = framer.burst().began;
                begun += lines.into_iter().flatten().filter(|sentence| sentence.read_at == started).count();
            }
        }
        // A burst that begins within a sentence, or with a refused one, has no sentence at its start.
        let whole = capture.bursts().into_iter().filter(|burst| begins_with_a_sentence(burst)).count();
        assert!(whole + 1 >= capture.bursts().len(), "{name}: {whole}");
        assert_eq!(begun, whole, "{name}");
    }
}

#[test]
fn in_pieces_of_any_size_the_same_sentences_are_found() {
    for name in ["ublox-m8.nmea", "atgm336h.nmea", "sirf2.nmea"] {
        let capture = Capture::read(name);
        for seed in 0..8 {
            let found = through_a_pty(&capture, move |mut port, bytes| {
                let mut random = Random::new(seed);
                let mut rest = bytes.as_slice();
                while !rest.is_empty() {
                    let (piece, after) = rest.split_at(rest.len().min(1 + random.below(200) as usize));
                    port.write_all(piece).unwrap();
                    if random.happens(300) {
                        sleep(Duration::from_micros(random.below(3_000)));
                    }
                    rest = after;
                }
                port
            });
            assert_eq!(found, capture.contents(), "{name}, seed {seed}");
        }
    }
}

fn decode(args: &[&str], input: &[u8]) -> Output {
    crate::library::common::run_with_input(&[&["decode"], args].concat(), input)
}

#[test]
fn decode_finds_what_a_person_counted() {
    for name in ["ublox-m8.nmea", "atgm336h.nmea", "sirf2.nmea"] {
        let capture = Capture::read(name);
        let output = decode(&["-"], &capture.bytes);
        assert!(output.status.success(), "{output:?}");
        let lines = String::from_utf8(output.stdout).unwrap();
        let count = |what: &str| lines.lines().filter(|line| line.contains(what)).count() as u64;
        assert_eq!(count("Z valid"), capture.number("valid"), "{name}\n{lines}");
        assert_eq!(count("no fix"), capture.number("without a fix"), "{name}\n{lines}");
        let counts = String::from_utf8(output.stderr).unwrap();
        assert!(counts.contains(&format!(" {} refused", capture.number("refused"))), "{name}\n{counts}");
    }
}

#[test]
fn decode_names_each_reason() {
    let lines =
        b"$GPRMC,120000,A,1,N,2,E,0,0,170535,,*00\r\n$GPGGA,120000\r\n$GPZDA,120000,32,05,2035,,*4B\r\n$GPRMC,1\x80";
    let output = decode(&[], lines);
    let text = String::from_utf8(output.stdout).unwrap();
    for (line, why) in text.lines().zip(["its checksum is 00", "no checksum", "its date", "it contains byte 80"]) {
        assert!(line.contains(why), "{line}");
    }
    assert_eq!((text.lines().count(), output.status.code()), (4, Some(1)), "{text}");
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains("contains no sentence with a valid time"), "{said}");
}

#[test]
fn decode_writes_one_json_object_a_line() {
    let capture = Capture::read("ublox-m8.nmea");
    let output = decode(&["--json"], &[capture.bytes.as_slice(), b"$GPRMC,\"\\\x01"].concat());
    let text = String::from_utf8(output.stdout).unwrap();
    let first = r#"{"file":null,"byte":267,"kind":"sentence","message":"GNRMC","utc":"2035-05-17T11:59:55Z","validity":"invalid","date_refused":null,"refused":null,"remark":"no fix","text":"$GNRMC,"#;
    assert!(text.starts_with(&first.replace("267", &capture.first_rmc().to_string())), "{text}");
    assert!(text.ends_with("\"text\":\"$GPRMC,\\\"\\\\\"}\n"), "{text}");
}

impl Capture {
    fn first_rmc(&self) -> usize {
        self.bytes.windows(6).position(|bytes| bytes == b"$GNRMC").unwrap()
    }
}
