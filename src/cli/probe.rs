//! `gnss2shm probe`: from nothing to a working configuration.

use std::fs::{self, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

use super::run::Stop;
use super::{ExitCode, Failure};
use crate::source::gpsd::GpsdConfig;
use crate::tools::probe::{Findings, Options, search, settings};

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Listen on this port; may be given several times [default: every serial port that nobody uses]
    #[arg(long, value_name = "DEV")]
    serial: Vec<String>,
    /// Try the pins of this PTP hardware clock; may be given several times [default: every one]
    #[arg(long, value_name = "IFACE|/dev/ptpN")]
    phc: Vec<String>,
    /// The gpsd that may have the receiver
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:2947")]
    gpsd: GpsdConfig,
    /// Write the settings for `gnss2shm run --config` to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Write the line for chrony.conf to this file
    #[arg(long, value_name = "FILE")]
    chrony: Option<PathBuf>,
    /// Overwrite these files where they exist
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    // Found out before half a minute was spent.
    if let Some(path) = args.write.iter().chain(&args.chrony).find(|path| !args.force && path.exists()) {
        return Err(exists(path));
    }
    super::on_runtime(async move {
        let mut stop = Stop::listen()?;
        let _nobody_reads_it = writeln!(std::io::stderr(), "looking for receiver and pulse, for half a minute at most");
        let options = Options { serial: args.serial.clone(), phc: args.phc.clone(), gpsd: args.gpsd.clone() };
        let found = tokio::select! {
            found = search(&options) => found,
            _ = stop.asked() => {
                return Err(Failure::new(ExitCode::No, "ended before the search was over; the pins are as they were"));
            }
        };
        super::shown(write!(super::stdout(), "{found}"))?;
        deliver(&args, &found)
    })
}

fn deliver(args: &Args, found: &Findings) -> Result<(), Failure> {
    if let Some(missing) = found.missing() {
        return Err(Failure::new(ExitCode::No, missing));
    }
    let (Some(receiver), Some(pulse)) = (&found.receiver, &found.pulse) else { return Ok(()) };
    let unit = settings::unit(found);
    let files = [
        (&args.write, "settings", settings::toml(receiver, pulse, unit)),
        (&args.chrony, "for chrony.conf", settings::chrony(unit)),
    ];
    for (path, what, text) in files {
        let said = match path {
            Some(path) => {
                save(path, &text, args.force)?;
                format!("{what}\n  written to {}\n", path.display())
            }
            None => format!("{what}\n\n{text}\n"),
        };
        super::shown(write!(super::stdout(), "{said}"))?;
    }
    let next = settings::next(args.write.as_deref(), args.chrony.as_deref());
    super::written(writeln!(super::stdout(), "next\n  {next}"))
}

fn save(path: &Path, text: &str, force: bool) -> Result<(), Failure> {
    // Renamed, it takes the place of what was there, a link as well, and is whole whenever somebody reads it.
    let mut new = path.as_os_str().to_owned();
    new.push(format!(".{}", std::process::id()));
    let first = if force { Path::new(&new) } else { path };
    let written = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(first)
        .and_then(|mut file| file.write_all(text.as_bytes()));
    let saved = if force { written.and_then(|()| fs::rename(first, path)) } else { written };
    if force && saved.is_err() {
        let _ = fs::remove_file(first);
    }
    saved.map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => exists(path),
        ErrorKind::PermissionDenied => {
            Failure::new(ExitCode::NoPermission, format!("{} may not be written: {error}", path.display()))
        }
        _ => Failure::new(ExitCode::CannotCreate, format!("{} cannot be written: {error}", path.display())),
    })
}

fn exists(path: &Path) -> Failure {
    Failure::new(
        ExitCode::CannotCreate,
        format!("{} exists: name another file, or say --force to overwrite it", path.display()),
    )
}
