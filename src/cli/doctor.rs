//! `gnss2shm doctor`: checks an installed system and suggests fixes.

use std::path::PathBuf;

use super::{ExitCode, Failure, status};
use crate::tools::doctor::{self, Instance, Level, System};

/// Check an installed system and suggest fixes
///
/// Each line reports one item as ok, warning, or FAILURE; the latter two are followed by the problem and, after a
/// semicolon, the fix. Nothing is changed, and no device is opened. Without root, items that only root can check are
/// reported as not checked.
///
/// Exit status: 0 if all is ok; 1 if there is a failure; 2 if there are warnings but no failure; other codes as in
/// sysexits(3).
#[derive(clap::Args, Debug)]
#[command(verbatim_doc_comment)]
pub(super) struct Args {
    /// Instance of the service [default: the only one in /etc/gnss2shm]
    #[arg(value_name = "INSTANCE")]
    instance: Option<String>,
    /// The instance's settings file [default: /etc/gnss2shm/INSTANCE.toml]
    #[arg(long, value_name = "FILE", value_parser = |path: &str| std::path::absolute(path))]
    config: Option<PathBuf>,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

pub(super) fn run(args: Args) -> Result<(), Failure> {
    let system = System::live(|socket| status::ask(socket).map(|(now, _)| now).map_err(|failure| failure.message));
    let instance = Instance::find(&system, args.instance.as_deref(), args.config)
        .map_err(|several| Failure::new(ExitCode::Usage, several))?;
    let found = doctor::examine(&system, &instance);
    let line =
        |finding| if args.json { serde_json::to_string(finding).unwrap_or_default() } else { format!("{finding}") };
    let text: String = found.iter().map(|finding| line(finding) + "\n").collect();
    super::show(&text)?;
    // The printed lines are enough.
    match doctor::worst(&found) {
        Level::Ok => Ok(()),
        Level::Warning => Err(Failure::new(ExitCode::Warnings, "")),
        Level::Failure => Err(Failure::new(ExitCode::No, "")),
    }
}
