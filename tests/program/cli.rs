//! The program from outside: exit codes, one sentence on standard error, a clean exit.

use std::fs;
use std::io::{BufRead, BufReader, Lines, Write};
use std::process::{Child, ChildStdout, Command, Output, Stdio};
use std::time::Duration;

use crate::common::{TestDir, TestUnit, ends_within, in_time, piped};
use serialport::{SerialPort, TTYPort};

fn program() -> Command {
    Command::new(env!("CARGO_BIN_EXE_gnss2shm"))
}

fn run(args: &[&str]) -> Output {
    program().args(args).output().unwrap()
}

/// Ends with this code, and says on one line what is wrong.
fn refuses(args: &[&str], code: i32, what: &str) {
    let output = run(args);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!((output.status.code(), said.contains(what)), (Some(code), true), "{args:?}: {said}");
    if code != 64 {
        assert_eq!(said.lines().count(), 1, "{args:?}: {said}");
    }
}

#[test]
fn wrong_settings_end_the_process_at_once_with_a_sysexits_code_and_a_sentence() {
    let dir = TestDir::new("cli");
    let file = |name: &str, text: &str| {
        let path = dir.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let unknown_key = file("key.toml", "[serial]\ndevise = \"/dev/ttyS0\"\n");
    let no_unit = file("unit.toml", "[pulse]\nwidth = \"100\"\n");
    let plain = file("plain", "");
    for (args, code, what) in [
        (&["run", "--serail", "x"][..], 64, "--serail"),
        (&["run"], 64, "--serial"),
        (&["run", "--serial", "/dev/ttyS0"], 64, "--phc"),
        (&["run", "--baud", "fast"], 64, "not a baud rate"),
        (&["run", "--channel", "x"], 64, "--channel"),
        (&["run", "--shm", "256"], 64, "--shm"),
        (&["run", "--width", "100"], 64, "no unit"),
        (&["run", "--config", "/nonexistent.toml"], 66, "/nonexistent.toml cannot be read"),
        (&["run", "--config", &unknown_key], 78, "key.toml:2:1: `devise = \"/dev/ttyS0\"`: there is no such key"),
        (&["run", "--config", &no_unit], 78, "unit.toml:2:9: "),
        (&["run", "--serial", "/dev/ttyS0", "--phc", "lo"], 69, "lo"),
        (&["run", "--serial", "/dev/ttyS0", "--phc", "/dev/null"], 78, "/dev/null"),
        (&["run", "--serial", &plain, "--phc", "/dev/ptp99"], 78, "is not a serial port"),
        (&["run", "--serial", "/dev/null", "--phc", "/dev/ptp99"], 78, "is not a serial port"),
        (&["run", "--stdin", "--phc", "/dev/ptp99", "--status", &"x".repeat(108)], 78, "a path of 1 to 107 bytes"),
        (&["status", "--socket", &"x".repeat(108)], 64, "a path of 1 to 107 bytes"),
        (&["simulate", "--width", "1s"], 64, "--width"),
        (&["simulate", "--loss", "7"], 64, "it must be a percentage"),
        (&["shm", "255"], 66, "255"),
    ] {
        refuses(args, code, what);
    }
}

#[test]
fn help_and_version_end_well() {
    for args in [&["--help"][..], &["run", "--help"], &["simulate", "--help"], &["shm", "--help"], &["--version"]] {
        let output = run(args);
        assert!(output.status.success() && output.stderr.is_empty() && !output.stdout.is_empty(), "{args:?}");
    }
}

fn terminate(child: &Child) {
    let status = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(status.success());
}

#[test]
fn devices_that_are_not_there_are_waited_for_said_once_and_sigterm_ends_it_well() {
    let unit = TestUnit::claim();
    let mut child = program()
        .args(["run", "--serial", "/dev/ttyUSB99", "--phc", "/dev/ptp99", "--shm", &unit.unit.to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    let mut said = Vec::new();
    // The last of the three is the state, some seconds after the start.
    in_time(&child, || {
        while !said.iter().any(|line: &String| line.contains("Searching")) {
            said.push(log.next().expect("ended").unwrap());
        }
    });
    terminate(&child);
    assert_eq!(ends_within(&mut child, Duration::from_secs(2)), Some(0));
    said.extend(log.map(Result::unwrap));
    let (begins, said) = said.split_first().expect("nothing was said");
    for device in ["/dev/ttyUSB99", "/dev/ptp99"] {
        assert!(begins.contains(device), "{begins}");
        assert_eq!(said.iter().filter(|line| line.contains(device)).count(), 1, "{said:#?}");
    }
}

/// Waits for an output line that contains this.
fn comes(child: &Child, lines: &mut Lines<impl BufRead>, what: &str) {
    in_time(child, || while !lines.next().expect("ended").unwrap().contains(what) {});
}

/// A simulation on this unit that has published, and its further output.
fn simulating(unit: &TestUnit, stderr: Stdio) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = program()
        .args(["simulate", "--shm", &unit.unit.to_string()])
        .stdout(Stdio::piped())
        .stderr(stderr)
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    comes(&child, &mut lines, " off");
    (child, lines)
}

#[test]
fn the_segment_is_left_without_a_sample() {
    let unit = TestUnit::claim();
    let (mut child, lines) = simulating(&unit, Stdio::null());
    terminate(&child);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(ends_within(&mut child, Duration::from_secs(2)), Some(0), "{rest:#?}");
    let looked = run(&["shm", &unit.unit.to_string()]);
    assert!(String::from_utf8_lossy(&looked.stdout).contains("valid is 0"), "{looked:?}");
}

#[test]
fn a_unit_has_one_writer_and_a_removed_segment_is_made_anew() {
    let unit = TestUnit::claim();
    let (mut child, mut lines) = simulating(&unit, Stdio::piped());
    let holder = format!("another gnss2shm (pid {}) writes to it", child.id());
    refuses(&["simulate", "--for", "1s", "--shm", &unit.unit.to_string()], 69, &holder);
    unit.remove_segment();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    comes(&child, &mut log, "created again");
    comes(&child, &mut lines, " off");
    assert!(run(&["shm", &unit.unit.to_string()]).status.success());
    terminate(&child);
    let _rest: Vec<_> = lines.collect();
    assert_eq!(ends_within(&mut child, Duration::from_secs(2)), Some(0));
}

#[test]
fn a_log_or_an_output_that_cannot_be_written_ends_nothing_by_a_panic() {
    let ends = [("/dev/null", "/dev/full", 0), ("/dev/full", "/dev/null", 71)].map(|(stdout, stderr, code)| {
        let unit = TestUnit::claim();
        let open = |path| fs::OpenOptions::new().write(true).open(path).unwrap();
        let child = program()
            .args(["simulate", "--for", "8s", "--shm", &unit.unit.to_string()])
            .stdout(open(stdout))
            .stderr(open(stderr))
            .spawn();
        (child.unwrap(), unit, stdout, code)
    });
    for (mut child, _unit, stdout, code) in ends {
        assert_eq!(child.wait().unwrap().code(), Some(code), "{stdout}");
    }
}

#[test]
fn a_simulation_whose_lines_cannot_be_written_says_so() {
    let unit = TestUnit::claim();
    let child = program()
        .args(["simulate", "--for", "1min", "--shm", &unit.unit.to_string()])
        .stdout(fs::OpenOptions::new().write(true).open("/dev/full").unwrap())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let output = child.wait_with_output().unwrap();
    let said = String::from_utf8(output.stderr).unwrap();
    let last = said.lines().last().unwrap_or_default();
    assert!(output.status.code() == Some(71) && last.contains("cannot write to standard output"), "{said}");
}

#[test]
fn decode_refuses_a_recording_and_names_the_verb_for_it() {
    let recording = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/one-edge.rec");
    let replay = "is a recording: use gnss2shm replay";
    let dir = TestDir::new("decode-recording");
    let newer = dir.join("newer");
    fs::write(&newer, "gnss2shm-recording 99\n1 \"$GPRMC\"\n").unwrap();
    for file in [recording, newer.to_str().unwrap()] {
        refuses(&["decode", file], 65, replay);
    }
    // On standard input, its header may arrive in pieces.
    let mut child = program().arg("decode").stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    for piece in ["# made by hand\n\ngnss2shm", "-recording 1 program=", "0.1.0\n"] {
        stdin.write_all(piece.as_bytes()).unwrap();
        std::thread::sleep(Duration::from_millis(50));
    }
    let output = in_time_ended(child);
    drop(stdin);
    let said = String::from_utf8(output.stderr).unwrap();
    assert_eq!((output.status.code(), said), (Some(65), format!("gnss2shm: standard input {replay}\n")));
}

/// The output of a child that exits by itself.
fn in_time_ended(mut child: Child) -> Output {
    ends_within(&mut child, PATIENCE);
    child.wait_with_output().unwrap()
}

#[test]
fn a_port_held_by_another_program_is_waited_for_and_named() {
    let unit = TestUnit::claim();
    let (_receiver, holder) = TTYPort::pair().unwrap();
    let device = holder.name().unwrap();
    let _held = TTYPort::open(&serialport::new(&device, 9_600)).unwrap();
    let mut child = program()
        .args(["run", "--serial", &device, "--phc", "/dev/ptp99", "--shm", &unit.unit.to_string()])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    comes(&child, &mut log, "is held by");
    terminate(&child);
    assert_eq!(ends_within(&mut child, Duration::from_secs(2)), Some(0));
}

/// Time limit of every wait.
const PATIENCE: Duration = Duration::from_secs(60);

#[test]
fn decode_and_replay_print_at_once_what_comes_and_end_with_whoever_reads_it() {
    let recording = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/replay/one-edge.rec")).unwrap();
    let header = recording.lines().find(|line| line.starts_with("gnss2shm-recording")).unwrap().to_owned() + "\n";
    let sentence = b"$GPRMC,123519,A,4807.038,N,01131.000,E,022.4,084.4,230394,003.1,W*6A\r\n".as_slice();
    for (verb, input, says) in [("decode", sentence, "GPRMC"), ("replay", header.as_bytes(), "gnss2shm-recording 1 ")] {
        let mut child = piped(&[verb, "-"]);
        let mut stdin = child.stdin.take().unwrap();
        stdin.write_all(input).unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line = in_time(&child, || lines.next().expect("ended").unwrap());
        assert!(line.contains(says), "{verb}: {line}");
        drop(lines);
        // Its input is still open, but silent.
        assert_eq!(ends_within(&mut child, PATIENCE), Some(0), "{verb}");
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
        assert!(log.next().is_none(), "{verb} is not quiet");
        drop(stdin);
    }
}

#[test]
fn a_simulation_prints_samples_alone_and_ends_with_whoever_reads_them() {
    let unit = TestUnit::claim();
    let mut child = program()
        .args(["simulate", "--shm", &unit.unit.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let first = in_time(&child, || lines.next().expect("ended").unwrap());
    assert!(first.starts_with("Locked ") && first.ends_with(" off"), "{first}");
    drop(lines);
    assert_eq!(ends_within(&mut child, PATIENCE), Some(0));
    let looked = run(&["shm", &unit.unit.to_string()]);
    assert!(String::from_utf8_lossy(&looked.stdout).contains("valid is 0"), "{looked:?}");
}

#[test]
fn the_summary_of_a_simulation_counts_pulses_and_what_became_of_them() {
    let unit = TestUnit::claim();
    let (mut child, lines) = simulating(&unit, Stdio::null());
    terminate(&child);
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(ends_within(&mut child, PATIENCE), Some(0), "{rest:#?}");
    let counts = rest.iter().find(|line| line.starts_with("pulses ")).expect("a summary");
    let figures: Vec<u64> = counts.split([' ', ',']).filter_map(|word| word.parse().ok()).collect();
    let [pulses, samples, 0, without] = figures[..] else { panic!("{counts}") };
    let printed = 1 + rest.iter().filter(|line| line.ends_with(" off")).count() as u64;
    assert_eq!((samples, pulses), (printed, samples + without), "{rest:#?}");
}

#[test]
fn a_simulation_takes_the_conventions_as_run_does() {
    let unit = TestUnit::claim();
    let mut child = program()
        .args(["simulate", "--conventions", "confirm", "--shm", &unit.unit.to_string()])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut log = BufReader::new(child.stderr.take().unwrap()).lines();
    comes(&child, &mut log, "Refusing: conventions = \"confirm\" is set");
    terminate(&child);
    assert!(log.any(|line| line.unwrap().contains("there were no samples")));
    assert_eq!(ends_within(&mut child, PATIENCE), Some(1));
}

#[test]
fn the_end_of_standard_input_ends_the_program_by_name_and_the_recording_holds_all_of_it() {
    let (unit, dir) = (TestUnit::claim(), TestDir::new("stdin-end"));
    let file = dir.join("rec").to_str().unwrap().to_owned();
    let mut child = program()
        .args(["run", "--stdin", "--phc", "/dev/ptp99", "--shm", &unit.unit.to_string(), "--record", &file])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(b"$GPGSV,1,1,00*79\r\n").unwrap();
    drop(stdin);
    assert_eq!(ends_within(&mut child, PATIENCE), Some(69));
    let log: Vec<_> = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap).collect();
    let said = log.iter().filter(|line| line.contains("standard input has ended")).count();
    assert!(said == 1 && log.last().unwrap().starts_with("gnss2shm: standard input has ended"), "{log:#?}");
    let recording = fs::read_to_string(&file).unwrap();
    assert!(recording.ends_with('\n') && recording.contains(" sentences-lost-stdin\n"), "{recording}");
    assert!(run(&["replay", "--quiet", &file]).status.success());
    let looked = run(&["shm", &unit.unit.to_string()]);
    assert!(String::from_utf8_lossy(&looked.stdout).contains("nothing has been published"), "{looked:?}");
}
