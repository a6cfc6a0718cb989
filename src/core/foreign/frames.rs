//! Protocols whose frames have a header of two bytes and a checksum: one right frame gives the protocol its name.

use super::Foreign;

/// Longest SBF block that is believed; what receivers send is shorter.
const SBF_MAX: usize = 8_192;
/// The shortest: header, time, and padding to a multiple of four.
const SBF_MIN: usize = 16;
/// Payloads: SiRF's manual allows 1,023 bytes; SkyTraq's and CASIC's messages are shorter than these.
const SIRF_MAX: usize = 1_023;
const SKYTRAQ_MAX: usize = 1_024;
const CASIC_MAX: usize = 2_048;
/// Motorola's longest message, the almanac's status aside, has 294 bytes.
const ONCORE_MAX: usize = 320;
/// `@@`, two letters, checksum, line end.
const ONCORE_MIN: usize = 7;

/// The frame of one protocol, as far as it has come.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Frame {
    /// Bytes so far.
    have: usize,
    /// As the frame's length field counts.
    length: usize,
    /// The checksum in the frame, as far as it has come.
    said: u32,
    /// The checksum of the bytes so far.
    sum: u32,
}

/// What a protocol's reader does with a byte: whether a right frame ends with it.
type Take = fn(&mut Frame, u8) -> bool;

/// Each protocol, the first byte of its header, and how its frames are read.
pub(super) const PROTOCOLS: [(Foreign, u8, Take); 6] = [
    (Foreign::Rtcm, 0xD3, Frame::rtcm),
    (Foreign::Sbf, b'$', Frame::sbf),
    (Foreign::Sirf, 0xA0, Frame::sirf),
    (Foreign::Skytraq, 0xA0, Frame::skytraq),
    (Foreign::Casic, 0xBA, Frame::casic),
    (Foreign::Oncore, b'@', Frame::oncore),
];

impl Frame {
    /// Whether this byte is of a frame, or begins one: most are not, and are not looked at.
    pub(super) fn wants(&self, byte: u8, first: u8) -> bool {
        self.have > 0 || byte == first
    }

    /// RTCM 10403: 0xD3, six bits of zero, ten of length, so many bytes, and a CRC-24Q over all of it: with the CRC's own
    /// bytes the sum is zero.
    fn rtcm(&mut self, byte: u8) -> bool {
        self.header([0xD3, 0x00], 0xFC, byte);
        self.sum = crc_24q(if self.have <= 1 { 0 } else { self.sum }, byte);
        match self.have {
            0 | 1 => false,
            2 | 3 => {
                self.length = self.length << 8 | usize::from(byte);
                // A message has its number, at least.
                self.have == 3 && self.length < 2 && self.end(false)
            }
            have => have == self.length + 6 && self.end(self.sum == 0),
        }
    }

    /// Septentrio's SBF (reference guides, "SBF outline"): `$@`, CRC-16 over what follows it, block number, length of the
    /// whole block; low bytes first.
    fn sbf(&mut self, byte: u8) -> bool {
        let Some(place) = self.header(*b"$@", 0xFF, byte) else { return false };
        match place {
            2 | 3 => self.said = u32::from(byte) << 8 | self.said >> 8,
            _ => self.sum = u32::from(crc_16(self.sum as u16, byte)),
        }
        if matches!(place, 6 | 7) {
            self.length = usize::from(byte) << 8 | self.length >> 8;
        }
        let is_wrong = !self.length.is_multiple_of(4) || !(SBF_MIN..=SBF_MAX).contains(&self.length);
        match self.have {
            0..8 => false,
            8 if is_wrong => self.end(false),
            have => have == self.length && self.end(self.sum == self.said),
        }
    }

    /// SiRF Binary Protocol Reference Manual (CSR, 2008): 0xA0 0xA2, length, payload, sum of its bytes in 15 bits, 0xB0
    /// 0xB3; high bytes first.
    fn sirf(&mut self, byte: u8) -> bool {
        let Some(place) = self.header([0xA0, 0xA2], 0xFF, byte) else { return false };
        if place < 4 {
            return self.long_header(byte, SIRF_MAX);
        }
        match (place - 4).checked_sub(self.length) {
            None => self.sum = (self.sum + u32::from(byte)) & 0x7FFF,
            Some(0 | 1) => self.said = self.said << 8 | u32::from(byte),
            Some(2) if byte != 0xB0 || self.said != self.sum => return self.end(false),
            Some(2) => {}
            Some(_) => return self.end(byte == 0xB3),
        }
        false
    }

    /// SkyTraq application note AN0003: 0xA0 0xA1, length with its high byte first, payload, exclusive or of it, line end.
    fn skytraq(&mut self, byte: u8) -> bool {
        let Some(place) = self.header([0xA0, 0xA1], 0xFF, byte) else { return false };
        if place < 4 {
            return self.long_header(byte, SKYTRAQ_MAX);
        }
        match (place - 4).checked_sub(self.length) {
            None => self.sum ^= u32::from(byte),
            Some(0) => self.said = u32::from(byte),
            Some(1) if byte != b'\r' || self.said != self.sum => return self.end(false),
            Some(1) => {}
            Some(_) => return self.end(byte == b'\n'),
        }
        false
    }

    /// CASIC (Zhongke Microelectronics, multimode receiver protocol): 0xBA 0xCE, length of the payload, class, id,
    /// payload, sum of all words of four bytes after 0xCE; low bytes first.
    fn casic(&mut self, byte: u8) -> bool {
        let Some(place) = self.header([0xBA, 0xCE], 0xFF, byte) else { return false };
        // The words begin behind the header, so that the length is the first word's lower half.
        let in_word = u32::from(byte) << (8 * ((place - 2) % 4));
        match place.checked_sub(self.length + 6) {
            None => self.sum = self.sum.wrapping_add(in_word),
            Some(_) => self.said |= in_word,
        }
        match place {
            2 => self.length = usize::from(byte),
            3 => {
                self.length |= usize::from(byte) << 8;
                return (self.length > CASIC_MAX || !self.length.is_multiple_of(4)) && self.end(false);
            }
            _ => {}
        }
        self.have == self.length + 10 && self.end(self.said == self.sum)
    }

    /// Motorola Oncore user's guide: `@@`, two letters, data, exclusive or of letters and data, line end. How many data
    /// there are depends on the letters: each line end may be the message's.
    fn oncore(&mut self, byte: u8) -> bool {
        let Some(place) = self.header(*b"@@", 0xFF, byte) else { return false };
        if matches!(place, 2 | 3) && !byte.is_ascii_alphabetic() {
            return self.end(false);
        }
        self.sum ^= u32::from(byte);
        // With the checksum, letters and data give zero.
        let is_line_end = self.said == u32::from(b'\r') && byte == b'\n';
        let is_right = is_line_end && self.have >= ONCORE_MIN && self.sum == u32::from(b'\r' ^ b'\n');
        self.said = u32::from(byte);
        (is_right || self.have >= ONCORE_MAX) && self.end(is_right)
    }

    /// The place of the byte in its frame; `None` in the two bytes of the header and outside of a frame. Bits of the
    /// second byte that `mask` leaves out may be any.
    fn header(&mut self, [first, second]: [u8; 2], mask: u8, byte: u8) -> Option<usize> {
        let place = self.have;
        if place > 1 || place == 0 && byte == first || place == 1 && byte & mask == second {
            self.have += 1;
            return (place > 1).then_some(place);
        }
        *self = Self { have: usize::from(byte == first), ..Self::default() };
        None
    }

    /// The two bytes of a length, the higher first; no frame ends here.
    fn long_header(&mut self, byte: u8, longest: usize) -> bool {
        self.length = self.length << 8 | usize::from(byte);
        self.have == 4 && !(1..=longest).contains(&self.length) && self.end(false)
    }

    fn end(&mut self, is_right: bool) -> bool {
        *self = Self::default();
        is_right
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
