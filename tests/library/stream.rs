//! Streams with the engine and a simulated NIC: the stream may disappear and return, be silent, or deliver slowly. The
//! problem is named, no resources leak, and no sample is wrong.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::{OpenOptionsExt, symlink};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Event, Lost, Reason, SourceChange, State, Verdict};
use gnss2shm::core::time::Span;
use gnss2shm::simulator::Scenario;
use gnss2shm::simulator::live::Live;
use gnss2shm::source::receiver::{Receiver as Source, ReceiverConfig};
use gnss2shm::source::serial::{Baud, SerialConfig};
use gnss2shm::source::stream::Server;
use serialport::{SerialPort, TTYPort};
use tokio::sync::mpsc::{Receiver, channel};

use crate::library::alone::alone;
use crate::library::chain::{PATIENCE, on_runtime, until, until_sample};
use crate::library::common::{TestDir, output};

/// The kind of stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Pty,
    Tcp,
    Fifo,
}

/// The sender's end, while it exists.
struct Outlet {
    kind: Kind,
    name: PathBuf,
    address: SocketAddr,
    is_there: bool,
    listener: Option<TcpListener>,
    /// Keeps a pseudo terminal open.
    machine: Option<TTYPort>,
    writer: Option<Box<dyn Write + Send>>,
}

impl Outlet {
    fn new(kind: Kind, dir: &TestDir) -> Self {
        let name = dir.join("receiver");
        if kind == Kind::Fifo {
            assert!(output(Command::new("mkfifo").arg(&name)).status.success());
        }
        let address = crate::library::common::free_address();
        Self { kind, name, address, is_there: true, listener: None, machine: None, writer: None }
    }

    fn config(&self) -> ReceiverConfig {
        match self.kind {
            Kind::Pty => {
                let device = self.name.to_str().unwrap().to_owned();
                ReceiverConfig::Serial(SerialConfig { device, baud: Baud::Rate(9_600) })
            }
            Kind::Tcp => ReceiverConfig::Tcp(Server { host: self.address.ip().to_string(), port: self.address.port() }),
            Kind::Fifo => ReceiverConfig::Fifo(self.name.clone()),
        }
    }

    fn reason(&self) -> Reason {
        match self.kind {
            Kind::Pty => Reason::SerialLost,
            Kind::Tcp => Reason::ServerLost,
            Kind::Fifo => Reason::WriterLost,
        }
    }

    /// Sets the wanted state, as far as possible now.
    fn tend(&mut self) {
        if !self.is_there {
            (self.writer, self.machine, self.listener) = (None, None, None);
            if self.kind == Kind::Pty {
                let _ = fs::remove_file(&self.name);
            }
        } else if self.writer.is_none() {
            self.writer = match self.kind {
                Kind::Pty => {
                    let (receiver, machine) = TTYPort::pair().unwrap();
                    let _ = fs::remove_file(&self.name);
                    symlink(machine.name().unwrap(), &self.name).unwrap();
                    self.machine = Some(machine);
                    Some(Box::new(receiver))
                }
                Kind::Tcp => self.accept().map(|stream| Box::new(stream) as Box<dyn Write + Send>),
                Kind::Fifo => {
                    let mut options = OpenOptions::new();
                    let file = options.write(true).custom_flags(libc::O_NONBLOCK).open(&self.name);
                    file.ok().map(|file| Box::new(file) as Box<dyn Write + Send>)
                }
            };
        }
    }

    fn accept(&mut self) -> Option<TcpStream> {
        let listener = self.listener.get_or_insert_with(|| {
            let listener = TcpListener::bind(self.address).unwrap();
            listener.set_nonblocking(true).unwrap();
            listener
        });
        listener.accept().ok().map(|(stream, _)| stream)
    }
}

/// Carries the simulated receiver's sentences to the outlet, at most `chunk` bytes at a time.
fn relay(live: &Live, outlet: &Arc<Mutex<Outlet>>, chunk: usize) {
    let mut receiver = TTYPort::open(&serialport::new(&live.device, 9_600).timeout(Duration::from_millis(10))).unwrap();
    let outlet = Arc::downgrade(outlet);
    std::thread::spawn(move || {
        let mut buffer = [0; 256];
        while let Some(outlet) = outlet.upgrade() {
            let length = receiver.read(&mut buffer).unwrap_or(0);
            let mut outlet = outlet.lock().unwrap();
            outlet.tend();
            for part in buffer[..length].chunks(chunk) {
                let Some(writer) = &mut outlet.writer else { break };
                if writer.write_all(part).and_then(|()| writer.flush()).is_err() {
                    outlet.writer = None;
                }
            }
        }
    });
}

/// Waits until this is the reason why nothing is published; there must be no sample until then.
async fn until_named(engine: &mut Engine, events: &mut Receiver<Event>, what: &str, reason: Reason) {
    until(
        engine,
        events,
        what,
        || {},
        |verdict| {
            assert!(!matches!(verdict, Verdict::Sample(_)), "{what}: a sample came of this");
            matches!(verdict, Verdict::StateChanged { to: State::Searching(named), .. } if *named == reason)
        },
    )
    .await;
}

/// Descriptors, threads, tasks, and memory in KiB that this process has.
fn belongings() -> [usize; 4] {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let of = |key: &str| {
        let line = status.lines().find(|line| line.starts_with(key)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    let tasks = tokio::runtime::Handle::current().metrics().num_alive_tasks();
    [fs::read_dir("/proc/self/fd").unwrap().count(), of("Threads:"), tasks, of("RssAnon:")]
}

/// Processor time that this process has used.
fn cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    // User and system time are fields 14 and 15, in hundredths of a second; field 2 may contain spaces.
    let fields: Vec<_> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
    Duration::from_millis(fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap() * 10).sum())
}

/// Removes and restores a source repeatedly. Without holdover, so that the label must be found again each time.
fn pull(kind: Kind) {
    on_runtime(async {
        let dir = TestDir::new(&format!("pull-{kind:?}"));
        let (sender, mut events) = channel(1_024);
        let live = Live::start(crate::library::chain::scenario(), sender.clone()).unwrap();
        let outlet = Outlet::new(kind, &dir);
        let (config, reason) = (outlet.config(), outlet.reason());
        let outlet = Arc::new(Mutex::new(outlet));
        relay(&live, &outlet, 256);
        let source = tokio::spawn(Source::open(config).unwrap().run(sender));
        let mut engine = Engine::new(Config { holdover: Span::ZERO, ..Config::default() });
        let (mut named, mut back) = (Duration::ZERO, Duration::ZERO);
        let began = Instant::now();
        let mut first = None;
        until_sample(&mut engine, &mut events, &live, "the first sample").await;
        for n in 0..crate::library::common::pulls() {
            let what = format!("{kind:?} for the {n}th time");
            outlet.lock().unwrap().is_there = false;
            let pulled = Instant::now();
            until(
                &mut engine,
                &mut events,
                &what,
                || {},
                |verdict| {
                    assert!(!matches!(verdict, Verdict::Rejected(Reason::LabelDissent)), "{what}: a contradiction");
                    matches!(verdict, Verdict::StateChanged { to: State::Coasting, .. })
                },
            )
            .await;
            assert_eq!(engine.missing(), Some(reason), "{what}: while it coasts");
            named = named.max(pulled.elapsed());
            until(&mut engine, &mut events, &what, || {}, |verdict| {
                matches!(verdict, Verdict::StateChanged { to: State::Searching(named), .. } if *named == reason)
            })
            .await;
            outlet.lock().unwrap().is_there = true;
            let given_back = Instant::now();
            until_sample(&mut engine, &mut events, &live, &what).await;
            back = back.max(given_back.elapsed());
            if n == 1 {
                first = Some(belongings());
            }
        }
        let ([fds, threads, tasks, memory], last) = (first.unwrap(), belongings());
        println!("{kind:?}: named within {named:.1?}, samples back within {back:.1?}; {first:?} became {last:?}");
        let (used, passed) = (cpu(), began.elapsed());
        println!("{kind:?}: {used:.1?} of processor time in {passed:.1?}");
        assert!(used * 5 < passed, "it spins: {used:?} in {passed:?}");
        assert_eq!([fds, threads, tasks], last[..3], "descriptors, threads or tasks are left behind");
        assert!(last[3] < memory + 512, "{memory} KiB became {}", last[3]);
        source.abort();
    });
}

#[test]
#[ignore = "run by every_source_may_be_pulled_away_and_given_back"]
fn pull_serial() {
    pull(Kind::Pty);
}

#[test]
#[ignore = "run by every_source_may_be_pulled_away_and_given_back"]
fn pull_tcp() {
    pull(Kind::Tcp);
}

#[test]
#[ignore = "run by every_source_may_be_pulled_away_and_given_back"]
fn pull_fifo() {
    pull(Kind::Fifo);
}

#[test]
fn single_bytes_lock_through_tcp() {
    on_runtime(async {
        let dir = TestDir::new("single-bytes");
        let (sender, mut events) = channel(1_024);
        let live = Live::start(crate::library::chain::scenario(), sender.clone()).unwrap();
        let outlet = Arc::new(Mutex::new(Outlet::new(Kind::Tcp, &dir)));
        relay(&live, &outlet, 1);
        let config = outlet.lock().unwrap().config();
        let source = tokio::spawn(Source::open(config).unwrap().run(sender));
        let mut engine = Engine::new(Config::default());
        for _ in 0..3 {
            until_sample(&mut engine, &mut events, &live, "single bytes").await;
        }
        source.abort();
    });
}

/// The expected reason if the NIC has its pulse, but this stream only has the peer's scripted output.
async fn is_named(what: &str, config: ReceiverConfig, reason: Reason) {
    let (sender, mut events) = channel(1_024);
    let silent = Scenario { sentence_loss: 1_000, ..crate::library::chain::scenario() };
    let _live = Live::start(silent, sender.clone()).unwrap();
    let source = tokio::spawn(Source::open(config).unwrap().run(sender));
    let mut engine = Engine::new(Config::default());
    until_named(&mut engine, &mut events, what, reason).await;
    source.abort();
}

fn local(listener: &TcpListener) -> ReceiverConfig {
    ReceiverConfig::Tcp(Server { host: "localhost".into(), port: listener.local_addr().unwrap().port() })
}

#[test]
fn a_server_that_is_not_there_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = local(&listener);
    drop(listener);
    on_runtime(is_named("refused", config, Reason::ServerLost));
}

#[test]
fn a_server_that_takes_the_connection_and_says_nothing_is_named() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    on_runtime(is_named("silent", local(&listener), Reason::NoBytes));
}

/// A server that sends this once and is then silent.
fn greets(what: &str, greeting: &'static [u8], reason: Reason) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = local(&listener);
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let peer = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.write_all(greeting).unwrap();
        let _ = stopped.recv();
    });
    on_runtime(is_named(what, config, reason));
    drop(stop);
    peer.join().unwrap();
}

#[test]
fn a_server_that_says_a_byte_and_no_more_is_named() {
    greets("one byte", b"$", Reason::NoBytes);
}

#[test]
fn a_server_that_is_gpsd_is_named() {
    let greeting = b"{\"class\":\"VERSION\",\"release\":\"3.22\",\"rev\":\"3.22\",\"proto_major\":3}\r\n";
    greets("gpsd", greeting, Reason::GpsdProtocol);
}

#[test]
fn a_server_that_takes_no_connection_any_more_is_named() {
    on_runtime(async {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = socket.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        // As many as the kernel's backlog accepts; the next one is not answered.
        let mut waiting = Vec::new();
        while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_secs(2)) {
            waiting.push(stream);
        }
        let server = Server { host: "127.0.0.1".into(), port: address.port() };
        is_named("backlog full", ReceiverConfig::Tcp(server), Reason::ServerLost).await;
    });
}

#[test]
#[ignore = "run by a_server_that_vanishes_is_named_and_connected_to_again"]
fn vanish() {
    let ip = |args: String| {
        assert!(output(Command::new("ip").args(args.split(' '))).status.success(), "ip {args}");
    };
    ip("link set lo up".into());
    // Local addresses come before all other rules: now others may come before them.
    ip("rule add pref 100 lookup local".into());
    ip("rule del pref 0".into());
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            std::thread::spawn(move || {
                while stream.write_all(b"$GPGSV,1,1,00*79\r\n").is_ok() {
                    std::thread::sleep(Duration::from_millis(200));
                }
            });
        }
    });
    on_runtime(async move {
        let (sender, mut events) = channel(1_024);
        let _live = Live::start(Scenario { sentence_loss: 1_000, ..crate::library::chain::scenario() }, sender.clone())
            .unwrap();
        let config = ReceiverConfig::Tcp(Server { host: "127.0.0.1".into(), port });
        let source = tokio::spawn(Source::open(config).unwrap().run(sender));
        let mut engine = Engine::new(Config::default());
        let mut began = Instant::now();
        for (what, reason) in [
            ("it speaks", Reason::NoTime),
            ("it vanished", Reason::NoBytes),
            ("it vanished for good", Reason::ServerLost),
            ("it is back", Reason::NoTime),
        ] {
            until_named(&mut engine, &mut events, what, reason).await;
            println!("{what}: {reason:?} after {:.1?}", began.elapsed());
            match what {
                "it speaks" => {
                    // No packet from the server arrives, not even a reset.
                    ip(format!("rule add pref 10 ipproto tcp sport {port} blackhole"));
                    began = Instant::now();
                }
                "it vanished for good" => {
                    ip("rule del pref 10".into());
                    began = Instant::now();
                }
                _ => {}
            }
        }
        source.abort();
    });
}

#[test]
fn a_server_that_closes_every_connection_after_a_line_is_not_hurried() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let config = local(&listener);
    on_runtime(async move {
        listener.set_nonblocking(true).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let (sender, mut events) = channel(1_024);
        let source = tokio::spawn(Source::open(config).unwrap().run(sender));
        let five = async {
            for _ in 0..6 {
                let (stream, _) = listener.accept().await.unwrap();
                stream.writable().await.unwrap();
                stream.try_write(b"$GPGSV,1,1,00*79\r\n").unwrap();
            }
        };
        let began = Instant::now();
        tokio::time::timeout(PATIENCE, five).await.expect("it gave up");
        // Pauses of a second lie between six connections.
        assert!(began.elapsed() >= Duration::from_secs(5), "six connections in {:?}", began.elapsed());
        source.abort();
        let mut lost = 0;
        while let Some(event) = events.recv().await {
            lost +=
                usize::from(matches!(event, Event::Source { change: SourceChange::SentencesLost(Lost::Server), .. }));
        }
        assert!(lost >= 5, "{lost}");
    });
}

#[test]
fn a_fifo_without_a_writer_is_named() {
    let dir = TestDir::new("no-writer");
    let path = dir.join("fifo");
    assert!(output(Command::new("mkfifo").arg(&path)).status.success());
    on_runtime(is_named("no writer", ReceiverConfig::Fifo(path), Reason::WriterLost));
}

#[test]
fn a_fifo_with_a_silent_writer_is_named() {
    let dir = TestDir::new("silent-writer");
    let path = dir.join("fifo");
    assert!(output(Command::new("mkfifo").arg(&path)).status.success());
    // Opened for reading and writing: does not wait for the other side.
    let _writer = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    on_runtime(is_named("silent writer", ReceiverConfig::Fifo(path), Reason::NoBytes));
}

#[test]
fn what_is_no_fifo_is_refused() {
    let dir = TestDir::new("no-fifo");
    let file = dir.join("file");
    File::create(&file).unwrap();
    for (path, words) in [(file, "use another path"), ("/dev/null".into(), "--serial /dev/null")] {
        let refused = Source::open(ReceiverConfig::Fifo(path)).unwrap_err().to_string();
        assert!(refused.contains(words), "{refused}");
    }
}

#[test]
#[ignore = "run by standard_input_is_read_to_its_end_which_is_named"]
fn read_stdin() {
    on_runtime(async {
        let source = match Source::open(ReceiverConfig::Stdin) {
            Ok(source) => source,
            Err(error) => return println!("\nrefused: {error}"),
        };
        let (sender, mut events) = channel(1_024);
        let source = tokio::spawn(source.run(sender));
        let mut engine = Engine::new(Config::default());
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        while engine.missing() != Some(Reason::StdinEnded) {
            let event = tokio::select! {
                event = events.recv() => event.expect("the source must stay"),
                _ = tick.tick() => Event::Tick { raw: gnss2shm::sys::clock::raw_now() },
            };
            engine.handle(&event);
        }
        assert!(!source.is_finished(), "the source must stay");
        println!("\nheard {} sentences, missing: {}", engine.line_counts().sentences, engine.missing().unwrap());
        source.abort();
    });
}

#[test]
fn standard_input_is_read_to_its_end_which_is_named() {
    let said = |child: std::process::Child| {
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success(), "{output:?}");
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut child = alone("stream::read_stdin", Stdio::piped());
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"$GPGSV,1,1,00*79\r\n$GPGSV,1,1,").unwrap();
    stdin.flush().unwrap();
    stdin.write_all(b"00*79\r\n$GPG").unwrap();
    drop(stdin);
    let read = said(child);
    assert!(read.contains("heard 2 sentences, missing: standard input has ended"), "{read}");

    let null = said(alone("stream::read_stdin", Stdio::null()));
    assert!(null.contains("refused: standard input is /dev/null"), "{null}");
    let file = said(alone("stream::read_stdin", File::open("/proc/self/exe").unwrap().into()));
    assert!(file.contains("refused: standard input is a file"), "{file}");
}
