//! The border of the pure core, and of unsafe code, held by reading the source.
#![allow(clippy::unwrap_used, clippy::panic)]

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
        "crate::sys",
        "crate::source",
        "crate::sink",
        "crate::daemon",
        "crate::cli",
        "crate::config",
        "println",
    ];
    for part in [
        "engine",
        "nmea.rs",
        "nmea",
        "ubx.rs",
        "ubx",
        "foreign.rs",
        "event.rs",
        "event",
        "recording",
        "time.rs",
        "time",
    ] {
        assert_eq!(offenders(sources(part), &forbidden), Vec::<String>::new());
    }
}

#[test]
fn imports_point_downwards_only() {
    for (part, above) in [
        ("sys", &["crate::source", "crate::sink", "crate::engine", "crate::daemon", "crate::cli", "crate::config"][..]),
        ("source", &["crate::sink", "crate::engine", "crate::daemon", "crate::cli", "crate::config"]),
        ("sink", &["crate::source", "crate::engine", "crate::daemon", "crate::cli", "crate::config"]),
        ("event", &["crate::engine", "crate::recording"]),
        ("recording", &["crate::daemon"]),
        ("probe", &["crate::sink", "crate::daemon", "crate::cli"]),
        ("daemon.rs", &["crate::cli", "crate::config"]),
        ("config.rs", &["crate::cli", "crate::daemon"]),
        ("doctor", &["crate::cli", "crate::daemon"]),
    ] {
        assert_eq!(offenders(sources(part), above), Vec::<String>::new(), "{part}");
    }
}

#[test]
fn unsafe_code_lives_in_sys_alone() {
    let elsewhere: Vec<_> =
        sources("").into_iter().filter(|(path, _)| !path.to_string_lossy().contains("/sys/")).collect();
    assert_eq!(offenders(elsewhere, &["unsafe "]), Vec::<String>::new());
}
