//! A kernel PPS device (`/dev/ppsN`) as the source of edges.

use std::path::PathBuf;

/// Which device, and which of its edges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PpsConfig {
    /// The node, `/dev/ppsN`.
    pub device: PathBuf,
    /// Which edges are captured.
    pub capture: Capture,
}

/// Which edges of a kernel PPS are captured.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize, clap::ValueEnum)]
#[serde(rename_all = "kebab-case")]
pub enum Capture {
    /// Every edge that the device has
    #[default]
    Both,
    /// The edge that the driver calls assert
    Assert,
    /// The edge that the driver calls clear
    Clear,
}
