//! The refclock directives of chronyd's configuration, included files as well: chrony.conf(5). Other lines are ignored;
//! chronyd itself reports its syntax errors.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::System;
use super::rivals::option;
use crate::sys::processes::Process;

/// Where distributions have it.
const PATHS: [&str; 2] = ["/etc/chrony/chrony.conf", "/etc/chrony.conf"];
/// chronyd's own limit for nested files, `MAX_INCLUDE_LEVEL` in chrony's conf.c.
const DEPTH: u32 = 10;

#[derive(Debug, Default)]
pub(super) struct ChronyConf {
    /// The file that chronyd starts with.
    pub(super) path: PathBuf,
    /// In order.
    pub(super) refclocks: Vec<Refclock>,
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
    /// The word after this option, as the value of `poll`; empty after the last one, none if the option is not given.
    pub(super) fn option(&self, name: &str) -> Option<&str> {
        let at = self.options.iter().position(|option| option.eq_ignore_ascii_case(name))?;
        Some(self.options.get(at + 1).map_or("", String::as_str))
    }
}

impl ChronyConf {
    /// Reads the configuration of the chronyd that runs, or else the default one.
    pub(super) fn read(system: &System, chronyd: Option<&Process>) -> Self {
        let args = chronyd.map(Process::args).unwrap_or_default();
        let default = if system.at(PATHS[1]).exists() { PATHS[1] } else { PATHS[0] };
        let mut conf = Self { path: option(&args, "-f").unwrap_or(default).into(), ..Self::default() };
        conf.file(system, &conf.path.clone(), DEPTH);
        conf
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
                    self.refclock(driver, parameter, options, format!("{}:{number}", path.display()));
                }
                ("include", [pattern, ..]) => self.files(system, Path::new(pattern), depth),
                ("confdir", directories) => {
                    for directory in directories {
                        self.files(system, &Path::new(directory).join("*.conf"), depth);
                    }
                }
                _ => {}
            }
        }
    }

    /// The files that fit a pattern, in order of their names.
    fn files(&mut self, system: &System, pattern: &Path, depth: u32) {
        let directory = pattern.parent().unwrap_or(pattern);
        let name = pattern.file_name().unwrap_or_default().to_string_lossy();
        for file in system.names(directory).iter().filter(|file| depth > 0 && fits(&name, file)) {
            self.file(system, &directory.join(file), depth - 1);
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

/// Whether a name fits a pattern in which `*` stands for any characters, once.
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
