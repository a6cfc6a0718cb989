//! Helpers of `tests/library` and `tests/program`: an unused SHM unit, a C compiler, another user, the program with
//! input.
#![allow(dead_code, unreachable_pub)] // each test binary uses its part

pub mod run;

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fmt::Debug;
use std::fs;
use std::io::Write;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::str::FromStr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{LazyLock, PoisonError, RwLock, RwLockReadGuard};
use std::time::Duration;

/// A child briefly has all open files of this process, including locks and listening sockets. Taken for writing by
/// [`start`].
static STARTS: RwLock<()> = RwLock::new(());

/// While this is held, no other test starts a program: for short work that needs a released resource to be free.
pub fn nobody_starts() -> RwLockReadGuard<'static, ()> {
    STARTS.read().unwrap_or_else(PoisonError::into_inner)
}

/// Starts it. Tests start programs only with this.
pub fn start(command: &mut Command) -> Child {
    let _starts = STARTS.write().unwrap_or_else(PoisonError::into_inner);
    command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}: is its Debian package installed?"))
}

/// Starts it like [`start`], and waits for its end.
pub fn output(command: &mut Command) -> Output {
    start(command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped())).wait_with_output().unwrap()
}

/// How often a test removes a source: three times, or `GNSS2SHM_PULLS`.
pub fn pulls() -> usize {
    std::env::var("GNSS2SHM_PULLS").map_or(3, |pulls| pulls.parse().expect("GNSS2SHM_PULLS"))
}

/// An unprivileged user for tests: nobody.
pub const NOBODY: u32 = 65_534;

/// An SHM unit from 100 up that no other test on this machine uses. Its segment is removed before and after use.
pub struct TestUnit {
    pub unit: u8,
    /// Held while the unit is in use; the kernel releases it even if the test is killed.
    _claim: UnixListener,
}

impl TestUnit {
    pub fn claim() -> Self {
        let claim = |unit: u8| {
            let name = SocketAddr::from_abstract_name(format!("gnss2shm-test-unit-{unit}")).unwrap();
            UnixListener::bind_addr(&name).ok().map(|claim| Self { unit, _claim: claim })
        };
        let claimed = (100..=255).find_map(claim).expect("a free unit");
        claimed.remove_segment();
        claimed
    }

    /// Removing a segment, which production code must never do.
    pub fn remove_segment(&self) {
        let key = 0x4e54_5030 + u32::from(self.unit);
        let segments = fs::read_to_string("/proc/sysvipc/shm").unwrap();
        if segments.lines().any(|line| line.split_whitespace().next() == Some(&key.to_string())) {
            let removed = output(Command::new("ipcrm").args(["-M", &format!("{key:#x}")]));
            assert!(removed.status.success(), "{removed:?}");
        }
    }
}

impl Drop for TestUnit {
    fn drop(&mut self) {
        self.remove_segment();
    }
}

/// A temporary directory that every user can read and reach. Drop removes it.
pub struct TestDir(PathBuf);

impl TestDir {
    pub fn new(name: &str) -> Self {
        let dir = std::env::temp_dir().join(format!("gnss2shm-{name}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        Self(dir)
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    pub fn join(&self, file: &str) -> PathBuf {
        self.0.join(file)
    }

    /// Compiles a C file of tests/ in this directory and returns the program.
    pub fn compile_c(&self, source: &str) -> PathBuf {
        let program = self.join("program");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(source);
        let cc =
            output(Command::new("cc").args(["-O2", "-Wall", "-Wextra", "-Werror", "-o"]).arg(&program).arg(source));
        assert!(cc.status.success(), "{}", String::from_utf8_lossy(&cc.stderr));
        program
    }
}

impl Drop for TestDir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// The output of a C program of tests/ with these arguments, as `name number` lines.
pub fn told_by_c<N: FromStr<Err: Debug>>(source: &str, args: &[&str]) -> BTreeMap<String, N> {
    let dir = TestDir::new(&source.replace('/', "-"));
    let output = output(Command::new(dir.compile_c(source)).args(args));
    assert!(output.status.success(), "{output:?}");
    numbers(&String::from_utf8(output.stdout).unwrap())
}

/// `name number` lines.
pub fn numbers<N: FromStr<Err: Debug>>(text: &str) -> BTreeMap<String, N> {
    let pair = |line: &str| line.split_once(' ').map(|(name, n)| (name.to_owned(), n.parse().unwrap()));
    text.lines().map(|line| pair(line).expect(line)).collect()
}

/// An address without a listener: each process has its own loopback address, and each call its own port. It is not
/// tried by binding, because a child of another thread could briefly inherit it.
pub fn free_address() -> std::net::SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(10_000);
    let [_, a, b, c] = std::process::id().to_be_bytes();
    std::net::SocketAddr::from(([127, a, b, c], NEXT.fetch_add(1, Ordering::Relaxed)))
}

pub fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|m| std::os::unix::fs::MetadataExt::uid(&m) == 0)
}

/// Copies a program in another process. If this process wrote the copy, another thread's child could still have it open
/// when it is started: `ETXTBSY`.
pub fn copy_program(from: impl AsRef<OsStr>, to: &Path) {
    assert!(output(Command::new("cp").arg(from).arg(to)).status.success(), "cp fails");
}

/// Runs one ignored test of this test binary as `nobody`, with `UNIT` in its environment.
pub fn run_as_nobody(test: &str, unit: u8, name: &str) -> Output {
    run_as_nobody_with(test, "UNIT", unit.to_string().as_ref(), name)
}

/// Runs one ignored test of this test binary as `nobody`, with `SOCKET` in its environment.
pub fn run_as_nobody_at(test: &str, socket: &Path, name: &str) -> Output {
    run_as_nobody_with(test, "SOCKET", socket.as_os_str(), name)
}

/// Copies the binary first, because the user nobody may not be able to reach it.
fn run_as_nobody_with(test: &str, variable: &str, value: &OsStr, name: &str) -> Output {
    let dir = TestDir::new(name);
    let program = dir.join("tests");
    copy_program(std::env::current_exe().unwrap(), &program);
    let id = NOBODY.to_string();
    let mut setpriv = Command::new("setpriv");
    setpriv
        .args(["--reuid", &id, "--regid", &id, "--clear-groups"])
        .arg(&program)
        .args([test, "--exact", "--ignored", "--nocapture", "--test-threads=1"])
        .env(variable, value)
        .current_dir("/");
    output(&mut setpriv)
}

/// The exit code of a process that exits by itself within `limit`.
pub fn ends_within(child: &mut Child, limit: Duration) -> Option<i32> {
    let started = std::time::Instant::now();
    while started.elapsed() < limit {
        if let Some(status) = child.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    panic!("still running after {limit:?}");
}

/// The result of `work`, which reads this program's output. After a minute, the program is killed, which ends its
/// output, so the test fails instead of hanging.
pub fn in_time<T>(child: &Child, work: impl FnOnce() -> T) -> T {
    let (working, is_over) = mpsc::channel::<()>();
    let pid = child.id().to_string();
    let watch = std::thread::spawn(move || {
        if is_over.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            output(Command::new("kill").args(["-KILL", &pid]));
        }
    });
    let found = work();
    drop(working);
    watch.join().unwrap();
    found
}

/// The program. Cargo builds it for `tests/program` and gives its path to no other test.
pub fn program() -> &'static Path {
    static PROGRAM: LazyLock<PathBuf> = LazyLock::new(|| {
        if let Some(program) = option_env!("CARGO_BIN_EXE_gnss2shm") {
            return program.into();
        }
        let mut build = Command::new(env!("CARGO"));
        build.current_dir(env!("CARGO_MANIFEST_DIR")).args(["test", "--quiet", "--locked", "--no-run"]);
        build.args(["--test", "program"]).args((!cfg!(debug_assertions)).then_some("--release"));
        let built = output(&mut build);
        assert!(built.status.success(), "{}", String::from_utf8_lossy(&built.stderr));
        // From target/debug/deps/gnss2shm-...
        std::env::current_exe().unwrap().ancestors().nth(2).unwrap().join("gnss2shm")
    });
    &PROGRAM
}

/// The program with all three streams piped.
pub fn piped(args: &[&str]) -> Child {
    let mut program = Command::new(program());
    start(program.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()))
}

/// Runs the program on this input. It may end before it has read everything.
pub fn run_with_input(args: &[&str], input: &[u8]) -> Output {
    let mut child = piped(args);
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output
}

/// A sentence with its checksum and line end.
pub fn sentence(body: &str) -> Vec<u8> {
    format!("${body}*{:02X}\r\n", body.bytes().fold(0, |sum, byte| sum ^ byte)).into_bytes()
}

/// NAV-PVT of 2026-11-20T12:00:00 plus this many nanoseconds, fully valid.
pub fn pvt(nanos: i32) -> Vec<u8> {
    let mut payload = vec![0; 92];
    payload[4..12].copy_from_slice(&[0xEA, 0x07, 11, 20, 12, 0, 0, 0b111]);
    payload[16..20].copy_from_slice(&nanos.to_le_bytes());
    payload[20..22].copy_from_slice(&[3, 1]);
    let mut frame = [&[0xB5, 0x62, 0x01, 0x07, 92, 0], payload.as_slice()].concat();
    let sums = frame[2..].iter().fold((0_u8, 0_u8), |(a, b), byte| {
        let a = a.wrapping_add(*byte);
        (a, b.wrapping_add(a))
    });
    frame.extend([sums.0, sums.1]);
    frame
}
