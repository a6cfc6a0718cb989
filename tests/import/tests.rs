//! Each importer on an invented log in the real format.
#![allow(clippy::unwrap_used)]

use std::fmt::Write;

use crate::sentence::{Shown, SimSentence};
use clap::Parser;
use gnss2shm::time::{Date, Span, UtcSecond};

use super::Args;
use crate::imported::Imported;
use crate::invented::Invention;
use crate::judge::judge;
use crate::{events, gpsd, packets};

const SENTENCES: [SimSentence; 3] = [SimSentence::Gga, SimSentence::Rmc, SimSentence::Zda];

fn invention(options: &[&str]) -> Invention {
    Args::parse_from([&["import", "gpsd", "-"], options].concat()).invention
}

fn noon() -> UtcSecond {
    UtcSecond::from_civil(Date::new(2019, 5, 17).unwrap(), 43_190)
}

fn sentences(n: i64) -> impl Iterator<Item = String> {
    let shown = Shown { utc: noon().plus(n), is_sixty: false, has_fix: true };
    SENTENCES.into_iter().map(move |sentence| sentence.text(shown))
}

fn assert_right(imported: &Imported, at_least: usize) {
    // Written files are read back unchanged.
    let again = Imported::read(&imported.to_string()).unwrap();
    assert_eq!((&again.header, &again.events), (&imported.header, &imported.events));
    assert_eq!(again.truth.seconds, imported.truth.seconds);
    let said = judge(&again);
    assert!(said.is_good() && said.right >= at_least, "{said}");
}

#[test]
fn a_log_of_gpsd_is_divided_into_bursts() {
    let log: String = (0..40).flat_map(sentences).collect();
    let log = format!("# Name: made up\n{log}");
    for options in
        [&["--delay", "20"][..], &["--delay", "850", "--pace", "usb"], &["--edges", "one", "--pace", "relay"]]
    {
        assert_right(&gpsd::import(log.as_bytes(), &invention(options), None).unwrap(), 30);
    }
    let undated: String = (0..40).filter_map(|n| sentences(n).next()).collect();
    assert!(gpsd::import(undated.as_bytes(), &invention(&[]), None).is_err());
}

#[test]
fn a_packet_log_of_satpulse_has_its_times() {
    let line = |n: i64, which: usize, text: &str| {
        let at = n * 1_000_000 + 130_000 + which as i64 * 9_000;
        let text = text.trim_end();
        format!(
            "{{\"t\":\"2019-05-17T12:00:{:02}.{:06}Z\",\"tag\":\"NMEA\",\"ascii\":\"{text}\\r\\n\"}}\n",
            at / 1_000_000,
            at % 1_000_000
        )
    };
    let seconds = (0..40).flat_map(|n| sentences(n + 10).enumerate().map(move |(which, text)| line(n, which, &text)));
    let sent = "{\"t\":\"2019-05-17T12:00:01Z\",\"bin\":\"b56205010200fe\",\"out\":true}\n";
    let log: String = seconds.chain([sent.to_owned()]).collect();
    assert_right(&packets::import(&log, &invention(&[])).unwrap(), 30);
}

/// A PHC that is 6 % fast, and a host clock that is slewed by 10 %.
#[test]
fn an_event_log_of_satpulse_has_its_clocks() {
    let mut log = String::new();
    for n in 0..40 {
        for (phase, is_edge) in [(0, true), (81, false), (100, true)] {
            let since = Span::from_millis(n * 1_000 + phase);
            let [mono, phc] = [1_100, 1_062].map(|rate| since.scaled(Span::from_nanos(rate), Span::from_nanos(1_000)));
            let (seconds, rest) = mono.div_rem(Span::SECOND);
            let t = format!("2024-02-29T05:{:02}:{:02}.{:09}Z", seconds / 60, seconds % 60, rest.nanos());
            let data = if is_edge {
                let [at, read] = [phc, phc + Span::from_micros(90)].map(decimal);
                format!("\"t\":\"{at}\",\"era\":1,\"tRead\":\"{read}\"")
            } else {
                format!("\"taiTime\":\"{}.999847\",\"utcOffset\":37", 1_709_183_630 + n)
            };
            let kind = if is_edge { "pulseEdge" } else { "time" };
            let mono = decimal(mono);
            writeln!(log, "{{\"type\":\"{kind}\",\"t\":\"{t}\",\"mono\":{mono},\"data\":{{{data}}}}}").unwrap();
        }
    }
    assert_right(&events::import(&log).unwrap(), 30);
}

fn decimal(span: Span) -> String {
    let (seconds, rest) = span.div_rem(Span::SECOND);
    format!("{seconds}.{:09}", rest.nanos())
}
