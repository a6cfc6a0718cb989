use std::sync::RwLockReadGuard;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;
use crate::core::engine::Config;
use crate::core::event::Event;
use crate::core::time::Instant;
use crate::recording::{Item, Reader};

/// A temporary directory. While it exists, no test starts a program, whose child would briefly hold its claims.
struct Dir(PathBuf, #[expect(dead_code)] RwLockReadGuard<'static, ()>);

impl Dir {
    fn new() -> Self {
        static MADE: AtomicU32 = AtomicU32::new(0);
        let n = MADE.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("gnss2shm-record-{}-{n}", std::process::id()));
        let dir = Self(path, crate::library::nobody_starts());
        dir.make();
        dir
    }

    fn make(&self) {
        fs::create_dir(&self.0).unwrap();
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<_> =
            fs::read_dir(&self.0).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
        names.sort();
        names
    }

    fn files(&self, limit: u64) -> Files {
        open(self.0.join("rec"), limit).unwrap()
    }

    /// Part, ticks and gaps of a file.
    fn read(&self, name: &str) -> (i64, Vec<i64>) {
        let (mut part, mut said) = (0, Vec::new());
        let result = Reader::default().push(&fs::read(self.0.join(name)).unwrap(), |item| match item {
            Item::Header(header) => part = header.part,
            Item::Event(event) => said.push(event.head().0.nanos()),
            Item::Lost(lost) => said.push(-lost),
        });
        result.unwrap();
        (part, said)
    }
}

impl Drop for Dir {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn tick(n: i64) -> Chunk {
    let event = Event::Tick { raw: Instant::from_nanos(n) };
    Chunk { missing: 0, text: format!("{event}\n"), events: 1 }
}

/// Room for the header and two ticks.
fn room_for_two(dir: &Dir) -> u64 {
    drop(dir.files(u64::MAX));
    let head = fs::metadata(dir.0.join("rec")).unwrap().len();
    fs::remove_file(dir.0.join("rec")).unwrap();
    head + 2 * tick(1).text.len() as u64
}

fn open(path: PathBuf, limit: u64) -> Result<Files, OpenError> {
    let claim = claim(&path)?;
    Files::open(path, claim, limit, Header::new(Config::default()))
}

#[test]
fn a_full_file_makes_way_and_the_four_before_it_are_kept_each_with_its_header() {
    let dir = Dir::new();
    let mut files = dir.files(room_for_two(&dir));
    for n in 1..=9 {
        files.write(&tick(n));
    }
    assert_eq!(dir.names(), ["rec", "rec.1", "rec.2", "rec.3", "rec.4"]);
    assert_eq!(
        (dir.read("rec"), dir.read("rec.1"), dir.read("rec.4")),
        ((5, vec![9]), (4, vec![7, 8]), (1, vec![1, 2]))
    );
    for n in [10, 11] {
        files.write(&tick(n % 10));
    }
    assert_eq!((dir.names().len(), dir.read("rec").0, dir.read("rec.4")), (5, 6, (2, vec![3, 4])));
}

#[test]
fn nobody_else_records_to_a_file_before_and_after_it_made_way() {
    let dir = Dir::new();
    let mut files = dir.files(room_for_two(&dir));
    for names in [&["rec"][..], &["rec", "rec.1"]] {
        let refused = open(dir.0.join("rec"), u64::MAX);
        let error = refused.unwrap_err();
        assert!(error.to_string().contains(&format!("(pid {})", std::process::id())), "{error}");
        assert_eq!((error.problem, dir.names()), (Problem::Taken, names.iter().map(|&n| n.into()).collect()));
        (1..=3).for_each(|n| files.write(&tick(n)));
    }
    let refused = open(dir.0.join(".").join("rec"), u64::MAX).unwrap_err().to_string();
    assert!(refused.contains("rotate the other's files away"), "{refused}");
    drop(files);
    dir.files(u64::MAX);
}

#[test]
fn a_recording_that_is_there_at_the_start_makes_way_as_far_as_needed() {
    let dir = Dir::new();
    for (name, n) in [("rec", 1), ("rec.1", 2), ("rec.3", 3)] {
        fs::write(dir.0.join(name), format!("{MAGIC} {n}")).unwrap();
    }
    let _files = dir.files(u64::MAX);
    let content = |name: &str| fs::read_to_string(dir.0.join(name)).unwrap();
    for n in 1..=3 {
        assert_eq!(content(&format!("rec.{n}")), format!("{MAGIC} {n}"));
    }
    assert_eq!(dir.read("rec"), (1, vec![]));
}

#[test]
fn while_nothing_can_be_written_events_are_counted_and_the_gap_is_named_after_it() {
    let dir = Dir::new();
    let mut files = dir.files(room_for_two(&dir));
    files.write(&tick(1));
    files.write(&tick(2));
    fs::remove_dir_all(&dir.0).unwrap();
    for n in [3, 4, 5] {
        files.write(&tick(n));
    }
    assert_eq!((files.pause, files.missing), (Some(0), 3));
    dir.make();
    files.write(&Chunk { missing: 2, ..tick(6) });
    assert_eq!((files.pause, dir.read("rec")), (Some(1), (2, vec![-5, 6])));
    files.limit = u64::MAX;
    for n in 2..=STEADY.into() {
        files.write(&tick(n));
    }
    assert_eq!(files.pause, Some(STEADY));
    files.write(&tick(7));
    assert_eq!((files.pause, dir.read("rec")), (None, (2, vec![-5, 6, 2, 3, 4, 5, 7])));
}

#[test]
fn attempts_that_fail_push_no_older_recording_out() {
    let dir = Dir::new();
    let mut files = dir.files(room_for_two(&dir));
    for n in 1..=9 {
        files.write(&tick(n));
    }
    // An obstacle at the next file's path that cannot be moved: it cannot be rotated, and no file can be created.
    fs::rename(dir.0.join("rec"), dir.0.join("aside")).unwrap();
    std::os::unix::fs::symlink("/nonexistent/rec", dir.0.join("rec")).unwrap();
    for n in 1..=9 {
        files.write(&tick(n));
    }
    assert!(files.pause.is_some());
    assert_eq!((dir.read("rec.4"), dir.read("rec.1")), ((1, vec![1, 2]), (4, vec![7, 8])));
}

#[test]
fn what_is_no_regular_file_is_refused_at_the_start() {
    let refused = open("/dev/null".into(), u64::MAX);
    assert_eq!(refused.unwrap_err().problem, Problem::Wrong);
    let refused = open("/nonexistent/rec".into(), u64::MAX);
    assert_eq!(refused.unwrap_err().problem, Problem::NotCreated);
}

#[test]
fn a_file_of_somebody_elses_is_not_rotated_away() {
    let dir = Dir::new();
    for (name, text, is_ours) in [
        ("rec", "precious\n", false),
        ("rec", "# a note\n\n", false),
        ("rec.4", "precious\n", false),
        ("rec", "", true),
        ("rec", "# i210, by hand\n\ngnss2shm-recording 1 part=1\n", true),
        ("rec", "gnss2shm-rec", true),
        ("rec.5", "precious\n", true),
    ] {
        let path = dir.0.join(name);
        fs::write(&path, text).unwrap();
        let place = claim(&dir.0.join("rec"));
        assert_eq!(place.is_ok(), is_ours, "{name}: {text:?}: {place:?}");
        if let Err(error) = place {
            assert!(error.to_string().contains(&format!("{} exists", path.display())), "{error}");
        }
        fs::remove_file(path).unwrap();
    }
}
