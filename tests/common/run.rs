//! `gnss2shm run` as a process, and its log.

use std::cell::RefCell;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

/// A missing receiver: it is logged when everything else is open.
pub const ABSENT: [&str; 2] = ["--serial", "/dev/nonexistent"];

/// Time limit of every wait.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// `gnss2shm run` with a missing PHC.
pub struct Run {
    child: Child,
    log: Receiver<String>,
    heard: RefCell<Vec<String>>,
}

impl Run {
    pub fn start(unit: u8, args: &[&str]) -> Self {
        Self::with("/dev/ptp99", unit, args)
    }

    pub fn with(phc: &str, unit: u8, args: &[&str]) -> Self {
        Self::limited(":", phc, unit, args)
    }

    /// After this shell command, such as `ulimit -n 20`.
    pub fn limited(limit: &str, phc: &str, unit: u8, args: &[&str]) -> Self {
        let mut program = Command::new("sh");
        program
            .args(["-c", &format!("{limit}; exec \"$0\" \"$@\"")])
            .arg(super::program())
            .args(["run", "--phc", phc, "--shm", &unit.to_string()])
            .args(args)
            .stderr(Stdio::piped());
        let mut child = super::start(&mut program);
        let (sender, log) = channel();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        std::thread::spawn(move || lines.map_while(Result::ok).try_for_each(|line| sender.send(line)));
        Self { child, log, heard: RefCell::default() }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the log contains this.
    pub fn said(&self, what: &str) -> String {
        self.said_within(what, PATIENCE)
    }

    pub fn said_within(&self, what: &str, patience: Duration) -> String {
        let limit = Instant::now() + patience;
        loop {
            match self.log.recv_timeout(limit.saturating_duration_since(Instant::now())) {
                Ok(line) => {
                    self.heard.borrow_mut().push(line.clone());
                    if line.contains(what) {
                        return line;
                    }
                }
                Err(error) => panic!("{error}, not said: {what}, but {:#?}", self.heard.borrow()),
            }
        }
    }

    /// Whether it is still running.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// Its exit code after SIGTERM.
    pub fn terminated(&mut self) -> Option<i32> {
        assert!(super::output(Command::new("kill").args(["-TERM", &self.pid().to_string()])).status.success());
        self.child.wait().unwrap().code()
    }

    /// The log since then, so far.
    pub fn says(&self) -> impl Iterator<Item = String> {
        self.log.try_iter()
    }

    /// The whole log, after kill -9.
    pub fn everything(mut self) -> Vec<String> {
        self.child.kill().unwrap();
        let log = std::mem::replace(&mut self.log, channel().1);
        self.heard.take().into_iter().chain(log).collect()
    }

    /// Its exit code and its last log line.
    pub fn ended(mut self) -> (Option<i32>, String) {
        let limit = Instant::now() + PATIENCE;
        let left = || limit.saturating_duration_since(Instant::now());
        let last = std::iter::from_fn(|| self.log.recv_timeout(left()).ok()).last().unwrap_or_default();
        assert!(Instant::now() < limit, "it runs, and says: {last}");
        (self.child.wait().unwrap().code(), last)
    }
}

impl Drop for Run {
    /// Like kill -9.
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The answer to `GET /metrics`, as soon as there is one.
pub fn scraped(at: SocketAddr, within: Duration) -> String {
    let limit = Instant::now() + within;
    loop {
        let asked = TcpStream::connect(at).and_then(|mut stream| {
            stream.set_read_timeout(Some(within))?;
            stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n")?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).map(|_| answer)
        });
        match asked {
            Ok(answer) if answer.contains("200 OK") => return answer,
            Ok(_) | Err(_) => assert!(Instant::now() < limit, "{at}: {asked:?}"),
        }
        std::thread::sleep(Duration::from_millis(50));
    }
}
