//! `gnss2shm decode`: its line for each message, and its summary.

use std::collections::BTreeSet;
use std::fs;
use std::process::Output;

use crate::common::{TestDir, pvt, run_with_input, sentence};
use serde_json::Value;

fn decode(args: &[&str], input: &[u8]) -> (String, String, Option<i32>) {
    let Output { stdout, stderr, status } = run_with_input(&[&["decode"], args].concat(), input);
    (String::from_utf8(stdout).unwrap(), String::from_utf8(stderr).unwrap(), status.code())
}

#[test]
fn times_are_shown_as_written() {
    for (message, want) in [
        (sentence("GPRMC,115955.949,A,1,N,2,E,0,0,201126,,,A"), "GPRMC 2026-11-20T11:59:55.949Z not a whole second"),
        (sentence("GPGGA,115955.5,1,N,2,E,1,8,1,1,M,1,M,,"), "GPGGA 11:59:55.5Z not a whole second"),
        (sentence("GPGLL,1,N,2,E,235960.98,A,A"), "GPGLL 23:59:60.98Z not a whole second"),
        (sentence("GPRMC,115955.000,A,1,N,2,E,0,0,201126,,,A"), "GPRMC 2026-11-20T11:59:55Z valid"),
        (sentence("PUBX,04,120000.50,201126,1,1,18,1,1,1"), "PUBX,04 2026-11-20T12:00:00.50Z leap seconds known (18)"),
        (pvt(0), "NAV-PVT 2026-11-20T12:00:00Z valid"),
        (pvt(949_000_100), "NAV-PVT 2026-11-20T12:00:00.949Z not a whole second"),
    ] {
        let (out, ..) = decode(&[], &message);
        let words: Vec<_> = out.split_whitespace().skip(1).collect();
        assert_eq!(words.join(" "), want);
    }
}

#[test]
fn dates_that_run_refuses_are_marked() {
    let rmc = |date: &str, status: &str| sentence(&format!("GPRMC,120000,{status},1,N,2,E,0,0,{date},,,A"));
    for (message, mark, key) in [
        (rmc("311026", "A"), "valid; run refuses dates before 2026-11-01", Some("date-too-early")),
        (rmc("011126", "A"), "valid", None),
        (rmc("160646", "A"), "valid", None),
        (rmc("170646", "A"), "valid; run refuses dates from 2046-06-17 on", Some("date-too-late")),
        (rmc("060180", "V"), "no fix", None),
    ] {
        let (plain, ..) = decode(&[], &message);
        assert!(plain.trim_end().ends_with(&format!("Z {mark}")), "{plain}");
        let json: Value = serde_json::from_str(&decode(&["--json"], &message).0).unwrap();
        assert_eq!((json["remark"].as_str(), json["date_refused"].as_str()), (Some(mark), key));
    }
}

#[test]
fn the_last_line_needs_no_end() {
    let rmc = sentence("GPRMC,120000,A,1,N,2,E,0,0,201126,,,A");
    let (out, said, code) = decode(&[], &rmc[..rmc.len() - 2]);
    assert!(out.contains("12:00:00Z valid") && said.contains("1 lines with a correct checksum"), "{out}{said}");
    assert_eq!(code, Some(0));
    let (out, ..) = decode(&[], &rmc[..20]);
    assert!(out.contains("it has no checksum: $GPRMC,120000,A,1,N"), "{out}");
}

#[test]
fn several_files_have_a_header_each() {
    let dir = TestDir::new("decode-files");
    let [good, bad] = ["good.nmea", "bad \"nmea"].map(|name| dir.join(name).to_str().unwrap().to_owned());
    fs::write(&good, sentence("GPRMC,120000,A,1,N,2,E,0,0,201126,,,A")).unwrap();
    fs::write(&bad, "$GPRMC,120000,A*00").unwrap();
    let (out, said, code) = decode(&[&good, &bad, &good], b"");
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(
        [lines[0], lines[2], lines[3], lines[5], lines[6]],
        [&format!("==> {good} <=="), "", &format!("==> {bad} <=="), "", &format!("==> {good} <==")]
    );
    assert!(said.contains(&format!("{bad}:\n18 bytes, ")), "{said}");
    assert_eq!(code, Some(1));
    assert!(said.ends_with(&format!("{bad} contains no sentence with a valid time\n")), "{said}");
    // A file that cannot be read does not hide the others.
    let (out, said, code) = decode(&["/nonexistent", &bad, &good], b"");
    assert!(code == Some(66) && out.contains("12:00:00Z valid"), "{out}{said}");
    assert!(said.contains("/nonexistent cannot be read") && said.contains("no sentence with a valid time"), "{said}");
    for (files, headers) in [(vec![good.as_str()], 0), (vec![&good, &good], 2)] {
        assert_eq!(decode(&files, b"").0.matches("==>").count(), headers);
    }
    let (out, ..) = decode(&["--json", &good, &bad], b"");
    let files: Vec<Value> =
        out.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()["file"].take()).collect();
    assert_eq!(files, [good.as_str(), &bad]);
}

#[test]
fn every_json_object_has_the_same_keys() {
    let messages = [
        sentence("GPRMC,120000,A,1,N,2,E,0,0,201126,,,A"),
        sentence("GPRMC,,V,,,,,,,,,,N"),
        sentence("PUBX,04,120000.00,201126,1,1,18D,1,1,1"),
        b"$GPGGA,120000\r\n".to_vec(),
        pvt(0),
    ];
    let (out, ..) = decode(&["--json"], &messages.concat());
    let keys = |line: &str| {
        let object: Value = serde_json::from_str(line).unwrap();
        object.as_object().unwrap().keys().cloned().collect::<BTreeSet<_>>()
    };
    let all: Vec<_> = out.lines().map(keys).collect();
    let want = ["file", "byte", "kind", "message", "utc", "validity", "date_refused", "refused", "remark", "text"];
    assert_eq!(all, vec![want.map(String::from).into(); messages.len()]);
    let refused: Value = serde_json::from_str(out.lines().nth(3).unwrap()).unwrap();
    assert_eq!((&refused["utc"], refused["refused"].as_str()), (&Value::Null, Some("no-checksum")));
}
