//! The processes that the checks ask about, and the options on their command lines.

use super::system::System;
use crate::sys::processes::Process;

/// All processes that this user may see.
#[derive(Debug)]
pub(super) struct Processes {
    pub(super) seen: Vec<Process>,
    /// Whether those of other users are hidden (`hidepid=`).
    pub(super) are_hidden: bool,
}

impl Processes {
    pub(super) fn find(system: &System) -> Self {
        let mut seen: Vec<_> = Process::all(&system.root).collect();
        seen.sort_unstable_by_key(|process| process.pid);
        Self { seen, are_hidden: !system.has("/proc/1/comm") }
    }

    /// Those with this name, except in containers: those cannot set this machine's clock.
    pub(super) fn named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Process> {
        self.seen.iter().filter(move |process| process.name == name && !process.is_contained)
    }

    /// Every chronyd without the helpers that it starts; first the one that sets the clock by the default configuration.
    pub(super) fn chronyds(&self) -> Vec<&Process> {
        let is_helper = |process: &Process| self.named("chronyd").any(|other| other.pid == process.parent);
        let mut daemons: Vec<_> = self.named("chronyd").filter(|process| !is_helper(process)).collect();
        daemons.sort_by_cached_key(|daemon| {
            let args = daemon.args();
            (has_flag(&args, "-x"), option(&args, "-f").is_some(), daemon.pid)
        });
        daemons
    }

    /// The chronyd that sets the clock.
    pub(super) fn chronyd(&self) -> Option<&Process> {
        self.chronyds().first().copied()
    }
}

/// Whether this option, which has no value, is on the command line.
pub(super) fn has_flag(args: &[String], flag: &str) -> bool {
    args.iter().skip(1).any(|arg| arg == flag)
}

/// The value of this option on the command line, as in `-f FILE` or `-fFILE`.
pub(super) fn option<'a>(args: &'a [String], option: &str) -> Option<&'a str> {
    let mut args = args.iter().skip(1);
    match args.find_map(|arg| arg.strip_prefix(option))? {
        "" => args.next().map(String::as_str),
        value => Some(value),
    }
}

#[cfg(test)]
mod tests {
    #[test]
    fn options_are_found_with_and_without_a_space() {
        let option = |args: &[&str]| {
            let args: Vec<_> = args.iter().map(|&arg| arg.to_owned()).collect();
            super::option(&args, "-f").map(str::to_owned)
        };
        assert_eq!(option(&["chronyd", "-F", "1", "-f", "/x"]).as_deref(), Some("/x"));
        assert_eq!(option(&["chronyd", "-f/x"]).as_deref(), Some("/x"));
        assert_eq!(option(&["chronyd", "-F", "1"]), None);
        assert_eq!(option(&["-f"]), None);
    }
}
