//! Protocols whose frames begin with two fixed bytes: a single frame with a correct checksum identifies the protocol.

use super::Foreign;

/// Longest SBF block accepted; receivers send shorter ones.
const SBF_MAX: usize = 8_192;
/// The shortest: header, time, and padding to a multiple of four.
const SBF_MIN: usize = 16;
/// Payloads: SiRF's manual allows 1,023 bytes; SkyTraq's and CASIC's messages are shorter than these limits.
const SIRF_MAX: usize = 1_023;
const SKYTRAQ_MAX: usize = 1_024;
const CASIC_MAX: usize = 2_048;
/// Motorola's longest message has 294 bytes, except for almanac status.
const ONCORE_MAX: usize = 320;
/// `@@`, two letters, checksum, line end.
const ONCORE_MIN: usize = 7;
/// Beginning of every gpsd message.
const GPSD: &[u8] = b"{\"class\":\"";

/// Bytes needed to determine the length of a frame.
const HEADER: usize = 4;

/// How one protocol frames its messages.
pub(super) struct Protocol {
    pub(super) foreign: Foreign,
    /// The first two bytes.
    sync: [u8; 2],
    /// Length of the whole frame, from its first bytes; `None` if no frame begins that way.
    length: fn(&[u8]) -> Option<usize>,
    /// Whether the frame's checksum and the bytes after it are correct.
    is_right: fn(&[u8]) -> bool,
}

pub(super) const PROTOCOLS: [Protocol; 7] = [
    // RTCM 10403: 0xD3, six zero bits, ten bits of length, payload, CRC-24Q over everything: with the CRC itself the
    // sum is zero. Every message contains at least its number.
    Protocol {
        foreign: Foreign::Rtcm,
        sync: [0xD3, 0x00],
        length: |frame| Some(number_be(frame, 1)).filter(|payload| *payload >= 2).map(|payload| payload + 6),
        is_right: |frame| crc_24q(frame) == 0,
    },
    // Septentrio SBF (reference guides, "SBF outline"): `$@`, CRC-16 over the bytes after it, block number, length of
    // the whole block; little-endian.
    Protocol {
        foreign: Foreign::Sbf,
        sync: *b"$@",
        length: |frame| match number_le(frame, 6) {
            _ if frame.len() < 8 => Some(SBF_MIN),
            length => (length.is_multiple_of(4) && (SBF_MIN..=SBF_MAX).contains(&length)).then_some(length),
        },
        is_right: |frame| usize::from(crc_16(frame.get(4..).unwrap_or_default())) == number_le(frame, 2),
    },
    // SiRF Binary Protocol Reference Manual (CSR, 2008): 0xA0 0xA2, length, payload, 15-bit sum of its bytes, 0xB0 0xB3;
    // big-endian.
    Protocol {
        foreign: Foreign::Sirf,
        sync: [0xA0, 0xA2],
        length: |frame| Some(number_be(frame, 2)).filter(|n| (1..=SIRF_MAX).contains(n)).map(|n| n + 8),
        is_right: |frame| {
            let (payload, end) = split(frame, 4, 4);
            let sum: usize = payload.iter().map(|&byte| usize::from(byte)).sum();
            sum & 0x7FFF == number_be(end, 0) && end.ends_with(&[0xB0, 0xB3])
        },
    },
    // SkyTraq application note AN0003: 0xA0 0xA1, big-endian length, payload, exclusive or of it, line end.
    Protocol {
        foreign: Foreign::Skytraq,
        sync: [0xA0, 0xA1],
        length: |frame| Some(number_be(frame, 2)).filter(|n| (1..=SKYTRAQ_MAX).contains(n)).map(|n| n + 7),
        is_right: |frame| {
            let (payload, end) = split(frame, 4, 2);
            xor(payload) == 0 && end == b"\r\n"
        },
    },
    // CASIC (Zhongke Microelectronics, multimode receiver protocol): 0xBA 0xCE, payload length, class, id, payload, sum
    // of all four-byte words from the length on; little-endian.
    Protocol {
        foreign: Foreign::Casic,
        sync: [0xBA, 0xCE],
        length: |frame| Some(number_le(frame, 2)).filter(|n| *n <= CASIC_MAX && n.is_multiple_of(4)).map(|n| n + 10),
        is_right: |frame| {
            let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
            let (words, sum) = split(frame, 2, 4);
            words.chunks(4).fold(0, |sum, bytes| word(bytes).wrapping_add(sum)) == word(sum)
        },
    },
    // Motorola Oncore user's guide: `@@`, two letters, data, exclusive or of letters and data, line end. The amount of
    // data depends on the letters, so any line end may be the message's.
    Protocol {
        foreign: Foreign::Oncore,
        sync: *b"@@",
        length: |frame| {
            let (body, end) = split(frame, 2, 2);
            let is_whole = frame.len() >= ONCORE_MIN && end == b"\r\n" && xor(body) == 0;
            let is_possible = frame.iter().skip(2).take(2).all(u8::is_ascii_alphabetic);
            let length = if is_whole { frame.len() } else { ONCORE_MAX };
            (is_possible && frame.len() < ONCORE_MAX).then_some(length)
        },
        is_right: |_| true,
    },
    // gpsd_json(5): every message begins with its class.
    Protocol {
        foreign: Foreign::Gpsd,
        sync: *b"{\"",
        length: |frame| GPSD.starts_with(frame).then_some(GPSD.len()),
        is_right: |_| true,
    },
];

impl Protocol {
    /// Adds a byte to the frame so far; returns whether it completes a frame with a correct checksum. No byte is
    /// examined twice: after the header of an invalid frame, bytes are lost up to the one that shows that it is
    /// invalid.
    pub(super) fn take(&self, frame: &mut Vec<u8>, byte: u8) -> bool {
        let [first, second] = self.sync;
        match frame.len() {
            0 if byte != first => return false, // most bytes are not part of a frame
            // RTCM's second byte contains the highest bits of the length.
            1 if byte != second && (self.foreign != Foreign::Rtcm || byte > 0b11) => {
                frame.truncate(usize::from(byte == first));
                return false;
            }
            _ => frame.push(byte),
        }
        let length = if frame.len() < HEADER { Some(HEADER) } else { (self.length)(frame) };
        let is_whole = length == Some(frame.len()) && frame.len() > HEADER;
        let is_found = is_whole && (self.is_right)(frame);
        if is_whole || length.is_none() {
            frame.clear();
        }
        is_found
    }
}

/// Drops the first bytes and splits before the last ones.
fn split(frame: &[u8], first: usize, last: usize) -> (&[u8], &[u8]) {
    let body = frame.get(first..).unwrap_or_default();
    body.split_at_checked(body.len().saturating_sub(last)).unwrap_or_default()
}

/// The two bytes at `at`, little-endian.
fn number_le(frame: &[u8], at: usize) -> usize {
    frame.get(at..).and_then(<[u8]>::first_chunk).map_or(0, |&bytes| usize::from(u16::from_le_bytes(bytes)))
}

/// The two bytes at `at`, big-endian.
fn number_be(frame: &[u8], at: usize) -> usize {
    usize::from((number_le(frame, at) as u16).swap_bytes())
}

fn xor(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum ^ byte)
}

/// Qualcomm's CRC-24Q.
fn crc_24q(bytes: &[u8]) -> u32 {
    let step = |sum: u32| if sum & 0x80_0000 == 0 { sum << 1 } else { sum << 1 ^ 0x186_4CFB };
    bytes.iter().fold(0, |sum, &byte| (0..8).fold(sum ^ u32::from(byte) << 16, |sum, _| step(sum)))
}

/// CCITT's CRC-16, starting from zero.
fn crc_16(bytes: &[u8]) -> u16 {
    let step = |sum: u16| if sum & 0x8000 == 0 { sum << 1 } else { sum << 1 ^ 0x1021 };
    bytes.iter().fold(0, |sum, &byte| (0..8).fold(sum ^ u16::from(byte) << 8, |sum, _| step(sum)))
}
