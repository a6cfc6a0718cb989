//! gpsd as a source: a fake one that imitates old and new versions, appears, disappears, and sends garbage; and the
//! real one on a pseudo terminal. There it sends no `TOFF`, so tests/vm covers that.

mod fake;

use std::io::Write;
use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::library::common::start;
use fake::{FakeGpsd, Release};
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::{Event, Lost, Reason, SourceChange, State, Verdict};
use gnss2shm::simulator::live::Live;
use gnss2shm::source::gpsd::{self, GpsdConfig};
use gnss2shm::source::stream::Server;
use gnss2shm::sys::clock::raw_now;
use tokio::runtime::Handle;
use tokio::sync::mpsc::{Receiver, channel};
use tokio::task::JoinHandle;

/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(60);

/// An engine with a simulated pulse, whose receiver is on a pseudo terminal for gpsd to read.
struct World {
    live: Live,
    engine: Engine,
    events: Receiver<Event>,
    sender: tokio::sync::mpsc::Sender<Event>,
    samples: usize,
}

impl World {
    fn new() -> Self {
        let (sender, events) = channel(1_024);
        let live = Live::start(crate::library::chain::scenario(), sender.clone()).unwrap();
        Self { live, engine: Engine::new(Config::default()), events, sender, samples: 0 }
    }

    fn follow(&self, config: GpsdConfig) -> JoinHandle<()> {
        tokio::spawn(gpsd::run(config, self.sender.clone()))
    }

    /// Runs until `enough` accepts an event and its verdicts; returns how long that took. Every sample must be right.
    async fn until(&mut self, what: &str, mut enough: impl FnMut(&Event, &[Verdict]) -> bool) -> Duration {
        let began = Instant::now();
        let mut tick = tokio::time::interval(Duration::from_millis(500));
        let search = async {
            loop {
                let event = tokio::select! {
                    event = self.events.recv() => event.unwrap(),
                    _ = tick.tick() => Event::Tick { raw: raw_now() },
                };
                let verdicts = self.engine.handle(&event);
                for verdict in &verdicts {
                    if let Verdict::Sample(sample) = verdict {
                        let error = self.live.error(sample).unwrap_or_else(|| panic!("a wrong second: {sample:?}"));
                        assert!(error.abs() <= sample.error, "{error} off, bound {}", sample.error);
                        self.samples += 1;
                    }
                }
                if enough(&event, &verdicts) {
                    return;
                }
            }
        };
        let found = tokio::time::timeout(PATIENCE, search).await.is_ok();
        assert!(found, "{what}: still {:?}", self.engine.state());
        began.elapsed()
    }

    async fn samples(&mut self, what: &str, mut count: usize) -> Duration {
        self.until(what, |_, verdicts| {
            count -= verdicts.iter().filter(|verdict| matches!(verdict, Verdict::Sample(_))).count().min(count);
            count == 0
        })
        .await
    }

    async fn state(&mut self, what: &str, state: State) -> Duration {
        let is_it = |verdict: &Verdict| matches!(verdict, Verdict::StateChanged { to, .. } if *to == state);
        self.until(what, |_, verdicts| verdicts.iter().any(is_it)).await
    }
}

fn on_runtime(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

fn open_files() -> usize {
    std::fs::read_dir("/proc/self/fd").unwrap().count()
}

/// Memory in use, in kB.
fn memory() -> i64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Whether this event is a second that `TOFF` dated.
fn is_report(event: &Event, _: &[Verdict]) -> bool {
    matches!(event, Event::Report(_))
}

#[test]
#[ignore = "run by gpsd_and_its_device_go_and_come_back_and_nothing_is_left_behind"]
fn go_and_come_back() {
    on_runtime(async {
        let mut world = World::new();
        let server = FakeGpsd::start(Release::R3_22, &world.live.device);
        let _source = world.follow(server.config());
        world.samples("the first sample", 1).await;
        let tasks = Handle::current().metrics().num_alive_tasks();
        let (files, kilobytes) = (open_files(), memory());
        let (mut named, mut back) = (Duration::ZERO, Duration::ZERO);
        for cycle in 0..crate::library::common::pulls() {
            let gone = if cycle % 2 == 0 {
                server.is_up(false);
                SourceChange::SentencesLost(Lost::Gpsd)
            } else {
                server.has_device(false);
                SourceChange::SentencesLost(Lost::GpsdDevice)
            };
            let is_gone =
                |event: &Event, _: &[Verdict]| matches!(event, Event::Source { change, .. } if *change == gone);
            named = named.max(world.until("gone", is_gone).await);
            assert_eq!(world.engine.state(), State::Coasting, "the second is counted by pulses alone");
            server.is_up(true);
            server.has_device(true);
            back = back.max(world.until("back", is_report).await);
            assert_eq!(world.engine.state(), State::Locked);
        }
        world.samples("a sample after all that", 2).await;
        let more = memory() - kilobytes;
        println!("{files} descriptors, {tasks} tasks, {more} kB more than before");
        println!("{} samples; named within {named:?}, seconds come again within {back:?}", world.samples);
        assert_eq!(Handle::current().metrics().num_alive_tasks(), tasks, "tasks");
        assert!(more < 4_096, "{more} kB more than before");
        // The server may take a moment to close its end of the last connection.
        let closed = world.until("descriptors", |_, _| open_files() <= files).await;
        println!("every descriptor is closed after {closed:?}");
    });
}

/// What is missing when the label is also gone.
#[test]
fn what_is_missing_is_named_and_samples_come_back() {
    on_runtime(async {
        let mut world = World::new();
        world.engine = Engine::new(Config { holdover: gnss2shm::core::time::Span::SECOND, ..Config::default() });
        let server = FakeGpsd::start(Release::R3_22, &world.live.device);
        let _source = world.follow(server.config());
        world.samples("the first sample", 1).await;
        server.is_up(false);
        world.state("gpsd is gone", State::Searching(Reason::GpsdLost)).await;
        server.has_device(false);
        server.is_up(true);
        world.state("its device is gone", State::Searching(Reason::GpsdDeviceLost)).await;
        server.has_device(true);
        println!("samples came back after {:?}", world.samples("all is back", 1).await);
    });
}

/// The version is 3, 0, or 16 for the same protocol.
fn locks_whatever_number_its_protocol_has(release: Release) {
    on_runtime(async {
        let mut world = World::new();
        let server = FakeGpsd::start(release, &world.live.device);
        let _source = world.follow(server.config());
        world.until("a second is named", is_report).await;
        println!("samples after {:?}", world.samples("samples", 2).await);
        assert_eq!(world.engine.state(), State::Locked);
    });
}

#[test]
fn gpsd_3_22_locks() {
    locks_whatever_number_its_protocol_has(Release::R3_22);
}

#[test]
fn gpsd_3_26_locks() {
    locks_whatever_number_its_protocol_has(Release::R3_26);
}

#[test]
fn gpsd_3_27_locks() {
    locks_whatever_number_its_protocol_has(Release::R3_27);
}

#[test]
fn gpsd_3_27_5_locks() {
    locks_whatever_number_its_protocol_has(Release::R3_27_5);
}

#[test]
fn a_gpsd_that_says_no_number_locks() {
    locks_whatever_number_its_protocol_has(Release::Unnumbered);
}

/// A faulty server.
async fn is_named(what: &str, says: &'static [u8], reason: Reason) {
    let mut world = World::new();
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        let mut clients = Vec::new();
        for client in listener.incoming() {
            let mut client = client.unwrap();
            let _ = client.write_all(says);
            clients.push(client);
        }
    });
    let config = GpsdConfig { server: Server { host: "127.0.0.1".into(), port }, device: None };
    let source = world.follow(config);
    world.state(what, State::Searching(reason)).await;
    source.abort();
    assert_eq!(world.samples, 0, "{what}");
}

#[test]
fn servers_that_are_no_help_are_named() {
    const VERSION: &str = r#"{"class":"VERSION","release":"3.22","rev":"3.22","proto_major":3,"proto_minor":14}"#;
    fn greeted(devices: &str) -> &'static [u8] {
        format!("{VERSION}\r\n{{\"class\":\"DEVICES\",\"devices\":[{devices}]}}\r\n").into_bytes().leak()
    }
    on_runtime(async {
        let servers = [
            ("an SSH server", &b"SSH-2.0-OpenSSH_9.2p1\r\n"[..], Reason::GpsdLost),
            ("silence", b"", Reason::GpsdLost),
            ("a line without end", vec![b'x'; 1 << 20].leak(), Reason::GpsdLost),
            ("nothing after the greeting", format!("{VERSION}\r\n").into_bytes().leak(), Reason::GpsdLost),
            ("no device", greeted(""), Reason::GpsdDeviceLost),
            ("a PPS device only", greeted(r#"{"path":"/dev/pps0","driver":"PPS"}"#), Reason::GpsdDeviceLost),
            ("a device that does not open", greeted(r#"{"path":"/dev/ttyS0"}"#), Reason::GpsdDeviceLost),
            (
                "several devices",
                greeted(r#"{"path":"/dev/ttyS0"},{"path":"/dev/ttyS1"},{"path":"/dev/pps0"}"#),
                Reason::GpsdDevicesSeveral,
            ),
        ];
        for server in servers.map(|(what, says, reason)| tokio::spawn(is_named(what, says, reason))) {
            server.await.unwrap();
        }
    });
}

#[test]
fn nonsense_between_gpsds_lines_changes_nothing() {
    on_runtime(async {
        let mut world = World::new();
        let server = FakeGpsd::start(Release::R3_26, &world.live.device);
        let _source = world.follow(server.config());
        world.samples("the first sample", 1).await;
        let toff = |device: &str, real: i64| {
            format!(
                "{{\"class\":\"TOFF\",\"device\":\"{device}\",\"real_sec\":{real},\"real_nsec\":0,\"clock_sec\":{real},\"clock_nsec\":0}}\r\n"
            )
        };
        let now = 1_795_176_000;
        let nonsense = [
            &[0xff, 0x00, b'\r', b'\n', b'{', b'\n'][..],
            b"{\"class\":\"TPV\",\"mode\":\"three\"}\r\n{\"class\":\"TPV\",\"mode\":3,\"time\":7}\r\n",
            b"{\"class\":\"NEW\",\"whatever\":[1,2,{}]}\r\n{\"class\":7}\r\n[]\r\n",
            &vec![b'{'; 1 << 20],
            b"\r\n",
            toff("/dev/ttyACM7", now).as_bytes(),
            toff("/dev/ttyUSB0", now).as_bytes(),
            b"{\"class\":\"TOFF\",\"device\":\"/dev/ttyUSB0\",\"real_sec\":9223372036854775807,\"real_nsec\":-1,\"clock_sec\":-9223372036854775808,\"clock_nsec\":9223372036854775807}\r\n",
        ]
        .concat();
        server.nonsense(nonsense);
        world.samples("samples go on", 6).await;
        assert!(world.engine.state().publishes(), "{:?}", world.engine.state());
        server.nonsense(Vec::new());
        world.until("seconds are confirmed again", is_report).await;
    });
}

/// The real gpsd on a pseudo terminal.
struct RealGpsd {
    port: u16,
    device: String,
    child: Child,
}

impl RealGpsd {
    fn start(port: u16, device: &str) -> Self {
        let mut gpsd = Command::new("gpsd");
        gpsd.args(["-N", "-n", "-b", "-S", &port.to_string(), device])
            .env("PATH", format!("{}:/usr/sbin:/sbin", std::env::var("PATH").unwrap_or_default()))
            .stdin(Stdio::null())
            .stderr(Stdio::null());
        Self { port, device: device.to_owned(), child: start(&mut gpsd) }
    }

    fn config(&self) -> GpsdConfig {
        let server = Server { host: "localhost".into(), port: self.port };
        GpsdConfig { server, device: Some(self.device.clone()) }
    }
}

impl Drop for RealGpsd {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn the_real_gpsd_passes_a_ptys_sentences_on_and_may_be_restarted() {
    if std::env::var_os("GNSS2SHM_NO_GPSD").is_some() {
        println!("SKIPPED: GNSS2SHM_NO_GPSD is set");
        return;
    }
    on_runtime(async {
        let mut world = World::new();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port();
        let mut real = RealGpsd::start(port, &world.live.device);
        let _source = world.follow(real.config());
        world.samples("the first sample", 1).await;
        for _ in 0..3 {
            drop(real);
            let is_gone = |event: &Event, _: &[Verdict]| {
                matches!(event, Event::Source { change: SourceChange::SentencesLost(Lost::Gpsd), .. })
            };
            world.until("gpsd is gone", is_gone).await;
            real = RealGpsd::start(port, &world.live.device);
            let is_back = |event: &Event, _: &[Verdict]| {
                matches!(event, Event::Source { change: SourceChange::SentencesOpen, .. })
            };
            let back = world.until("gpsd is back", is_back).await;
            let named =
                world.until("it names seconds", |event, _| matches!(event, Event::Bytes(_) | Event::Report(_))).await;
            println!("back after {back:?}, the first second after {named:?} more");
        }
        world.samples("samples go on", 3).await;
    });
}
