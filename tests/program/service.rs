//! The program under systemd: it reports its state to a socket, and notifies the watchdog only while all its threads
//! run. This test is the service manager.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::net::UnixDatagram;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::common::{TestDir, TestUnit};
use serialport::SerialPort;

const PROGRAM: &str = env!("CARGO_BIN_EXE_gnss2shm");
/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(60);
/// The watchdog's timeout; it is notified four times within it.
const WATCHDOG: Duration = Duration::from_secs(4);

/// `run`, waiting for devices that never appear, and the socket that it notifies.
struct Service {
    child: Child,
    socket: UnixDatagram,
    /// Kept open for the program to write to.
    log: std::process::ChildStderr,
    dir: TestDir,
    _unit: TestUnit,
}

impl Service {
    fn start(name: &str) -> Self {
        Self::start_with(name, libc::SIG_DFL)
    }

    /// With this action for SIGHUP, independent of the tests' own: under nohup, it would be ignored.
    fn start_with(name: &str, hangup: libc::sighandler_t) -> Self {
        Self::start_from(name, hangup, &["--serial", "/dev/ttyUSB99"])
    }

    /// With this receiver.
    fn start_from(name: &str, hangup: libc::sighandler_t, receiver: &[&str]) -> Self {
        let (dir, unit, mut command) = (TestDir::new(name), TestUnit::claim(), Command::new(PROGRAM));
        // SAFETY: signal(2) may be called between fork and exec.
        unsafe {
            command.pre_exec(move || {
                libc::signal(libc::SIGHUP, hangup);
                Ok(())
            });
        }
        let socket = UnixDatagram::bind(dir.join("notify")).unwrap();
        let mut child = command
            .args(["run", "--phc", "/dev/ptp99", "--shm", &unit.unit.to_string(), "--status"])
            .arg(dir.join("status"))
            .args(receiver)
            .env("NOTIFY_SOCKET", dir.join("notify"))
            .env("WATCHDOG_USEC", WATCHDOG.as_micros().to_string())
            .env_remove("WATCHDOG_PID")
            // Not its standard error: the log is still text.
            .env("JOURNAL_STREAM", "1:1")
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = child.stderr.take().unwrap();
        Self { child, socket, log, dir, _unit: unit }
    }

    /// Its next notification, within this time.
    fn says_within(&self, time: Duration) -> Option<String> {
        self.socket.set_read_timeout(Some(time)).unwrap();
        let mut message = [0; 4_096];
        let length = self.socket.recv(&mut message).ok()?;
        Some(String::from_utf8(message[..length].to_vec()).unwrap().trim_end().to_owned())
    }

    /// Waits for notifications that begin with each of these words, in any order, and returns them.
    fn says<const N: usize>(&self, words: [&str; N]) -> [String; N] {
        let (begin, mut found) = (Instant::now(), words.map(|_| None::<String>));
        while found.iter().any(Option::is_none) {
            let left = PATIENCE.checked_sub(begin.elapsed()).unwrap_or_else(|| panic!("of {words:?} only {found:?}"));
            let Some(said) = self.says_within(left.max(Duration::from_millis(1))) else { continue };
            for (words, found) in words.iter().zip(&mut found) {
                if said.starts_with(words) {
                    *found = Some(said.clone());
                }
            }
        }
        found.map(Option::unwrap)
    }

    fn kill(&self, signal: libc::c_int) {
        // SAFETY: a signal to a child that has not been waited for.
        assert_eq!(unsafe { libc::kill(self.id(), signal) }, 0);
    }

    /// Waits for it to exit, which must succeed, and returns its log.
    fn ended_well(&mut self) -> String {
        self.says(["STOPPING=1"]);
        assert!(self.child.wait().unwrap().success());
        let mut log = String::new();
        self.log.read_to_string(&mut log).unwrap();
        log
    }

    fn id(&self) -> libc::pid_t {
        libc::pid_t::try_from(self.child.id()).unwrap()
    }

    /// The thread that reads the pulse.
    fn pulse_thread(&self) -> libc::pid_t {
        let mut threads = fs::read_dir(format!("/proc/{}/task", self.id())).unwrap().map(|entry| entry.unwrap().path());
        let pulse = threads.find(|thread| fs::read_to_string(thread.join("comm")).is_ok_and(|comm| comm == "pulse\n"));
        pulse.expect("a thread named pulse").file_name().unwrap().to_str().unwrap().parse().unwrap()
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn systemd_learns_ready_state_alive_and_the_end() {
    let mut service = Service::start("notify");
    // A state may be known before the event loop's first iteration.
    let [_, state] = service.says(["READY=1", "STATUS=Searching: "]);
    assert!(state.len() > 40, "the reason is said, too: {state}");
    for _ in 0..3 {
        service.says(["WATCHDOG=1"]);
    }
    service.kill(libc::SIGTERM);
    assert!(service.ended_well().contains("Searching: "), "the log is on standard error");
}

#[test]
fn a_signal_ends_it_and_the_log_says_which() {
    for (signal, name) in [(libc::SIGTERM, "SIGTERM"), (libc::SIGINT, "SIGINT"), (libc::SIGHUP, "SIGHUP")] {
        let mut service = Service::start(name);
        service.says(["READY=1"]);
        service.kill(signal);
        let log = service.ended_well();
        assert!(log.contains(&format!("received {name}: ending")), "{log}");
    }
}

#[test]
fn a_hangup_that_was_ignored_at_the_start_stays_ignored() {
    let mut service = Service::start_with("nohup", libc::SIG_IGN);
    service.says(["READY=1"]);
    service.kill(libc::SIGHUP);
    // The first may have been sent already; two more are allowed.
    for _ in 0..3 {
        service.says(["WATCHDOG=1"]);
    }
    service.kill(libc::SIGTERM);
    let log = service.ended_well();
    assert!(!log.contains("SIGHUP") && log.contains("received SIGTERM: ending"), "{log}");
}

/// One thread of the program, stopped with ptrace(2), until this is dropped.
struct Halted(libc::pid_t);

impl Halted {
    fn new(thread: libc::pid_t) -> Self {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: neither request accesses this process's memory.
        let halted = unsafe {
            libc::ptrace(libc::PTRACE_SEIZE, thread, nothing, nothing) == 0
                && libc::ptrace(libc::PTRACE_INTERRUPT, thread, nothing, nothing) == 0
        };
        assert!(halted, "{}", std::io::Error::last_os_error());
        let mut status = 0;
        // SAFETY: the status is a local variable.
        assert_eq!(unsafe { libc::waitpid(thread, &raw mut status, libc::__WALL) }, thread);
        Self(thread)
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        let nothing = std::ptr::null_mut::<libc::c_void>();
        // SAFETY: the request accesses no memory of this process.
        unsafe { libc::ptrace(libc::PTRACE_DETACH, self.0, nothing, nothing) };
    }
}

#[test]
fn the_watchdog_goes_hungry_while_the_thread_that_reads_the_pulse_is_stuck() {
    let service = Service::start("watchdog");
    service.says(["WATCHDOG=1"]);
    let halted = Halted::new(service.pulse_thread());
    // One notification may have been sent already, and an earlier heartbeat allows one more.
    let (begin, mut meals) = (Instant::now(), 0);
    while begin.elapsed() < WATCHDOG * 2 {
        meals += u32::from(service.says_within(Duration::from_millis(500)).is_some_and(|said| said == "WATCHDOG=1"));
    }
    assert!(meals <= 2, "{meals} meals, and the pulse's thread was stuck all the time");
    drop(halted);
    service.says(["WATCHDOG=1"]);
}

/// Writes this for as long as it is read.
fn flood(mut to: impl Write + Send + 'static, with: &'static [u8]) {
    std::thread::spawn(move || while to.write_all(with).is_ok() {});
}

/// The address of a server that floods its clients.
fn flooding_server(greeting: &'static str, with: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            if stream.write_all(greeting.as_bytes()).is_ok() {
                flood(stream, with);
            }
        }
    });
    address
}

#[test]
fn a_flood_of_any_source_delays_neither_the_watchdog_nor_status() {
    const ZEROS: &[u8] = &[0; 65_536];
    const LISTS: &[u8] = b"{\"class\":\"DEVICES\",\"devices\":[{\"path\":\"/dev/a\"}]}\n\
        {\"class\":\"DEVICES\",\"devices\":[{\"path\":\"/dev/b\"},{\"path\":\"/dev/c\"}]}\n";
    const SENTENCES: &[u8] = b"$GPZDA,120000.00,30,11,2026,,*63\r\n$GPGSV,1,1,00*79\r\n";
    let dir = TestDir::new("flood");
    let fifo = dir.join("fifo");
    assert!(Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    let hello =
        "{\"class\":\"VERSION\",\"release\":\"3.25\",\"rev\":\"3.25\",\"proto_major\":3,\"proto_minor\":15}\r\n";
    let (master, slave) = serialport::TTYPort::pair().unwrap();
    let tty = slave.name().unwrap();
    let (zeros, sentences, lists) =
        (flooding_server("", ZEROS), flooding_server("", SENTENCES), flooding_server(hello, LISTS));
    flood(master, SENTENCES);
    let sources = [
        ("fifo", ["--fifo", fifo.to_str().unwrap()]),
        ("tcp", ["--tcp", &zeros]),
        ("tcp-sentences", ["--tcp", &sentences]),
        ("gpsd", ["--gpsd", &lists]),
        ("serial", ["--serial", &tty]),
    ];
    let lives = |what: &str, receiver: [&str; 2]| {
        let service = Service::start_from(what, libc::SIG_DFL, &receiver);
        if what == "fifo" {
            flood(fs::OpenOptions::new().write(true).open(&fifo).unwrap(), ZEROS);
        }
        service.says(["READY=1"]);
        for _ in 0..3 {
            let fed = Instant::now();
            service.says(["WATCHDOG=1"]);
            assert!(fed.elapsed() < WATCHDOG, "{what}: systemd would have ended it");
            let status = Command::new(PROGRAM).args(["status", "--socket"]).arg(service.dir.join("status")).output();
            let status = String::from_utf8(status.unwrap().stdout).unwrap();
            assert!(status.starts_with("state "), "{what}: {status}");
        }
    };
    std::thread::scope(|scope| {
        for (what, receiver) in sources {
            scope.spawn(move || lives(what, receiver));
        }
    });
}
