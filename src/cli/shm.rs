//! `gnss2shm shm UNIT`: what is in a segment, whose it is, and what chronyd would make of it. It only looks: nothing it
//! does can take a sample away from chronyd.

use std::fs;
use std::io::{self, Write};
use std::time::Duration;

use super::{ExitCode, Failure};
use crate::config::Unit;
use crate::core::time::{Instant, NANOS, Span, Sys, UtcSecond};
use crate::core::units::{positive_span, whole};
use crate::sink::shm::{Contents, Finding, ShmError, ShmReader, Snapshot, Status, key};
use crate::sys::clock::sys_now;
use crate::sys::processes;
use crate::sys::reader::{self, Reader};

/// Between two looks of `--watch`; writers publish once a second.
const TICK: Duration = Duration::from_millis(10);
/// Looks of `--watch` between two checks that the segment was not removed.
const TICKS_PER_CHECK: u32 = 100;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Unit of the segment: its key is 0x4e545030 plus this number.
    #[arg(allow_negative_numbers = true)]
    unit: Unit,
    /// Print a line for each new sample, until interrupted.
    #[arg(long)]
    watch: bool,
    /// End --watch after this time, as in 30s or 2min.
    #[arg(long = "for", value_name = "TIME", requires = "watch", allow_hyphen_values = true)]
    #[arg(value_parser = positive_span)]
    limit: Option<Span>,
    /// The `poll` of the refclock in chrony.conf: chronyd drops samples older than 2^(poll+1) seconds.
    #[arg(long, default_value_t = 2, allow_hyphen_values = true, value_parser = poll)]
    poll: i8,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let reader = ShmReader::open(args.unit.0)?;
    let mut out = super::stdout();
    let printed = if args.watch { watch(&mut out, &reader, args) } else { show(&mut out, &reader, args) };
    match printed {
        Ok(result) => result,
        Err(error) => super::written(Err(error)),
    }
}

fn poll(text: &str) -> Result<i8, String> {
    whole(text, &(i8::MIN..=i8::MAX))
}

impl From<ShmError> for Failure {
    fn from(error: ShmError) -> Self {
        let code = match error {
            ShmError::Missing { .. } => ExitCode::NoInput,
            ShmError::Denied { .. } => ExitCode::NoPermission,
            ShmError::TooSmall { .. }
            | ShmError::Stranger { .. }
            | ShmError::WorldWritable { .. }
            | ShmError::Taken { .. } => ExitCode::Unavailable,
            ShmError::Os { .. } => ExitCode::Os,
        };
        Self::new(code, error.to_string())
    }
}

fn show(out: &mut impl Write, reader: &ShmReader, args: &Args) -> io::Result<Result<(), Failure>> {
    let s = reader.found();
    let snapshot = reader.snapshot();
    let now = sys_now();
    writeln!(out, "SHM unit {}, key {:#x}, {} bytes", args.unit.0, key(args.unit.0), s.size)?;
    writeln!(
        out,
        "owner      uid {} gid {}, mode {:04o}; creator uid {} gid {}",
        s.uid,
        s.gid,
        s.mode & 0o777,
        s.cuid,
        s.cgid
    )?;
    writeln!(out, "processes  created by {}, last attached or detached by {}", process(s.cpid), process(s.lpid))?;
    writeln!(out, "attached   {}{}", s.nattch, attached(s))?;
    let findings = snapshot.findings(now, args.poll);
    match snapshot {
        Snapshot::Whole(c) if c.fields.clock_sec == 0 && c.fields.receive_sec == 0 => {
            writeln!(out, "sample     none: nothing was published yet")?;
            return Ok(Ok(()));
        }
        Snapshot::Whole(c) => describe(out, &c, now)?,
        Snapshot::Torn => writeln!(out, "sample     cannot be read")?,
    }
    let (drops, notes): (Vec<Finding>, Vec<Finding>) = findings.into_iter().partition(|f| f.drops());
    if drops.is_empty() {
        writeln!(out, "verdict    chronyd would take this sample")?;
    }
    for finding in drops {
        writeln!(out, "verdict    chronyd would not take this sample: {finding}")?;
    }
    for finding in notes {
        writeln!(out, "note       {finding}")?;
    }
    Ok(Ok(()))
}

fn describe(out: &mut impl Write, c: &Contents, now: Instant<Sys>) -> io::Result<()> {
    let f = &c.fields;
    let (clock, receive) = (c.clock_nanos(), c.receive());
    let (sec, nsec) = receive.parts();
    writeln!(
        out,
        "clock      {} + {} ns (UTC)",
        UtcSecond::from_posix(clock.div_euclid(NANOS)),
        clock.rem_euclid(NANOS)
    )?;
    writeln!(out, "receive    {} + {nsec} ns (system clock), {} ago", UtcSecond::from_posix(sec), now - receive)?;
    writeln!(out, "offset     {:+} ns (clock - receive)", c.offset().nanos())?;
    writeln!(
        out,
        "fields     valid {}, count {}, mode {}, leap {}, precision {}, nsamples {}",
        c.valid, c.count, f.mode, f.leap, f.precision, f.nsamples
    )
}

fn watch(out: &mut impl Write, reader: &ShmReader, args: &Args) -> io::Result<Result<(), Failure>> {
    let ticks = args.limit.map(|span| span.nanos() / TICK.as_nanos() as i64);
    let mut seen = None;
    for tick in 0_i64.. {
        if ticks.is_some_and(|end| tick >= end) {
            break;
        }
        if tick % TICKS_PER_CHECK as i64 == 0 {
            match reader.status() {
                Ok(status) if !status.is_removed() => (),
                Ok(_) | Err(_) => {
                    let message =
                        format!("SHM unit {}: the segment was removed: restart gnss2shm and chronyd", args.unit.0);
                    return Ok(Err(Failure::new(ExitCode::NoInput, message)));
                }
            }
        }
        if let Snapshot::Whole(c) = reader.snapshot() {
            if seen.is_some_and(|count| count != c.count) {
                line(out, &c, args.poll)?;
            }
            seen = Some(c.count);
        }
        if reader::rest(TICK)? == Reader::Gone {
            break;
        }
    }
    Ok(Ok(()))
}

/// One sample. That `valid` is 0 is no finding here: it is what a chronyd at work leaves.
fn line(out: &mut impl Write, c: &Contents, poll: i8) -> io::Result<()> {
    let now = sys_now();
    let second = UtcSecond::from_posix(c.clock_nanos().div_euclid(NANOS));
    write!(out, "{second} offset {:+} ns, age {}, leap {}", c.offset().nanos(), now - c.receive(), c.fields.leap)?;
    for finding in Snapshot::Whole(*c).findings(now, poll).into_iter().filter(|f| *f != Finding::NotValid) {
        write!(out, "; {}: {finding}", if finding.drops() { "chronyd drops it" } else { "note" })?;
    }
    writeln!(out)?;
    out.flush()
}

/// `pid 812 (chronyd)`. Pid 0 stands for a process of another PID namespace.
fn process(pid: i32) -> String {
    match u32::try_from(pid).ok().and_then(processes::program) {
        Some(name) => format!("pid {pid} ({name})"),
        None if pid == 0 => "nobody, or a process outside this container".to_owned(),
        None => format!("pid {pid} (gone)"),
    }
}

/// The processes that have the segment mapped, as far as this user may see it: `: chronyd 812, gnss2shm 900`.
/// With nobody there, says that.
/// `proc_pid_maps(5)`: the inode of such a mapping is the segment's number, its name starts with /SYSV.
fn attached(status: &Status) -> String {
    if status.nattch == 0 {
        return ": neither chronyd nor a writer is there".to_owned();
    }
    let id = status.id.to_string();
    let maps = |pid: u32| fs::read_to_string(format!("/proc/{pid}/maps")).unwrap_or_default();
    let is_it = |map: &str| {
        let mut column = map.split_whitespace().skip(4);
        column.next() == Some(&id) && column.next().is_some_and(|name| name.starts_with("/SYSV"))
    };
    let users: Vec<_> = processes::others()
        .filter(|&pid| maps(pid).lines().any(is_it))
        .map(|pid| format!("{} {pid}", processes::program(pid).unwrap_or_default()))
        .collect();
    if users.is_empty() { String::new() } else { format!(": {}", users.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn errors_map_to_their_exit_codes() {
        let failure = Failure::from(ShmError::Missing { unit: 7 });
        assert_eq!(failure.code, ExitCode::NoInput);
        assert!(failure.message.contains("SHM unit 7"));
        let failure = Failure::from(ShmError::Os { unit: 7, call: "shmat", source: io::Error::from_raw_os_error(12) });
        assert_eq!(failure.code, ExitCode::Os);
    }

    #[test]
    fn processes_are_named_while_they_live() {
        assert!(process(std::process::id() as i32).contains('('));
        assert_eq!(process(i32::MAX), format!("pid {} (gone)", i32::MAX));
    }
}
