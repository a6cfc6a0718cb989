//! chronyd: it runs, has a refclock line for what we write, nothing in that line spoils it, and it takes our samples.

use super::chrony_conf::Refclock;
use super::{Finding, Instance, Patient, configuration};
use crate::config::Settings;
use crate::source::pulse::PulseConfig;

const LINE: &str = "chrony.conf";
const SOURCE: &str = "chrony source";

/// Whether chronyd runs.
pub(super) fn daemon(patient: &Patient<'_>) -> Vec<Finding> {
    const ITEM: &str = "chronyd";
    vec![match patient.processes.chronyd() {
        Some(chronyd) => Finding::ok(ITEM, format!("{chronyd} runs")),
        None if patient.processes.are_hidden => Finding::unseen(ITEM, "whether it runs"),
        None => Finding::failure(
            ITEM,
            "does not run",
            "run `systemctl enable --now chrony` (elsewhere: chronyd); if it ends, `journalctl -u chrony` says why",
        ),
    }]
}

/// The refclock line of each sink, and what chronyd makes of it.
pub(super) fn check(patient: &Patient<'_>, settings: &Settings) -> Vec<Finding> {
    let conf = &patient.chrony;
    let Some(path) = &conf.path else {
        let cure = "install the package chrony";
        return vec![Finding::failure(LINE, "there is neither /etc/chrony/chrony.conf nor /etc/chrony.conf", cure)];
    };
    let mut found: Vec<_> = conf.unseen.iter().map(|path| Finding::unseen(LINE, path.display())).collect();
    let may_be_elsewhere = !found.is_empty();
    let mut lines = vec![];
    if let Some(unit) = settings.shm {
        let ours: Vec<_> = conf.refclocks.iter().filter(|clock| clock.reads_unit(unit)).collect();
        match ours.as_slice() {
            [] if may_be_elsewhere => {}
            [] => found.push(no_line(patient, unit, precision(settings), &path.display().to_string())),
            [line] => lines.push(*line),
            [first, second, ..] => found.push(Finding::failure(
                LINE,
                format!("{} and {} both read SHM unit {unit}, and take each other's samples", first.at, second.at),
                "remove one of them and restart chronyd",
            )),
        }
    }
    if let Some(socket) = settings.sock.as_ref().map(|path| path.display().to_string()) {
        match conf.refclocks.iter().find(|clock| clock.driver == "SOCK" && clock.parameter == socket) {
            Some(line) => lines.push(line),
            None if may_be_elsewhere => {}
            None => found.push(Finding::failure(
                LINE,
                format!("{} has no line `refclock SOCK {socket}`", path.display()),
                format!(
                    "write `refclock SOCK {socket} poll 2 filter 5 precision {} refid GNSS` there and restart chronyd",
                    precision(settings)
                ),
            )),
        }
    }
    found.extend(lines.iter().flat_map(|line| spoilt(line)));
    found.extend(conf.refclocks.iter().filter_map(|clock| same_pulse(patient, clock)));
    let at: Vec<_> = lines.iter().map(|line| format!("{}: {}{}", line.at, shown(line), hint(line))).collect();
    let mut found = super::or_ok(found, LINE, at.join(", "));
    let may_run = patient.processes.chronyd().is_some() || patient.processes.are_hidden;
    if may_run && !lines.is_empty() {
        found.extend(sources(patient, &lines));
    }
    found
}

/// What README has the lines say: the kernel's stamps of a PPS device are far from a PHC's.
fn precision(settings: &Settings) -> &'static str {
    match settings.pulse {
        PulseConfig::Phc(_) => "1e-7",
        PulseConfig::Pps(_) => "2e-5",
    }
}

fn no_line(patient: &Patient<'_>, unit: u8, precision: &str, path: &str) -> Finding {
    let others: Vec<_> = Instance::all(patient.system)
        .iter()
        .filter(|other| other.config != patient.instance.config && other.is_started(patient.system))
        .filter_map(|other| configuration::read(patient.system, other).ok()?.shm)
        .collect();
    let is_free = |clock: &&Refclock| clock.driver == "SHM" && !others.iter().any(|&other| clock.reads_unit(other));
    match patient.chrony.refclocks.iter().find(is_free) {
        Some(clock) => Finding::failure(
            LINE,
            format!("{} reads SHM unit {}, but gnss2shm writes to unit {unit}", clock.at, clock.parameter),
            format!(
                "make both the same: `refclock SHM {unit}` there, or unit = {} in [shm]; then restart that one",
                clock.parameter
            ),
        ),
        None => {
            let line = format!("refclock SHM {unit} poll 2 dpoll -1 filter 5 precision {precision} refid GNSS");
            let file = patient.chrony.directories.iter().find(|directory| patient.system.has(directory));
            let file = file.map_or_else(|| path.to_owned(), |directory| format!("{directory}/gnss2shm.conf"));
            let says = format!("{path} has no line `refclock SHM {unit}`");
            Finding::failure(LINE, says, format!("write `{line}` in {file} and restart chronyd"))
        }
    }
}

/// Options that make right samples wrong, or useless.
fn spoilt(line: &Refclock) -> Vec<Finding> {
    let number = |name| line.option(name).and_then(|value| value.parse::<f32>().ok());
    let is_set = |name| number(name).is_some_and(|value| value != 0.0);
    let mut found = vec![];
    let mut say = |is_wrong: bool, level: fn(&'static str, String, String) -> Finding, option: &str, does: &str| {
        if is_wrong {
            let says = format!("{}: `{option}` {does}", line.at);
            found.push(level(LINE, says, format!("take `{option}` out and restart chronyd")));
        }
    };
    say(line.is("tai"), Finding::failure, "tai", "has chronyd take UTC for TAI, 37 s off");
    say(is_set("offset"), Finding::failure, "offset", "is added to samples that need none");
    say(line.is("pps"), Finding::failure, "pps", "drops which second it is, and needs another source for it");
    say(line.is("lock"), Finding::failure, "lock", "ties samples that are whole to another refclock");
    say(line.is("local"), Finding::warning, "local", "has chronyd use the pulse's phase alone");
    say(line.is("noselect"), Finding::warning, "noselect", "keeps chronyd from ever using it");
    say(
        number("delay").is_some_and(|delay| delay > 0.01),
        Finding::warning,
        "delay",
        "makes chronyd trust it less than it could",
    );
    if number("dpoll").is_some_and(|dpoll| dpoll > 0.0) && line.driver == "SHM" {
        let says = format!(
            "{}: with `dpoll {}` chronyd looks too rarely to see every sample",
            line.at,
            line.option("dpoll").unwrap_or_default()
        );
        found.push(Finding::warning(LINE, says, "write `dpoll -1` instead and restart chronyd"));
    }
    found
}

/// What could be better.
fn hint(line: &Refclock) -> &'static str {
    let has = |name| line.option(name).is_some();
    if line.driver == "SHM" && !has("dpoll") { " (`dpoll -1` would have it miss no sample)" } else { "" }
}

fn shown(line: &Refclock) -> String {
    format!("refclock {} {}", line.driver, line.parameter)
}

/// A refclock of chronyd's own on our pulse: it cannot tell the edges apart, and it takes them from us.
fn same_pulse(patient: &Patient<'_>, clock: &Refclock) -> Option<Finding> {
    let node = patient.pulse.as_ref()?;
    if patient.system.real(&clock.parameter).ok()? != *node {
        return None;
    }
    let cure = "take that line out and restart chronyd: gnss2shm gives it the whole sample";
    let has = |option: &str| clock.driver_options.iter().any(|found| found == option);
    match clock.driver.as_str() {
        "PHC" if has("extpps") => Some(Finding::failure(
            LINE,
            format!(
                "{}: chronyd takes the same pulse by itself, sets its pin and does not know the on-time edge",
                clock.at
            ),
            cure,
        )),
        "PPS" => Some(Finding::warning(
            LINE,
            format!("{}: chronyd takes the same pulse by itself and does not know which edge is on time", clock.at),
            cure,
        )),
        _ => None,
    }
}

/// What `chronyc sources` says of each line.
fn sources(patient: &Patient<'_>, lines: &[&Refclock]) -> Vec<Finding> {
    let csv = match (patient.system.chronyc)(patient.system, "sources") {
        Ok(csv) => csv,
        Err(why) if why.contains("Cannot talk") || why.contains("Not authorised") => {
            return vec![Finding::unseen(SOURCE, why)];
        }
        Err(why) => {
            return vec![Finding::warning(SOURCE, why, "check that chronyc is installed and chronyd answers it")];
        }
    };
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    let selected = rows.iter().find(|row| row.get(1) == Some(&"*")).and_then(|row| row.get(2)).copied();
    lines.iter().map(|line| source(line, &rows, selected)).collect()
}

/// Mode, state, name, stratum, poll, reach: the columns of `chronyc -c sources`.
fn source(line: &Refclock, rows: &[Vec<&str>], selected: Option<&str>) -> Finding {
    let name = &line.refid;
    let row = rows.iter().find(|row| row.first() == Some(&"#") && row.get(2) == Some(&name.as_str()));
    let Some([_, state, _, _, _, reach, ..]) = row.map(Vec::as_slice) else {
        let says = format!("chronyd does not know {name}, though {} has it", line.at);
        return Finding::failure(SOURCE, says, "restart chronyd: it reads its configuration at its start only");
    };
    let follows = selected.map_or_else(|| "follows none".to_owned(), |selected| format!("follows {selected}"));
    match (*state, *reach) {
        ("*", _) => Finding::ok(SOURCE, format!("chronyd has selected {name}")),
        ("+", _) => Finding::ok(SOURCE, format!("chronyd combines {name} with {}", selected.unwrap_or("others"))),
        ("-", _) => Finding::warning(
            SOURCE,
            format!("chronyd has {name} but does not use it, and {follows}"),
            format!("add `prefer` to {}, or `trust` if the others are worse", line.at),
        ),
        ("x", _) => Finding::failure(
            SOURCE,
            format!("chronyd takes {name} for a falseticker: most others disagree with it"),
            "look at offsets with `chronyc sources`: where the others are right, set width or delay as in gnss2shm.toml(5); \
             where they are not, remove them or add `trust`",
        ),
        ("~", _) => Finding::warning(
            SOURCE,
            format!("{name} varies too much for chronyd"),
            "wait a minute; if it stays, check the pulse's level, and add `poll 2 dpoll -1 filter 5` to the refclock line",
        ),
        (_, "0") => Finding::failure(
            SOURCE,
            format!("chronyd gets no sample from {name} (reach 0), and {follows}"),
            "see what is said of service and segment; if all is well there, restart chronyd",
        ),
        _ => Finding::warning(
            SOURCE,
            format!("chronyd gets samples from {name} (reach {reach}) but cannot select it yet, and {follows}"),
            "wait for a minute, and ask again",
        ),
    }
}
