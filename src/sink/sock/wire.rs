//! The datagram: `struct sock_sample` of chrony's `refclock_sock.c`, field by field.

use crate::core::event::Sample;

/// `SOCK_MAGIC`: "SOCK".
const MAGIC: i32 = 0x534f_434b;

/// Bytes of a datagram. chronyd drops one of another length.
pub const SIZE: usize = 40;

// chronyd reads another timeval than this as something else: such a target must not compile.
const _: () = assert!(size_of::<libc::timeval>() == 16 && size_of::<libc::time_t>() == 8);

/// The sample as chronyd reads it: at `tv` of the system clock, UTC was ahead by `offset` seconds.
///
/// The nanoseconds that `tv` has no room for must not go into the offset, and nothing is lost with them: an offset
/// measured now holds for the microsecond around it. chronyd truncates the offset to whole nanoseconds, sometimes to the
/// one below.
pub(super) fn datagram(sample: &Sample) -> [u8; SIZE] {
    let (sec, nsec) = sample.at.parts();
    let mut fields = (sec.to_ne_bytes().into_iter()) // tv.tv_sec
        .chain(i64::from(nsec / 1_000).to_ne_bytes()) // tv.tv_usec
        .chain(seconds(sample.offset().nanos()).to_ne_bytes()) // offset
        .chain(0_i32.to_ne_bytes()) // pulse: no, the second is known and needs no other source
        .chain((sample.leap as i32).to_ne_bytes()) // leap
        .chain(0_i32.to_ne_bytes()) // _pad
        .chain(MAGIC.to_ne_bytes()); // magic
    std::array::from_fn(|_| fields.next().unwrap_or_default())
}

/// The only floating-point number in a sample, because chrony's protocol has it. Its resolution is a picosecond at an
/// offset of an hour; a quarter of a microsecond at one of decades, which chronyd steps away before it measures on.
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
