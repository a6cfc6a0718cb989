//! The boundaries of the pure core and of unsafe code, checked by reading the source.

use std::fs;
use std::path::{Path, PathBuf};

fn sources(under: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(under);
    let mut found = Vec::new();
    let mut todo = vec![root];
    while let Some(path) = todo.pop() {
        if path.is_dir() {
            todo.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
        } else if path.extension().is_some_and(|e| e == "rs") {
            let text = fs::read_to_string(&path).unwrap();
            found.push((path, text));
        }
    }
    assert!(!found.is_empty(), "nothing under src/{under}");
    found
}

/// Lines of code that contain one of these words.
fn offenders(sources: Vec<(PathBuf, String)>, words: &[&str]) -> Vec<String> {
    let is_code = |line: &&str| !line.trim_start().starts_with("//");
    (sources.into_iter())
        .flat_map(|(path, text)| {
            let hits = text.lines().filter(is_code).filter(|line| words.iter().any(|word| line.contains(word)));
            hits.map(|line| format!("{}: {}", path.display(), line.trim())).collect::<Vec<_>>()
        })
        .collect()
}

/// The modules of `src`, from the bottom up: each may import those before it.
const ROOMS: [&str; 11] =
    ["core", "sys", "recording", "sink", "source", "simulator", "daemon", "grandmaster", "config", "tools", "cli"];

#[test]
fn the_core_does_no_input_or_output_and_reads_no_clock() {
    let forbidden = [
        "std::fs",
        "std::net",
        "std::thread",
        "std::time",
        "std::process",
        "std::env",
        "libc",
        "tokio",
        "tracing",
        "println",
    ];
    assert_eq!(offenders(sources("core"), &forbidden), Vec::<String>::new());
}

#[test]
fn there_are_eleven_rooms_and_imports_point_downwards_only() {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let names = fs::read_dir(src).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<_> = names.filter(|name| name != "lib.rs" && name != "main.rs").collect();
    let mut rooms = ROOMS.to_vec();
    names.sort();
    rooms.sort_unstable();
    assert_eq!(names, rooms, "what lies directly in src");
    for (floor, room) in ROOMS.iter().enumerate() {
        let above: Vec<_> = ROOMS[floor + 1..].iter().map(|above| format!("crate::{above}::")).collect();
        let above: Vec<_> = above.iter().map(String::as_str).collect();
        assert_eq!(offenders(sources(room), &above), Vec::<String>::new(), "{room}");
    }
}

#[test]
fn unsafe_code_lives_in_sys_alone() {
    let elsewhere: Vec<_> =
        sources("").into_iter().filter(|(path, _)| !path.to_string_lossy().contains("/sys/")).collect();
    assert_eq!(offenders(elsewhere, &["unsafe "]), Vec::<String>::new());
}
