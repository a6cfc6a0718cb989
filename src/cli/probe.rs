//! `gnss2shm probe`: finds a working configuration.

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};

use super::run::stop;
use super::{ExitCode, Failure};
use crate::source::gpsd::GpsdConfig;
use crate::sys::error::OpenError;
use crate::tools::probe::{Findings, grandmaster, search, settings};

/// Find the receiver and the pulse, and write the settings for `run` and the line for chrony.conf
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Listen on this port; can be repeated [default: all serial ports that are not in use]
    #[arg(long, value_name = "DEV")]
    serial: Vec<String>,
    /// Try the pins of this PTP hardware clock; can be repeated [default: all clocks]
    #[arg(long, value_name = "IFACE|/dev/ptpN")]
    phc: Vec<String>,
    /// gpsd to query for receivers
    #[arg(long, value_name = "HOST:PORT", default_value = "localhost:2947")]
    gpsd: GpsdConfig,
    /// Write the settings for `gnss2shm run --config` to this file
    #[arg(long, value_name = "FILE")]
    write: Option<PathBuf>,
    /// Write the line for chrony.conf to this file
    #[arg(long, value_name = "FILE")]
    chrony: Option<PathBuf>,
    /// Write all files of a PTP grandmaster below this directory, such as / or a new one
    #[arg(long, value_name = "DIR", conflicts_with = "chrony")]
    grandmaster: Option<PathBuf>,
    /// Overwrite files that exist
    #[arg(long)]
    force: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    // Checked before the search, which takes half a minute.
    if let Some(path) = args.write.iter().chain(&args.chrony).find(|path| !args.force && path.exists()) {
        return Err(exists(path));
    }
    super::on_runtime(async move {
        let stop = stop()?;
        let _closed = writeln!(std::io::stderr(), "searching for receiver and pulse: this takes half a minute");
        let found = tokio::select! {
            found = search(&args.serial, &args.phc, &args.gpsd) => found,
            _ = stop => {
                return Err(Failure::new(ExitCode::No, "interrupted; the pins have been restored"));
            }
        };
        super::show(&found.to_string())?;
        if let Some(missing) = found.missing() {
            return Err(Failure::new(ExitCode::No, missing));
        }
        deliver(&args, &found)
    })
}

fn deliver(args: &Args, found: &Findings) -> Result<(), Failure> {
    let unit = settings::unit(found);
    let (Some(receiver), Some(pulse)) = (&found.receiver, &found.pulse) else { return Ok(()) };
    if let Some(directory) = &args.grandmaster {
        return deliver_grandmaster(args, found, directory, settings::toml(receiver, pulse, unit));
    }
    let texts = [
        (&args.write, "settings", settings::toml(receiver, pulse, unit)),
        (&args.chrony, "for chrony.conf", settings::chrony(unit)),
    ];
    for (path, what, text) in texts {
        match path {
            None => super::show(&format!("{what}\n\n{text}\n"))?,
            Some(path) => {
                save(path, &text)?;
                super::show(&format!("{what}\n  written to {}\n", path.display()))?;
            }
        }
    }
    let next = settings::next(args.write.as_deref(), args.chrony.as_deref());
    super::print(&format!("next\n  {next}\n"))
}

/// Writes the files of a grandmaster below this directory.
fn deliver_grandmaster(args: &Args, found: &Findings, directory: &Path, settings: String) -> Result<(), Failure> {
    let machine = grandmaster::Machine::find(found, settings::unit(found))?;
    let settings = settings + "# What gnss2shm grandmaster tells ptp4l: gnss2shm.toml(5).\n[grandmaster]\n";
    let mut files = vec![(args.write.clone().unwrap_or_else(|| directory.join("etc/gnss2shm/default.toml")), settings)];
    files.extend(machine.files().into_iter().map(|(path, text)| (directory.join(path.trim_start_matches('/')), text)));
    if let Some((path, _)) = files.iter().find(|(path, _)| !args.force && path.exists()) {
        return Err(exists(path));
    }
    let mut written = "grandmaster".to_owned();
    for (path, text) in files {
        if let Some(parent) = path.parent() {
            let failed = |error| OpenError::not_created(format_args!("{} cannot be created", parent.display()), error);
            fs::create_dir_all(parent).map_err(failed)?;
        }
        save(&path, &text)?;
        written.extend(["\n  written to ", &path.display().to_string()]);
    }
    super::show(&format!("{written}\n"))?;
    super::print(&format!("next\n  {}\n", machine.next(directory)))
}

fn exists(path: &Path) -> Failure {
    let sentence = format!("{} exists: give another file, or use --force to overwrite it", path.display());
    Failure::new(ExitCode::CannotCreate, sentence)
}

/// Writes a temporary file and renames it, even over a link, so that readers never see a partial file.
fn save(path: &Path, text: &str) -> Result<(), Failure> {
    let aside = path.with_extension(format!("new.{}", std::process::id()));
    let written = File::create_new(&aside).and_then(|mut file| file.write_all(text.as_bytes()));
    written.and_then(|()| fs::rename(&aside, path)).map_err(|error| {
        let _none_is_left = fs::remove_file(&aside);
        OpenError::not_created(format_args!("cannot write {}", path.display()), error).into()
    })
}
