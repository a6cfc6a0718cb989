//! NTP daemons that read the samples in place of chronyd: ntpd-rs from the SOCK socket, NTPsec's ntpd from the SHM
//! segment. One that runs and whose configuration names the sink is no rival; the checks of chronyd do not apply then.
//! Of its configuration, only what concerns the sink is read: ntp.toml(5) and ntp.conf(5).

use std::fmt;
use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::rivals::{chronyds, leaves_the_clock, named, option};
use super::{Checked, Finding, Patient, System};
use crate::config::Settings;
use crate::sys::processes::Process;

/// Their names, and the configuration files that they read unless told otherwise.
const NTPD_RS: (&str, &[&str]) = ("ntp-daemon", &["/etc/ntpd-rs/ntp.toml"]);
const NTPSEC: (&str, &[&str]) = ("ntpd", &["/etc/ntpsec/ntp.conf", "/etc/ntp.conf"]);
/// ntpd-rs steps the clock away from true time in these versions: docs/consumers.md.
const TURNED: &str = "2.0.0-alpha";
/// ntpd-rs's defaults: sources that must agree, and servers of a pool.
const AGREEING: i64 = 3;
const POOL: i64 = 4;

/// The daemon that reads the samples.
pub(super) struct Consumer {
    pub(super) process: Process,
    conf: PathBuf,
    /// Too few sources for it to set the clock: how many it has, and how many must agree.
    lacks: Option<(i64, i64)>,
}

/// For people: `ntpd (pid 700)`.
impl fmt::Display for Consumer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.process.fmt(f)
    }
}

impl Consumer {
    /// The first that reads a sink of these settings; none if a chronyd sets the clock.
    pub(super) fn find(system: &System, processes: &[Process], settings: &Settings) -> Option<Self> {
        if chronyds(processes).iter().any(|chronyd| !leaves_the_clock(chronyd)) {
            return None;
        }
        let ntpd_rs = named(processes, NTPD_RS.0).find_map(|process| {
            let conf = conf(system, process, NTPD_RS.1);
            let text = system.text(&conf);
            let table = DeTable::parse(&text).ok()?.into_inner();
            let sources = sources(&table);
            let is_ours =
                |path: &str| settings.sock.as_ref().is_some_and(|sock| is_same(system, sock, Path::new(path)));
            sources
                .iter()
                .any(|source| text_of(source, "mode") == "sock" && is_ours(text_of(source, "path")))
                .then_some(())?;
            Some(Self { process: process.clone(), conf, lacks: lacks(&table, &sources) })
        });
        let ntpsec = || {
            named(processes, NTPSEC.0).find_map(|process| {
                let conf = conf(system, process, NTPSEC.1);
                let is_ours = |line: &str| settings.shm.is_some_and(|shm| unit(line) == Some(shm));
                system.text(&conf).lines().any(is_ours).then_some(())?;
                Some(Self { process: process.clone(), conf, lacks: None })
            })
        };
        ntpd_rs.or_else(ntpsec)
    }
}

/// The daemon, and faults that keep it from using the samples.
pub(super) fn check(patient: &Patient<'_>) -> Vec<Checked> {
    let Some(consumer) = &patient.consumer else { return vec![] };
    let conf = consumer.conf.display();
    let version = || (patient.system.run)(patient.system, NTPD_RS.0, &["--version"]).unwrap_or_default();
    if consumer.process.name == NTPD_RS.0 && version().contains(TURNED) {
        let says = format!("{consumer} is ntpd-rs {TURNED}, which steps the clock away from true time");
        return vec![Err(Finding::failure(says, "use ntpd-rs 1.5 to 1.9, or chronyd"))];
    }
    if let Some((has, needed)) = consumer.lacks {
        let says =
            format!("{conf}: {consumer} has {has} sources and needs {needed} that agree: it never sets the clock");
        let cure = "write `minimum-agreeing-sources = 1` below [synchronization] and restart it";
        return vec![Err(Finding::failure(says, cure))];
    }
    vec![Ok(format!("{consumer} reads the samples in place of chronyd: {conf}"))]
}

/// The configuration file that this daemon reads.
fn conf(system: &System, daemon: &Process, defaults: &[&str]) -> PathBuf {
    let args = daemon.args();
    let long = || args.iter().find_map(|arg| arg.strip_prefix("--config="));
    let given = option(&args, "-c").or_else(long).or_else(|| option(&args, "--config"));
    let default = || defaults.iter().find(|path| system.at(path).exists()).or(defaults.first()).copied();
    given.or_else(default).unwrap_or_default().into()
}

fn is_same(system: &System, one: &Path, other: &Path) -> bool {
    one == other || system.real(one).is_ok_and(|one| system.real(other).is_ok_and(|other| one == other))
}

/// The `[[source]]` tables of ntp.toml.
fn sources<'a>(conf: &'a DeTable<'_>) -> Vec<&'a DeTable<'a>> {
    let array = conf.get("source").and_then(|value| value.get_ref().as_array());
    array.into_iter().flat_map(|array| array.iter()).filter_map(|source| source.get_ref().as_table()).collect()
}

/// A text in a table; empty if there is none.
fn text_of<'a>(table: &'a DeTable<'_>, key: &str) -> &'a str {
    table.get(key).and_then(|value| value.get_ref().as_str()).unwrap_or_default()
}

/// A number in a table.
fn number_of(table: &DeTable<'_>, key: &str) -> Option<i64> {
    match table.get(key)?.get_ref() {
        DeValue::Integer(digits) => i64::from_str_radix(digits.as_str(), digits.radix()).ok(),
        _ => None,
    }
}

/// How many sources there are, and how many must agree, if there are too few.
fn lacks(conf: &DeTable<'_>, sources: &[&DeTable<'_>]) -> Option<(i64, i64)> {
    let servers = |source: &&DeTable<'_>| {
        if text_of(source, "mode").contains("pool") { number_of(source, "count").unwrap_or(POOL) } else { 1 }
    };
    let has = sources.iter().map(servers).sum();
    let section = conf.get("synchronization").and_then(|value| value.get_ref().as_table());
    let needed = section.and_then(|table| number_of(table, "minimum-agreeing-sources")).unwrap_or(AGREEING);
    (has < needed).then_some((has, needed))
}

/// The SHM unit that this line of ntp.conf reads: `refclock shm unit 0 ...`, or `server 127.127.28.0 ...` as before
/// NTPsec.
fn unit(line: &str) -> Option<u8> {
    let words: Vec<_> = line.split_ascii_whitespace().collect();
    match words[..] {
        ["refclock", driver, ref options @ ..] if driver.eq_ignore_ascii_case("shm") => {
            let at = options.iter().position(|word| *word == "unit");
            at.map_or(Some(0), |at| options.get(at + 1)?.parse().ok())
        }
        ["server", address, ..] => address.strip_prefix("127.127.28.")?.parse().ok(),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_unit_is_read_in_both_notations() {
        for (line, expected) in [
            ("refclock shm unit 2 refid GNSS minpoll 4", Some(2)),
            ("\trefclock SHM refid GNSS", Some(0)),
            ("server 127.127.28.3 minpoll 4", Some(3)),
            ("refclock shm unit", None),
            ("refclock pps unit 2", None),
            ("server 127.127.20.3", None),
            ("# refclock shm unit 2", None),
            ("", None),
        ] {
            assert_eq!(unit(line), expected, "{line}");
        }
    }

    #[test]
    fn sources_of_ntpd_rs_are_counted_with_those_of_pools() {
        let sock = "[[source]]\nmode = \"sock\"\npath = \"/x\"\n";
        let agreeing = |n: u8| format!("[synchronization]\nminimum-agreeing-sources = {n}\n");
        for (conf, expected) in [
            (sock.to_owned(), Some((1, 3))),
            (sock.to_owned() + &agreeing(1), None),
            (sock.to_owned() + &agreeing(2), Some((1, 2))),
            (sock.to_owned() + "[[source]]\nmode = \"pool\"\naddress = \"x\"\n", None),
            (sock.to_owned() + "[[source]]\nmode = \"nts-pool\"\naddress = \"x\"\ncount = 1\n", Some((2, 3))),
            (String::new(), Some((0, 3))),
        ] {
            let table = DeTable::parse(&conf).unwrap().into_inner();
            assert_eq!(lacks(&table, &sources(&table)), expected, "{conf}");
        }
    }
}
