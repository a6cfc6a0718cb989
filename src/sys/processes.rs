//! Other processes of this machine, by what proc(5) shows of them.

use std::fs;

use crate::core::printable::printable;

/// All but this one.
pub(crate) fn others() -> impl Iterator<Item = u32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(|&pid| pid != std::process::id())
}

/// The name of its program, printable, at most 15 bytes of it; nothing where it has ended or is hidden from this user.
pub(crate) fn program(pid: u32) -> Option<String> {
    fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| printable(name.trim_end_matches('\n')).into_owned())
}
