//! How each protocol frames its messages. A frame with a correct checksum identifies its protocol. TSIP has no checksum,
//! and the one of GREIS has eight bits, after a header that text may resemble: only several frames in a row identify these
//! two.

use std::ops::RangeInclusive;

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
/// Longest TSIP packet accepted.
const TSIP_MAX: usize = 1_024;
const DLE: u8 = 0x10;
const ETX: u8 = 0x03;
/// `RD008`: two characters of id and three hexadecimal digits of length.
const GREIS_HEADER: usize = 5;
/// This many messages in a row are not a coincidence.
const ROW: u8 = 3;
/// Beginning of every gpsd message.
const GPSD: &[u8] = b"{\"class\":\"";

/// Bytes needed to determine the length of a frame.
const HEADER: usize = 4;

/// How one protocol frames its messages.
pub(super) struct Protocol {
    pub(super) foreign: Foreign,
    /// The first two bytes.
    sync: [RangeInclusive<u8>; 2],
    /// Length of the whole frame, from its first bytes; `None` if no frame begins that way.
    length: fn(&[u8]) -> Option<usize>,
    /// Whether the frame's checksum and the bytes after it are correct.
    is_right: fn(&[u8]) -> bool,
    /// How many frames in a row identify it.
    row: u8,
}

/// What has arrived of a frame, and how many frames arrived before it without another byte between them.
#[derive(Clone, Debug, Default)]
pub(super) struct Progress {
    frame: Vec<u8>,
    /// Bytes with which more can be said about the frame.
    needs: usize,
    row: u8,
    /// The byte before the frame; 0 after another frame.
    before: u8,
}

pub(super) const PROTOCOLS: [Protocol; 9] = [
    // RTCM 10403: 0xD3, six zero bits, ten bits of length, payload, CRC-24Q over everything: with the CRC itself the
    // sum is zero. Every message contains at least its number.
    Protocol {
        foreign: Foreign::Rtcm,
        sync: [0xD3..=0xD3, 0x00..=0x03],
        length: |frame| Some(number_be(frame, 1)).filter(|payload| *payload >= 2).map(|payload| payload + 6),
        is_right: |frame| crc(frame, 24, 0x86_4CFB) == 0,
        row: 1,
    },
    // Septentrio SBF (reference guides, "SBF outline"): `$@`, CRC-16 over the bytes after it, block number, length of
    // the whole block; little-endian.
    Protocol {
        foreign: Foreign::Sbf,
        sync: [b'$'..=b'$', b'@'..=b'@'],
        length: |frame| match number_le(frame, 6) {
            _ if frame.len() < 8 => Some(SBF_MIN),
            length => (length.is_multiple_of(4) && (SBF_MIN..=SBF_MAX).contains(&length)).then_some(length),
        },
        is_right: |frame| crc(frame.get(4..).unwrap_or_default(), 16, 0x1021) == number_le(frame, 2),
        row: 1,
    },
    // SiRF Binary Protocol Reference Manual (CSR, 2008): 0xA0 0xA2, length, payload, 15-bit sum of its bytes, 0xB0 0xB3;
    // big-endian.
    Protocol {
        foreign: Foreign::Sirf,
        sync: [0xA0..=0xA0, 0xA2..=0xA2],
        length: |frame| Some(number_be(frame, 2)).filter(|n| (1..=SIRF_MAX).contains(n)).map(|n| n + 8),
        is_right: |frame| {
            let (payload, end) = split(frame, 4, 4);
            let sum: usize = payload.iter().map(|&byte| usize::from(byte)).sum();
            sum & 0x7FFF == number_be(end, 0) && end.ends_with(&[0xB0, 0xB3])
        },
        row: 1,
    },
    // SkyTraq application note AN0003: 0xA0 0xA1, big-endian length, payload, exclusive or of it, line end.
    Protocol {
        foreign: Foreign::Skytraq,
        sync: [0xA0..=0xA0, 0xA1..=0xA1],
        length: |frame| Some(number_be(frame, 2)).filter(|n| (1..=SKYTRAQ_MAX).contains(n)).map(|n| n + 7),
        is_right: |frame| {
            let (payload, end) = split(frame, 4, 2);
            xor(payload) == 0 && end == b"\r\n"
        },
        row: 1,
    },
    // CASIC (Zhongke Microelectronics, multimode receiver protocol): 0xBA 0xCE, payload length, class, id, payload, sum
    // of all four-byte words from the length on; little-endian.
    Protocol {
        foreign: Foreign::Casic,
        sync: [0xBA..=0xBA, 0xCE..=0xCE],
        length: |frame| Some(number_le(frame, 2)).filter(|n| *n <= CASIC_MAX && n.is_multiple_of(4)).map(|n| n + 10),
        is_right: |frame| {
            let word = |bytes: &[u8]| bytes.iter().rev().fold(0, |word, &byte| word << 8 | u32::from(byte));
            let (words, sum) = split(frame, 2, 4);
            words.chunks(4).fold(0, |sum, bytes| word(bytes).wrapping_add(sum)) == word(sum)
        },
        row: 1,
    },
    // Motorola Oncore user's guide: `@@`, two letters, data, exclusive or of letters and data, line end. The amount of
    // data depends on the letters, so any line end may be the message's.
    Protocol {
        foreign: Foreign::Oncore,
        sync: [b'@'..=b'@', b'@'..=b'@'],
        length: |frame| {
            let (body, end) = split(frame, 2, 2);
            let is_whole = frame.len() >= ONCORE_MIN && end == b"\r\n" && xor(body) == 0;
            let is_possible = frame.iter().skip(2).take(2).all(u8::is_ascii_alphabetic);
            let length = frame.len() + usize::from(!is_whole);
            (is_possible && frame.len() < ONCORE_MAX).then_some(length)
        },
        is_right: |_| true,
        row: 1,
    },
    // gpsd_json(5): every message begins with its class.
    Protocol {
        foreign: Foreign::Gpsd,
        sync: [b'{'..=b'{', b'"'..=b'"'],
        length: |frame| GPSD.starts_with(frame).then_some(GPSD.len()),
        is_right: |_| true,
        row: 1,
    },
    // Trimble TSIP (ICD of Resolution SMT and ThunderBolt): DLE, id, data with each DLE doubled, DLE ETX. Garmin's binary
    // protocol has the same framing, with a length and a checksum inside: it is excluded.
    Protocol {
        foreign: Foreign::Tsip,
        sync: [DLE..=DLE, 0x40..=0xD9],
        length: |frame| {
            let (body, last) = split(frame, 2, 1);
            let is_escaped = body.iter().rev().take_while(|byte| **byte == DLE).count() % 2 == 1;
            match (is_escaped, last) {
                (true, [ETX]) => Some(frame.len()),
                (true, [DLE]) | (false, _) if frame.len() < TSIP_MAX => Some(frame.len() + 1),
                _ => None,
            }
        },
        is_right: |frame| {
            let (stuffed, _) = split(frame, 1, 2);
            let mut is_escape = false;
            let doubled = |byte: &&u8| {
                is_escape = **byte == DLE && !is_escape;
                !is_escape
            };
            let packet: Vec<u8> = stuffed.iter().filter(doubled).copied().collect();
            let sum = packet.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
            packet.get(1).is_some_and(|length| usize::from(*length) + 3 != packet.len() || sum != 0)
        },
        row: ROW,
    },
    // GREIS of Javad and Topcon (reference guide, "Message structure" and appendix "Checksums"): id, length, that many
    // bytes, the last of them the checksum.
    Protocol {
        foreign: Foreign::Greis,
        sync: [b'0'..=b'~', b'0'..=b'~'],
        length: |frame| {
            let digits = frame.get(2..frame.len().min(GREIS_HEADER)).unwrap_or_default();
            let is_hex = |byte: &u8| matches!(byte, b'0'..=b'9' | b'A'..=b'F');
            let length = digits
                .iter()
                .filter(|byte| is_hex(byte))
                .try_fold(0, |length, digit| Some(length << 4 | char::from(*digit).to_digit(16)? as usize));
            match length.filter(|_| digits.iter().all(is_hex))? {
                _ if frame.len() < GREIS_HEADER => Some(GREIS_HEADER + 1),
                0 => None,
                length => Some(GREIS_HEADER + length),
            }
        },
        is_right: |frame| {
            let (message, sum) = split(frame, 0, 1);
            sum == [message.iter().fold(0, |sum: u8, byte| sum.rotate_left(2) ^ byte).rotate_left(2)]
        },
        row: ROW,
    },
];

impl Protocol {
    /// Takes bytes; calls `found` for each frame that identifies the protocol. After the header of an invalid frame, bytes are
    /// lost up to the one that shows that it is invalid.
    pub(super) fn push(&self, progress: &mut Progress, bytes: &[u8], found: &mut impl FnMut(Foreign)) {
        let (Progress { frame, needs, row, before }, [first, second]) = (progress, &self.sync);
        if frame.is_empty() && first.start() == first.end() && !bytes.contains(first.start()) {
            (*row, *before) = (0, 0); // nearly always, and much faster
            return;
        }
        let mut rest = bytes;
        while !rest.is_empty() {
            if frame.is_empty() {
                // In a run of bytes that may each begin a frame, only the first one does.
                let mut last = *before;
                let begins = |byte: &u8| !first.contains(&std::mem::replace(&mut last, *byte)) && first.contains(byte);
                let (skipped, after) = rest.split_at(rest.iter().position(begins).unwrap_or(rest.len()));
                *before = last;
                // Line ends may separate the messages of GREIS.
                *row = if skipped.iter().all(|byte| matches!(byte, b'\r' | b'\n')) { *row } else { 0 };
                (rest, *needs) = (after, 2);
            }
            let (taken, after) = rest.split_at(rest.len().min(needs.saturating_sub(frame.len())));
            frame.extend(taken);
            rest = after;
            if frame.len() < *needs {
                return;
            }
            let length = match frame.as_slice() {
                [_, other] => second.contains(other).then_some(HEADER),
                _ => (self.length)(frame),
            };
            match length {
                Some(length) if length > frame.len() => {
                    *needs = length;
                    continue;
                }
                Some(_) if (self.is_right)(frame) => (*row, *before) = (self.row.min(*row + 1), 0),
                _ => (*row, *before) = (0, frame.last().copied().unwrap_or_default()),
            }
            // The second byte may be the first of a frame itself.
            let again = frame.len() == 2 && first.contains(before);
            frame.drain(..frame.len() - usize::from(again));
            if *row == self.row {
                found(self.foreign);
            }
        }
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

/// A cyclic redundancy check of so many bits that starts from zero.
fn crc(bytes: &[u8], bits: u32, polynomial: usize) -> usize {
    let step = |sum: usize| if sum >> (bits - 1) == 0 { sum << 1 } else { (sum << 1 ^ polynomial) & ((1 << bits) - 1) };
    bytes.iter().fold(0, |sum, &byte| (0..8).fold(sum ^ usize::from(byte) << (bits - 8), |sum, _| step(sum)))
}
