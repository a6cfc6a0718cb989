//! chronyd: it is running, has a refclock line for each sink without options that spoil the samples, and uses them. In
//! its configuration, including included files, only the refclock directives are read: chrony.conf(5). chronyd itself
//! reports its syntax errors.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::rivals::option;
use super::{Checked, Finding, Level, Patient, System};
use crate::config::Settings;
use crate::source::pulse::PulseConfig;
use crate::sys::processes::Process;

/// Its paths in distributions.
const PATHS: [&str; 2] = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"];
/// chronyd's own limit for nested files, `MAX_INCLUDE_LEVEL` in chrony's conf.c.
const DEPTH: u32 = 10;
/// Refclock options that make right samples wrong or useless.
const SPOILERS: [(&str, Level, &str); 8] = [
    ("tai", Level::Failure, "makes chronyd take UTC for TAI, 37 s off"),
    ("offset", Level::Failure, "is added to samples that need none"),
    ("pps", Level::Failure, "drops the second of the samples, and needs another source for it"),
    ("lock", Level::Failure, "makes complete samples depend on another refclock"),
    ("local", Level::Warning, "makes chronyd use only the phase of the pulse"),
    ("noselect", Level::Warning, "keeps chronyd from selecting it"),
    ("delay", Level::Warning, "makes chronyd trust it less than necessary"),
    ("dpoll", Level::Warning, "makes chronyd read the segment too rarely to get every sample"),
];

const FALSETICKER: &str = "compare the offsets in `chronyc sources`: if the others are right, set width or delay as in \
    gnss2shm.toml(5); if not, remove them or add `trust`";

/// Whether chronyd is running.
pub(super) fn daemon(patient: &Patient<'_>) -> Checked {
    const CURE: &str =
        "install it, run `systemctl enable --now chrony` (or chronyd), and look at `journalctl -u chrony`";
    match patient.chronyd {
        Some(chronyd) => Ok(format!("{chronyd} is running")),
        // With hidepid=, other users' processes are hidden.
        None if !patient.system.at("/proc/1/comm").exists() => Err(Finding::unseen("whether it is running")),
        None => Err(Finding::failure("is not running", CURE)),
    }
}

/// The refclock of each sink, and its options.
fn sinks(settings: &Settings) -> impl Iterator<Item = (String, &'static str)> {
    let shm = settings.shm.map(|unit| (format!("SHM {unit}"), "poll 2 dpoll -1 filter 5"));
    let sock = settings.sock.as_ref().map(|path| (format!("SOCK {}", path.display()), "poll 2 filter 5"));
    shm.into_iter().chain(sock)
}

/// The refclock line of each sink, and other lines for the same pulse.
pub(super) fn lines(patient: &Patient<'_>) -> Vec<Checked> {
    let conf = &patient.chrony;
    // See README.md: the kernel's timestamps of a PPS device are far less precise than a PHC's.
    let precision = if matches!(patient.settings.pulse, PulseConfig::Phc(_)) { "1e-7" } else { "2e-5" };
    let mut found: Vec<_> = conf.unseen.iter().map(|path| Err(Finding::unseen(path.display()))).collect();
    found.extend(conf.refclocks.iter().filter_map(|clock| same_pulse(patient, clock)).map(Err));
    for (source, options) in sinks(&patient.settings) {
        match conf.of(&source)[..] {
            [line] => found.push(spoilt(line)),
            [line, second, ..] => {
                let says = format!("{} and {} both read {source}", line.at, second.at);
                let cure = "remove one of them and restart chronyd: each would take the other's samples";
                found.push(Err(Finding::failure(says, cure)));
            }
            [] if conf.unseen.is_empty() => {
                let line = format!("refclock {source} {options} precision {precision} refid GNSS");
                let cure = format!("write `{line}` in {} and restart chronyd", conf.path.display());
                found.push(Err(Finding::failure(format!("no line `refclock {source}`"), cure)));
            }
            [] => {}
        }
    }
    found
}

/// The first option that spoils samples.
fn spoilt(line: &Refclock) -> Checked {
    let is_set = |name| {
        line.option(name).is_some_and(|value| match (name, value.parse::<f64>()) {
            ("offset", Ok(value)) => value != 0.0,
            ("delay", Ok(value)) => value > 0.01,
            ("dpoll", Ok(value)) => value > 0.0 && line.source.starts_with("SHM"),
            _ => true,
        })
    };
    let Refclock { source, at, .. } = line;
    let Some((option, level, does)) = SPOILERS.into_iter().find(|(option, ..)| is_set(option)) else {
        return Ok(format!("{at}: {source}"));
    };
    Err(Finding::new(level, format!("{at}: `{option}` {does}"), format!("remove `{option}` and restart chronyd")))
}

/// A refclock that reads the pulse directly: chronyd cannot tell the edges apart, and takes a PHC's edges from
/// gnss2shm.
fn same_pulse(patient: &Patient<'_>, clock: &Refclock) -> Option<Finding> {
    let (level, device) = match clock.source.split_once(' ')? {
        ("PHC", device) if clock.option("extpps").is_some() => (Level::Failure, device),
        ("PPS", device) => (Level::Warning, device),
        _ => return None,
    };
    let is_ours = patient.system.real(device).ok()? == patient.pulse.as_ref().ok()?.node;
    let says = format!("{}: chronyd reads the same pulse itself and does not know the on-time edge", clock.at);
    let cure = "remove that line and restart chronyd: gnss2shm gives it the complete sample";
    is_ours.then(|| Finding::new(level, says, cure))
}

/// Whether chronyd uses each sink's refclock.
pub(super) fn sources(patient: &Patient<'_>) -> Vec<Checked> {
    let lines = sinks(&patient.settings).filter_map(|(source, _)| patient.chrony.of(&source).first().copied());
    lines.filter(|_| patient.chronyd.is_some()).map(|line| source(patient, line)).collect()
}

/// State of the line in `chronyc -c sources`: mode, state, name, stratum, poll, reach.
fn source(patient: &Patient<'_>, line: &Refclock) -> Checked {
    let csv = (patient.system.run)(patient.system, "chronyc", &["-c", "sources"]).map_err(Finding::unseen)?;
    let refid = line.option("refid").map_or_else(|| format!("{:.3}{}", line.source, line.place), str::to_owned);
    let mut rows = csv.lines().map(|line| line.split(',').collect::<Vec<_>>());
    let row = rows.find(|row| matches!(row[..], ["#", _, name, ..] if name == refid.as_str()));
    let Some([_, state, _, _, _, reach, ..]) = row.as_deref() else {
        let says = format!("chronyd does not know {refid} of {}", line.at);
        return Err(Finding::failure(says, "restart chronyd: it reads its configuration only at start"));
    };
    let (level, what, cure) = match (*state, *reach) {
        ("*" | "+", _) => return Ok(format!("chronyd uses {refid}")),
        ("-", _) => {
            (Level::Warning, "is not used", "add `prefer` to the refclock line, or `trust` if the others are worse")
        }
        ("x", _) => (Level::Failure, "is a falseticker: most others disagree with it", FALSETICKER),
        ("~", _) => (Level::Warning, "varies too much", "wait a minute; if this persists, check the pulse level"),
        (_, "0") => (Level::Failure, "has no samples", "see the items segment and service; if ok, restart chronyd"),
        _ => (Level::Warning, "cannot be selected yet", "wait a minute and check again"),
    };
    Err(Finding::new(level, format!("{refid} {what} (reach {reach})"), cure))
}

#[derive(Debug, Default)]
pub(super) struct ChronyConf {
    /// The file that chronyd starts with.
    path: PathBuf,
    /// The refclock lines, in order.
    refclocks: Vec<Refclock>,
    /// Files that this user may not read.
    unseen: Vec<PathBuf>,
}

/// A refclock line.
#[derive(Debug)]
struct Refclock {
    /// Driver (`SHM`, `SOCK`, `PHC`, `PPS`) and parameter (a unit or a path), without the driver's options.
    source: String,
    /// The driver's options, then those of the refclock, as words.
    options: Vec<String>,
    /// File and line.
    at: String,
    /// Index among the refclocks, which with three letters of the driver forms the default name in chronyc.
    place: usize,
}

impl Refclock {
    /// The word after this option, such as the value of `poll`; empty if there is none, `None` if the option is not
    /// given.
    fn option(&self, name: &str) -> Option<&str> {
        let at = self.options.iter().position(|option| option.eq_ignore_ascii_case(name))?;
        Some(self.options.get(at + 1).map_or("", String::as_str))
    }
}

impl ChronyConf {
    /// Reads the configuration of the running chronyd, or else the default one.
    pub(super) fn read(system: &System, chronyd: Option<&Process>) -> Self {
        let args = chronyd.map(Process::args).unwrap_or_default();
        let default = if system.at(PATHS[1]).exists() { PATHS[1] } else { PATHS[0] };
        let mut conf = Self { path: option(&args, "-f").unwrap_or(default).into(), ..Self::default() };
        conf.file(system, &conf.path.clone(), DEPTH);
        conf
    }

    /// The lines of a sink's refclock.
    fn of(&self, source: &str) -> Vec<&Refclock> {
        self.refclocks.iter().filter(|clock| clock.source == source).collect()
    }

    fn file(&mut self, system: &System, path: &Path, depth: u32) {
        if fs::File::open(system.at(path)).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied) {
            self.unseen.push(path.to_owned());
        }
        for (number, line) in (1..).zip(system.text(path).lines()) {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            let Some((directive, words)) = words.split_first() else { continue };
            match (directive.to_ascii_lowercase().as_str(), words) {
                ("refclock", [driver, parameter, options @ ..]) => {
                    let (at, place) = (format!("{}:{number}", path.display()), self.refclocks.len());
                    let mut parts = parameter.split(':');
                    let source = format!("{driver} {}", parts.next().unwrap_or_default());
                    let options = parts.chain(options.iter().copied()).map(str::to_owned).collect();
                    self.refclocks.push(Refclock { source, options, at, place });
                }
                ("include", [pattern, ..]) => self.files(system, pattern, depth),
                ("confdir", directories) => {
                    for directory in directories {
                        self.files(system, &format!("{directory}/*.conf"), depth);
                    }
                }
                _ => {}
            }
        }
    }

    /// The files that match a pattern, sorted by name.
    fn files(&mut self, system: &System, pattern: &str, depth: u32) {
        let (directory, pattern) = pattern.rsplit_once('/').unwrap_or_default();
        for file in system.names(directory).iter().filter(|file| depth > 0 && fits(pattern, file)) {
            self.file(system, &Path::new(directory).join(file), depth - 1);
        }
    }
}

/// Whether a name matches a pattern with at most one `*`.
fn fits(pattern: &str, name: &str) -> bool {
    let Some((start, end)) = pattern.split_once('*') else { return pattern == name };
    name.len() >= start.len() + end.len() && name.starts_with(start) && name.ends_with(end)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_fit_whole_names() {
        for (pattern, name, is_fit) in [
            ("*.conf", "a.conf", true),
            ("*.conf", "a.conf~", false),
            ("chrony.*.sock", "chrony.gnss.sock", true),
            ("chrony.*.sock", "chrony.sock", false),
            ("ttyS0", "ttyS0", true),
            ("", "", true),
        ] {
            assert_eq!(fits(pattern, name), is_fit, "{pattern} {name}");
        }
    }
}
