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
    const CURE: &str = "install the package chrony and run `systemctl enable --now chrony` (elsewhere: chronyd); if it \
                        ends, `journalctl -u chrony` says why";
    match patient.chronyd {
        Some(chronyd) => Finding::ok(ITEM, format!("{chronyd} runs")),
        // With hidepid= the processes of other users are hidden.
        None if !patient.system.at("/proc/1/comm").exists() => Finding::unseen(ITEM, "whether it runs"),
        None => Finding::failure(ITEM, "does not run", CURE),
    }
}

/// The refclock line of each sink, and what chronyd makes of it.
pub(super) fn check(patient: &Patient<'_>, settings: &Settings) -> Vec<Finding> {
    let conf = &patient.chrony;
    // As in README: the kernel's timestamps of a PPS device are far less precise than a PHC's.
    let precision = if matches!(settings.pulse, PulseConfig::Phc(_)) { "1e-7" } else { "2e-5" };
    let shm = settings.shm.map(|unit| ("SHM", unit.to_string(), "poll 2 dpoll -1 filter 5"));
    let sock = settings.sock.as_ref().map(|path| ("SOCK", path.display().to_string(), "poll 2 filter 5"));
    let mut found: Vec<_> = conf.unseen.iter().map(|path| Finding::unseen(LINE, path.display())).collect();
    found.extend(conf.refclocks.iter().filter_map(|clock| same_pulse(patient, clock)));
    for (driver, parameter, options) in shm.into_iter().chain(sock) {
        let mut lines = conf.refclocks.iter().filter(|clock| clock.driver == driver && clock.parameter == parameter);
        let Some(line) = lines.next() else {
            if conf.unseen.is_empty() {
                let line = format!("refclock {driver} {parameter} {options} precision {precision} refid GNSS");
                let cure = format!("write `{line}` in {} and restart chronyd", conf.path.display());
                found.push(Finding::failure(LINE, format!("no line `refclock {driver} {parameter}`"), cure));
            }
            continue;
        };
        if let Some(second) = lines.next() {
            let says = format!("{} and {} both read {driver} {parameter}", line.at, second.at);
            let cure = "remove one of them and restart chronyd: each takes the other's samples";
            found.push(Finding::failure(LINE, says, cure));
        }
        found.push(spoilt(line).unwrap_or_else(|| Finding::ok(LINE, format!("{}: {driver} {parameter}", line.at))));
        if patient.chronyd.is_some() {
            found.push(source(patient, line));
        }
    }
    found
}

/// The first option that spoils the samples.
fn spoilt(line: &Refclock) -> Option<Finding> {
    let is_set = |name| {
        line.option(name).is_some_and(|value| match (name, value.parse::<f64>()) {
            ("offset", Ok(value)) => value != 0.0,
            ("delay", Ok(value)) => value > 0.01,
            ("dpoll", Ok(value)) => value > 0.0 && line.driver == "SHM",
            _ => true,
        })
    };
    let (option, level, does) = SPOILERS.into_iter().find(|(option, ..)| is_set(option))?;
    let cure = format!("remove `{option}` and restart chronyd");
    Some(Finding::new(LINE, level, format!("{}: `{option}` {does}", line.at), cure))
}

/// A refclock of chronyd's own on our pulse: chronyd cannot tell the edges apart, and takes those of a PHC from us.
fn same_pulse(patient: &Patient<'_>, clock: &Refclock) -> Option<Finding> {
    let level = match clock.driver.as_str() {
        "PHC" if clock.option("extpps").is_some() => Level::Failure,
        "PPS" => Level::Warning,
        _ => return None,
    };
    let is_ours = patient.pulse.is_some() && patient.system.real(&clock.parameter).ok() == patient.pulse;
    is_ours.then(|| {
        let says = format!("{}: chronyd reads the same pulse itself and does not know the on-time edge", clock.at);
        Finding::new(LINE, level, says, "remove that line and restart chronyd: gnss2shm gives it the complete sample")
    })
}

/// State of the line in `chronyc -c sources`: mode, state, name, stratum, poll, reach.
fn source(patient: &Patient<'_>, line: &Refclock) -> Finding {
    let csv = match (patient.system.run)(patient.system, "chronyc", &["-c", "sources"]) {
        Ok(csv) => csv,
        Err(why) => return Finding::unseen(SOURCE, why),
    };
    let name = line.refid.as_str();
    let mut rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let row = rows.find(|row| matches!(row[..], ["#", _, refid, ..] if refid == name));
    let Some([_, state, _, _, _, reach, ..]) = row.as_deref() else {
        let says = format!("chronyd does not know {name} of {}", line.at);
        return Finding::failure(SOURCE, says, "restart chronyd: it reads its configuration at its start only");
    };
    let (level, what, cure) = match (*state, *reach) {
        ("*" | "+", _) => return Finding::ok(SOURCE, format!("chronyd uses {name}")),
        ("-", _) => {
            (Level::Warning, "is not used", "add `prefer` to the refclock line, or `trust` if the others are worse")
        }
        ("x", _) => (Level::Failure, "is a falseticker: most others disagree with it", FALSETICKER),
        ("~", _) => (Level::Warning, "varies too much", "wait a minute; if it stays, check the level of the pulse"),
        (_, "0") => (Level::Failure, "has no samples", "see the items segment and service; if ok, restart chronyd"),
        _ => (Level::Warning, "cannot be selected yet", "wait a minute and ask again"),
    };
    Finding::new(SOURCE, level, format!("{name} {what} (reach {reach})"), cure)
}
