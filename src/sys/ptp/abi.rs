//! What `<linux/ptp_clock.h>` has and the libc crate has not, or keeps private. `tests/ptp_layout.rs` holds all of it
//! against the header.

use libc::{Ioctl, c_uint, ptp_clock_time};

/// `PTP_ENABLE_FEATURE`: the request switches on.
pub const ENABLE: c_uint = 1 << 0;
/// `PTP_RISING_EDGE`.
pub const RISING: c_uint = 1 << 1;
/// `PTP_FALLING_EDGE`.
pub const FALLING: c_uint = 1 << 2;
/// `PTP_EXT_OFFSET` (Linux 6.8): the event carries an offset, not a timestamp.
pub const OFFSET: c_uint = 1 << 4;

/// `PTP_MASK_CLEAR_ALL` (Linux 6.7): this descriptor's queue takes no channel's events.
pub const MASK_CLEAR_ALL: Ioctl = libc::_IO(b'=' as u32, 19);
/// `PTP_MASK_EN_SINGLE` (Linux 6.7): this descriptor's queue takes this channel's events too.
pub const MASK_EN_SINGLE: Ioctl = libc::_IOW::<c_uint>(b'=' as u32, 20);

/// Events that one `read(2)` gives at most (`PTP_BUF_TIMESTAMPS` of the kernel's `ptp_private.h`).
pub const EVENTS_PER_READ: usize = 30;

/// `struct ptp_extts_event`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct ExttsEvent {
    /// When, on the PHC.
    pub t: ptp_clock_time,
    /// The channel.
    pub index: c_uint,
    /// `PTP_EXTTS_EVENT_VALID` and [`OFFSET`]; zero before Linux 6.8.
    pub flags: c_uint,
    /// Zero.
    pub rsv: [c_uint; 2],
}

const _: () = assert!(size_of::<ExttsEvent>() == 32);
