//! What chronyd's configuration says of refclocks and leap seconds, its included files read as well. Source:
//! chrony.conf(5). Comments and lines that are about something else are passed over; whether they are right is
//! chronyd's to say.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::processes::{Processes, option};
use super::system::{System, fits};

/// Where distributions have it.
const PATHS: [&str; 2] = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"];
/// Files within files, as far as chronyd goes.
const DEPTH: u32 = 10;

/// What was found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ChronyConf {
    /// The file that chronyd starts with; none where there is none.
    pub(super) path: Option<PathBuf>,
    /// The refclocks, in order.
    pub(super) refclocks: Vec<Refclock>,
    /// The file of `leapseclist`.
    pub(super) leap_list: Option<String>,
    /// The time zone of `leapsectz`.
    pub(super) leap_zone: Option<String>,
    /// Directories of `confdir`.
    pub(super) directories: Vec<String>,
    /// Files that this user may not read.
    pub(super) unseen: Vec<PathBuf>,
}

/// A refclock line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refclock {
    /// `SHM`, `SOCK`, `PHC`, `PPS`.
    pub(super) driver: String,
    /// What it reads: a unit, a path.
    pub(super) parameter: String,
    /// The driver's options, which come after colons.
    pub(super) driver_options: Vec<String>,
    /// The options, as words.
    pub(super) options: Vec<String>,
    /// File and line.
    pub(super) at: String,
    /// How chronyc calls it.
    pub(super) refid: String,
}

impl Refclock {
    /// The value of an option, as of `poll`.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let at = self.options.iter().position(|option| option.eq_ignore_ascii_case(name))?;
        self.options.get(at + 1).map(String::as_str)
    }

    /// Whether it reads this unit's segment.
    pub(super) fn reads_unit(&self, unit: u8) -> bool {
        self.driver == "SHM" && self.parameter.parse() == Ok(unit)
    }

    /// Whether an option that has no value is given.
    pub(super) fn is(&self, name: &str) -> bool {
        self.options.iter().any(|option| option.eq_ignore_ascii_case(name))
    }
}

impl ChronyConf {
    /// Reads the configuration of the chronyd that runs, or else of one that would.
    pub(super) fn read(system: &System, processes: &Processes) -> Self {
        let named = processes.chronyd().and_then(|chronyd| option(&chronyd.args(), "-f").map(PathBuf::from));
        let path = named.or_else(|| PATHS.iter().find(|path| system.has(path)).map(PathBuf::from));
        let mut conf = Self { path, ..Self::default() };
        if let Some(path) = conf.path.clone() {
            conf.file(system, &path, DEPTH);
        }
        conf
    }

    fn file(&mut self, system: &System, path: &Path, depth: u32) {
        let text = match system.text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return self.unseen.push(path.to_owned()),
            Err(_) => return,
        };
        for (number, line) in (1..).zip(text.lines()) {
            let mut words = line.split_ascii_whitespace();
            let directive = words.next().unwrap_or_default();
            let words: Vec<_> = words.map(str::to_owned).collect();
            match (directive.to_ascii_lowercase().as_str(), words.as_slice()) {
                ("refclock", [driver, parameter, options @ ..]) => {
                    self.refclock(driver, parameter, options, format!("{}:{number}", path.display()));
                }
                ("leapseclist", [list, ..]) => self.leap_list = Some(list.clone()),
                ("leapsectz", [zone, ..]) => self.leap_zone = Some(zone.clone()),
                ("include", [pattern, ..]) if depth > 0 => {
                    for path in matching(system, Path::new(pattern)) {
                        self.file(system, &path, depth - 1);
                    }
                }
                ("confdir", directories) if depth > 0 => {
                    self.directories.extend(directories.iter().cloned());
                    for path in configurations(system, directories) {
                        self.file(system, &path, depth - 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn refclock(&mut self, driver: &str, parameter: &str, options: &[String], at: String) {
        let mut parts = parameter.split(':').map(str::to_owned);
        let mut refclock = Refclock {
            driver: driver.to_owned(),
            parameter: parts.next().unwrap_or_default(),
            driver_options: parts.collect(),
            options: options.to_vec(),
            at,
            refid: String::new(),
        };
        // Without a name it is the driver's first three letters and its place among the refclocks.
        let default = || format!("{}{}", driver.chars().take(3).collect::<String>(), self.refclocks.len());
        refclock.refid = refclock.option("refid").map_or_else(default, str::to_owned);
        self.refclocks.push(refclock);
    }
}

/// Files that fit a pattern, whose last name may have `*` and `?`.
fn matching(system: &System, pattern: &Path) -> Vec<PathBuf> {
    let (Some(directory), Some(name)) = (pattern.parent(), pattern.file_name()) else { return vec![] };
    let names = system.names(directory).into_iter().filter(|found| fits(&name.to_string_lossy(), found));
    names.map(|name| directory.join(name)).collect()
}

/// Files of `confdir`, by name; one in an earlier directory stands for those of its name in later ones.
fn configurations(system: &System, directories: &[String]) -> Vec<PathBuf> {
    let mut files: Vec<(String, PathBuf)> = vec![];
    for directory in directories.iter().map(Path::new) {
        for name in system.names(directory).into_iter().filter(|name| fits("*.conf", name)) {
            if !files.iter().any(|(found, _)| *found == name) {
                files.push((name.clone(), directory.join(name)));
            }
        }
    }
    files.sort();
    files.into_iter().map(|(_, path)| path).collect()
}
