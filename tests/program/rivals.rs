//! Two gnss2shm processes, or another program and gnss2shm, with an exclusive resource: the second is refused and names
//! the holder, and the resource is free as soon as the first is gone, even after kill -9.

use std::fs;
use std::net::TcpListener;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::run::{ABSENT, PATIENCE, Run, scraped};
use crate::common::{TestDir, TestUnit};

#[test]
fn what_another_instance_has_is_refused_with_its_pid_until_it_is_gone() {
    let dir = TestDir::new("rivals");
    let path = |name| dir.join(name).to_str().unwrap().to_owned();
    let (record, sock, status) = (path("rec"), path("chrony.g.sock"), path("s"));
    let (one, other) = (TestUnit::claim(), TestUnit::claim());
    for (option, value, refused) in [
        ("--record", &record, "is recording to it, and each would rotate the other's files away"),
        ("--sock", &sock, "sends to it, and chronyd would take the samples of both"),
        ("--status", &status, "give each its own status socket"),
    ] {
        let args = [&ABSENT[..], &[option, value.as_str()]].concat();
        let first = Run::start(one.unit, &args);
        first.said("waiting for it");
        // An interface without a PHC: opening it would be reported.
        let (code, said) = Run::with("lo", other.unit, &args).ended();
        let holder = format!("another gnss2shm (pid {})", first.pid());
        assert!(said.contains(value.as_str()) && said.contains(&holder) && said.contains(refused), "{option}: {said}");
        assert_eq!(code, Some(69), "{option}: {said}");
        drop(first);
        Run::start(other.unit, &args).said("waiting for it");
    }
    assert!(!Path::new(&format!("{record}.2")).exists(), "the one that was refused has made no file");
    let first = Run::start(one.unit, &ABSENT);
    first.said("waiting for it");
    let (code, said) = Run::with("lo", one.unit, &ABSENT).ended();
    let holder = format!("another gnss2shm (pid {}) writes to it", first.pid());
    assert!(code == Some(69) && said.contains(&holder), "{said}");
}

#[test]
fn a_port_that_another_program_listens_at_stops_no_sample_and_is_served_once_it_is_free() {
    let (listener, unit) = (TcpListener::bind("127.0.0.1:0").unwrap(), TestUnit::claim());
    let address = listener.local_addr().unwrap();
    let run = Run::start(unit.unit, &[&ABSENT[..], &["--metrics", &address.to_string()]].concat());
    run.said(&format!("ss -ltnp sport = :{}", address.port()));
    drop(listener);
    assert!(scraped(address, PATIENCE).contains("gnss2shm_state"));
}

#[test]
fn the_reader_of_a_fifo_is_named_to_the_next_which_waits_for_its_end() {
    let dir = TestDir::new("rivals-fifo");
    let path = dir.join("fifo");
    assert!(Command::new("mkfifo").arg(&path).status().unwrap().success());
    // Opened for reading and writing: does not wait for the other side, and does not count as a reader.
    let _writer = fs::OpenOptions::new().read(true).write(true).open(&path).unwrap();
    let mut cat = Command::new("cat").arg(&path).stdout(Stdio::null()).spawn().unwrap();
    let fds = format!("/proc/{}/fd", cat.id());
    let limit = Instant::now() + PATIENCE;
    while !fs::read_dir(&fds).unwrap().flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link == path)) {
        assert!(Instant::now() < limit, "cat does not open it");
        std::thread::sleep(Duration::from_millis(10));
    }
    let (one, other) = (TestUnit::claim(), TestUnit::claim());
    let args = ["--fifo", path.to_str().unwrap()];
    let first = Run::start(one.unit, &args);
    first.said("reading /");
    let said = first.said("is also read by");
    assert!(said.contains(&format!("by cat (pid {}):", cat.id())), "{said}");
    cat.kill().unwrap();
    cat.wait().unwrap();
    let second = Run::start(other.unit, &args);
    let said = second.said("is read by");
    assert!(said.contains(&format!("by gnss2shm (pid {}), and", first.pid())), "{said}");
    drop(first);
    second.said("reading /");
}

/// The content of a recording that has just started.
const RECORDING: &str = "gnss2shm-recording";

#[test]
fn a_start_that_the_phc_ends_makes_no_file_of_a_recording_and_rotates_none() {
    let (dir, unit) = (TestDir::new("rivals-phc"), TestUnit::claim());
    let record = dir.join("rec");
    fs::write(&record, RECORDING).unwrap();
    let args = [&ABSENT[..], &["--record", record.to_str().unwrap()]].concat();
    let (code, said) = Run::with("lo", unit.unit, &args).ended();
    assert!(code == Some(69) && said.contains("lo has no PTP hardware clock"), "{said}");
    assert_eq!(
        (fs::read_to_string(&record).unwrap().as_str(), fs::read_dir(dir.path()).unwrap().count()),
        (RECORDING, 1)
    );
}
