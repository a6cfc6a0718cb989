//! The datagram: `struct sock_sample` of chrony's `refclock_sock.c`, field by field.

use std::mem::offset_of;

use crate::core::event::Sample;

/// `SOCK_MAGIC`: "SOCK".
const MAGIC: i32 = 0x534f_434b;

/// Bytes of a datagram. chronyd drops one of another length.
pub const SIZE: usize = 40;

// Another timeval than this, and chronyd reads something else: such a target must not compile.
const _: () = assert!(size_of::<libc::timeval>() == 16 && size_of::<libc::time_t>() == 8);

macro_rules! laid_out {
    ($($field:ident: $type:ident @ $offset:literal,)*) => {
        /// Holds the layout; without a gap, so that it is sent field after field.
        #[repr(C)]
        struct SockSample {
            $($field: $type,)*
        }

        const _: () = assert!(size_of::<SockSample>() == SIZE && SIZE == 0 $(+ size_of::<$type>())*);
        $(const _: () = assert!(offset_of!(SockSample, $field) == $offset);)*

        /// Name and offset in bytes of every field, for comparison with a C compiler's.
        pub const LAYOUT: &[(&str, usize)] = &[$((stringify!($field), offset_of!(SockSample, $field)),)*];

        impl SockSample {
            fn bytes(&self) -> [u8; SIZE] {
                let mut fields = std::iter::empty()$(.chain(self.$field.to_ne_bytes()))*;
                std::array::from_fn(|_| fields.next().unwrap_or_default())
            }
        }
    };
}

laid_out! {
    tv_sec: i64 @ 0,
    tv_usec: i64 @ 8,
    offset: f64 @ 16,
    pulse: i32 @ 24,
    leap: i32 @ 28,
    pad: i32 @ 32,
    magic: i32 @ 36,
}

/// The sample as chronyd reads it: at `tv` of the system clock, UTC was ahead by `offset` seconds.
///
/// `tv` says when and the offset by how much. So the nanoseconds that `tv` has no room for must not go into the offset,
/// and nothing is lost with them: an offset measured now holds for the microsecond around it. chronyd cuts the offset
/// to whole nanoseconds, sometimes to the one below.
pub(super) fn datagram(sample: &Sample) -> [u8; SIZE] {
    let (sec, nsec) = sample.at.parts();
    SockSample {
        tv_sec: sec,
        tv_usec: i64::from(nsec / 1_000),
        offset: seconds(sample.offset().nanos()),
        pulse: 0, // its second is known: no other source is needed for it
        leap: sample.leap as i32,
        pad: 0,
        magic: MAGIC,
    }
    .bytes()
}

/// The only floating point there is, because chrony's protocol has it. A picosecond at an offset of an hour; a quarter
/// of a microsecond at one of decades, which chronyd steps away before it measures on.
#[allow(clippy::cast_precision_loss)] // as said
fn seconds(nanos: i64) -> f64 {
    nanos as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::event::Leap;
    use crate::core::time::{Instant, NANOS, Span, UtcSecond};

    fn field<const N: usize>(bytes: &[u8; SIZE], at: usize) -> [u8; N] {
        bytes[at..at + N].try_into().unwrap()
    }

    #[test]
    fn the_offset_is_utc_minus_system_time_to_the_nanosecond() {
        for (label, at, tv, offset) in [
            (100, 100 * NANOS - 1, (99, 999_999), 1e-9),
            (100, 100 * NANOS + 1, (100, 0), -1e-9),
            (100, 100 * NANOS + 1_999, (100, 1), -1.999e-6),
            (1_100, 100 * NANOS + 123_456_789, (100, 123_456), 999.876_543_211),
            (0, -1, (-1, 999_999), 1e-9),
        ] {
            let sample = Sample {
                label: UtcSecond::from_posix(label),
                at: Instant::from_nanos(at),
                error: Span::from_nanos(50),
                leap: Leap::Delete,
            };
            let bytes = datagram(&sample);
            let int = |at| i32::from_ne_bytes(field(&bytes, at));
            assert_eq!((i64::from_ne_bytes(field(&bytes, 0)), i64::from_ne_bytes(field(&bytes, 8))), tv);
            assert!((f64::from_ne_bytes(field(&bytes, 16)) - offset).abs() < 1e-12, "{label} {at}");
            assert_eq!((int(24), int(28), int(32), int(36)), (0, 2, 0, 0x534f_434b));
        }
    }
}
