//! The SOCK sink against a C program, and against sockets that appear, disappear, fill up, and deny access.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{UnixDatagram, UnixListener};
use std::path::Path;
use std::process::{Command, Stdio};

use crate::library::common::{TestDir, is_root, run_as_nobody_at, start, told_by_c};
use crate::library::shm::sample;
use gnss2shm::core::event::Leap;
use gnss2shm::sink::Sink;
use gnss2shm::sink::sock::{SIZE, SockSink};
use gnss2shm::sys::error::Problem;

#[test]
fn layout_is_that_of_a_c_compiler() {
    let c = told_by_c("sock/layout.c", &["layout"]);
    // The datagram's fields in order: each begins at the end of the previous one.
    let fields = [("tv_sec", 8), ("tv_usec", 8), ("offset", 8), ("pulse", 4), ("leap", 4), ("pad", 4), ("magic", 4)];
    let mut end = 0_usize;
    let mut begins = |size| {
        end += size;
        end - size
    };
    let mut rust: BTreeMap<_, usize> = fields.map(|(name, size)| (name.to_owned(), begins(size))).into();
    rust.insert("sizeof".to_owned(), SIZE);
    assert_eq!(rust, c);
}

#[test]
fn a_c_reader_finds_every_field_where_it_belongs() {
    let dir = TestDir::new("sock-read");
    let path = dir.join("chrony.c.sock");
    let mut reader = start(
        Command::new(dir.compile_c("sock/layout.c"))
            .args(["listen".as_ref(), path.as_os_str(), "3".as_ref()])
            .stdout(Stdio::piped()),
    );
    let mut lines = BufReader::new(reader.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert_eq!(lines.next().unwrap(), "ready");
    let mut sink = SockSink::open(&path).unwrap();
    for (label, at, leap, expected) in [
        (4_102_444_800, (4_102_444_799, 999_876_544), Leap::Insert, "4102444799 999876 123456.000 0 1 0"),
        (1_800_000_000, (1_800_000_000, 7), Leap::None, "1800000000 0 -7.000 0 0 0"),
        (1_800_001_000, (1_800_000_000, 0), Leap::Delete, "1800000000 0 1000000000000.000 0 2 0"),
    ] {
        sink.publish(&sample(label, at.0, at.1, leap));
        assert_eq!(lines.next().unwrap(), format!("{expected} 0x534f434b"));
    }
    assert!(reader.wait().unwrap().success());
}

const REACHED: &str = "sending samples";
const MISSING: &str = "does not exist";
const LEFT_BEHIND: &str = "was left behind";

/// Publishes once and returns the log line about it.
fn published(sink: &mut SockSink) -> String {
    sink.publish(&sample(1_800_000_000, 1_800_000_000, 0, Leap::None));
    sink.last_report().to_owned()
}

fn assert_published(sink: &mut SockSink, report: &str) {
    let said = published(sink);
    assert!(said.contains(report), "{report}: {said}");
}

fn datagrams(socket: &UnixDatagram) -> usize {
    socket.set_nonblocking(true).unwrap();
    std::iter::from_fn(|| socket.recv(&mut [0; 64]).ok()).inspect(|length| assert_eq!(*length, SIZE)).count()
}

#[test]
fn chronyd_may_come_late_go_and_come_back() {
    // A program that starts would hold chronyd's socket open for a moment.
    let _nobody_starts = crate::library::nobody_starts();
    let dir = TestDir::new("sock-comes");
    let path = dir.join("chrony.g.sock");
    let mut sink = SockSink::open(&path).unwrap();
    assert!(sink.last_report().contains(MISSING), "before the first sample");
    assert_published(&mut sink, MISSING);
    let first = UnixDatagram::bind(&path).unwrap();
    assert_published(&mut sink, REACHED);
    assert_eq!(datagrams(&first), 1, "only what was sent while it was there");
    drop(first);
    assert_published(&mut sink, LEFT_BEHIND);
    fs::remove_file(&path).unwrap(); // as chronyd does before it binds
    let second = UnixDatagram::bind(&path).unwrap();
    assert_published(&mut sink, REACHED);
    // Replaced while the old one is still open: the path counts.
    fs::rename(&path, dir.join("old")).unwrap();
    let third = UnixDatagram::bind(&path).unwrap();
    assert_published(&mut sink, REACHED);
    assert_eq!((datagrams(&second), datagrams(&third)), (1, 1));
}

#[test]
fn a_chronyd_that_does_not_read_never_blocks_us() {
    let dir = TestDir::new("sock-full");
    let path = dir.join("chrony.g.sock");
    let chronyd = UnixDatagram::bind(&path).unwrap();
    let mut sink = SockSink::open(&path).unwrap();
    assert!(sink.last_report().contains(REACHED));
    // It would hang here if `publish` blocked; a queue holds 11 datagrams by default, 512 under systemd.
    let sent = (0..100_000).take_while(|_| published(&mut sink).contains(REACHED)).count();
    assert!(sink.last_report().contains("is full"));
    assert_eq!(datagrams(&chronyd), sent);
    assert_published(&mut sink, REACHED);
}

#[test]
fn a_socket_of_another_kind_is_named() {
    let dir = TestDir::new("sock-kind");
    let path = dir.join("stream.sock");
    let _listener = UnixListener::bind(&path).unwrap();
    assert_published(&mut SockSink::open(&path).unwrap(), "of the wrong type");
}

#[test]
fn what_can_never_be_a_refclocks_socket_is_refused() {
    let dir = TestDir::new("sock-wrong");
    fs::write(dir.join("file"), "").unwrap();
    let long = dir.join(&"x".repeat(100));
    for (path, says) in [
        (Path::new(""), "1 to 107 bytes"),
        (long.as_path(), "1 to 107 bytes"),
        (&dir.join("file"), "not a socket"),
        (dir.path(), "not a socket"),
        (Path::new("/run/chrony/chronyd.sock"), "chronyd's command socket"),
    ] {
        let error = SockSink::open(path).unwrap_err();
        assert!(error.problem == Problem::Wrong && error.to_string().contains(says), "{error}");
    }
}

#[test]
fn a_socket_that_is_closed_to_us_is_said_and_tried_again() {
    if !is_root() {
        return println!("skipped: somebody else must own the socket");
    }
    let dir = TestDir::new("sock-denied");
    let path = dir.join("chrony.g.sock");
    let _chronyd = UnixDatagram::bind(&path).unwrap();
    for (mode, report) in [(0o755, "cannot be written to (permission denied)"), (0o666, REACHED)] {
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        let child = run_as_nobody_at("library::sock::child_publishes", &path, "sock-nobody");
        let said = String::from_utf8_lossy(&child.stdout).into_owned();
        assert!(child.status.success() && said.contains(report), "{mode:o}: {child:?}");
    }
}

#[test]
#[ignore = "run as another user by a_socket_that_is_closed_to_us_is_said_and_tried_again"]
fn child_publishes() {
    if let Ok(path) = std::env::var("SOCKET") {
        println!("{}", published(&mut SockSink::open(Path::new(&path)).unwrap()));
    }
}
