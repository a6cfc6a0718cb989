//! A real chronyd reads the samples of the SHM and the SOCK sink. It runs with -x, so it never touches the clock.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::thread;
use std::time::{Duration, Instant as Deadline, SystemTime};

use crate::library::common::{NOBODY, TestDir, TestUnit, copy_program, is_root, start};
use gnss2shm::core::event::{Leap, Sample};
use gnss2shm::core::time::{Instant, NANOS, Span, UtcSecond};
use gnss2shm::sink::Sink;
use gnss2shm::sink::shm::{Finding, ShmReader, ShmSink};
use gnss2shm::sink::sock::SockSink;

/// The poll of the test's refclock: samples older than 2 s are dropped.
const POLL: i8 = 0;

struct Chronyd {
    child: Child,
    dir: TestDir,
}

impl Chronyd {
    /// Starts chronyd on that unit and waits until it has attached. It is started through `setpriv`.
    fn start(unit: &TestUnit, name: &str, setpriv: &[&str]) -> Self {
        let dir = TestDir::new(name);
        // A copy, because Debian's AppArmor profile applies to the path and does not allow a configuration in /tmp.
        let program = dir.join("chronyd-copy");
        let installed = ["/usr/sbin/chronyd", "/usr/bin/chronyd"].into_iter().find(|p| Path::new(p).exists());
        copy_program(installed.expect("chronyd is not installed: install Debian's package chrony"), &program);
        let at = dir.path().display();
        let conf = format!(
            "user root\nport 0\ncmdport 0\nbindcmdaddress /\npidfile {at}/pid\nlogdir {at}\nlog refclocks\n\
             refclock SHM {} poll {POLL} dpoll -2 filter 4 refid TEST\n\
             refclock SOCK {at}/chrony.test.sock poll {POLL} filter 4 refid SOCK\n",
            unit.unit
        );
        fs::write(dir.join("conf"), conf).unwrap();
        Self { child: Self::spawn(&dir, unit, setpriv), dir }
    }

    fn spawn(dir: &TestDir, unit: &TestUnit, setpriv: &[&str]) -> Child {
        let log = File::options().create(true).append(true).open(dir.join("stderr")).unwrap();
        let mut child = start(
            Command::new("setpriv")
                .args(setpriv)
                .arg(dir.join("chronyd-copy"))
                .args(["-n", "-d", "-x", "-f"])
                .arg(dir.join("conf"))
                .stdout(log.try_clone().unwrap())
                .stderr(log),
        );
        let attached = || ShmReader::open(unit.unit).is_ok_and(|r| r.found().lpid == child.id() as i32);
        wait_for("chronyd to attach", attached, || fs::read_to_string(dir.join("stderr")).unwrap());
        assert_eq!(child.try_wait().unwrap(), None, "chronyd ended");
        child
    }

    /// The socket that it creates.
    fn socket(&self) -> PathBuf {
        self.dir.join("chrony.test.sock")
    }

    /// Kills it: its socket and files remain.
    fn kill(&mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// The raw offsets of the samples it accepted from SHM.
    fn raw_offsets(&self) -> Vec<i64> {
        self.raw_offsets_of("TEST")
    }

    /// The raw offsets (clock - receive) of the samples it accepted from this refclock, in whole nanoseconds.
    fn raw_offsets_of(&self, refid: &str) -> Vec<i64> {
        let log = fs::read_to_string(self.dir.join("refclocks.log")).unwrap_or_default();
        let raw = |line: &str| {
            let column: Vec<&str> = line.split_whitespace().collect();
            // date, time, refid, number of the driver's poll, leap, pulse, raw offset, ...; filtered lines have a `-`
            let is_sample = column.len() == 9 && column[2] == refid && column[3] != "-";
            is_sample.then(|| (column[6].parse::<f64>().unwrap() * 1e9).round() as i64)
        };
        // The last line may be half written.
        log.split_inclusive('\n').filter(|line| line.ends_with('\n')).filter_map(raw).collect()
    }

    fn stderr(&self) -> String {
        fs::read_to_string(self.dir.join("stderr")).unwrap_or_default()
    }
}

impl Drop for Chronyd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn wait_for(what: &str, mut condition: impl FnMut() -> bool, detail: impl Fn() -> String) {
    let end = Deadline::now() + Duration::from_secs(15);
    while !condition() {
        assert!(Deadline::now() < end, "waited 15 s for {what}\n{}", detail());
        thread::sleep(Duration::from_millis(20));
    }
}

fn system_nanos() -> i64 {
    SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as i64
}

/// Waits for the system clock's next second and returns it.
fn next_second() -> i64 {
    let now = system_nanos();
    let next = now.div_euclid(NANOS) + 1;
    thread::sleep(Duration::from_nanos((next * NANOS - now) as u64 + 1_000_000));
    next
}

fn sample(second: i64, offset: Span) -> Sample {
    Sample {
        label: UtcSecond::from_posix(second),
        at: Instant::from_parts(second, 0) - offset,
        error: Span::from_nanos(100),
        leap: Leap::None,
    }
}

/// Publishes one sample a second; chronyd must log every one with its offset to the nanosecond.
fn every_sample_arrives(sink: &mut ShmSink, chronyd: &Chronyd, reader: &ShmReader) {
    let mut expected = Vec::new();
    // The log has seven digits: below a millisecond it resolves tenths of a nanosecond.
    for offset in [123_456, 123_457, 999, -1, 654_321] {
        let second = next_second();
        sink.publish(&sample(second, Span::from_nanos(offset)));
        // The reader's findings by chrony's rules must agree, except that chronyd may have taken it already.
        let findings = reader.contents().unwrap().findings(Instant::from_nanos(system_nanos()), POLL);
        assert!(findings.iter().all(|f| *f == Finding::NotValid), "{findings:?}");
        expected.push(offset);
        let arrived = || chronyd.raw_offsets().len() == expected.len();
        wait_for("the sample in refclocks.log", arrived, || {
            format!("{:?}\n{}", chronyd.raw_offsets(), chronyd.stderr())
        });
    }
    assert_eq!(chronyd.raw_offsets(), expected);
}

#[test]
fn chronyd_first_then_us() {
    if !is_root() {
        return println!("skipped: chronyd needs root");
    }
    let unit = TestUnit::claim();
    let chronyd = Chronyd::start(&unit, "chronyd-first", &[]);
    let mut sink = ShmSink::open(unit.unit).unwrap();
    let reader = ShmReader::open(unit.unit).unwrap();
    assert_eq!((reader.found().uid, reader.found().mode & 0o777), (0, 0o600));
    every_sample_arrives(&mut sink, &chronyd, &reader);

    // chronyd drops what the reader reports as dropped: it takes it from the segment and logs nothing.
    let before = chronyd.raw_offsets();
    for (offset, rule) in [(Span::from_secs(3), "old"), (Span::from_secs(-2), "future")] {
        let second = next_second();
        sink.publish(&sample(second, offset));
        let found = reader.contents().unwrap().findings(Instant::from_nanos(system_nanos()), POLL);
        assert!(found.iter().any(|f| f.drops() && f.to_string().contains(rule)), "{rule}: {found:?}");
        let consumed = || reader.contents().is_some_and(|c| c.valid == 0);
        wait_for("chronyd to take the bad sample", consumed, || chronyd.stderr());
    }
    let second = next_second();
    sink.publish(&sample(second, Span::from_nanos(77)));
    let arrived = || chronyd.raw_offsets().len() > before.len();
    wait_for("the good sample after the bad ones", arrived, || chronyd.stderr());
    assert_eq!(chronyd.raw_offsets().split_off(before.len()), [77], "only the good one");
}

/// Runs this thread as another user: the system call setresuid(2) affects one thread, the C library's function all.
#[allow(unsafe_code)]
fn as_nobody<T>(work: impl FnOnce() -> T) -> T {
    // SAFETY: the call takes three numbers and accesses no memory.
    let become_uid = |uid: u32| unsafe { libc::syscall(libc::SYS_setresuid, -1, uid, -1) };
    assert_eq!(become_uid(NOBODY), 0);
    let done = work();
    assert_eq!(become_uid(0), 0);
    done
}

/// The segment is created without privilege, and chronyd lacks the capability to override its owner: it needs `IPC_SET`
/// to root.
#[test]
fn us_first_without_privilege_then_chronyd() {
    if !is_root() {
        return println!("skipped: chronyd needs root");
    }
    let unit = TestUnit::claim();
    let mut sink = as_nobody(|| ShmSink::open(unit.unit)).unwrap();
    let chronyd = Chronyd::start(&unit, "us-first", &["--bounding-set=-ipc_owner"]);
    let reader = ShmReader::open(unit.unit).unwrap();
    assert_eq!((reader.found().uid, reader.found().cuid), (0, NOBODY));
    every_sample_arrives(&mut sink, &chronyd, &reader);
}

/// The same samples through SHM and SOCK: chronyd reads the same offsets from both, also after a restart.
#[test]
fn both_refclocks_get_the_same_and_a_restarted_chronyd_too() {
    if !is_root() {
        return println!("skipped: chronyd needs root");
    }
    let unit = TestUnit::claim();
    let mut chronyd = Chronyd::start(&unit, "both", &[]);
    let (mut shm, mut sock) = (ShmSink::open(unit.unit).unwrap(), SockSink::open(&chronyd.socket()).unwrap());
    let both = |shm: &mut ShmSink, sock: &mut SockSink, sample| {
        shm.publish(&sample);
        sock.publish(&sample);
    };
    let mut expected = Vec::new();
    for offset in [[123_456, -999_999, 1], [-123_457, 77, -1]] {
        for offset in offset {
            both(&mut shm, &mut sock, sample(next_second(), Span::from_nanos(offset)));
            expected.push(offset);
            for refid in ["TEST", "SOCK"] {
                wait_for(refid, || chronyd.raw_offsets_of(refid).len() == expected.len(), || chronyd.stderr());
            }
        }
        chronyd.kill();
        both(&mut shm, &mut sock, sample(next_second(), Span::ZERO)); // into an orphan
        assert!(sock.last_report().contains("was left behind"), "{}", sock.last_report());
        shm.withdraw(); // SHM keeps a sample, a socket keeps none
        chronyd.child = Chronyd::spawn(&chronyd.dir, &unit, &[]);
    }
    assert_eq!(chronyd.raw_offsets_of("TEST"), expected);
    // chronyd truncates the sum of timestamp and offset to whole nanoseconds.
    let heard = chronyd.raw_offsets_of("SOCK");
    assert!(heard.iter().zip(&expected).all(|(heard, sent)| (heard - sent).abs() <= 1), "{heard:?}, not {expected:?}");
}
