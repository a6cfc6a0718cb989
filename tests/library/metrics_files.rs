//! The installed monitoring files: the alert rules, the dashboard, and the troubleshooting table name only what the
//! program outputs, and all of it.
//!
//! `GNSS2SHM_BLESS=1 cargo test --lib metrics_files` rewrites the table from the reasons, and fails once.
//! If promtool (Debian: prometheus) is installed, it checks the rules and the dashboard's queries, and runs
//! `tests/metrics_files/alerts.yml`.

mod openmetrics;

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::fs;
use std::io::{Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::library::common::{TestDir, output};
use gnss2shm::core::engine::{Config, Engine};
use gnss2shm::core::event::Reason;
use gnss2shm::daemon::status::Board;
use gnss2shm::daemon::status::GateConfig;
use gnss2shm::daemon::status::metrics;
use gnss2shm::recording::{Item, Reader};
use serde_json::Value;
use tokio::sync::watch;

const ALERTS: &str = "files/usr/share/gnss2shm/alerts.yml";
const DASHBOARD: &str = "files/usr/share/gnss2shm/grafana.json";
const TABLE: &str = "files/usr/share/doc/gnss2shm/TROUBLESHOOTING.md";

fn path(of: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(of)
}

fn text(of: &str) -> String {
    fs::read_to_string(path(of)).unwrap_or_else(|error| panic!("{of}: {error}"))
}

fn dashboard() -> Value {
    serde_json::from_str(&text(DASHBOARD)).unwrap()
}

// ---- what is served ---------------------------------------------------------------------------------------------

/// `/metrics` of a run that has just started, and of one that was fed this recording.
fn pages() -> [String; 2] {
    let engine = Engine::new(Config::default());
    let begun = Board::new(&engine, "/dev/ttyS0".into(), "eth0".into(), GateConfig::default());
    let (mut engine, mut board) = (engine, begun.clone());
    // Made by 0.1.0, which did not record TAI - UTC.
    let recording = text("tests/replay/lost-edges-and-glitches.rec")
        .replace(" witness unsynchronised", " witness unsynchronised 37");
    let result = Reader::default().push(recording.as_bytes(), |item| match item {
        Item::Header(header) => engine = Engine::new(header.config),
        Item::Event(event) => {
            let verdicts = engine.handle(&event);
            board.update(&engine, &event, &verdicts);
        }
        Item::Lost(events) => panic!("{events} lost"),
    });
    result.unwrap();
    [begun, board].map(served)
}

fn served(board: Board) -> String {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let free = crate::library::common::free_address();
        let listener = tokio::net::TcpListener::bind(free).await.unwrap();
        tokio::select! {
            () = metrics::run(listener, watch::channel(board).1) => panic!("the server ended"),
            page = tokio::task::spawn_blocking(move || get(free)) => page.unwrap(),
        }
    })
}

fn get(at: SocketAddr) -> String {
    let mut stream = TcpStream::connect(at).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream.write_all(b"GET /metrics HTTP/1.0\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer.split_once("\r\n\r\n").unwrap().1.to_owned()
}

/// All series names on either page.
fn names() -> BTreeSet<String> {
    pages().iter().flat_map(|page| openmetrics::strictly(page).unwrap()).map(|series| series.name).collect()
}

/// All metric names in this text.
fn mentioned(text: &str) -> BTreeSet<String> {
    let metric = |at: usize| {
        let end = text[at..].find(|c: char| !c.is_ascii_alphanumeric() && c != '_').unwrap_or(text.len() - at);
        text[at..at + end].to_owned()
    };
    text.match_indices("gnss2shm_").map(|(at, _)| metric(at)).collect()
}

#[test]
fn the_page_is_open_metrics_to_the_letter_whatever_the_state() {
    let [begun, board] = pages().map(|page| openmetrics::strictly(&page).unwrap_or_else(|why| panic!("{why}\n{page}")));
    let value = |of: &[openmetrics::Series], series: &str| {
        of.iter().find(|s| format!("{}{}", s.name, s.labels) == series).map(|s| s.value)
    };
    assert_eq!(value(&begun, "gnss2shm_reason{reason=\"starting\"}"), Some(1.0));
    assert_eq!(value(&begun, "gnss2shm_offset_seconds"), None);
    assert_eq!(value(&board, "gnss2shm_state{state=\"Locked\"}"), Some(1.0));
    for reason in Reason::ALL {
        let series = format!("gnss2shm_rejected_total{{reason=\"{}\"}}", reason.key());
        assert_eq!(value(&begun, &series), Some(0.0), "{series} before anything was rejected");
        assert!(value(&board, &series).is_some(), "{series}");
    }
    let rejected = |of: &[openmetrics::Series]| -> f64 {
        of.iter().filter(|s| s.name == "gnss2shm_rejected_total").map(|s| s.value).sum()
    };
    assert!(rejected(&board) > 10.0, "the recording has glitches: {}", rejected(&board));
    let width = value(&board, "gnss2shm_pulse_width_seconds").unwrap();
    assert!((width - 0.1).abs() < 1e-4, "{width} s: the recording's pulse has 100 ms");
    assert!(value(&board, "gnss2shm_samples_total").unwrap() > 10.0);
}

#[test]
fn alerts_and_dashboard_name_what_is_served_and_all_that_is_served_is_named() {
    let (served, alerts, shown) = (names(), mentioned(&text(ALERTS)), mentioned(&dashboard().to_string()));
    for (file, names) in [(ALERTS, &alerts), (DASHBOARD, &shown)] {
        let unknown: Vec<_> = names.difference(&served).collect();
        assert!(unknown.is_empty(), "{file} names what is not served: {unknown:?}");
    }
    let unused: Vec<_> = served.difference(&shown).filter(|name| !alerts.contains(*name)).collect();
    assert!(unused.is_empty(), "neither the dashboard nor an alert shows {unused:?}");
}

#[test]
fn states_and_sources_in_alerts_and_dashboard_are_those_that_are_served() {
    let pages = pages().map(|page| openmetrics::strictly(&page).unwrap());
    let states: Vec<_> = pages[0].iter().filter(|series| series.name == "gnss2shm_state").collect();
    let known = |state: &str| states.iter().any(|series| series.labels == format!("{{state=\"{state}\"}}"));
    let alerts = text(ALERTS);
    let selectors: Vec<_> = alerts.split("{state=").skip(1).filter_map(|rest| rest.split_once('}')).collect();
    assert!(selectors.len() >= 2);
    for state in selectors.iter().flat_map(|(states, _)| states.trim_matches(['~', '"']).split('|')) {
        assert!(known(state), "{state} is no state");
    }
    // The colors of the dashboard's states.
    let dashboard = dashboard().to_string();
    for series in &states {
        let state = series.labels.trim_start_matches("{state=").trim_end_matches('}');
        assert!(dashboard.contains(&format!("\"options\":{state}")), "{state} has no color");
    }
}

#[test]
fn every_alert_says_what_to_do() {
    let alerts = text(ALERTS);
    let rules: Vec<_> = alerts.split("- alert: ").skip(1).collect();
    assert!((6..=10).contains(&rules.len()), "few and good ones, not {}", rules.len());
    for rule in rules {
        for part in ["expr: ", "severity: ", "summary: ", "description: ", "`gnss2shm status`"] {
            assert_eq!(rule.matches(part).count(), 1, "{part:?} in {rule}");
        }
    }
}

#[test]
fn every_panel_asks_the_chosen_source_and_has_a_place_of_its_own() {
    let dashboard = dashboard();
    let panels = dashboard["panels"].as_array().unwrap();
    let mut taken = BTreeSet::new();
    for (at, panel) in panels.iter().enumerate() {
        assert!(panels[..at].iter().all(|other| other["id"] != panel["id"] && other["title"] != panel["title"]));
        let [x, y, w, h] = ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap());
        assert!(w > 0 && h > 0 && x + w <= 24, "{panel}");
        let cells = (x..x + w).flat_map(|x| (y..y + h).map(move |y| (x, y)));
        for cell in cells {
            assert!(taken.insert(cell), "{} lies on another panel", panel["title"]);
        }
        if panel["type"] != "row" {
            let targets = panel["targets"].as_array().unwrap();
            assert!(!targets.is_empty() && panel["description"].is_string(), "{panel}");
            for asks in targets.iter().chain([panel]) {
                assert_eq!(asks["datasource"]["uid"], "${datasource}", "{panel}");
            }
        }
    }
    let variables: Vec<_> = dashboard["templating"]["list"].as_array().unwrap().iter().map(|v| &v["name"]).collect();
    assert_eq!(variables, ["datasource", "instance"]);
}

// ---- promtool ---------------------------------------------------------------------------------------------------

/// Runs promtool if it is installed.
fn promtool(args: &[&str]) {
    let search = "command -v promtool >/dev/null || { echo promtool is not on PATH: not run >&2; exit 0; }";
    let output = output(Command::new("sh").args(["-c", &format!("{search}; exec promtool \"$@\""), "sh"]).args(args));
    assert!(output.status.success(), "promtool {args:?}: {output:?}");
    eprint!("{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_alert_fires_when_it_should_and_not_before() {
    promtool(&["check", "rules", "--lint-fatal", path(ALERTS).to_str().unwrap()]);
    promtool(&["test", "rules", path("tests/metrics_files/alerts.yml").to_str().unwrap()]);
}

#[test]
fn every_query_of_the_dashboard_is_promql() {
    let dashboard = dashboard();
    let targets = dashboard["panels"].as_array().unwrap().iter().filter_map(|panel| panel["targets"].as_array());
    let mut rules = String::from("groups:\n  - name: dashboard\n    rules:\n");
    for (number, target) in targets.flatten().enumerate() {
        let expr = target["expr"].as_str().unwrap().replace("$__rate_interval", "5m");
        assert!(expr.contains("{instance=\"$instance\"}"), "{expr}: of which instance?");
        writeln!(rules, "      - record: panel_{number}\n        expr: '{expr}'").unwrap();
    }
    let dir = TestDir::new("dashboard-queries");
    let file = dir.join("rules.yml");
    fs::write(&file, rules).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()]);
}

// ---- the table --------------------------------------------------------------------------------------------------

const HEAD: &str = "\
# Troubleshooting

gnss2shm publishes only samples that it is sure of; otherwise, it reports the reason. Find the reason, or its short
name, here:

- `gnss2shm status` shows the state and the reason; `Searching` means that something is missing, `Refusing` that
  something cannot be trusted. The log has the same line once for every change of state. If both pulse and receiver are
  at fault, `status` shows the other reason as `besides`.
- `gnss2shm status --json` has the short name in `reason`, the metric `gnss2shm_reason` in a label.
- The last line of `gnss2shm status` counts pulses, edges, and sentences that were not used, by short name, as does the
  metric `gnss2shm_rejected_total`. A few of them are normal: each is one second without a sample.
- `gnss2shm replay FILE` lists the short names in its summary.

`gnss2shm doctor` looks for causes in the rest of the system.

| Short name | Problem | Cause or remedy |
|---|---|---|
";

/// The reasons that only concern a single pulse.
const PASSES: &str = "nothing, if it is rare: the next pulse is judged anew; else `gnss2shm doctor`";

fn table() -> String {
    Reason::ALL.iter().fold(HEAD.to_owned(), |table, reason| {
        let (symptom, cure) = reason.sentence().split_once(": ").unwrap_or((reason.sentence(), PASSES));
        format!("{table}| `{}` | {} | {} |\n", reason.key(), symptom.replace('|', "\\|"), cure.replace('|', "\\|"))
    })
}

#[test]
fn the_troubleshooting_table_has_a_row_for_every_reason() {
    let known = fs::read_to_string(path(TABLE)).unwrap_or_default();
    if std::env::var_os("GNSS2SHM_BLESS").is_some() {
        fs::write(path(TABLE), table()).unwrap();
        panic!("{TABLE} is written anew: look at what changed, and run this without GNSS2SHM_BLESS");
    }
    assert!(
        known == table(),
        "{TABLE} is not what the reasons say: GNSS2SHM_BLESS=1 cargo test --lib metrics_files writes it anew"
    );
}
