//! The command `shm`: its output for a segment, and its exit codes.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use crate::library::common::{TestUnit, ends_within, output, program, start};
use crate::library::shm::{sample, whole};
use gnss2shm::core::event::Leap;
use gnss2shm::sink::Sink;
use gnss2shm::sink::shm::ShmSink;

fn verb(args: &[&str]) -> std::process::Output {
    output(Command::new(program()).arg("shm").args(args))
}

#[test]
fn the_verb_shows_what_chronyd_would_make_of_it() {
    let unit = TestUnit::claim();
    let name = unit.unit.to_string();
    let missing = verb(&[&name]);
    assert_eq!(missing.status.code(), Some(66));
    assert!(String::from_utf8_lossy(&missing.stderr).contains("there is no such segment"));

    let mut sink = ShmSink::open(unit.unit).unwrap();
    let shown = || String::from_utf8(verb(&[&name]).stdout).unwrap();
    assert!(shown().contains("nothing has been published yet"), "{}", shown());
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs() as i64;
    sink.publish(&sample(now, now - 1, 999_876_544, Leap::None));
    for part in
        ["+123456 ns", "mode 0600", "owner      uid 0", "attached   1", "chronyd would take this sample", "valid 1"]
    {
        assert!(shown().contains(part), "{part:?} is not in {}", shown());
    }
    assert!(shown().contains(&format!("pid {}", std::process::id())));
    assert_eq!(whole(unit.unit).valid, 1, "looking consumed it");
    sink.publish(&sample(now, now - 3_600, 0, Leap::None));
    assert!(shown().contains("would not take this sample: it is 3"), "{}", shown());
    sink.withdraw();
    assert!(shown().contains("valid is 0"), "{}", shown());
    drop(sink);
    assert!(shown().contains("attached   0: neither"), "{}", shown());
}

#[test]
fn watching_prints_each_new_sample_and_ends() {
    let unit = TestUnit::claim();
    let mut sink = ShmSink::open(unit.unit).unwrap();
    let mut watch = |args: &[&str], lines: usize| {
        let mut child = start(
            Command::new(program())
                .args(["shm", &unit.unit.to_string(), "--watch"])
                .args(args)
                .stdout(Stdio::piped())
                .stderr(Stdio::piped()),
        );
        let (send, lines_read) = std::sync::mpsc::channel();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        // Reads that many lines, then closes the pipe.
        let reading = std::thread::spawn(move || {
            stdout.lines().take(lines).map_while(Result::ok).for_each(|line| send.send(line).unwrap());
        });
        let mut n = 0;
        while child.try_wait().unwrap().is_none() {
            n += 1;
            assert!(n < 1_000, "it does not end");
            sink.publish(&sample(n, n - 1, 999_000_000, Leap::None));
            std::thread::sleep(std::time::Duration::from_millis(20));
        }
        reading.join().unwrap();
        let mut stderr = String::new();
        std::io::Read::read_to_string(&mut child.stderr.take().unwrap(), &mut stderr).unwrap();
        (child.wait().unwrap().code(), stderr, lines_read.iter().collect::<Vec<String>>())
    };
    let (code, stderr, lines) = watch(&["--for", "1s"], usize::MAX);
    assert_eq!((code, stderr.as_str()), (Some(0), ""));
    assert!(lines.len() > 10 && lines.iter().all(|l| l.contains("offset +1000000 ns")), "{lines:?}");
    let labels: std::collections::BTreeSet<_> = lines.iter().map(|l| l.split_once(' ').unwrap().0).collect();
    assert_eq!(labels.len(), lines.len(), "a sample was printed twice");

    let (code, stderr, lines) = watch(&[], 2);
    assert_eq!((code, stderr.as_str(), lines.len()), (Some(0), "", 2), "a closed pipe ends it quietly");
}

#[test]
fn watching_ends_with_whoever_reads_it_though_no_sample_comes() {
    let unit = TestUnit::claim();
    let _sink = ShmSink::open(unit.unit).unwrap();
    let mut child =
        start(Command::new(program()).args(["shm", &unit.unit.to_string(), "--watch"]).stdout(Stdio::piped()));
    drop(child.stdout.take());
    assert_eq!(ends_within(&mut child, std::time::Duration::from_secs(60)), Some(0));
}
