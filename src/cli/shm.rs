//! `gnss2shm shm`.

use super::Failure;

#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// Unit of the segment: its key is 0x4e545030 plus this number.
    unit: u8,
}

pub(super) fn run(_args: &Args) -> Result<(), Failure> {
    Ok(())
}
