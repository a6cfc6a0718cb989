//! Makes recordings of real data: satpulse's event and packet logs, and gpsd's regression logs. Judges them.
//!
//! `cargo run --release --example import -- --help`. The input belongs to others and is not committed.
#![allow(clippy::print_stdout)]

mod events;
mod gpsd;
mod imported;
mod invented;
mod judge;
mod named;
mod packets;
#[path = "../common/simulated/sentence.rs"]
#[allow(dead_code, unreachable_pub)]
mod sentence;
#[cfg(test)]
mod tests;
#[path = "../common/twins.rs"]
mod twins;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Parser;
use gnss2shm::time::NANOS;
use imported::Imported;
use invented::Invention;

/// Real data as a recording
#[derive(Parser)]
struct Args {
    /// What the file is
    #[arg(value_enum)]
    format: Format,
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// Write the recording there and not to standard output
    #[arg(short, long)]
    output: Option<PathBuf>,
    /// Write no recording: play it to the engine and print a line of what came of it
    #[arg(long)]
    judge: bool,
    /// The sentence that begins a burst (RMC, GGA, ...), where a log of gpsd does not show it
    #[arg(long)]
    starts: Option<String>,
    #[command(flatten)]
    invention: Invention,
}

#[derive(Clone, Copy, clap::ValueEnum)]
enum Format {
    /// satpulse's event log
    SatpulseEvents,
    /// satpulse's packet log
    SatpulsePackets,
    /// gpsd's regression log
    Gpsd,
    /// A recording; with the truth in it, if it is of this tool
    Recording,
}

fn main() -> ExitCode {
    let args = Args::parse();
    let mut is_good = true;
    for file in &args.files {
        match import(&args, file).and_then(|imported| take(&args, file, &imported)) {
            Ok(good) => is_good &= good,
            Err(error) => println!("{}: {error}", file.display()),
        }
    }
    if is_good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn import(args: &Args, file: &Path) -> Result<Imported, String> {
    let content = fs::read(file).map_err(|error| error.to_string())?;
    let text = || String::from_utf8(content.clone()).map_err(|error| error.to_string());
    match args.format {
        Format::SatpulseEvents => events::import(&text()?),
        Format::SatpulsePackets => packets::import(&text()?, &args.invention),
        Format::Gpsd => gpsd::import(&content, &args.invention, args.starts.as_deref()),
        Format::Recording => Imported::read(&text()?),
    }
}

fn take(args: &Args, file: &Path, imported: &Imported) -> Result<bool, String> {
    if args.judge {
        let judgement = judge::judge(imported);
        println!("{}: {judgement}", file.display());
        return Ok(judgement.is_good());
    }
    match &args.output {
        Some(output) => fs::write(output, imported.to_string()).map_err(|error| error.to_string())?,
        None => print!("{imported}"),
    }
    Ok(true)
}

/// Numbers that look random and are the same every time.
struct Random(u64);

impl Random {
    /// From -`most` to `most`.
    fn within(&mut self, most: i64) -> i64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(NANOS as u64 + 7);
        (self.0 >> 33) as i64 % (2 * most + 1) - most
    }
}
