//! Processes that run, from proc(5). Others' open files and mappings are root's to see.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::system::System;

/// A process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Its command's name, at most 15 bytes of it.
    pub name: String,
    /// Its command line.
    pub args: Vec<String>,
    /// The process that started it.
    pub parent: u32,
    /// Whether it runs in a container on this machine: then its time is not ours to set.
    pub is_contained: bool,
}

/// All of them.
#[derive(Clone, Debug, Default)]
pub struct Processes {
    /// Those that this user may see.
    pub seen: Vec<Process>,
    /// Whether others' are hidden from this user (`hidepid=`).
    pub are_hidden: bool,
}

impl Processes {
    /// Looks through /proc. Processes come and go meanwhile.
    pub fn find(system: &System) -> Self {
        let mut pids: Vec<_> = system.names("/proc").iter().filter_map(|name| name.parse().ok()).collect();
        pids.sort_unstable();
        Self {
            seen: pids.into_iter().filter_map(|pid| Process::read(system, pid)).collect(),
            are_hidden: !system.has("/proc/1/comm"),
        }
    }

    /// Those that have this name and are no container's.
    pub fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Process> {
        self.seen.iter().filter(move |process| process.name == name && !process.is_contained)
    }

    /// Each chronyd that runs here, but not the helpers that it starts.
    pub fn chronyds(&self) -> impl Iterator<Item = &Process> {
        let is_helper = |process: &Process| self.named("chronyd").any(|other| other.pid == process.parent);
        self.named("chronyd").filter(move |process| !is_helper(process))
    }

    /// The machine's: of several, the one that sets the clock and was given no other configuration.
    pub fn chronyd(&self) -> Option<&Process> {
        self.chronyds().min_by_key(|chronyd| (chronyd.is_told("-x"), chronyd.option("-f").is_some(), chronyd.pid))
    }
}

impl Process {
    fn read(system: &System, pid: u32) -> Option<Self> {
        let dir = PathBuf::from(format!("/proc/{pid}"));
        let name = system.value(dir.join("comm"))?;
        let args = system.text(dir.join("cmdline")).unwrap_or_default();
        let args = args.split_terminator('\0').map(str::to_owned).collect();
        let status = system.text(dir.join("status")).unwrap_or_default();
        let field = |key: &str| status.lines().find_map(|line| line.strip_prefix(key)).unwrap_or_default().trim();
        let parent = field("PPid:").parse().unwrap_or(0);
        let is_contained = field("NSpid:").split_ascii_whitespace().count() > 1;
        Some(Self { pid, name, args, parent, is_contained })
    }

    /// Whether it has this file open; none where we may not know.
    pub fn has_open(&self, system: &System, file: &Path) -> Option<bool> {
        match fs::read_dir(system.at(format!("/proc/{}/fd", self.pid))) {
            Ok(fds) => Some(fds.flatten().any(|fd| fs::read_link(fd.path()).is_ok_and(|link| link == file))),
            Err(error) => (error.kind() != ErrorKind::PermissionDenied).then_some(false),
        }
    }

    /// Whether it has this segment attached; none where we may not know. In `proc_pid_maps(5)` the inode of such a
    /// mapping is the segment's number, and its name starts with /SYSV.
    pub fn has_attached(&self, system: &System, segment: i32) -> Option<bool> {
        let id = segment.to_string();
        let is_it = |map: &str| {
            let mut column = map.split_whitespace().skip(4);
            column.next() == Some(&id) && column.next().is_some_and(|name| name.starts_with("/SYSV"))
        };
        match system.text(format!("/proc/{}/maps", self.pid)) {
            Ok(maps) => Some(maps.lines().any(is_it)),
            Err(error) => (error.kind() != ErrorKind::PermissionDenied).then_some(false),
        }
    }

    /// Whether this option, which has no value, is on the command line.
    pub fn is_told(&self, option: &str) -> bool {
        self.args.iter().skip(1).any(|arg| arg == option)
    }

    /// What follows this option on the command line, as in `-f FILE` or `-fFILE`.
    pub fn option(&self, option: &str) -> Option<&str> {
        let mut args = self.args.iter().skip(1);
        while let Some(arg) = args.next() {
            match arg.strip_prefix(option) {
                Some("") => return args.next().map(String::as_str),
                Some(value) => return Some(value),
                None => {}
            }
        }
        None
    }
}

impl std::fmt::Display for Process {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} (process {})", self.name, self.pid)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_are_found_with_and_without_a_space() {
        let process = |args: &[&str]| Process { args: args.iter().map(|&a| a.into()).collect(), ..Process::default() };
        assert_eq!(process(&["chronyd", "-F", "1", "-f", "/x"]).option("-f"), Some("/x"));
        assert_eq!(process(&["chronyd", "-f/x"]).option("-f"), Some("/x"));
        assert_eq!(process(&["chronyd", "-F", "1"]).option("-f"), None);
        assert_eq!(process(&["-f"]).option("-f"), None);
    }
}
