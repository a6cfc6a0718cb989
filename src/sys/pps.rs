//! A kernel PPS device: `/dev/ppsN` and the ioctls of `<linux/pps.h>` (RFC 2783). Only `source::pps` calls it; what an
//! error means and which edges are wanted is decided there.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

use libc::c_int;

use super::ioctl::ioctl;
use crate::core::time::{Instant, Span, Sys};
use abi::{FData, KParams, KTime};

pub mod abi;

/// An open kernel PPS device. `PPS_FETCH` blocks, and polling says nothing before Linux 6.16: one thread owns it.
#[derive(Debug)]
pub struct Pps(File);

/// A set of what a PPS device does, as bits of [`abi`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mode(pub c_int);

/// How a PPS device is set: for everybody who reads it, not for one descriptor.
#[derive(Clone, Copy, Debug)]
pub struct Params(KParams);

/// The last edge of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How many there were, modulo 2^32.
    pub sequence: u32,
    /// When, by `CLOCK_REALTIME`.
    pub sys: Instant<Sys>,
}

/// The last edges of both kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Of the edge that the driver calls assert.
    pub assert: Captured,
    /// Of the edge that the driver calls clear.
    pub clear: Captured,
}

impl Pps {
    /// Opens the node for reading, which is all that Linux asks for; setting parameters takes `CAP_SYS_TIME` instead of
    /// a descriptor that may write.
    pub fn open(path: &Path) -> io::Result<Self> {
        // The standard library adds O_CLOEXEC.
        let flags = libc::O_NONBLOCK | libc::O_NOCTTY;
        OpenOptions::new().read(true).custom_flags(flags).open(path).map(Self)
    }

    /// What the driver can do. `ENOTTY` where it is no PPS device.
    pub fn caps(&self) -> io::Result<Mode> {
        let mut mode: c_int = 0;
        // SAFETY: PPS_GETCAP writes an int.
        unsafe { ioctl(&self.0, abi::GETCAP, &raw mut mode)? };
        Ok(Mode(mode))
    }

    /// How it is set.
    pub fn params(&self) -> io::Result<Params> {
        let mut params = KParams::default();
        // SAFETY: PPS_GETPARAMS writes a pps_kparams.
        unsafe { ioctl(&self.0, abi::GETPARAMS, &raw mut params)? };
        Ok(Params(params))
    }

    /// Sets it. `EPERM` without `CAP_SYS_TIME`, `EINVAL` where the driver cannot do it.
    pub fn set_params(&self, params: Params) -> io::Result<()> {
        let mut params = params.0;
        // SAFETY: PPS_SETPARAMS reads a pps_kparams.
        unsafe { ioctl(&self.0, abi::SETPARAMS, &raw mut params) }
    }

    /// The last edges, after the next one has come; `None` where none came within `timeout`. An edge that came since
    /// the last call does not end the wait: ask with a timeout of zero first, which answers at once. So does any
    /// timeout below a tick of the kernel, at most 10 ms.
    pub fn fetch(&self, timeout: Duration) -> io::Result<Option<Fetched>> {
        let sec = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
        let nsec = i32::try_from(timeout.subsec_nanos()).unwrap_or(0);
        let mut data = FData { timeout: KTime { sec, nsec, flags: 0 }, ..FData::default() };
        // SAFETY: PPS_FETCH reads and writes a pps_fdata.
        match unsafe { ioctl(&self.0, abi::FETCH, &raw mut data) } {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == Some(libc::ETIMEDOUT) => return Ok(None),
            Err(error) => return Err(error),
        }
        let captured =
            |sequence, time: KTime| Captured { sequence, sys: Instant::from_parts(time.sec, i64::from(time.nsec)) };
        let info = data.info;
        Ok(Some(Fetched {
            assert: captured(info.assert_sequence, info.assert_tu),
            clear: captured(info.clear_sequence, info.clear_tu),
        }))
    }
}

impl Mode {
    /// What both have.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }

    /// Whether it has all of the other.
    pub fn has(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
}

impl Params {
    /// Parameters with this mode and these offsets of assert and clear edges.
    pub fn new(mode: Mode, [assert, clear]: [Span; 2]) -> Self {
        let time = |span: Span| {
            let (sec, nsec) = Instant::<Sys>::from_nanos(span.nanos()).parts();
            KTime { sec, nsec: i32::try_from(nsec).unwrap_or(0), flags: 0 }
        };
        Self(KParams { api_version: 1, mode: mode.0, assert_off_tu: time(assert), clear_off_tu: time(clear) })
    }

    /// What is captured, shifted and echoed.
    pub fn mode(&self) -> Mode {
        Mode(self.0.mode)
    }

    /// By how much the stamps of assert and clear edges are shifted.
    pub fn offsets(&self) -> [Span; 2] {
        let span = |bit: c_int, time: KTime| match self.0.mode & bit {
            0 => Span::ZERO,
            _ => Instant::<Sys>::from_parts(time.sec, i64::from(time.nsec)) - Instant::default(),
        };
        [span(abi::OFFSET_ASSERT, self.0.assert_off_tu), span(abi::OFFSET_CLEAR, self.0.clear_off_tu)]
    }

    /// The same, but capturing also these edges.
    #[must_use]
    pub fn also(self, edges: Mode) -> Self {
        Self(KParams { mode: self.0.mode | edges.0, ..self.0 })
    }
}
