//! The refclock and leap second directives of chronyd's configuration, included files as well: chrony.conf(5). Other
//! lines are ignored; chronyd itself reports its syntax errors.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::processes::{Processes, option};
use super::system::{System, fits};

/// Where distributions have it.
const PATHS: [&str; 2] = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"];
/// chronyd's own limit for nested files, `MAX_INCLUDE_LEVEL` in chrony's conf.c.
const DEPTH: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct ChronyConf {
    /// The file that chronyd starts with, if there is one.
    pub(super) path: Option<PathBuf>,
    /// In order.
    pub(super) refclocks: Vec<Refclock>,
    /// File of `leapseclist`.
    pub(super) leap_list: Option<String>,
    /// Time zone of `leapsectz`.
    pub(super) leap_zone: Option<String>,
    /// Directories of `confdir`.
    pub(super) directories: Vec<String>,
    /// Files that this user may not read.
    pub(super) unseen: Vec<PathBuf>,
}

/// A refclock line.
#[derive(Debug)]
pub(super) struct Refclock {
    /// `SHM`, `SOCK`, `PHC`, `PPS`.
    pub(super) driver: String,
    /// A unit or a path, without the driver's options.
    pub(super) parameter: String,
    /// The driver's options, then those of the refclock, as words.
    options: Vec<String>,
    /// File and line.
    pub(super) at: String,
    /// Its name in chronyc.
    pub(super) refid: String,
}

impl Refclock {
    /// The value of an option, as of `poll`.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let at = self.options.iter().position(|option| option.eq_ignore_ascii_case(name))?;
        self.options.get(at + 1).map(String::as_str)
    }

    /// Whether this option is given.
    pub(super) fn has(&self, name: &str) -> bool {
        self.options.iter().any(|option| option.eq_ignore_ascii_case(name))
    }
}

impl ChronyConf {
    /// Reads the configuration of the chronyd that runs, or else the default one.
    pub(super) fn read(system: &System, processes: &Processes) -> Self {
        let given = processes.chronyd().and_then(|chronyd| option(&chronyd.args(), "-f").map(PathBuf::from));
        let path = given.or_else(|| PATHS.iter().find(|path| system.has(path)).map(PathBuf::from));
        let mut conf = Self::default();
        if let Some(path) = &path {
            conf.file(system, path, DEPTH);
        }
        Self { path, ..conf }
    }

    fn file(&mut self, system: &System, path: &Path, depth: u32) {
        let text = match system.text(path) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => return self.unseen.push(path.to_owned()),
            Err(_) => return,
        };
        for (number, line) in (1..).zip(text.lines()) {
            let words: Vec<_> = line.split_ascii_whitespace().collect();
            let Some((directive, words)) = words.split_first() else { continue };
            match (directive.to_ascii_lowercase().as_str(), words) {
                ("refclock", [driver, parameter, options @ ..]) => {
                    self.refclock(driver, parameter, options, format!("{}:{number}", path.display()));
                }
                ("leapseclist", [list, ..]) => self.leap_list = Some((*list).to_owned()),
                ("leapsectz", [zone, ..]) => self.leap_zone = Some((*zone).to_owned()),
                ("include", [pattern, ..]) if depth > 0 => {
                    let pattern = Path::new(pattern);
                    let name = pattern.file_name().unwrap_or_default().to_string_lossy();
                    let directory = pattern.parent().unwrap_or(pattern);
                    for file in system.names(directory).iter().filter(|file| fits(&name, file)) {
                        self.file(system, &directory.join(file), depth - 1);
                    }
                }
                ("confdir", directories) if depth > 0 => {
                    self.directories.extend(directories.iter().map(|&directory| directory.to_owned()));
                    // In order of the names; a file hides those of its name in later directories.
                    let mut files = BTreeMap::new();
                    for directory in directories {
                        for name in system.names(directory).into_iter().filter(|name| fits("*.conf", name)) {
                            files.entry(name.clone()).or_insert(Path::new(directory).join(name));
                        }
                    }
                    for file in files.values() {
                        self.file(system, file, depth - 1);
                    }
                }
                _ => {}
            }
        }
    }

    fn refclock(&mut self, driver: &str, parameter: &str, options: &[&str], at: String) {
        let mut parts = parameter.split(':');
        let parameter = parts.next().unwrap_or_default().to_owned();
        let options = parts.chain(options.iter().copied()).map(str::to_owned).collect();
        // The default name is the driver's first three letters and the place among the refclocks.
        let default = format!("{driver:.3}{}", self.refclocks.len());
        let mut refclock = Refclock { driver: driver.to_owned(), parameter, options, at, refid: String::new() };
        refclock.refid = refclock.option("refid").map_or(default, str::to_owned);
        self.refclocks.push(refclock);
    }
}
