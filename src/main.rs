//! Arguments to command, failure to exit code. Everything else is in the library.

use std::io::Write;
use std::process::ExitCode;

use clap::Parser;
use gnss2shm::cli::{self, Cli};
use gnss2shm::core::printable::printable;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Printing fails only where nobody listens. --help and --version end well, a wrong flag is EX_USAGE.
            let _ = error.print();
            return if error.use_stderr() { ExitCode::from(cli::ExitCode::Usage as u8) } else { ExitCode::SUCCESS };
        }
    };
    match cli::run(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                // Where standard error is closed or full, the exit code has to do.
                let _ = writeln!(std::io::stderr(), "gnss2shm: {}", printable(&failure.message));
            }
            ExitCode::from(failure.code as u8)
        }
    }
}
