use super::*;
use crate::core::event::Bytes;
use crate::core::nmea::Framer;
use crate::core::time::{Instant, Span};

/// Message 1005 as RTCM 10403 prints it for an example; pyrtcm 1.2.1 reads it.
const RTCM: &[u8] =
    b"\xD3\x00\x13\x3E\xD7\xD3\x02\x02\x98\x0E\xDE\xEF\x34\xB4\xBD\x62\xAC\x09\x41\x98\x6F\x33\x36\x0B\x98";
/// `pysbf2` 1.0.7: SBFMessage("ReceiverTime", TOW=1000, WNc=2400, UTCYear=26, UTCMonth=11, UTCDay=20, UTCHour=12,
/// DeltaLS=18, SyncLevel=7).
const SBF: &[u8] = b"\x24\x40\xE6\x49\x1A\x17\x18\x00\xE8\x03\x00\x00\x60\x09\x1A\x0B\x14\x0C\x00\x00\x12\x07\x01\x02";
/// What gpsd 3.22 says to who connects.
const VERSION: &[u8] =
    b"{\"class\":\"VERSION\",\"release\":\"3.22\",\"rev\":\"3.22\",\"proto_major\":3,\"proto_minor\":14}\r\n";

/// Poll of the software version, from SiRF's manual.
const SIRF: &[u8] = b"\xA0\xA2\x00\x02\x84\x00\x00\x84\xB0\xB3";
/// Query of the software version, from SkyTraq's AN0003.
const SKYTRAQ: &[u8] = b"\xA0\xA1\x00\x02\x02\x01\x03\x0D\x0A";
/// "Set to defaults" of Motorola's user's guide.
const ONCORE: &[u8] = b"@@Cf%\r\n";

/// Class 1, id 3, two words; the sum in whole words, as the protocol describes it.
fn casic() -> Vec<u8> {
    let words = [0x0301_0008_u32, 0x1122_3344, 0xF102_0304];
    let sum = words.iter().fold(0_u32, |sum, word| sum.wrapping_add(*word));
    let bytes = words.iter().chain([&sum]).flat_map(|word| word.to_le_bytes());
    [0xBA, 0xCE].into_iter().chain(bytes).collect()
}

fn oncore(letters_and_data: &[u8]) -> Vec<u8> {
    let sum = letters_and_data.iter().fold(0, |sum, byte| sum ^ byte);
    [b"@@", letters_and_data, &[sum], b"\r\n"].concat()
}

fn tsip(id: u8, data: &[u8]) -> Vec<u8> {
    let stuffed = data.iter().flat_map(|&byte| std::iter::repeat_n(byte, if byte == 0x10 { 2 } else { 1 }));
    [0x10, id].into_iter().chain(stuffed).chain([0x10, 0x03]).collect()
}

fn greis(id: &str, data: &[u8]) -> Vec<u8> {
    let mut message = [format!("{id}{:03X}", data.len() + 1).as_bytes(), data].concat();
    let turn = |sum: u32| (sum << 2 | sum >> 6) & 0xFF;
    let sum = turn(message.iter().fold(0, |sum, &byte| turn(sum) ^ u32::from(byte)));
    message.push(sum as u8);
    message
}

/// Of each protocol something that has to be recognized, the checksums right.
fn samples() -> Vec<(Vec<u8>, Foreign)> {
    let greis = [greis("~~", &[0xFC, 0x1A, 0xC5, 0]), greis("RD", b"\x07\xE0\r\n$GP"), greis("SI", &[7; 40])].concat();
    let tsip = [tsip(0x4B, &[0x5A, 0, 1]), tsip(0x8F, &[0xAB, 0x10, 3, 0x10, 0x10]), tsip(0x41, &[1; 10])].concat();
    vec![
        (RTCM.to_vec(), Foreign::Rtcm),
        (SBF.to_vec(), Foreign::Sbf),
        (VERSION.to_vec(), Foreign::Gpsd),
        (SIRF.to_vec(), Foreign::Sirf),
        (SKYTRAQ.to_vec(), Foreign::Skytraq),
        (casic(), Foreign::Casic),
        (ONCORE.to_vec(), Foreign::Oncore),
        (oncore(b"Ea\x08\x19\r\n@@Ha\r\n\x07"), Foreign::Oncore),
        (tsip, Foreign::Tsip),
        (greis, Foreign::Greis),
    ]
}

fn found(bytes: &[u8]) -> Vec<Foreign> {
    let mut recognizer = Recognizer::default();
    let mut found = Vec::new();
    // However the bytes are cut into reads.
    bytes.chunks(7).for_each(|read| recognizer.push(read, |foreign| found.push(foreign)));
    found
}

#[test]
fn whole_frames_are_recognized_wherever_they_lie() {
    for (frame, foreign) in samples() {
        for before in [
            &b""[..],
            b"\r\n",
            b"$",
            b"\xD3",
            b"\xD3\x00",
            b"$@\0\0",
            b"{",
            b"$GPGSV,1,1,00*79\r\n",
            b"\xA0",
            b"\xA0\xA0",
            b"\xA0\xA2\x00\x09",
            b"\xBA\xBA",
            b"@@@",
            b"@@A",
            b"\x10",
            b"\x10\x41\x10",
            b"RD00",
            b"AB",
        ] {
            // What looked like a frame may take some of them with it.
            let found = found(&[before, &frame.repeat(60)].concat());
            assert!(found.len() >= 2 && found.iter().all(|it| *it == foreign), "{foreign:?} {before:?} {found:?}");
        }
    }
    let one_of_each: Vec<_> = samples().into_iter().collect();
    let bytes: Vec<u8> = one_of_each.iter().flat_map(|(bytes, _)| bytes.clone()).collect();
    assert_eq!(found(&bytes), one_of_each.iter().map(|(_, foreign)| *foreign).collect::<Vec<_>>());
}

#[test]
fn a_row_is_three_messages_and_nothing_between_them() {
    let packets = [tsip(0x4B, &[1, 2, 3]), tsip(0x83, &[0x10; 36])];
    let messages = [greis("~~", &[1, 2, 3, 4]), greis("RD", &[5; 6])];
    for (foreign, [one, two]) in [(Foreign::Tsip, packets), (Foreign::Greis, messages)] {
        let row = |parts: &[&[u8]]| found(&parts.concat()).len();
        assert_eq!(row(&[&one, &two]), 0, "{foreign:?}");
        assert_eq!(found(&[one.as_slice(), &two, &one, &two].concat()), [foreign; 2]);
        assert_eq!(row(&[&one, &two, b"abcdef\x01", &one, &two]), 0, "{foreign:?}");
    }
    let [one, two] = [greis("~~", &[1, 2, 3, 4]), greis("RD", &[5; 6])];
    assert_eq!(found(&[&one, &b"\r\n"[..], &two, b"\n", &one].concat()), [Foreign::Greis]);
}

#[test]
fn garmins_packets_are_framed_like_trimbles_and_are_none() {
    let packet = |id: u8, data: &[u8]| {
        let length = data.len() as u8;
        let sum = data.iter().fold(id.wrapping_add(length), |sum, byte| sum.wrapping_add(*byte));
        tsip(id, &[&[length], data, &[sum.wrapping_neg()]].concat())
    };
    let row: Vec<u8> = (0..20).flat_map(|n| packet(0x72, &[n; 16])).collect();
    assert_eq!(found(&row), []);
}

/// Whatever the frames look like, a sentence between two of them is read.
#[test]
fn sentences_among_frames_are_read() {
    let sentence = b"$GPRMC,120000,A,1,N,2,E,0,0,201126,,,A*66\r\n";
    let checked = sentence[1..sentence.len() - 5].iter().fold(0, |sum, byte| sum ^ byte);
    let sentence = [&sentence[..sentence.len() - 4], format!("{checked:02X}\r\n").as_bytes()].concat();
    for (frame, foreign) in samples() {
        let mixed = [frame.as_slice(), &sentence].concat().repeat(20);
        for size in [1, 7, mixed.len()] {
            let (mut framer, mut sentences) = (Framer::default(), 0);
            for (at, piece) in (1..).zip(mixed.chunks(size)) {
                let read_at = Instant::from_nanos(at * 1_000_000);
                let bytes = Bytes { read_at, byte_time: Span::ZERO, data: piece.into() };
                framer.push(&bytes, |_| sentences += 1);
            }
            assert_eq!(sentences, 20, "{foreign:?}");

            // Digits of a sentence may look like a header of GREIS, and hide what follows for its length.
            let least = if foreign == Foreign::Greis { 1 } else { 20 };
            assert!((least..=20).contains(&framer.counts().of(foreign)), "{foreign:?}");
        }
    }
}

#[test]
fn a_frame_with_a_wrong_bit_is_none() {
    let with_checksums = |(_, foreign): &(Vec<u8>, Foreign)| !matches!(foreign, Foreign::Gpsd | Foreign::Tsip);
    for (frame, foreign) in samples().into_iter().filter(with_checksums) {
        for bit in 0..frame.len() * 8 {
            let mut bytes = frame.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(found(&bytes), [], "{foreign:?} bit {bit}");
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
    for header in [
        &b"\xD3\x00"[..],
        b"\xD3\x00\x13\x3E\xD7",
        b"$@",
        b"\xB5\x62",
        b"{\"cl",
        b"\xA0\xA2\x00\x10",
        b"\xA0\xA1\x00\x10",
        b"\xBA\xCE\x10\x00",
        b"@@Ea",
        b"\x10\x8F",
        b"\x10\x03",
        b"RD008",
    ] {
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
