//! The status socket, the command `status`, and the metrics, with well-behaved and misbehaving clients.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use crate::library::common::{
    NOBODY, TestDir, TestUnit, copy_program, ends_within, in_time, is_root, nobody_starts, output, program, start,
};
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Event, Leap, Reason, Sample, State, Verdict};
use gnss2shm::core::time::{Instant as TimeOf, Span, UtcSecond};
use gnss2shm::daemon::status::Board;
use gnss2shm::daemon::status::GateConfig;
use gnss2shm::daemon::status::metrics;
use gnss2shm::daemon::status::server::{FOLLOWERS, StatusServer};
use gnss2shm::daemon::status::snapshot::Snapshot;
use gnss2shm::sys::clock::raw_now;
use gnss2shm::sys::error::Problem;
use tokio::sync::watch;

const SAMPLE: Verdict = Verdict::Sample(Sample {
    label: UtcSecond::from_posix(0),
    at: TimeOf::from_nanos(0),
    error: Span::ZERO,
    leap: Leap::None,
});

/// Both servers on a separate thread, and control of the state.
struct Daemon {
    dir: TestDir,
    engine: Engine,
    board: Option<watch::Sender<Board>>,
    state: State,
    metrics: SocketAddr,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Daemon {
    fn start(name: &str) -> Self {
        let dir = TestDir::new(name);
        let engine = Engine::new(Config::default());
        let gate = GateConfig { opens_after: Span::ZERO, closes_after: Span::ZERO };
        let (board, shown) = watch::channel(Board::new(&engine, "/dev/ttyS0".into(), "eth0".into(), gate));
        let (ready, is_ready) = std::sync::mpsc::channel();
        let path = dir.path().join("s");
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async {
                let status = StatusServer::bind(&path).unwrap();
                let free = crate::library::common::free_address();
                let listener = tokio::net::TcpListener::bind(free).await.unwrap();
                ready.send(free).unwrap();
                tokio::select! {
                    () = status.run(shown.clone()) => {}
                    () = metrics::run(listener, shown) => {}
                }
            });
        });
        let metrics = is_ready.recv().unwrap();
        let state = State::Searching(Reason::Starting);
        Self { dir, engine, board: Some(board), state, metrics, thread: Some(thread) }
    }

    fn socket(&self) -> PathBuf {
        self.dir.path().join("s")
    }

    fn turn(&mut self, to: State) {
        let mut changed = vec![Verdict::StateChanged { from: self.state, to }];
        changed.extend(to.publishes().then_some(SAMPLE));
        self.state = to;
        self.update(&changed);
    }

    /// A pulse that becomes a sample.
    fn pulse(&self) {
        self.update(&[SAMPLE]);
    }

    fn update(&self, changed: &[Verdict]) {
        let tick = Event::Tick { raw: raw_now() };
        let board = self.board.as_ref().unwrap();
        assert!(board.send_if_modified(|board| board.update(&self.engine, &tick, changed)));
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.board = None;
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
            assert!(!self.socket().exists(), "the socket is left behind");
        }
    }
}

fn verb(socket: &Path) -> Command {
    let mut command = Command::new(program());
    command.arg("status").arg("--socket").arg(socket).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn said(output: &Output) -> (Option<i32>, String) {
    let both = [&output.stdout[..], &output.stderr].concat();
    (output.status.code(), String::from_utf8(both).unwrap())
}

fn snapshot(from: &mut impl BufRead) -> Snapshot {
    let mut line = String::new();
    from.read_line(&mut line).unwrap();
    serde_json::from_str(&line).unwrap()
}

#[test]
fn the_verb_shows_follows_checks_and_waits() {
    let mut daemon = Daemon::start("status");
    let socket = daemon.socket();
    let (code, text) = said(&output(&mut verb(&socket)));
    assert_eq!(code, Some(0));
    assert!(text.contains("Searching (FREERUN)") && text.contains(Reason::Starting.sentence()), "{text}");
    assert_eq!(said(&output(verb(&socket).arg("--check"))), (Some(1), String::new()));
    let (code, text) = said(&output(verb(&socket).args(["--wait-locked", "0s"])));
    assert!(code == Some(1) && text.contains("gnss2shm: Searching: "), "{text}");

    let mut follower = start(verb(&socket).args(["--json", "--follow"]));
    let mut log = follower.stderr.take().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap());
    assert_eq!(snapshot(&mut lines).state, "Searching");
    let waiter = start(verb(&socket).args(["--wait-locked", "1min", "--json"]));
    daemon.turn(State::Locked);
    assert_eq!(snapshot(&mut lines).sync, "LOCKED");
    let mut client = BufReader::new(UnixStream::connect(&socket).unwrap());
    assert_eq!(snapshot(&mut client).samples, 1);
    for samples in 2..5 {
        daemon.pulse();
        // A client gets a line, and --follow prints none: its next one is the next state.
        assert_eq!(snapshot(&mut client).samples, samples);
    }
    let (code, text) = said(&waiter.wait_with_output().unwrap());
    assert_eq!((code, serde_json::from_str::<Snapshot>(&text).unwrap().sync.as_str()), (Some(0), "LOCKED"));
    assert_eq!(said(&output(verb(&socket).arg("--check"))), (Some(0), String::new()));
    daemon.turn(State::Coasting);
    assert_eq!(snapshot(&mut lines).sync, "HOLDOVER");
    drop(daemon);
    assert_eq!(ended(&mut follower), Some(1), "a follower learns of the end");
    let mut text = String::new();
    log.read_to_string(&mut text).unwrap();
    assert_eq!(text, "gnss2shm: gnss2shm run has ended\n");

    let (code, text) = said(&output(&mut verb(&socket)));
    assert!(code == Some(69) && text.contains("does not answer (No such file") && text.lines().count() == 1, "{text}");
}

#[test]
fn a_follower_ends_with_whoever_reads_it_though_nothing_changes() {
    let daemon = Daemon::start("status-left");
    for args in [&["--follow"][..], &["--follow", "--json"]] {
        let mut follower = start(verb(&daemon.socket()).args(args));
        let mut lines = BufReader::new(follower.stdout.take().unwrap());
        let mut line = String::new();
        lines.read_line(&mut line).unwrap();
        assert!(line.contains("Searching"), "{line}");
        drop(lines);
        assert_eq!(ends_within(&mut follower, Duration::from_secs(60)), Some(0));
        let mut log = String::new();
        follower.stderr.take().unwrap().read_to_string(&mut log).unwrap();
        assert_eq!(log, "");
    }
}

#[test]
fn a_follower_too_many_is_told_so_and_not_that_it_has_ended() {
    let daemon = Daemon::start("status-full");
    let _followers: Vec<_> = (0..FOLLOWERS)
        .map(|_| {
            let client = UnixStream::connect(daemon.socket()).unwrap();
            assert_eq!(snapshot(&mut BufReader::new(&client)).state, "Searching");
            client
        })
        .collect();
    let (code, text) = said(&output(verb(&daemon.socket()).arg("--follow")));
    assert!(code == Some(1) && text.contains("32 clients already follow") && !text.contains("has ended"), "{text}");
}

#[test]
fn one_who_does_not_answer_hangs_and_a_stranger_is_named_by_path() {
    let dir = TestDir::new("status-hangs");
    let socket = dir.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let (code, text) = said(&output(&mut verb(&socket)));
    let says = format!("the status socket {} gives no valid answer within 5 s (Resource", socket.display());
    assert!(code == Some(69) && text.contains(&says) && text.lines().count() == 1, "{text}");
    drop(listener.accept().unwrap());
    let child = start(&mut verb(&socket));
    listener.accept().unwrap().0.write_all(b"220 mail\n").unwrap();
    let (code, text) = said(&child.wait_with_output().unwrap());
    assert!(code == Some(69) && text.contains("within 5 s (invalid type"), "{text}");
}

fn ended(child: &mut Child) -> Option<i32> {
    child.wait().unwrap().code()
}

#[test]
fn a_thousand_clients_a_deaf_one_and_a_talkative_one_stop_nobody() {
    let mut daemon = Daemon::start("status-clients");
    let socket = daemon.socket();
    // Never reads; after some hundred changes, its buffer is full and it is dropped.
    let deaf = UnixStream::connect(&socket).unwrap();
    let mut talkative = UnixStream::connect(&socket).unwrap();
    talkative.write_all(&[b'x'; 4096]).unwrap();
    let mut lines = BufReader::new(UnixStream::connect(&socket).unwrap());
    assert_eq!(snapshot(&mut lines).state, "Searching");
    for _ in 0..600 {
        daemon.turn(State::Locked);
        assert_eq!(snapshot(&mut lines).state, "Locked");
        daemon.turn(State::Coasting);
        assert_eq!(snapshot(&mut lines).state, "Coasting");
    }
    let idle: Vec<_> = (0..1_000)
        .map(|_| {
            let client = UnixStream::connect(&socket).unwrap();
            assert_eq!(snapshot(&mut BufReader::new(&client)).state, "Coasting");
            client
        })
        .collect();
    assert_eq!(said(&output(verb(&socket).arg("--check"))).0, Some(0));
    daemon.turn(State::Locked);
    assert_eq!(snapshot(&mut lines).state, "Locked", "an early follower stays");
    drop((idle, deaf));
    for _ in 0..100 {
        let mut follower = BufReader::new(UnixStream::connect(&socket).unwrap());
        assert_eq!(snapshot(&mut follower).state, "Locked");
    }
}

#[test]
fn a_socket_left_behind_is_replaced_and_one_in_use_or_a_file_is_not() {
    let _nobody_starts = nobody_starts();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let _guard = runtime.enter();
    let dir = TestDir::new("status-bind");
    let path = dir.path().join("s");
    drop(std::os::unix::net::UnixListener::bind(&path).unwrap());
    assert!(path.exists(), "left behind");
    let server = StatusServer::bind(&path).unwrap();
    let error = StatusServer::bind(&path).unwrap_err();
    assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
    // Nor is its path free after the socket was removed.
    std::fs::remove_file(&path).unwrap();
    assert!(StatusServer::bind(&path).unwrap_err().problem == Problem::Taken && !path.exists());
    drop(server);
    drop(StatusServer::bind(&path).unwrap());
    assert!(!path.exists());
    std::fs::write(&path, "mine").unwrap();
    assert_eq!(StatusServer::bind(&path).unwrap_err().problem, Problem::Wrong);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(StatusServer::bind(&dir.path().join("none/s")).unwrap_err().problem, Problem::NotCreated);
    for no_name in ["", &"x".repeat(108)] {
        assert_eq!(StatusServer::bind(Path::new(no_name)).unwrap_err().problem, Problem::Wrong, "{no_name}");
    }
}

#[test]
fn a_socket_of_another_process_in_the_place_of_a_removed_one_stays() {
    let mut daemon = Daemon::start("status-removed");
    let socket = daemon.socket();
    let mut follower = BufReader::new(UnixStream::connect(&socket).unwrap());
    assert_eq!(snapshot(&mut follower).state, "Searching");
    std::fs::remove_file(&socket).unwrap();
    let _other = UnixListener::bind(&socket).unwrap();
    daemon.turn(State::Locked);
    assert_eq!(snapshot(&mut follower).state, "Locked");
    daemon.board = None;
    daemon.thread.take().unwrap().join().unwrap();
    assert!(UnixStream::connect(&socket).is_ok());
}

#[test]
fn why_nothing_answers_is_said_with_its_cure() {
    let dir = TestDir::new("status-why");
    let join = |name| dir.path().join(name);
    std::fs::write(join("file"), "").unwrap();
    drop(UnixListener::bind(join("stale")).unwrap());
    let _datagrams = UnixDatagram::bind(join("chronyd")).unwrap();
    for (path, says) in [
        (join("none"), "does not answer (No such file or directory (os error 2)): start `gnss2shm run`"),
        (join("file/s"), "does not answer (Not a directory (os error 20)): start `gnss2shm run`"),
        ("/run/gnss2shm/no-such.sock".into(), "start it with `systemctl start gnss2shm@no-such`"),
        (join("file"), "or give the path that it was started with"),
        (dir.path().into(), "or give the path that it was started with"),
        (join("stale"), "does not answer (Connection refused (os error 111)): start"),
        (join("chronyd"), "or give the path that it was started with"),
    ] {
        let (code, text) = said(&output(&mut verb(&path)));
        let names = text.contains(&format!("the status socket {} ", path.display()));
        assert!(code == Some(69) && names && text.contains(says) && text.lines().count() == 1, "{path:?}: {text}");
    }
}

#[test]
fn a_socket_that_may_not_be_reached_is_said_with_what_to_look_at() {
    if !is_root() {
        return println!("skipped: only root can start a process as another user");
    }
    let dir = TestDir::new("status-denied");
    let copy = dir.path().join("gnss2shm");
    copy_program(program(), &copy);
    let closed = dir.path().join("closed");
    std::fs::create_dir(&closed).unwrap();
    std::fs::set_permissions(&closed, std::fs::Permissions::from_mode(0o700)).unwrap();
    let _listener = UnixListener::bind(closed.join("s")).unwrap();
    let id = NOBODY.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(&copy).args(["status", "--socket"]);
    command.arg(closed.join("s")).args(["--wait-locked", "1h"]).stderr(Stdio::piped());
    let mut child = start(&mut command);
    let code = ends_within(&mut child, Duration::from_secs(60)); // no waiting mends it
    let mut text = String::new();
    child.stderr.take().unwrap().read_to_string(&mut text).unwrap();
    assert!(code == Some(77) && text.contains("Permission denied") && text.contains("namei -l"), "{text}");
}

#[test]
fn a_port_for_metrics_that_only_root_may_have_is_said_with_a_cure_and_stops_nothing() {
    let first = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    if !is_root() || first.trim().parse::<u16>().unwrap() <= 80 {
        return println!("skipped: only root can start a process as another user, and port 80 must not be everybody's");
    }
    let dir = TestDir::new("metrics-denied");
    let copy = dir.path().join("gnss2shm");
    copy_program(program(), &copy);
    let id = NOBODY.to_string();
    let mut command = Command::new("setpriv");
    command.args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(&copy);
    let unit = TestUnit::claim();
    command.args(["run", "--serial", "/dev/nonexistent", "--phc", "/dev/ptp99", "--metrics", "127.0.0.1:80"]);
    let mut child = start(command.args(["--shm", &unit.unit.to_string()]).stderr(Stdio::piped()));
    let log = BufReader::new(child.stderr.take().unwrap());
    let said = in_time(&child, || {
        log.lines().map_while(Result::ok).find(|line| line.contains("127.0.0.1:80") && line.contains("1024 or higher"))
    });
    assert!(said.is_some() && child.try_wait().unwrap().is_none());
    child.kill().unwrap();
    child.wait().unwrap();
}

fn get(at: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer); // a reset is an answer, too
    String::from_utf8_lossy(&answer).into_owned()
}

/// Like `printf ... | nc`: the client shuts down its sending side.
#[test]
fn a_scraper_that_closes_its_side_at_once_gets_its_page() {
    let daemon = Daemon::start("half-closed");
    for n in 0..200 {
        let mut stream = TcpStream::connect(daemon.metrics).unwrap();
        let (early, late) = "GET /metrics HTTP/1.0\r\n\r\n".split_at(n % 24);
        stream.write_all(early.as_bytes()).unwrap();
        if n % 3 == 0 {
            std::thread::yield_now();
        }
        stream.write_all(late.as_bytes()).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("200 OK") && answer.ends_with("# EOF\n"), "{n}: {answer}");
    }
}

#[test]
fn metrics_are_open_metrics_and_a_port_scan_changes_nothing() {
    let mut daemon = Daemon::start("metrics");
    daemon.turn(State::Refusing(Reason::Noise));
    let scan = ["", "\r\n\r\n", "GET / HTTP/1.0\r\n\r\n", "\x16\x03\x01\x02garbage\r\n\r\n", "SSH-2.0-x\r\n\r\n"];
    for request in scan {
        if request.is_empty() {
            drop(TcpStream::connect(daemon.metrics).unwrap());
        } else {
            assert!(!get(daemon.metrics, request).contains("200 OK"), "{request}");
        }
    }
    let endless = format!("GET /{} HTTP/1.1\r\n\r\n", "a".repeat(100_000));
    assert!(!get(daemon.metrics, &endless).contains("200 OK"));
    assert!(get(daemon.metrics, "POST /metrics HTTP/1.0\r\n\r\n").contains("405"));

    let answer = get(daemon.metrics, "GET /metrics HTTP/1.1\r\nHost: x\r\n\r\n");
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK") && head.contains("application/openmetrics-text"), "{head}");
    for line in [
        "gnss2shm_state{state=\"Refusing\"} 1",
        "gnss2shm_state{state=\"Locked\"} 0",
        "gnss2shm_reason{reason=\"noise\"} 1",
        "gnss2shm_samples_total 0",
        "gnss2shm_rearms_total 0",
        "gnss2shm_source_opened_total{source=\"pulse\"} 0",
        "gnss2shm_gate_open 0",
        "# EOF",
    ] {
        assert!(body.lines().any(|said| said == line), "{line} is not in\n{body}");
    }
}
