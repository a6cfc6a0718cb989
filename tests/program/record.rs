//! `gnss2shm run --record`: rotation, and a full disk, which only affects the recording.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::common::run::Run;
use crate::common::{TestDir, TestUnit};
use gnss2shm::event::Event;
use gnss2shm::{Header, Item, Reader};
use serialport::{SerialPort, TTYPort};

/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(30);

fn items(file: &Path) -> Vec<Item> {
    let mut items = Vec::new();
    let text = fs::read(file).unwrap();
    let result = Reader::default().push(&text, |item| items.push(item));
    result.unwrap_or_else(|damage| panic!("{}: {damage}", file.display()));
    items
}

/// All of the receiver's bytes in them.
fn bytes(items: &[Item]) -> Vec<u8> {
    let data = items.iter().filter_map(|item| match item {
        Item::Event(Event::Bytes(bytes)) => Some(bytes.data.to_vec()),
        Item::Event(_) | Item::Header(_) | Item::Lost(_) => None,
    });
    data.flatten().collect()
}

/// `gnss2shm run --record`, with a receiver on a pseudo terminal and a missing PHC.
struct Recorded {
    run: Run,
    receiver: TTYPort,
    _machine: TTYPort,
    sent: Vec<u8>,
    _unit: TestUnit,
}

impl Recorded {
    /// After this shell command.
    fn start(file: &Path, size: &str, limit: &str) -> Self {
        let run = Self::spawn(file, size, limit);
        run.said("reading /dev/");
        run
    }

    fn spawn(file: &Path, size: &str, limit: &str) -> Self {
        let (receiver, machine) = TTYPort::pair().unwrap();
        let unit = TestUnit::claim();
        let device = machine.name().unwrap();
        let args = ["--serial", &device, "--record", file.to_str().unwrap(), "--record-size", size];
        let run = Run::limited(limit, "/dev/ptp99", unit.unit, &args);
        Self { run, receiver, _machine: machine, sent: Vec::new(), _unit: unit }
    }

    /// Waits until the log contains this.
    fn said(&self, what: &str) -> String {
        self.run.said_within(what, PATIENCE)
    }

    /// Sends this much, no faster than it is read, and waits until `enough`.
    fn send(&mut self, kilobytes: usize, enough: impl Fn() -> bool) {
        for n in 0..kilobytes * 10 {
            let line = format!("$GPTXT,{n:05},{}\r\n", "x".repeat(84));
            self.receiver.write_all(line.as_bytes()).unwrap();
            self.sent.extend_from_slice(line.as_bytes());
            std::thread::sleep(Duration::from_millis(1));
            if enough() {
                return;
            }
        }
    }

    /// What was sent.
    fn end(mut self) -> Vec<u8> {
        // The sent bytes are read before the signal is handled.
        std::thread::sleep(Duration::from_millis(300));
        assert_eq!(self.run.terminated(), Some(0));
        std::mem::take(&mut self.sent)
    }
}

#[test]
fn a_run_fills_one_file_after_the_other_and_nothing_is_missing() {
    let dir = TestDir::new("record-rotate");
    let file = dir.join("rec");
    fs::write(&file, "gnss2shm-recording of an earlier run").unwrap();
    let mut run = Recorded::start(&file, "100kB", ":");
    run.send(400, || dir.join("rec.3").exists());
    let sent = run.end();
    assert_eq!(fs::read_to_string(dir.join("rec.3")).unwrap(), "gnss2shm-recording of an earlier run");
    let mut all = Vec::new();
    for (name, part) in [("rec.2", 1), ("rec.1", 2), ("rec", 3)] {
        let items = items(&dir.join(name));
        assert!(matches!(&items[0], Item::Header(header) if header.part == part), "{name}: {:?}", items[0]);
        assert!(fs::metadata(dir.join(name)).unwrap().len() <= 100_000);
        all.extend(items);
    }
    assert_eq!(bytes(&all), sent);
    assert!(!all.iter().any(|item| matches!(item, Item::Lost(_))));
    let ticks = all.iter().filter(|item| matches!(item, Item::Event(Event::Tick { .. }))).count();
    assert!(ticks > 0);
}

/// A file size limit simulates a full disk: the write that reaches it writes half a line, the next one nothing.
#[test]
fn a_full_disk_is_said_once_and_recording_goes_on_when_there_is_room() {
    let dir = TestDir::new("record-full");
    let file = dir.join("rec");
    let mut run = Recorded::start(&file, "1GB", "trap '' XFSZ; ulimit -S -f 64");
    run.send(60, || false);
    let said = run.said("paused");
    assert!(said.contains("samples are not affected") && said.contains("WARN"), "{said}");
    // Readers always find complete lines; and nothing more is logged.
    std::thread::sleep(Duration::from_millis(2_500));
    let whole = fs::read(&file).unwrap();
    assert!(whole.ends_with(b"\n") && whole.len() <= 64 * 512, "{}", whole.len());
    assert!(!run.run.says().any(|line| line.contains("record")));
    let raised = Command::new("prlimit").args(["--pid", &run.run.pid().to_string(), "--fsize=unlimited:"]).status();
    assert!(raised.expect("prlimit: install Debian's package util-linux").success());
    run.said("resumed");
    let marker = run.sent.len();
    run.send(5, || false);
    let sent = run.end();
    let items = items(&file);
    let lost: Vec<_> = items.iter().filter(|item| matches!(item, Item::Lost(_))).collect();
    // Before the disk refuses everything, it accepts short writes.
    assert!(matches!(lost[..], [Item::Lost(1..), ..]), "{lost:?}");
    let bytes = bytes(&items);
    assert!(bytes.ends_with(&sent[marker..]), "what came after the gap is recorded");
    assert!(bytes.len() < sent.len());
}

/// A file system of 64 kB, with one file that fills it.
struct FullDisk(TestDir);

impl FullDisk {
    const FILLER: &str = "filler";

    /// `None` if mounting is not allowed.
    fn mount(name: &str) -> Option<Self> {
        let dir = TestDir::new(name);
        let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=64k", "tmpfs"]).arg(dir.path()).output();
        if !mount.is_ok_and(|output| output.status.success()) {
            return None;
        }
        let disk = Self(dir);
        fs::write(disk.0.join("rec"), "gnss2shm-recording of an earlier run").unwrap();
        let mut filler = fs::File::create(disk.0.join(Self::FILLER)).unwrap();
        while filler.write_all(&[0; 1_024]).is_ok() {}
        Some(disk)
    }

    fn make_room(&self) {
        fs::remove_file(self.0.join(Self::FILLER)).unwrap();
    }
}

impl Drop for FullDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[test]
fn a_disk_that_is_full_at_the_start_is_said_once_and_recording_begins_when_there_is_room() {
    let Some(disk) = FullDisk::mount("record-full-at-start") else {
        return println!("skipped: only root can mount a file system to fill");
    };
    let file = disk.0.join("rec");
    let mut run = Recorded::spawn(&file, "1GB", ":");
    let said = run.said("paused");
    assert!(said.contains("samples are not affected") && said.contains("WARN"), "{said}");
    run.said("reading /dev/");
    run.send(1, || false);
    std::thread::sleep(Duration::from_millis(2_500));
    assert!(!run.run.says().any(|line| line.contains("record")));
    assert!(!file.exists(), "no file without its header is left");
    disk.make_room();
    let said = run.said("resumed");
    assert!(said.contains("events are missing"), "{said}");
    let marker = run.sent.len();
    run.send(2, || false);
    let sent = run.end();
    let items = items(&file);
    assert!(matches!(&items[..], [Item::Header(Header { part: 1, .. }), Item::Lost(1..), ..]), "{:?}", items.get(..2));
    assert!(bytes(&items).ends_with(&sent[marker..]), "what came since there is room is recorded");
    assert_eq!(fs::read_to_string(disk.0.join("rec.1")).unwrap(), "gnss2shm-recording of an earlier run");
}

#[test]
fn what_cannot_be_recorded_to_ends_the_process_at_start() {
    let (_receiver, machine) = TTYPort::pair().unwrap();
    let (device, unit) = (machine.name().unwrap(), TestUnit::claim());
    for (args, code, says) in [
        (&["--record", "/nonexistent/rec"][..], 73, "cannot record to /nonexistent/rec"),
        (&["--record", "/dev/full"], 78, "/dev/full is not a regular file"),
        (&["--record", "/tmp"], 78, "/tmp is not a regular file"),
        (&["--record-size", "1GB"], 64, "--record-size belongs to --record"),
        (&["--record", "x", "--record-size", "64"], 64, "`64` is invalid: it must be a size"),
    ] {
        let output = Command::new(env!("CARGO_BIN_EXE_gnss2shm"))
            .args(["run", "--phc", "/dev/ptp99", "--serial", &device, "--shm", &unit.unit.to_string()])
            .args(args)
            .output()
            .unwrap();
        let said = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), said.contains(says)), (Some(code), true), "{args:?}: {said}");
    }
}
