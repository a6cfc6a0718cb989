//! The layout of chrony's and ntpd's segment. Source: chrony's `refclock_shm.c`.

use std::mem::offset_of;
use std::sync::atomic::{AtomicI32, AtomicI64};

/// `struct shmTime` on a 64-bit machine. Every field may change under us at any time, so every field is an atomic.
#[repr(C)]
pub(super) struct ShmTime {
    pub(super) mode: AtomicI32,
    pub(super) count: AtomicI32,
    pub(super) clock_sec: AtomicI64,
    pub(super) clock_usec: AtomicI32,
    pub(super) receive_sec: AtomicI64,
    pub(super) receive_usec: AtomicI32,
    pub(super) leap: AtomicI32,
    pub(super) precision: AtomicI32,
    pub(super) nsamples: AtomicI32,
    pub(super) valid: AtomicI32,
    pub(super) clock_nsec: AtomicI32,
    pub(super) receive_nsec: AtomicI32,
    dummy: [AtomicI32; 8],
}

/// Bytes of the segment.
pub const SIZE: usize = 96;

// A target with another layout or a 32-bit time_t must not compile: its chronyd would read something else.
const _: () = assert!(size_of::<ShmTime>() == SIZE && size_of::<libc::time_t>() == 8);

macro_rules! laid_out {
    ($($field:ident @ $offset:literal,)*) => {
        $(const _: () = assert!(offset_of!(ShmTime, $field) == $offset);)*

        /// Name and offset in bytes of every field, for comparison with a C compiler's.
        pub const LAYOUT: &[(&str, usize)] = &[$((stringify!($field), offset_of!(ShmTime, $field)),)*];
    };
}

laid_out! {
    mode @ 0,
    count @ 4,
    clock_sec @ 8,
    clock_usec @ 16,
    receive_sec @ 24,
    receive_usec @ 32,
    leap @ 36,
    precision @ 40,
    nsamples @ 44,
    valid @ 48,
    clock_nsec @ 52,
    receive_nsec @ 56,
    dummy @ 60,
}

/// What a sample consists of: all fields but `count` and `valid`, which guard them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Fields {
    /// Protocol: 1 means that `count` tells whether a reading is whole.
    pub mode: i32,
    /// True time, POSIX seconds.
    pub clock_sec: i64,
    /// True time, microseconds after the second.
    pub clock_usec: i32,
    /// System time of the same moment, POSIX seconds.
    pub receive_sec: i64,
    /// System time, microseconds after the second.
    pub receive_usec: i32,
    /// NTP's leap indicator, 0 to 3.
    pub leap: i32,
    /// Precision, as a power of two in seconds.
    pub precision: i32,
    /// Samples that a reader's filter should hold.
    pub nsamples: i32,
    /// True time, nanoseconds after the second.
    pub clock_nsec: i32,
    /// System time, nanoseconds after the second.
    pub receive_nsec: i32,
}
