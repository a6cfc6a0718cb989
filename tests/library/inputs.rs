//! Mutated inputs through every entry point of the running program: none ends it, its memory does not grow, and samples
//! continue. `GNSS2SHM_INPUTS=300000 cargo test --release --lib inputs -- --nocapture` is the full size.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::library::common::run::{Run, scraped};
use crate::library::common::{TestDir, TestUnit, free_address, program, start};
use crate::library::simulated::random::Random;
use crate::library::simulated::scenario::{Fault, FaultKind, Scenario};
use crate::library::simulated::timeline::Timeline;
use crate::library::simulated::world::World;
use gnss2shm::config::File;
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Bytes, Event, Verdict};
use gnss2shm::core::time::{Date, Instant, Span, UtcSecond};

/// Resident memory of the daemon stays below this, KiB. An unoptimized build takes twice as much.
const RESIDENT: u64 = if cfg!(debug_assertions) { 16 } else { 8 } * 1_024;

const LINES: &[&[u8]] = &[
    b"$GNRMC,120000.00,A,4807.03810,N,01131.00000,E,0.01,0.0,301126,,,A*76\r\n",
    b"$GNZDA,120000.00,30,11,2026,00,00*7E\r\n",
    b"$GNGGA,120000.00,4807.03810,N,01131.00000,E,1,12,0.70,545.4,M,46.9,M,,*4D\r\n",
    b"$PUBX,04,120000.00,301126,43200.00,2394,18,-5342,0.02,21*31\r\n",
    b"\xB5\x62\x01\x21\x14\x00\x10\x27\x00\x00\x20\x00\x00\x00\x00\x00\x00\x00\xEA\x07\x0B\x1E\x0C\x00\x00\x07\xBA\x7C",
    b"\xD3\x00\x13\x3E\xD7\xD3\x02\x02\x98\x0E\xDE\xEF\x34\xB4\xBD\x62\xAC\x09\x41\x98\x6F\x33\x36\x0B\x98",
];
const GPSD: &[&[u8]] = &[
    b"{\"class\":\"VERSION\",\"release\":\"3.25\",\"rev\":\"3.25\",\"proto_major\":3,\"proto_minor\":15}\n",
    b"{\"class\":\"DEVICES\",\"devices\":[{\"class\":\"DEVICE\",\"path\":\"/dev/ttyS0\",\"activated\":\"2026-11-30T12:00:00.000Z\"}]}\n",
    b"{\"class\":\"TPV\",\"device\":\"/dev/ttyS0\",\"mode\":3,\"time\":\"2026-11-30T12:00:00.000Z\",\"ept\":0.005}\n",
    b"{\"class\":\"TOFF\",\"device\":\"/dev/ttyS0\",\"real_sec\":1796040000,\"real_nsec\":0,\"clock_sec\":1796040000,\"clock_nsec\":200000000}\n",
    b"$GNRMC,120000.00,A,4807.03810,N,01131.00000,E,0.01,0.0,301126,,,A*76\r\n",
];
const RECORDED: &[&[u8]] = &[
    b"gnss2shm-recording 1 program=0.1.0 part=1 width=auto delay=auto offset=0\n",
    b"1000000060000 edge 4242123456796\n1000000075000 cross 4242123531926 1798761557000075000 400\n",
    b"1000922153449 bytes 1041666 \"$GNGGA,235917.00,4807.03810,N,01131.00000,E,1,12,0.70,545.4,M,46.9,M,,*45\\r\\n\"\n",
    b"999000007000 witness unsynchronised\n999000007000 leap-table 2026-12-31 insert\n1000000000000 tick\n",
];
const REQUESTS: &[&[u8]] =
    &[b"status\n", b"follow\n", b"GET /metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"];
const SETTINGS: &[&[u8]] = &[
    b"holdover = \"60s\"\n[serial]\ndevice = \"/dev/ttyS0\"\nbaud = 9600\n[phc]\ndevice = \"eth0\"\npin = \"SDP0\"\n",
    b"[shm]\nunit = 0\n[pulse]\nwidth = \"700ms\"\nedges = \"one\"\n[sentences]\ndelay = \"1300ms\"\ntrust-zda = true\n",
];

/// Share of all inputs for this entry point, per thousand.
fn share(permille: usize) -> usize {
    let all = std::env::var("GNSS2SHM_INPUTS").map_or(6_000, |count| count.parse().unwrap());
    all * permille / 1_000
}

/// One of these, or two combined, with some bytes changed, removed, repeated, or inserted.
fn mutated(random: &mut Random, of: &[&[u8]]) -> Vec<u8> {
    let pick = |random: &mut Random| of[random.below(of.len() as u64) as usize].to_vec();
    let mut input = pick(random);
    if random.happens(200) {
        input.extend(pick(random));
    }
    for _ in 0..random.between(0, 6) {
        let at = random.below(input.len() as u64 + 1) as usize;
        let end = input.len().min(at + random.between(0, 20) as usize);
        match random.below(6) {
            0 => drop(input.drain(at..end)),
            1 => {
                let part = input[at..end].to_vec();
                input.splice(at..at, part);
            }
            2 => input.splice(at..at, b"\xFF\0\x1B[2J\r\n$\xB5\x62{\"9,".iter().copied()).for_each(drop),
            3 => input.splice(at..at, (0..random.between(0, 300)).map(|_| b'9')).for_each(drop),
            _ => input[at..end].iter_mut().for_each(|byte| *byte ^= 1 << (random.bits() % 8)),
        }
    }
    input
}

fn resident(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.split_whitespace().next().unwrap().parse().unwrap()
}

/// A server that sends this many inputs to its clients, and reports when it is done.
fn server(seed: u64, of: &'static [&'static [u8]], count: usize) -> (String, mpsc::Receiver<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let (done, is_done) = mpsc::channel();
    std::thread::spawn(move || {
        let (mut random, mut left) = (Random::new(seed), count);
        for mut stream in listener.incoming().flatten() {
            if of.len() == GPSD.len() && stream.write_all(GPSD[0]).is_err() {
                continue;
            }
            while left > 0 && stream.write_all(&mutated(&mut random, of)).is_ok() {
                left -= 1;
            }
            // It ends once everything is read.
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let _ = stream.read_to_end(&mut Vec::new());
            if left == 0 {
                let _ = done.send(());
            }
        }
    });
    (address, is_done)
}

/// A child's output for this standard input; it may refuse it, but must not end by a signal or a panic.
fn verb(arguments: &[&str], input: &[u8]) {
    let mut child = start(
        Command::new(program()).args(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::piped()),
    );
    let _ = child.stdin.take().unwrap().write_all(input);
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.code().is_some_and(|code| code != 101) && !said.contains("panicked"),
        "{arguments:?}: {said}"
    );
}

#[test]
fn the_daemon_lives_through_mutated_inputs_and_does_not_grow() {
    let dir = TestDir::new("inputs");
    let (unit, other) = (TestUnit::claim(), TestUnit::claim());
    let (status, metrics) = (dir.join("status"), free_address());
    let (tcp, tcp_is_done) = server(1, LINES, share(400));
    let (gpsd, gpsd_is_done) = server(2, GPSD, share(200));
    let listen = metrics.to_string();
    let mut by_tcp =
        Run::start(unit.unit, &["--tcp", &tcp, "--status", status.to_str().unwrap(), "--metrics", &listen]);
    let mut by_gpsd = Run::start(other.unit, &["--gpsd", &gpsd]);
    scraped(metrics, Duration::from_secs(60));
    let mut random = Random::new(3);
    for n in 0..share(100) {
        let input = mutated(&mut random, REQUESTS);
        let mut answer = Vec::new();
        if n % 2 == 0 {
            let Ok(mut client) = UnixStream::connect(&status) else { continue };
            let _ = client.write_all(&input);
            let _ = client.shutdown(std::net::Shutdown::Both);
        } else {
            let Ok(mut client) = TcpStream::connect(metrics) else { continue };
            let _ = client.write_all(&input);
            let _ = client.shutdown(std::net::Shutdown::Write);
            let _ = client.take(100_000).read_to_end(&mut answer);
        }
    }
    tcp_is_done.recv().unwrap();
    gpsd_is_done.recv().unwrap();
    for (what, run) in [("tcp", &mut by_tcp), ("gpsd", &mut by_gpsd)] {
        assert!(run.runs(), "{what}: it has ended");
        let resident = resident(run.pid());
        println!("{what}: {resident} KiB resident at most");
        assert!(resident < RESIDENT, "{what}: {resident} KiB");
    }
    assert!(scraped(metrics, Duration::from_secs(60)).contains("gnss2shm_state"));
    verb(&["status", "--socket", status.to_str().unwrap()], b"");
    assert_eq!((by_tcp.terminated(), by_gpsd.terminated()), (Some(0), Some(0)));
}

#[test]
fn verbs_refuse_mutated_files_settings_and_answers() {
    let dir = TestDir::new("verbs");
    let mut random = Random::new(4);
    // A thousand at a time: most of a process's cost is its start.
    for _ in 0..share(100) / 100 {
        let many: Vec<u8> = (0..100).flat_map(|_| mutated(&mut random, LINES)).collect();
        verb(&["decode", "-"], &many);
    }
    let recording = dir.join("mutated.rec");
    for _ in 0..share(50) / 50 {
        let many: Vec<u8> = (0..50).flat_map(|_| mutated(&mut random, RECORDED)).collect();
        fs::write(&recording, [RECORDED[0], &many].concat()).unwrap();
        verb(&["replay", recording.to_str().unwrap()], b"");
    }
    for _ in 0..share(100) {
        let _ = File::from_bytes("mutated.toml", &mutated(&mut random, SETTINGS));
    }
    answers(&dir.join("hostile"), &mut random, share(50) / 50);
}

/// `status` of a server that answers with mutated lines, fifty at a time.
fn answers(path: &Path, random: &mut Random, times: usize) {
    const ANSWERS: &[&[u8]] =
        &[b"{\"version\":\"0.1.0\",\"state\":\"Locked\",\"sync\":\"LOCKED\",\"samples\":1}\n", b"[[[[{}]]]]\n"];
    let listener = UnixListener::bind(path).unwrap();
    for _ in 0..times {
        let many: Vec<u8> = (0..50).flat_map(|_| mutated(random, ANSWERS)).collect();
        let listener = listener.try_clone().unwrap();
        let answering = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            let _ = client.write_all(&many);
        });
        verb(&["status", "--socket", path.to_str().unwrap()], b"");
        answering.join().unwrap();
    }
}

#[test]
fn samples_of_the_pulse_go_on_while_mutated_bytes_come() {
    let first = UtcSecond::from_civil(Date::new(2026, 11, 20).unwrap(), 40_000);
    let silent = Fault { from: 20, until: 79, kind: FaultKind::NoSentences };
    let scenario = Scenario { faults: vec![silent], ..Scenario::default() };
    let mut timeline = Timeline::new(World::new(scenario, first, Instant::from_parts(1_000, 0)));
    let mut engine = Engine::new(Config::default());
    let (mut random, mut samples, mut left) = (Random::new(5), 0, share(100));
    let at_a_time = left / 55 + 1;
    loop {
        let event = timeline.next_event();
        let (raw, _) = event.head();
        let second = (raw - timeline.world().pulse_number(0)).nearest(Span::SECOND).0;
        if second > 78 {
            break;
        }
        let mut verdicts = engine.handle(&event);
        if second >= 22 && matches!(event, Event::Tick { .. }) {
            for _ in 0..at_a_time.min(left) {
                let mut data = mutated(&mut random, LINES);
                // Another receiver's valid sentences would be another matter.
                data.retain(|byte| !b"*\x21".contains(byte));
                let bytes = Bytes { read_at: raw, byte_time: Span::ZERO, data: data.into() };
                verdicts.extend(engine.handle(&Event::Bytes(bytes)));
            }
            left = left.saturating_sub(at_a_time);
        }
        for verdict in verdicts {
            if let (Verdict::Sample(sample), 22..) = (verdict, second) {
                samples += 1;
                let error = timeline.error(&sample).unwrap();
                assert!(error.abs() <= sample.error, "{second}: {sample:?} is off by {error}");
            }
        }
    }
    assert_eq!(left, 0);
    assert!(samples > 50, "{samples} samples in 56 s");
}
