//! What comes that is no sentence: the one place where it gets its name. A name is given for what noise cannot look
//! like: a whole frame with a right checksum, or words. The header of a frame alone is none: any noise has its two
//! bytes.
//!
//! This is a small table of what users meet, and no catalogue. The frames of u-blox are cut out by
//! [`crate::nmea::Framer`], for they are read; of the others it is only asked whether they come. What a `Recogniser`
//! may miss is a frame that begins within what looked like another one: those that come again are found.

use crate::event::Reason;

/// The longest SBF block that is believed; what receivers send is shorter.
const SBF_MAX: u16 = 8_192;
/// The shortest: header, time stamp, and what fills it up to a multiple of four.
const SBF_MIN: u16 = 16;
/// How each of gpsd's own messages begins.
const GPSD: &[u8] = b"{\"class\":\"";

/// What is known of bytes that are no sentences, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// A frame of u-blox's binary protocol.
    Ubx,
    /// A block of Septentrio's.
    Sbf,
    /// A frame of RTCM 3, corrections for other receivers.
    Rtcm,
    /// gpsd's own protocol.
    Gpsd,
    /// A sentence, but for its checksum.
    Damaged,
}

impl Foreign {
    /// Why there are no samples where nothing else comes.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Ubx => Reason::BinaryProtocol,
            Self::Sbf => Reason::SbfProtocol,
            Self::Rtcm => Reason::RtcmOnly,
            Self::Gpsd => Reason::GpsdProtocol,
            Self::Damaged => Reason::WrongChecksum,
        }
    }
}

/// Whether a line whose checksum is missing or wrong is a sentence in all else: `$`, an address, a comma.
pub fn reads_like_a_sentence(line: &str) -> bool {
    let address = line.strip_prefix('$').and_then(|rest| rest.split_once(',')).map_or("", |(address, _)| address);
    (4..=8).contains(&address.len()) && address.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Recognises frames in a stream of bytes. It keeps none of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recogniser {
    open: Open,
    /// How many bytes of [`GPSD`] have come.
    greeting: usize,
}

/// What has begun.
#[derive(Clone, Copy, Debug, Default)]
enum Open {
    #[default]
    Nothing,
    /// RTCM 10403: 0xD3, six bits of zero, ten of length, so many bytes, and a CRC-24Q over all of it. `sum` is that of
    /// the bytes so far: it is zero after the CRC's own.
    Rtcm { have: u16, length: u16, sum: u32 },
    /// Septentrio's SBF: `$@`, CRC-16 over what follows it, block number, length of all of it; low bytes first.
    Sbf { have: u16, length: u16, said: u16, sum: u16 },
}

impl Recogniser {
    /// Takes a byte; what it completes.
    pub fn take(&mut self, byte: u8) -> Option<Foreign> {
        let is_next = |at: usize| GPSD.get(at) == Some(&byte);
        self.greeting = if is_next(self.greeting) { self.greeting + 1 } else { usize::from(is_next(0)) };
        if self.greeting == GPSD.len() {
            (self.greeting, self.open) = (0, Open::Nothing);
            return Some(Foreign::Gpsd);
        }
        let (open, found) = self.open.and(byte);
        self.open = open;
        found
    }
}

impl Open {
    /// What is open after this byte, and what it completed.
    fn and(self, byte: u8) -> (Self, Option<Foreign>) {
        match self {
            Self::Nothing => (Self::begun(byte), None),
            Self::Rtcm { have: 1, .. } if byte & 0xFC != 0 => (Self::begun(byte), None),
            Self::Rtcm { have, length, sum } => {
                let length = if have < 3 { length << 8 | u16::from(byte) } else { length };
                let (have, sum) = (have + 1, crc_24q(sum, byte));
                match () {
                    // A message has its number, at least.
                    () if have == 3 && length < 2 => (Self::Nothing, None),
                    () if have < 3 || have < length + 6 => (Self::Rtcm { have, length, sum }, None),
                    () => (Self::Nothing, (sum == 0).then_some(Foreign::Rtcm)),
                }
            }
            Self::Sbf { have: 1, .. } if byte != b'@' => (Self::begun(byte), None),
            Self::Sbf { have, length, said, sum } => {
                let high = u16::from(byte) << 8;
                let said = if matches!(have, 2 | 3) { high | said >> 8 } else { said };
                let length = if matches!(have, 6 | 7) { high | length >> 8 } else { length };
                let sum = if have < 4 { sum } else { crc_16(sum, byte) };
                let have = have + 1;
                let is_wrong = !length.is_multiple_of(4) || !(SBF_MIN..=SBF_MAX).contains(&length);
                match () {
                    () if have == 8 && is_wrong => (Self::Nothing, None),
                    () if have < 8 || have < length => (Self::Sbf { have, length, said, sum }, None),
                    () => (Self::Nothing, (sum == said).then_some(Foreign::Sbf)),
                }
            }
        }
    }

    fn begun(byte: u8) -> Self {
        match byte {
            0xD3 => Self::Rtcm { have: 1, length: 0, sum: crc_24q(0, byte) },
            b'$' => Self::Sbf { have: 1, length: 0, said: 0, sum: 0 },
            _ => Self::Nothing,
        }
    }
}

/// CRC-24Q of Qualcomm, one byte further.
fn crc_24q(sum: u32, byte: u8) -> u32 {
    (0..8)
        .fold(sum ^ u32::from(byte) << 16, |sum, _| if sum & 0x80_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x186_4CFB })
}

/// CRC-16 of CCITT, beginning with zero, one byte further.
fn crc_16(sum: u16, byte: u8) -> u16 {
    (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Message 1005 as RTCM 10403 prints it for an example; pyrtcm 1.2.1 reads it.
    const RTCM: &[u8] =
        b"\xD3\x00\x13\x3E\xD7\xD3\x02\x02\x98\x0E\xDE\xEF\x34\xB4\xBD\x62\xAC\x09\x41\x98\x6F\x33\x36\x0B\x98";
    /// `pysbf2` 1.0.7: SBFMessage("ReceiverTime", TOW=1000, WNc=2400, UTCYear=26, UTCMonth=11, UTCDay=20, UTCHour=12,
    /// DeltaLS=18, SyncLevel=7).
    const SBF: &[u8] =
        b"\x24\x40\xE6\x49\x1A\x17\x18\x00\xE8\x03\x00\x00\x60\x09\x1A\x0B\x14\x0C\x00\x00\x12\x07\x01\x02";
    /// What gpsd 3.22 says to who connects.
    const VERSION: &[u8] =
        b"{\"class\":\"VERSION\",\"release\":\"3.22\",\"rev\":\"3.22\",\"proto_major\":3,\"proto_minor\":14}\r\n";

    fn found(bytes: &[u8]) -> Vec<Foreign> {
        let mut recogniser = Recogniser::default();
        bytes.iter().filter_map(|&byte| recogniser.take(byte)).collect()
    }

    #[test]
    fn whole_frames_are_recognised_wherever_they_lie() {
        for (frame, foreign) in [(RTCM, Foreign::Rtcm), (SBF, Foreign::Sbf), (VERSION, Foreign::Gpsd)] {
            for before in [&b""[..], b"\r\n", b"$", b"\xD3", b"\xD3\x00", b"$@\0\0", b"{", b"$GPGSV,1,1,00*79\r\n"] {
                // What looked like a frame may take some of them with it.
                let found = found(&[before, &frame.repeat(60)].concat());
                assert!(found.len() >= 2 && found.iter().all(|it| *it == foreign), "{before:?} {found:?}");
            }
        }
        assert_eq!(
            found(&[RTCM, SBF, VERSION, RTCM].concat()),
            [Foreign::Rtcm, Foreign::Sbf, Foreign::Gpsd, Foreign::Rtcm]
        );
    }

    #[test]
    fn a_frame_with_a_wrong_bit_is_none() {
        for frame in [RTCM, SBF] {
            for bit in 0..frame.len() * 8 {
                let mut bytes = frame.to_vec();
                bytes[bit / 8] ^= 1 << (bit % 8);
                assert_eq!(found(&bytes), [], "bit {bit}");
            }
        }
    }

    #[test]
    fn headers_in_noise_are_no_frames() {
        let mut noise = 1_u32;
        let mut bytes = || {
            noise = noise.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (noise >> 24) as u8
        };
        for header in [&b"\xD3\x00"[..], b"\xD3\x00\x13\x3E\xD7", b"$@", b"\xB5\x62", b"{\"cl"] {
            let noise: Vec<u8> =
                (0..2_000).flat_map(|_| header.iter().copied().chain([(); 40].map(|()| bytes()))).collect();
            assert_eq!(found(&noise), [], "{header:?}");
        }
    }

    #[test]
    fn a_line_reads_like_a_sentence_by_its_address() {
        for line in ["$GPRMC,120000*00", "$PUBX,00,1", "$GNGGA,,,", "$PMTK011,x"] {
            assert!(reads_like_a_sentence(line), "{line}");
        }
        for line in ["$", "$GPRMC", "$x,", "$ab,cd*00", "$GP RMC,", "GPRMC,1", "$@GPRMC,"] {
            assert!(!reads_like_a_sentence(line), "{line}");
        }
    }
}
