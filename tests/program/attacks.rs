//! Attacks by an unprivileged user on a running `gnss2shm run`: none of them ends it, blocks its metrics, fills a disk
//! through its log, or sends control characters to a terminal.

use std::fs;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::process::{Command, Stdio};

use crate::common::run::{ABSENT, PATIENCE, Run, scraped};
use crate::common::{TestDir, TestUnit, copy_program};

fn is_text(said: &str) -> bool {
    said.chars().all(|c| c == '\n' || !c.is_control())
}

#[test]
fn a_file_that_may_not_grow_pauses_the_recording_and_ends_nothing() {
    let (dir, unit) = (TestDir::new("attack-file-size"), TestUnit::claim());
    let (fifo, record) = (dir.join("fifo"), dir.join("rec"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let args = ["--fifo", fifo.to_str().unwrap(), "--record", record.to_str().unwrap()];
    let mut run = Run::limited("ulimit -f 16", "/dev/ptp99", unit.unit, &args);
    let mut writer = fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    run.said("reading /");
    for _ in 0..64 {
        writer.write_all(&[b'x'; 1024]).unwrap();
    }
    run.said("paused: ");
    assert!(run.runs());
}

#[test]
fn too_few_files_are_refused_at_the_start_with_the_number_needed() {
    for limit in ["ulimit -n 13", "ulimit -n 63"] {
        let unit = TestUnit::claim();
        let (code, said) = Run::limited(limit, "/dev/ptp99", unit.unit, &ABSENT).ended();
        assert!(code == Some(71) && said.contains("64 are needed"), "{limit}: {code:?} {said}");
    }
    // A process may raise its own soft limit.
    let unit = TestUnit::claim();
    Run::limited("ulimit -S -n 20", "/dev/ptp99", unit.unit, &ABSENT).said("waiting for it");
}

#[test]
fn idle_connections_blind_no_scraper() {
    let (free, unit) = (crate::common::free_address(), TestUnit::claim());
    let run = Run::start(unit.unit, &[&ABSENT[..], &["--metrics", &free.to_string()]].concat());
    run.said("waiting for it");
    scraped(free, PATIENCE);
    let mut idle = Vec::new();
    for _ in 0..10 {
        idle.extend((0..8).map(|_| TcpStream::connect(free).unwrap()));
        // Answered before an idle connection times out.
        scraped(free, PATIENCE / 10);
    }
}

#[test]
fn a_gpsd_that_lies_fills_no_log_and_turns_no_terminal() {
    let (listener, unit) = (TcpListener::bind("127.0.0.1:0").unwrap(), TestUnit::claim());
    let address = listener.local_addr().unwrap().to_string();
    let mut run = Run::start(unit.unit, &["--gpsd", &address]);
    let (mut client, _) = listener.accept().unwrap();
    let mut drain = client.try_clone().unwrap();
    std::thread::spawn(move || while matches!(drain.read(&mut [0; 4096]), Ok(1..)) {});
    let esc = "\\u001b[2J\\r\\n\\u009b31m";
    writeln!(client, r#"{{"class":"VERSION","release":"3.22{esc}","rev":"3","proto_major":3,"proto_minor":14}}"#)
        .unwrap();
    for n in 0..20_000 {
        let device = |end| format!(r#"{{"class":"DEVICE","path":"/dev/{esc}{n}{end}","activated":0}}"#);
        writeln!(client, r#"{{"class":"DEVICES","devices":[{},{}]}}"#, device("a"), device("b")).unwrap();
    }
    writeln!(client, r#"{{"class":"ERROR","message":"{esc}"}}"#).unwrap();
    client.shutdown(std::net::Shutdown::Both).unwrap();
    run.said("this changes often");
    assert!(run.runs());
    let said = run.everything();
    assert!((1..300).contains(&said.len()), "{} lines", said.len());
    assert!(said.iter().all(|line| is_text(line)), "{said:#?}");
    assert!(said.iter().any(|line| line.contains("several devices: /dev/\\u{1b}[2J\\r\\n")), "{said:#?}");
}

#[test]
fn a_hostile_status_socket_costs_little_memory_and_turns_no_terminal() {
    let dir = TestDir::new("attack-status");
    let socket = dir.join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let server = std::thread::spawn(move || {
        for answer in [&[b' '; 1024][..], b"\x1b[2J\r\n"] {
            let (mut client, _) = listener.accept().unwrap();
            let written = (0..64 * 1024).take_while(|_| client.write_all(answer).is_ok()).count();
            assert!(written < 1024, "{written} times {} bytes were read", answer.len());
        }
    });
    for _ in 0..2 {
        let output = Command::new(env!("CARGO_BIN_EXE_gnss2shm")).args(["status", "--socket"]).arg(&socket).output();
        let output = output.unwrap();
        let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
        assert_eq!(output.status.code(), Some(69), "{said}");
        assert!(is_text(&said) && said.lines().count() == 1, "{said:?}");
    }
    server.join().unwrap();
}

#[test]
fn a_program_with_a_name_for_terminals_is_named_in_plain_text() {
    let (dir, unit) = (TestDir::new("attack-name"), TestUnit::claim());
    let (fifo, sleeper) = (dir.join("fifo"), dir.join("\x1b[31m\nx"));
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    copy_program("/bin/sleep", &sleeper);
    let _writer = fs::OpenOptions::new().read(true).write(true).open(&fifo).unwrap();
    let input = Stdio::from(fs::File::open(&fifo).unwrap());
    let mut reader = Command::new(&sleeper).arg("60").stdin(input).spawn().unwrap();
    let run = Run::start(unit.unit, &["--fifo", fifo.to_str().unwrap()]);
    let said = run.said("is also read by");
    reader.kill().unwrap();
    reader.wait().unwrap();
    assert!(is_text(&said) && said.contains("\\u{1b}[31m\\nx"), "{said:?}");
}

#[test]
fn nobody_else_can_take_a_claim_or_hold_on_to_one() {
    if !crate::common::is_root() {
        return println!("skipped: only root can start a process as another user");
    }
    let unit = TestUnit::claim();
    let as_nobody = |command: &str| {
        let id = crate::common::NOBODY.to_string();
        Command::new("setpriv")
            .args(["--reuid", &id, "--regid", &id, "--clear-groups", "sh", "-c", command])
            .output()
            .unwrap()
    };
    let lock = format!("/run/gnss2shm/shm-unit-{}.lock", unit.unit);
    // Every user can bind any abstract name (unix(7)), so claims must not use them.
    let name = SocketAddr::from_abstract_name(format!("gnss2shm-shm-unit-{}", unit.unit)).unwrap();
    let _taken = UnixListener::bind_addr(&name).unwrap();
    drop(Run::start(unit.unit, &ABSENT).said("waiting for it"));
    for command in [format!("flock -n {lock} true"), format!("rm -f {lock}"), format!(": >>{lock}")] {
        let output = as_nobody(&command);
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && said.contains("ermission denied"), "{command}: {said}");
    }
    // The remains of a killed process hold no claim.
    Run::start(unit.unit, &ABSENT).said("waiting for it");
}
