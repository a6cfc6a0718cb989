//! `gnss2shm probe` on a machine without hardware: pseudo terminals as ports, a fake gpsd, and a simulated receiver and
//! NIC. tests/vm/scenarios/probe.sh covers a real `/dev/ptpN`.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use gnss2shm::core::event::State;
use gnss2shm::core::nmea::Validity;
use gnss2shm::core::time::Span;
use gnss2shm::simulator::live::Live;
use gnss2shm::source::gpsd::GpsdConfig;
use gnss2shm::source::receiver::ReceiverConfig;
use gnss2shm::source::serial::{self, Baud, SerialConfig};
use gnss2shm::tools::probe::{Findings, Pairing, Port, search, settings};
use serialport::{SerialPort, TTYPort};
use tokio::sync::mpsc::channel;

use crate::library::chain::{PATIENCE, on_runtime};
use crate::library::common::{TestDir, output, program};

const BURST: &[u8] = b"$GNRMC,120000.00,A,5231.2040,N,01324.6150,E,0.01,,201126,,,A*5F\r\n\
    $GPTXT,01,01,02,u-blox ag - www.u-blox.com*50\r\n";
const NO_FIX: &[u8] = b"$GPRMC,,V,,,,,,,,,,N*53\r\n";
const GARBAGE: &[u8] =
    &[0x80, 0xF8, 0x00, 0xE6, 0x9F, 0x1E, 0xFE, 0x80, 0xF8, 0x00, 0xE6, 0x9F, 0x1E, 0xFE, 0x80, 0xF8, 0x00];

/// A port and a receiver that sends every half second; at any other rate, it yields garbage.
struct Line {
    machine: TTYPort,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Line {
    fn new(rate: u32, says: &'static [u8]) -> Self {
        let (mut receiver, machine) = TTYPort::pair().unwrap();
        let stop = Arc::new(AtomicBool::new(false));
        let stopped = Arc::clone(&stop);
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                let heard = if receiver.baud_rate().unwrap() == rate { says } else { GARBAGE };
                receiver.write_all(if says.is_empty() { says } else { heard }).unwrap();
                std::thread::sleep(Duration::from_millis(500));
            }
        });
        Self { machine, stop, thread: Some(thread) }
    }

    fn device(&self) -> String {
        self.machine.name().unwrap()
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.take().unwrap().join().unwrap();
    }
}

/// Searches these ports, a nonexistent clock, and this gpsd.
async fn search_ports(serial: &[String], gpsd: &str) -> Findings {
    search(serial, &["/dev/ptp4095".into()], &gpsd.parse().unwrap()).await
}

fn port<'a>(found: &'a Findings, line: &Line) -> &'a Port {
    found.ports.iter().find(|port| port.device == line.device()).unwrap()
}

#[test]
#[ignore = "run by what_is_there_to_probe_is_found_and_judged"]
fn every_port_is_heard_at_its_rate_and_what_cannot_be_used_is_named() {
    on_runtime(async {
        let (speaks, unsure) = (Line::new(38_400, BURST), Line::new(9_600, NO_FIX));
        let (garbage, silent, held) = (Line::new(1, GARBAGE), Line::new(9_600, b""), Line::new(9_600, BURST));
        let _holder = TTYPort::open(&serialport::new(held.device(), 9_600)).unwrap();
        let lines = [&silent, &garbage, &held, &unsure, &speaks];
        let found = search_ports(&lines.map(Line::device), "127.0.0.1:1").await;
        let report = found.to_string();
        println!("{report}");

        let heard = &port(&found, &speaks).heard;
        assert_eq!((heard.rate, heard.fix, heard.names_time), (Some(38_400), Some(Validity::Valid), true));
        assert_eq!(heard.speaks, ["GNRMC", "GPTXT"]);
        assert_eq!(port(&found, &unsure).heard.fix, Some(Validity::Invalid));
        let garbled = &port(&found, &garbage).heard;
        assert!(garbled.bytes() > 0 && garbled.speaks.is_empty(), "{garbled:?}");
        assert_eq!(port(&found, &silent).heard.bytes(), 0);
        assert!(port(&found, &held).left.as_ref().unwrap().contains("held"), "{report}");
        assert_eq!(port(&found, &held).heard.bytes(), 0);
        for (line, said) in [(&garbage, "no valid sentence at any rate"), (&silent, "silent at every rate")] {
            assert!(report.contains(&format!("{}: ", line.device())) && report.contains(said), "{report}");
        }

        // The one that names the time is chosen, regardless of the order of ports.
        let config = SerialConfig { device: speaks.device(), baud: Baud::Rate(38_400) };
        assert_eq!(found.receiver, Some(ReceiverConfig::Serial(config)));
        let missing = found.missing().unwrap();
        assert!(missing.starts_with("no pin could be tried") && !missing.contains("; and "), "{missing}");
        assert!(report.contains("/dev/ptp4095 does not exist"), "{report}");
    });
}

#[test]
#[ignore = "run by what_is_there_to_probe_is_found_and_judged"]
fn a_gpsd_that_has_the_receiver_is_offered_and_samples_go_to_a_unit_beside_its_own() {
    on_runtime(async {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let gpsd: GpsdConfig = listener.local_addr().unwrap().to_string().parse().unwrap();
        let asked = std::thread::spawn(move || {
            let (mut client, _) = listener.accept().unwrap();
            client.write_all(b"{\"class\":\"VERSION\",\"release\":\"3.22\",\"proto_major\":3}\r\n").unwrap();
            let mut asked = [0; 10];
            client.read_exact(&mut asked).unwrap();
            let device = r#"{"class":"DEVICE","path":"/dev/ttyACM7","driver":"u-blox"}"#;
            client.write_all(format!("{{\"class\":\"DEVICES\",\"devices\":[{device}]}}\r\n").as_bytes()).unwrap();
            asked
        });
        let found = search_ports(&["/dev/nosuchport".into()], &gpsd.server.to_string()).await;
        assert_eq!(&asked.join().unwrap(), b"?DEVICES;\n");
        assert_eq!(found.gpsd.as_ref().unwrap(), &["/dev/ttyACM7"]);
        assert_eq!(settings::unit(&found), 12);
        let device = Some("/dev/ttyACM7".to_owned());
        assert_eq!(found.receiver, Some(ReceiverConfig::Gpsd(GpsdConfig { device, ..gpsd })));
        let report = found.to_string();
        assert!(report.contains("/dev/nosuchport does not exist"), "{report}");
        assert!(report.contains("gpsd\n  127.0.0.1:") && report.contains(": /dev/ttyACM7\n"), "{report}");
        // As on a machine without PTP hardware clocks.
        let missing = Findings { clocks: vec![], ..found }.missing().unwrap();
        assert!(missing.contains("use a NIC with external timestamps") && missing.contains("--pps"), "{missing}");
    });
}

#[test]
#[ignore = "run by what_is_there_to_probe_is_found_and_judged"]
fn the_engine_judges_a_simulated_receiver_and_its_figures_are_the_simulations() {
    on_runtime(async {
        let (sender, mut events) = channel(1_024);
        let scenario = crate::library::chain::scenario();
        let live = Live::start(scenario.clone(), sender.clone()).unwrap();
        let config = SerialConfig { device: live.device.clone(), baud: Baud::Rate(9_600) };
        let source = tokio::spawn(serial::run(config, None, sender));
        let mut pairing = Pairing::default();
        let judged = async {
            while pairing.engine.state() != State::Locked || pairing.samples() < 3 {
                pairing.take(&events.recv().await.unwrap());
            }
        };
        tokio::time::timeout(PATIENCE * 3, judged)
            .await
            .unwrap_or_else(|_| panic!("still {:?}, {} samples", pairing.engine.state(), pairing.samples()));
        assert_eq!(pairing.engine.state(), State::Locked);
        let width = pairing.engine.on_time().unwrap().width.unwrap();
        assert!((width - scenario.width).abs() < Span::from_micros(5), "{width}");
        let [shortest, _, longest] = pairing.spread().unwrap();
        assert!(shortest >= Span::ZERO && longest < Span::SECOND, "{shortest} {longest}");
        source.abort();
    });
}

/// Exit code, standard output, standard error.
fn probe(args: &[&str]) -> (Option<i32>, String, String) {
    let output = output(Command::new(program()).arg("probe").args(args));
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

#[test]
fn without_hardware_the_answer_is_no_and_everything_is_said_once() {
    let dir = TestDir::new("probe-none");
    let made = dir.join("made.toml");
    let made = made.to_str().unwrap();
    let nothing = ["--serial", "/dev/nosuchport", "--phc", "nosuchif0", "--gpsd", "127.0.0.1:1", "--write", made];
    let (code, report, said) = probe(&nothing);
    assert_eq!((code, said.lines().count()), (Some(1), 2), "what it does, and what is missing: {said}");
    for fact in ["nosuchif0 does not exist", "/dev/nosuchport does not exist", "127.0.0.1:1: no gpsd answered"] {
        assert_eq!((report.matches(fact).count(), said.matches(fact).count()), (1, 0), "{report}{said}");
    }
    let last = said.lines().last().unwrap();
    for missing in ["no pin could be tried", "no receiver was recognized"] {
        assert!(last.contains(missing), "{said}");
    }
    assert!(fs::metadata(made).is_err(), "nothing was found, so nothing is written");
}

#[test]
fn a_file_that_exists_is_not_overwritten_and_that_is_said_at_once() {
    let dir = TestDir::new("probe-exists");
    let file = dir.join("kept");
    fs::write(&file, "mine").unwrap();
    for option in ["--write", "--chrony"] {
        let (code, _, said) = probe(&[option, file.to_str().unwrap()]);
        assert_eq!((code, said.lines().count()), (Some(73), 1), "{said}");
        assert!(said.contains("kept exists") && said.contains("--force"), "{said}");
    }
    assert_eq!(fs::read(&file).unwrap(), b"mine");
}
