//! `gnss2shm doctor`: checks an installed system and says how to fix it.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use super::{ExitCode, Failure, status};
use crate::daemon::status::snapshot::Snapshot;
use crate::tools::doctor::{self, Instance, Level, System};

/// Shown by --help below the options.
const HELP: &str = "\
Each line is an item: ok, or warning or FAILURE with what is wrong and, after a semicolon, the cure.
Nothing is changed, and no device is opened. Items that only root can check are named.

Exit status: 0 all is ok, 1 at least one failure, 2 warnings and no failure; others as in sysexits(3).";

#[derive(clap::Args, Debug)]
#[command(after_help = HELP)]
pub(super) struct Args {
    /// Instance of the service [default: the only one in /etc/gnss2shm]
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
    /// Its settings [default: /etc/gnss2shm/INSTANCE.toml]
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: &Args) -> Result<(), Failure> {
    let config = args.config.as_deref().map(std::path::absolute).transpose();
    let config = config.map_err(|error| Failure::new(ExitCode::Usage, format!("--config: {error}")))?;
    let system = System::live(asked);
    let instance = Instance::find(&system, args.instance.as_deref(), config).map_err(|names| {
        let names = names.join(", ");
        Failure::new(ExitCode::Usage, format!("there are several instances, name one of them: {names}"))
    })?;
    let found = doctor::examine(&system, &instance);
    let mut text = String::new();
    for finding in &found {
        let line = if args.json { serde_json::to_string(finding).unwrap_or_default() } else { finding.to_string() };
        text += &(line + "\n");
    }
    super::shown(super::stdout().write_all(text.as_bytes()))?;
    // The lines have said it all.
    match doctor::worst(&found) {
        Level::Ok => Ok(()),
        Level::Warning => Err(Failure::new(ExitCode::Warnings, "")),
        Level::Failure => Err(Failure::new(ExitCode::No, "")),
    }
}

fn asked(socket: &Path) -> Result<Snapshot, String> {
    status::ask(socket).map(|(now, _)| now).map_err(|failure| failure.message)
}
