//! `gnss2shm shm UNIT`: what is in a segment, whose it is, and what chronyd would make of it. It only looks: nothing it
//! does can take a sample away from chronyd.

use std::io::{self, Write};
use std::time::Duration;

use super::{ExitCode, Failure};
use crate::config::Unit;
use crate::core::time::{Instant, NANOS, Span, Sys, UtcSecond};
use crate::sink::shm::{Contents, Finding, ShmReader, Snapshot, Status, key};
use crate::sys::clock::sys_now;
use crate::sys::processes::Process;
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
    #[arg(value_parser = super::positive_span)]
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
    super::whole(text, &(i8::MIN..=i8::MAX))
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

/// `chronyd (pid 812)`. PID 0 stands for a process of another PID namespace.
fn process(pid: i32) -> String {
    match u32::try_from(pid).ok().and_then(Process::read) {
        Some(process) => process.to_string(),
        None if pid == 0 => "nobody, or a process outside this container".to_owned(),
        None => format!("pid {pid} (gone)"),
    }
}

/// The processes that have the segment mapped, as far as this user may see it: `: chronyd (pid 812), gnss2shm (pid
/// 900)`.
fn attached(status: &Status) -> String {
    if status.nattch == 0 {
        return ": neither chronyd nor a writer is there".to_owned();
    }
    let users = Process::others().filter(|process| process.has_attached(status.id) == Some(true));
    let users: Vec<_> = users.map(|process| process.to_string()).collect();
    if users.is_empty() { String::new() } else { format!(": {}", users.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::positive_span;

    #[test]
    fn processes_are_named_while_they_live() {
        assert!(process(std::process::id() as i32).contains('('));
        assert_eq!(process(i32::MAX), format!("pid {} (gone)", i32::MAX));
    }

    #[test]
    fn a_limit_must_be_positive() {
        assert_eq!(positive_span("5s"), Ok(Span::from_secs(5)));
        assert!(positive_span("0s").is_err() && positive_span("-1s").is_err() && positive_span("5").is_err());
    }
}
