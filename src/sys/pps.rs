//! A kernel PPS device: `/dev/ppsN` and the ioctls of `<linux/pps.h>` (RFC 2783), which the libc crate lacks. Called by
//! `source::pps`, which decides what an error means and which edges are wanted. `tests/pps_layout.rs` checks every
//! number and struct against the kernel's header.

use std::fs::File;
use std::io;
use std::path::Path;
use std::time::Duration;

use libc::{Ioctl, c_int};

use super::{ioctl, open};
use crate::core::time::{Instant, Span, Sys};

/// `PPS_CAPTUREASSERT`: assert edges are captured.
pub(crate) const CAPTURE_ASSERT: c_int = 0x01;
/// `PPS_CAPTURECLEAR`: clear edges are captured.
pub(crate) const CAPTURE_CLEAR: c_int = 0x02;
/// `PPS_OFFSETASSERT`: the timestamps of assert edges are shifted.
pub(crate) const OFFSET_ASSERT: c_int = 0x10;
/// `PPS_OFFSETCLEAR`: the timestamps of clear edges are shifted.
pub(crate) const OFFSET_CLEAR: c_int = 0x20;

// The header names pointers instead of the structs they point to, so the numbers carry a pointer's size.
/// `PPS_GETPARAMS`.
pub(crate) const GETPARAMS: Ioctl = libc::_IOR::<*mut KParams>(b'p' as u32, 0xa1);
/// `PPS_SETPARAMS`.
pub(crate) const SETPARAMS: Ioctl = libc::_IOW::<*mut KParams>(b'p' as u32, 0xa2);
/// `PPS_GETCAP`.
pub(crate) const GETCAP: Ioctl = libc::_IOR::<*mut c_int>(b'p' as u32, 0xa3);
/// `PPS_FETCH`.
pub(crate) const FETCH: Ioctl = libc::_IOWR::<*mut FData>(b'p' as u32, 0xa4);

/// `struct pps_ktime`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KTime {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds.
    pub nsec: i32,
    /// `PPS_TIME_INVALID`: not a time.
    pub flags: u32,
}

/// `struct pps_kinfo`: the last edge of each kind, and how many there were, modulo 2^32.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KInfo {
    /// Assert edges so far.
    pub assert_sequence: u32,
    /// Clear edges so far.
    pub clear_sequence: u32,
    /// The last assert edge.
    pub assert_tu: KTime,
    /// The last clear edge.
    pub clear_tu: KTime,
    /// What is captured.
    pub current_mode: c_int,
}

/// `struct pps_kparams`: the settings, shared by all readers of the device.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct KParams {
    /// 1.
    pub api_version: c_int,
    /// What is captured, shifted and echoed.
    pub mode: c_int,
    /// Offset of assert timestamps.
    pub assert_off_tu: KTime,
    /// Offset of clear timestamps.
    pub clear_off_tu: KTime,
}

/// `struct pps_fdata`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct FData {
    /// The last edges.
    pub info: KInfo,
    /// How long to wait for an edge.
    pub timeout: KTime,
}

/// An open kernel PPS device. `PPS_FETCH` blocks, and polling does not work before Linux 6.16, so one thread owns it.
pub(crate) struct Pps(File);

impl Pps {
    /// Opens the node for reading, which is enough: setting parameters requires `CAP_SYS_TIME` instead of a writable
    /// descriptor.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        open(path, &mut File::options()).map(Self)
    }

    /// The driver's capabilities, as bits of `mode`. `ENOTTY` if this is not a PPS device.
    pub(crate) fn caps(&self) -> io::Result<c_int> {
        // SAFETY: PPS_GETCAP writes an int.
        unsafe { ioctl(&self.0, GETCAP, 0) }
    }

    /// The settings.
    pub(crate) fn params(&self) -> io::Result<KParams> {
        // SAFETY: PPS_GETPARAMS writes a pps_kparams.
        unsafe { ioctl(&self.0, GETPARAMS, KParams::default()) }
    }

    /// Changes the settings. `EPERM` without `CAP_SYS_TIME`, `EINVAL` if the driver cannot do it.
    pub(crate) fn set_params(&self, params: KParams) -> io::Result<()> {
        // SAFETY: PPS_SETPARAMS reads a pps_kparams.
        unsafe { ioctl(&self.0, SETPARAMS, params) }.map(drop)
    }

    /// Waits for the next edge, then returns the last edges; `None` if no edge arrived within `timeout`, or after a
    /// signal. An edge since the last call does not end the wait: call it with a timeout of zero first, which returns
    /// immediately, as does any timeout below a kernel tick (at most 10 ms).
    pub(crate) fn fetch(&self, timeout: Duration) -> io::Result<Option<KInfo>> {
        let sec = i64::try_from(timeout.as_secs()).unwrap_or(i64::MAX);
        let nsec = i32::try_from(timeout.subsec_nanos()).unwrap_or(0);
        let data = FData { timeout: KTime { sec, nsec, flags: 0 }, ..FData::default() };
        // SAFETY: PPS_FETCH reads and writes a pps_fdata.
        match unsafe { ioctl(&self.0, FETCH, data) } {
            Ok(data) => Ok(Some(data.info)),
            Err(error) if matches!(error.raw_os_error(), Some(libc::ETIMEDOUT | libc::EINTR)) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

impl KTime {
    /// As a time of `CLOCK_REALTIME`.
    pub(crate) fn sys(self) -> Instant<Sys> {
        Instant::from_parts(self.sec, i64::from(self.nsec))
    }
}

impl KParams {
    /// Offsets of the timestamps of assert and clear edges.
    pub(crate) fn offsets(&self) -> [Span; 2] {
        let offset = |bit, time: KTime| if self.mode & bit == 0 { Span::ZERO } else { time.sys() - Instant::default() };
        [offset(OFFSET_ASSERT, self.assert_off_tu), offset(OFFSET_CLEAR, self.clear_off_tu)]
    }
}
