//! `<linux/pps.h>`, which the libc crate has not. `tests/pps_layout.rs` holds all of it against the header.

use libc::{Ioctl, c_int};

/// `PPS_CAPTUREASSERT`: assert edges are captured.
pub const CAPTURE_ASSERT: c_int = 0x01;
/// `PPS_CAPTURECLEAR`: clear edges are captured.
pub const CAPTURE_CLEAR: c_int = 0x02;
/// `PPS_OFFSETASSERT`: the stamps of assert edges are shifted.
pub const OFFSET_ASSERT: c_int = 0x10;
/// `PPS_OFFSETCLEAR`: the stamps of clear edges are shifted.
pub const OFFSET_CLEAR: c_int = 0x20;

// The header names pointers where it should name what they point to; so the numbers carry a pointer's size.
/// `PPS_GETPARAMS`.
pub const GETPARAMS: Ioctl = libc::_IOR::<*mut KParams>(b'p' as u32, 0xa1);
/// `PPS_SETPARAMS`.
pub const SETPARAMS: Ioctl = libc::_IOW::<*mut KParams>(b'p' as u32, 0xa2);
/// `PPS_GETCAP`.
pub const GETCAP: Ioctl = libc::_IOR::<*mut c_int>(b'p' as u32, 0xa3);
/// `PPS_FETCH`.
pub const FETCH: Ioctl = libc::_IOWR::<*mut FData>(b'p' as u32, 0xa4);

/// `struct pps_ktime`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct KTime {
    /// Seconds.
    pub sec: i64,
    /// Nanoseconds.
    pub nsec: i32,
    /// `PPS_TIME_INVALID`: no time at all.
    pub flags: u32,
}

/// `struct pps_kinfo`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct KInfo {
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

/// `struct pps_kparams`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct KParams {
    /// 1.
    pub api_version: c_int,
    /// What is captured, shifted and echoed.
    pub mode: c_int,
    /// By how much assert edges are shifted.
    pub assert_off_tu: KTime,
    /// By how much clear edges are shifted.
    pub clear_off_tu: KTime,
}

/// `struct pps_fdata`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
pub struct FData {
    /// What was captured last.
    pub info: KInfo,
    /// How long to wait for an edge.
    pub timeout: KTime,
}
