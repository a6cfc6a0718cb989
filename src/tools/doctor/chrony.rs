//! chronyd: it runs, has a refclock line for each sink, without options that spoil the samples, and uses them.

use super::chrony_conf::Refclock;
use super::{Finding, Level, Patient};
use crate::config::Settings;
use crate::source::pulse::PulseConfig;

const LINE: &str = "chrony.conf";
const SOURCE: &str = "chrony source";

/// Options of a refclock that make right samples wrong, or useless.
const SPOILERS: [(&str, Level, &str); 8] = [
    ("tai", Level::Failure, "has chronyd take UTC for TAI, 37 s off"),
    ("offset", Level::Failure, "is added to samples that need none"),
    ("pps", Level::Failure, "drops the second of the samples, and needs another source for it"),
    ("lock", Level::Failure, "ties complete samples to another refclock"),
    ("local", Level::Warning, "has chronyd use the phase of the pulse only"),
    ("noselect", Level::Warning, "keeps chronyd from selecting it"),
    ("delay", Level::Warning, "makes chronyd trust it less than it could"),
    ("dpoll", Level::Warning, "has chronyd read the segment too rarely to get every sample"),
];

const FALSETICKER: &str = "compare the offsets in `chronyc sources`: if the others are right, set width or delay as in \
    gnss2shm.toml(5); if not, remove them or add `trust`";

/// Whether chronyd runs.
pub(super) fn daemon(patient: &Patient<'_>) -> Finding {
    const ITEM: &str = "chronyd";
    const CURE: &str =
        "run `systemctl enable --now chrony` (elsewhere: chronyd); if it ends, `journalctl -u chrony` says why";
    match patient.processes.chronyd() {
        Some(chronyd) => Finding::ok(ITEM, format!("{chronyd} runs")),
        None if patient.processes.are_hidden => Finding::unseen(ITEM, "whether it runs"),
        None => Finding::failure(ITEM, "does not run", CURE),
    }
}

/// The refclock line of each sink, and what chronyd makes of it.
pub(super) fn check(patient: &Patient<'_>, settings: &Settings) -> Vec<Finding> {
    let conf = &patient.chrony;
    let Some(path) = &conf.path else {
        let says = "there is neither /etc/chrony/chrony.conf nor /etc/chrony.conf";
        return vec![Finding::failure(LINE, says, "install the package chrony")];
    };
    // As in README: the kernel's timestamps of a PPS device are far less precise than a PHC's.
    let precision = if matches!(settings.pulse, PulseConfig::Phc(_)) { "1e-7" } else { "2e-5" };
    let shm = settings.shm.map(|unit| ("SHM", unit.to_string(), "poll 2 dpoll -1 filter 5"));
    let sock = settings.sock.as_ref().map(|path| ("SOCK", path.display().to_string(), "poll 2 filter 5"));
    let mut found: Vec<_> = conf.unseen.iter().map(|path| Finding::unseen(LINE, path.display())).collect();
    let mut lines = vec![];
    for (driver, parameter, options) in shm.into_iter().chain(sock) {
        let of_driver = || conf.refclocks.iter().filter(|clock| clock.driver == driver);
        match of_driver().filter(|clock| clock.parameter == parameter).collect::<Vec<_>>()[..] {
            [line] => lines.push(line),
            [first, second, ..] => {
                let says = format!("{} and {} both read {driver} {parameter}", first.at, second.at);
                let cure = "remove one of them and restart chronyd: each takes the other's samples";
                found.push(Finding::failure(LINE, says, cure));
            }
            [] if !conf.unseen.is_empty() => {}
            [] => {
                let other =
                    of_driver().map(|clock| format!("; {} reads {driver} {}", clock.at, clock.parameter)).next();
                let line = format!("refclock {driver} {parameter} {options} precision {precision} refid GNSS");
                let directory = conf.directories.iter().find(|directory| patient.system.has(directory));
                let file = directory.map_or(path.clone(), |directory| format!("{directory}/gnss2shm.conf").into());
                found.push(Finding::failure(
                    LINE,
                    format!("no line `refclock {driver} {parameter}`{}", other.unwrap_or_default()),
                    format!("write `{line}` in {} and restart chronyd", file.display()),
                ));
            }
        }
    }
    found.extend(lines.iter().flat_map(|line| spoilt(line)));
    found.extend(conf.refclocks.iter().filter_map(|clock| same_pulse(patient, clock)));
    let at: Vec<_> = lines.iter().map(|line| format!("{}: {} {}", line.at, line.driver, line.parameter)).collect();
    let mut found = super::or_ok(found, LINE, at.join(", "));
    if !lines.is_empty() && (patient.processes.chronyd().is_some() || patient.processes.are_hidden) {
        found.extend(sources(patient, &lines));
    }
    found
}

fn spoilt(line: &Refclock) -> impl Iterator<Item = Finding> {
    let is_above = |name, bound| line.option(name).and_then(|value| value.parse().ok()).is_some_and(|n: f32| n > bound);
    let is_set = move |name| match name {
        "offset" => line.option(name).is_some_and(|value| value.parse() != Ok(0.0)),
        "delay" => is_above(name, 0.01),
        "dpoll" => is_above(name, 0.0) && line.driver == "SHM",
        _ => line.has(name),
    };
    SPOILERS.into_iter().filter(move |(option, ..)| is_set(option)).map(|(option, level, does)| {
        let says = format!("{}: `{option}` {does}", line.at);
        Finding::new(LINE, level, says, format!("remove `{option}` and restart chronyd"))
    })
}

/// A refclock of chronyd's own on our pulse: chronyd cannot tell the edges apart, and takes those of a PHC from us.
fn same_pulse(patient: &Patient<'_>, clock: &Refclock) -> Option<Finding> {
    let level = match clock.driver.as_str() {
        "PHC" if clock.has("extpps") => Level::Failure,
        "PPS" => Level::Warning,
        _ => return None,
    };
    let is_ours = patient.system.real(&clock.parameter).ok() == patient.pulse;
    (is_ours && patient.pulse.is_some()).then(|| {
        let says = format!("{}: chronyd reads the same pulse itself and does not know the on-time edge", clock.at);
        Finding::new(LINE, level, says, "remove that line and restart chronyd: gnss2shm gives it the complete sample")
    })
}

/// State of each line in `chronyc sources`.
fn sources(patient: &Patient<'_>, lines: &[&Refclock]) -> Vec<Finding> {
    let csv = match (patient.system.sources)(patient.system) {
        Ok(csv) => csv,
        Err(why) => return vec![Finding::unseen(SOURCE, why)],
    };
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let selected = rows.iter().find(|row| row.get(1) == Some(&"*")).and_then(|row| row.get(2));
    let selected = selected.copied().unwrap_or("no source");
    lines.iter().map(|line| source(line, &rows, selected)).collect()
}

/// Columns of `chronyc -c sources`: mode, state, name, stratum, poll, reach.
fn source(line: &Refclock, rows: &[Vec<&str>], selected: &str) -> Finding {
    let name = &line.refid;
    let row = rows.iter().find(|row| row.first() == Some(&"#") && row.get(2) == Some(&name.as_str()));
    let Some([_, state, _, _, _, reach, ..]) = row.map(Vec::as_slice) else {
        let says = format!("chronyd does not know {name} of {}", line.at);
        return Finding::failure(SOURCE, says, "restart chronyd: it reads its configuration at its start only");
    };
    let (level, what, cure) = match (*state, *reach) {
        ("*", _) => return Finding::ok(SOURCE, format!("chronyd has selected {name}")),
        ("+", _) => return Finding::ok(SOURCE, format!("chronyd combines {name} with {selected}")),
        ("-", _) => {
            (Level::Warning, "is not used", "add `prefer` to the refclock line, or `trust` if the others are worse")
        }
        ("x", _) => (Level::Failure, "is a falseticker: most others disagree with it", FALSETICKER),
        ("~", _) => (Level::Warning, "varies too much", "wait a minute; if it stays, check the level of the pulse"),
        (_, "0") => (Level::Failure, "has no samples", "see the items segment and service; if ok, restart chronyd"),
        _ => (Level::Warning, "cannot be selected yet", "wait a minute and ask again"),
    };
    Finding::new(SOURCE, level, format!("{name} {what} (reach {reach}); chronyd follows {selected}"), cure)
}
