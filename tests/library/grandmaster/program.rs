//! The program itself, with a status socket that the test serves.

use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use super::fake::{FakePtp4l, answer};
use super::line;
use crate::library::common::{TestDir, ends_within, output, program, start};
use gnss2shm::daemon::status::snapshot::Snapshot;

const PATIENCE: Duration = Duration::from_secs(60);

fn command(dir: &TestDir, args: &[&str]) -> Command {
    let mut command = Command::new(program());
    command.arg("grandmaster").arg("--status").arg(dir.join("status")).arg("--socket").arg(dir.join("ptp4l"));
    command.args(["--domain", "24", "--transport-specific", "1"]).args(args).env("RUNTIME_DIRECTORY", dir.path());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn send(to: &mut UnixStream, line: &Snapshot) {
    to.write_all((serde_json::to_string(line).unwrap() + "\n").as_bytes()).unwrap();
}

fn said(log: &mut impl BufRead, what: &str) -> String {
    let mut line = String::new();
    while log.read_line(&mut line).unwrap() > 0 {
        if line.contains(what) {
            return line;
        }
        line.clear();
    }
    panic!("it ended without saying {what}");
}

fn terminate(child: &mut Child) -> Option<i32> {
    assert!(output(Command::new("kill").arg(child.id().to_string())).status.success());
    ends_within(child, PATIENCE)
}

fn fake(path: &Path) -> FakePtp4l {
    FakePtp4l::start(path, |request, fake| vec![answer(request, fake)])
}

/// The kernel of a test machine has no TAI - UTC, and its table may be too old, so class 6 is in the other tests.
#[test]
fn it_says_what_it_lacks_when_run_ends_and_leaves_no_claim_at_its_own_end() {
    let dir = TestDir::new("grandmaster-program");
    let fake = fake(&dir.join("ptp4l"));
    let listener = UnixListener::bind(dir.join("status")).unwrap();
    let mut child = start(&mut command(&dir, &[]));
    let mut log = BufReader::new(child.stderr.take().unwrap());
    let (mut status, _) = listener.accept().unwrap();
    let mut refusing = line();
    (refusing.state, refusing.sentence) = ("Refusing".into(), Some("there is no fix".into()));
    send(&mut status, &refusing);
    said(&mut log, "class 52: gnss2shm run is Refusing: there is no fix");
    assert!(fake.settings().clock_class == 52 && fake.settings().ptp_timescale);
    drop((status, listener));
    fake.set_class(6); // as another program might
    assert_eq!(terminate(&mut child), Some(0));
    said(&mut log, "received SIGTERM");
    assert_eq!(fake.settings().clock_class, 52);
    let left = std::fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    assert_eq!(left.filter(|name| name.starts_with("grandmaster")).count(), 0, "its socket is left behind");
}

#[test]
fn withdraw_leaves_no_claim_and_needs_no_ptp4l() {
    let dir = TestDir::new("grandmaster-withdraw");
    assert_eq!(output(&mut command(&dir, &["--withdraw"])).status.code(), Some(0), "nothing is claimed");
    let fake = fake(&dir.join("ptp4l"));
    fake.set_class(6);
    assert_eq!(output(&mut command(&dir, &["--withdraw", "--profile", "g8275"])).status.code(), Some(0));
    assert_eq!((fake.settings().clock_class, fake.sets()), (248, 1));
    assert_eq!(output(&mut command(&dir, &["--withdraw", "--profile", "g8275"])).status.code(), Some(0));
    assert_eq!(fake.sets(), 1, "it has them already");
    let silent = output(&mut command(&dir, &["--withdraw", "--domain=24"]));
    assert_eq!(silent.status.code(), Some(64), "twice the same option");
}

#[test]
fn print_shows_what_it_would_send_and_sends_nothing() {
    let dir = TestDir::new("grandmaster-print");
    let fake = fake(&dir.join("ptp4l"));
    let listener = UnixListener::bind(dir.join("status")).unwrap();
    let child = start(&mut command(&dir, &["--print"]));
    let mut utc = line();
    utc.phc.as_mut().unwrap().timescale = "UTC".into();
    send(&mut listener.accept().unwrap().0, &utc);
    let printed = child.wait_with_output().unwrap();
    let text = String::from_utf8(printed.stdout).unwrap();
    assert_eq!(printed.status.code(), Some(0));
    assert!(text.contains("clockClass               52\n") && text.contains("why                      "), "{text}");
    assert!(text.contains("difference               clockClass 248 -> 52"), "{text}");
    assert_eq!((fake.sets(), fake.settings().clock_class), (0, 248));
    drop((fake, listener));
    let text = String::from_utf8(output(&mut command(&dir, &["--print"])).stdout).unwrap();
    assert!(
        text.contains("gnss2shm run is not heard") && text.contains("not known: ptp4l does not listen on"),
        "{text}"
    );
}

#[test]
fn a_status_that_comes_in_no_pulse_is_waited_for_and_a_closed_one_is_asked_again() {
    let dir = TestDir::new("grandmaster-quiet");
    let _fake = fake(&dir.join("ptp4l"));
    let listener = UnixListener::bind(dir.join("status")).unwrap();
    let mut child = start(&mut command(&dir, &[]));
    let begin = Instant::now();
    for _ in 0..3 {
        send(&mut listener.accept().unwrap().0, &line());
    }
    assert!(begin.elapsed() < PATIENCE);
    assert_eq!(terminate(&mut child), Some(0));
}
