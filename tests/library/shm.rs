//! The SHM sink against a C program, against a fast reader, and against other users' segments.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::mem::offset_of;
use std::process::{Command, Stdio};

use crate::library::common::{NOBODY, TestDir, TestUnit, is_root, numbers, run_as_nobody, start, told_by_c};
use gnss2shm::core::event::{Leap, Sample};
use gnss2shm::core::time::{Instant, Span, UtcSecond};
use gnss2shm::sink::Sink;
use gnss2shm::sink::shm::{Contents, Finding, SIZE, ShmReader, ShmSink, key};
use gnss2shm::sys::error::Problem;
use gnss2shm::sys::sysv_shm::{Segment, ShmTime};
use proptest::prelude::*;

/// A sample with a good error bound: the pulse of second `label` came at `sec` and `nsec` of the system clock.
pub(super) fn sample(label: i64, sec: i64, nsec: i64, leap: Leap) -> Sample {
    Sample {
        label: UtcSecond::from_posix(label),
        at: Instant::from_parts(sec, nsec),
        error: Span::from_nanos(100),
        leap,
    }
}

/// The unit's content while there is no writer.
pub(super) fn whole(unit: u8) -> Contents {
    ShmReader::open(unit).unwrap().contents().expect("nobody writes")
}

fn output(command: &mut Command) -> String {
    let output = crate::library::common::output(command);
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn layout_is_that_of_a_c_compiler() {
    let c = told_by_c("shm/layout.c", &["layout"]);
    macro_rules! offsets {
        ($($field:ident)*) => { [("sizeof", SIZE), $((stringify!($field), offset_of!(ShmTime, $field)),)*] };
    }
    let rust = offsets! {
        mode count clock_sec clock_usec receive_sec receive_usec leap precision nsamples valid clock_nsec receive_nsec dummy
    };
    let rust: BTreeMap<_, _> = rust.into_iter().map(|(name, at)| (name.to_owned(), at as i64)).collect();
    assert_eq!(rust, c);
}

#[test]
fn a_c_reader_finds_every_field_where_it_belongs() {
    let dir = TestDir::new("read");
    let reader = dir.compile_c("shm/layout.c");
    let unit = TestUnit::claim();
    let mut sink = ShmSink::open(unit.unit).unwrap();
    for (n, (at, leap)) in
        [((4_102_444_799, 999_876_544), Leap::Insert), ((-5, 1), Leap::Delete)].into_iter().enumerate()
    {
        sink.publish(&sample(4_102_444_800, at.0, at.1, leap));
        let expected = format!(
            "mode 1\ncount {}\nclock_sec 4102444800\nclock_usec 0\nclock_nsec 0\nreceive_sec {}\nreceive_usec {}\n\
             receive_nsec {}\nleap {}\nprecision -23\nnsamples 1\nvalid 1\n",
            2 * (n + 1),
            at.0,
            at.1 / 1_000,
            at.1,
            leap as i32
        );
        let c = output(Command::new(&reader).args(["read", &unit.unit.to_string()]));
        assert_eq!(numbers::<i64>(&c), numbers(&expected));
    }
}

#[test]
fn published_stamps_are_read_back_exactly() {
    let unit = TestUnit::claim();
    let sink = RefCell::new(ShmSink::open(unit.unit).unwrap());
    let reader = ShmReader::open(unit.unit).unwrap();
    // i64 nanoseconds end in 2262; before 1970 the seconds are negative and the nanoseconds are not.
    let seconds = prop_oneof![-9_000_000_000..9_000_000_000_i64, 2_147_483_000..2_147_484_000_i64, -2..2_i64];
    let strategy = (seconds.clone(), seconds, 0..1_000_000_000_i64, 0..3_usize);
    proptest!(ProptestConfig::with_cases(2_000), |((label, sec, nsec, leap) in strategy)| {
        let leap = [Leap::None, Leap::Insert, Leap::Delete][leap];
        let published = sample(label, sec, nsec, leap);
        sink.borrow_mut().publish(&published);
        let c = reader.contents().expect("nobody else writes");
        prop_assert_eq!((c.receive(), c.clock_nanos()), (published.at, label * 1_000_000_000));
        prop_assert_eq!(c.offset(), published.offset());
        prop_assert_eq!((c.fields.receive_usec, c.fields.clock_usec), (c.fields.receive_nsec / 1_000, 0));
        prop_assert!((0..1_000_000_000).contains(&c.fields.receive_nsec));
        prop_assert_eq!((c.valid, c.fields.mode, c.fields.leap), (1, 1, leap as i32));
        prop_assert!(!c.findings(published.at, 2).contains(&Finding::Microseconds));
    });
}

#[test]
fn a_sample_is_withdrawn_on_demand_on_drop_and_on_attach() {
    let unit = TestUnit::claim();
    let valid = || whole(unit.unit).valid;
    let mut sink = ShmSink::open(unit.unit).unwrap();
    assert_eq!(valid(), 0);
    sink.publish(&sample(1, 1, 0, Leap::None));
    assert_eq!(valid(), 1);
    sink.withdraw();
    assert_eq!(valid(), 0);
    sink.publish(&sample(2, 2, 0, Leap::None));
    drop(sink);
    assert_eq!(valid(), 0);
    // A crash does not withdraw the sample; the next start does.
    Segment::find(unit.unit).unwrap().attach().unwrap().writable().valid.store(1, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(valid(), 1);
    let mut next = ShmSink::open(unit.unit).unwrap();
    assert_eq!(valid(), 0);
    next.publish(&sample(4, 4, 0, Leap::None));
    assert_eq!((valid(), whole(unit.unit).count), (1, 6));
    drop(next);
    assert_eq!(valid(), 0);
    assert!(ShmReader::open(unit.unit).is_ok(), "the segment itself stays");
}

#[test]
fn a_reader_with_chronys_rules_never_accepts_a_mixed_sample() {
    const WANTED: u64 = 5_000;
    let dir = TestDir::new("chase");
    let chaser = dir.compile_c("shm/layout.c");
    let unit = TestUnit::claim();
    let mut sink = ShmSink::open(unit.unit).unwrap();
    let mut child =
        start(Command::new(chaser).args(["chase", &unit.unit.to_string(), &WANTED.to_string()]).stdout(Stdio::piped()));
    let mut published = 0;
    while child.try_wait().unwrap().is_none() {
        for _ in 0..1_000 {
            published += 1;
            let sec = 1_800_000_000 + published;
            let leap = [Leap::None, Leap::Insert, Leap::Delete][(sec % 3) as usize];
            sink.publish(&sample(sec + 1_000, sec, sec % 1_000_000_000, leap));
        }
        assert!(published < 50_000_000_000, "the reader does not end");
    }
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    println!("published {published}, reader: accepted torn mixed = {line}");
    let counts: Vec<u64> = line.split_whitespace().map(|n| n.parse().unwrap()).collect();
    assert_eq!(counts[2], 0, "mixed samples");
    assert!(
        counts[0] >= WANTED && counts[1] >= WANTED,
        "the reader met the writer too rarely: the test showed nothing"
    );
}

#[test]
fn our_own_reader_never_shows_a_mixed_sample() {
    let unit = TestUnit::claim();
    let mut sink = ShmSink::open(unit.unit).unwrap();
    let reader = ShmReader::open(unit.unit).unwrap();
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let writer = std::thread::spawn(move || {
        let mut sec = 1_800_000_000;
        while stopped.try_recv() == Err(std::sync::mpsc::TryRecvError::Empty) {
            sec += 1;
            sink.publish(&sample(sec + 1_000, sec, sec % 1_000_000_000, Leap::None));
        }
    });
    let mut shown = 0;
    for _ in 0..1_000 {
        match reader.contents() {
            Some(c) if c.valid == 1 => {
                let f = c.fields;
                assert_eq!(
                    (f.clock_sec, f.receive_nsec as i64),
                    (f.receive_sec + 1_000, f.receive_sec % 1_000_000_000)
                );
                shown += 1;
            }
            _ => (),
        }
    }
    drop(stop);
    writer.join().unwrap();
    assert!(shown > 100, "only {shown} of 1000");
}

#[test]
fn a_new_segment_is_roots_and_nobody_elses() {
    let unit = TestUnit::claim();
    let sink = ShmSink::open(unit.unit).unwrap();
    let status = sink.status().unwrap();
    assert_eq!((status.uid, status.mode & 0o777, status.size), (0, 0o600, SIZE));
    assert_eq!(status.cpid, std::process::id() as i32);
}

#[test]
fn a_segment_created_without_privilege_is_given_to_root_who_takes_it_of_the_services_user_only() {
    if !is_root() {
        return println!("skipped: only root can start a process as another user");
    }
    let unit = TestUnit::claim();
    let child = run_as_nobody("library::shm::child_opens_twice_and_publishes", unit.unit, "nobody-creates");
    assert!(child.status.success(), "{child:?}");
    let status = Segment::find(unit.unit).unwrap().status().unwrap();
    assert_eq!((status.uid, status.cuid, status.mode & 0o777), (0, NOBODY, 0o600));
    assert_eq!(whole(unit.unit).count, 2);
    let error = ShmSink::open(unit.unit).unwrap_err();
    assert!(error.to_string().contains(&format!("belongs to uid {NOBODY}")), "{error}");
}

#[test]
fn a_segment_that_chronyd_made_first_is_refused_with_three_cures() {
    if !is_root() {
        return println!("skipped: only root can start a process as another user");
    }
    let unit = TestUnit::claim();
    drop(ShmSink::open(unit.unit).unwrap()); // leaves a segment of root's, 0600: what chronyd makes
    let child = run_as_nobody("library::shm::child_is_denied", unit.unit, "nobody-denied");
    let text = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success(), "{child:?}");
    for part in
        ["uid 65534 may not read or write", "owner uid 0, creator uid 0, mode 0600", "before chronyd", "ipcrm -M"]
    {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
}

#[test]
fn a_strangers_segment_is_refused_by_root_and_by_others() {
    if !is_root() {
        return println!("skipped: only root can start a process as another user");
    }
    let unit = TestUnit::claim();
    let id = NOBODY.to_string();
    let dir = TestDir::new("stranger");
    let make = dir.compile_c("shm/layout.c");
    output(Command::new("setpriv").args(["--reuid", &id, "--regid", &id, "--clear-groups"]).arg(make).args([
        "make",
        &unit.unit.to_string(),
        "96",
        "666",
    ]));
    let error = ShmSink::open(unit.unit).unwrap_err();
    assert!(error.to_string().contains("belongs to uid"), "{error}");
    let text = error.to_string();
    for part in ["uid 65534", "mode 0666", "96 bytes", &format!("ipcrm -M {:#x}", key(unit.unit))] {
        assert!(text.contains(part), "{part:?} is not in {text}");
    }
    assert!(ShmReader::open(unit.unit).is_ok(), "looking at it is no risk");
}

#[test]
fn a_segment_that_others_may_write_to_is_refused_unless_that_is_allowed() {
    for (mode, refused) in [("666", true), ("622", true), ("660", true), ("644", false), ("600", false)] {
        let (unit, dir) = (TestUnit::claim(), TestDir::new("world-writable"));
        output(Command::new(dir.compile_c("shm/layout.c")).args(["make", &unit.unit.to_string(), "96", mode]));
        match ShmSink::open(unit.unit) {
            Ok(_) => assert!(!refused, "{mode}"),
            Err(error) => assert!(refused && error.to_string().contains("other users"), "{mode}: {error}"),
        }
        assert!(ShmSink::open_with(unit.unit, true).is_ok(), "{mode}");
    }
}

#[test]
fn a_segment_that_is_too_small_is_refused() {
    let unit = TestUnit::claim();
    let dir = TestDir::new("small");
    output(Command::new(dir.compile_c("shm/layout.c")).args(["make", &unit.unit.to_string(), "80", "600"]));
    let removal = format!("ipcrm -M {:#x}", key(unit.unit));
    for error in [ShmSink::open(unit.unit).unwrap_err(), ShmReader::open(unit.unit).unwrap_err()] {
        assert_eq!(error.problem, Problem::Unsupported, "{error}");
        let text = error.to_string();
        assert!(text.contains("80 bytes") && text.contains("mode 0600") && text.contains(&removal), "{text}");
    }
}

#[test]
fn a_removed_segment_is_noticed() {
    let unit = TestUnit::claim();
    let sink = ShmSink::open(unit.unit).unwrap();
    assert!(!sink.status().unwrap().is_removed());
    unit.remove_segment();
    assert!(sink.status().unwrap().is_removed());
    assert_eq!(ShmReader::open(unit.unit).unwrap_err().problem, Problem::NotThere);
}

/// Empty in an ordinary run of the ignored tests: then there is nothing for the child to do.
fn unit_of_child() -> Option<u8> {
    std::env::var("UNIT").ok().map(|unit| unit.parse().unwrap())
}

#[test]
#[ignore = "run as another user by a_segment_created_without_privilege_is_given_to_root_who_takes_it_of_the_services_user_only"]
fn child_opens_twice_and_publishes() {
    let Some(unit) = unit_of_child() else { return };
    drop(ShmSink::open(unit).unwrap());
    let mut sink = ShmSink::open(unit).unwrap(); // the creator keeps his rights
    sink.publish(&sample(1, 1, 0, Leap::None));
    assert_eq!(whole(unit).valid, 1);
}

#[test]
#[ignore = "run as another user by a_segment_that_chronyd_made_first_is_refused_with_three_cures"]
fn child_is_denied() {
    let Some(unit) = unit_of_child() else { return };
    let error = ShmSink::open(unit).unwrap_err();
    assert_eq!(error.problem, Problem::Denied, "{error}");
    println!("{error}");
    assert_eq!(ShmReader::open(unit).unwrap_err().problem, Problem::Denied);
}
