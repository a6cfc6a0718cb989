//! `gnss2shm shm UNIT`: a segment's contents and owner, and whether chronyd would accept its sample. It attaches
//! read-only, so it cannot take a sample away from chronyd.

use std::fmt::Write as _;
use std::time::Duration;

use super::{ExitCode, Failure};
use crate::config::unit;
use crate::core::time::{NANOS, Span, UtcSecond};
use crate::core::units::{number, positive_span};
use crate::sink::shm::{Contents, Finding, ShmReader, Status, key};
use crate::sys::clock::sys_now;
use crate::sys::processes::Process;
use crate::sys::sysv_shm::Fields;
use crate::sys::wait;

/// Polling interval of `--watch`; writers publish once per second.
const TICK: Duration = Duration::from_millis(10);

/// Show an SHM segment as chronyd sees it, without consuming samples
///
/// Exit status: 0 if the segment was shown, with or without a valid sample; 66 if there is no such segment, or it was
/// removed during --watch; 69 if it is too small for a refclock; 77 if it cannot be read; other codes as in sysexits(3).
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Unit of the segment: its key is 0x4e545030 plus this number
    #[arg(allow_negative_numbers = true, value_parser = unit)]
    unit: u8,
    /// Print a line for each new sample, until interrupted
    #[arg(long)]
    watch: bool,
    /// End --watch after this time, such as 30s or 2min
    #[arg(long = "for", value_name = "TIME", requires = "watch", allow_hyphen_values = true)]
    #[arg(value_parser = positive_span)]
    limit: Option<Span>,
    /// The `poll` of the refclock in chrony.conf: chronyd drops samples older than 2^(poll+1) seconds
    #[arg(long, default_value = "2", allow_hyphen_values = true)]
    #[arg(value_parser = |text: &str| number(text, i8::MIN..=i8::MAX))]
    poll: i8,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let reader = ShmReader::open(args.unit)?;
    if args.watch { watch(&reader, args) } else { super::print(&describe(&reader, args)) }
}

/// The segment, its users, its sample, and whether chronyd would accept that.
fn describe(reader: &ShmReader, args: &Args) -> String {
    let (status, now) = (reader.found(), sys_now());
    let Status { size, uid, gid, cuid, cgid, nattch, .. } = *status;
    let (unit, key, mode) = (args.unit, key(args.unit), status.mode & 0o777);
    let ([creator, last], users) = ([status.cpid, status.lpid].map(process), attached(status));
    let mut text = format!(
        "SHM unit {unit}, key {key:#x}, {size} bytes\n\
         owner      uid {uid} gid {gid}, mode {mode:04o}; creator uid {cuid} gid {cgid}\n\
         processes  created by {creator}, last attached or detached by {last}\n\
         attached   {nattch}{users}\n"
    );
    let Some(contents) = reader.contents() else {
        return text
            + "sample     cannot be read: it changed during each attempt: are two programs writing to this unit?\n";
    };
    let Contents { count, valid, fields: Fields { mode, leap, precision, nsamples, .. } } = contents;
    if contents.fields.clock_sec == 0 && contents.fields.receive_sec == 0 {
        return text + "sample     none: nothing has been published yet\n";
    }
    let split = |nanos: i64| (UtcSecond::from_posix(nanos.div_euclid(NANOS)), nanos.rem_euclid(NANOS));
    let ((utc, utc_nsec), (sys, sys_nsec)) = (split(contents.clock_nanos()), split(contents.receive().nanos()));
    let (age, offset) = (now - contents.receive(), contents.offset().nanos());
    let findings = contents.findings(now, args.poll);
    let taken =
        if findings.iter().any(|finding| finding.drops()) { "" } else { "verdict    chronyd would take this sample\n" };
    let _ = write!(
        text,
        "clock      {utc} + {utc_nsec} ns (UTC)\n\
         receive    {sys} + {sys_nsec} ns (system clock), {age} ago\n\
         offset     {offset:+} ns (clock - receive)\n\
         fields     valid {valid}, count {count}, mode {mode}, leap {leap}, precision {precision}, nsamples {nsamples}\n\
         {taken}"
    );
    for finding in findings {
        let label = if finding.drops() { "verdict    chronyd would not take this sample:" } else { "note      " };
        let _ = writeln!(text, "{label} {finding}");
    }
    text
}

/// Prints a line for each new sample. `valid` 0 is not reported here: it is what a working chronyd leaves behind.
fn watch(reader: &ShmReader, args: &Args) -> Result<(), Failure> {
    let ticks = args.limit.map_or(i64::MAX, |span| span.nanos() / TICK.as_nanos() as i64);
    let mut seen = None;
    for _ in 0..ticks {
        if reader.status().map_or(true, |status| status.is_removed()) {
            let why = format!("SHM unit {}: the segment was removed: restart gnss2shm and chronyd", args.unit);
            return Err(Failure::new(ExitCode::NoInput, why));
        }
        if let Some(contents) = reader.contents()
            && seen.replace(contents.count).is_some_and(|count| count != contents.count)
        {
            let (now, offset, leap) = (sys_now(), contents.offset().nanos(), contents.fields.leap);
            let second = UtcSecond::from_posix(contents.clock_nanos().div_euclid(NANOS));
            let mut text = format!("{second} offset {offset:+} ns, age {}, leap {leap}", now - contents.receive());
            for finding in contents.findings(now, args.poll).into_iter().filter(|f| *f != Finding::NotValid) {
                let _ = write!(text, "; {}: {finding}", if finding.drops() { "chronyd drops it" } else { "note" });
            }
            super::print(&(text + "\n"))?;
        }
        super::written(wait::rest(TICK))?;
    }
    Ok(())
}

/// `chronyd (pid 812)`. PID 0 stands for a process of another PID namespace.
fn process(pid: i32) -> String {
    match u32::try_from(pid).ok().and_then(Process::read) {
        Some(process) => process.to_string(),
        None if pid == 0 => "none, or a process outside this container".to_owned(),
        None => format!("pid {pid} (gone)"),
    }
}

/// The processes that have the segment mapped and that this user may see: `: chronyd (pid 812), gnss2shm (pid
/// 900)`.
fn attached(status: &Status) -> String {
    if status.nattch == 0 {
        return ": neither chronyd nor a writer is attached".to_owned();
    }
    let users = Process::others().filter(|process| process.has_attached(status.id) == Some(true));
    let users: Vec<_> = users.map(|process| process.to_string()).collect();
    if users.is_empty() { String::new() } else { format!(": {}", users.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processes_are_named_while_they_live() {
        assert!(process(std::process::id() as i32).contains('('));
        assert_eq!(process(i32::MAX), format!("pid {} (gone)", i32::MAX));
    }
}
