//! Names for input that is not NMEA. A name is given for what noise cannot look like: a whole frame with a right
//! checksum, several messages in a row, or words. The header of a frame alone is none: any noise has its two bytes.
//!
//! This is a small table of what users meet, and no catalog. The frames of u-blox are cut out by
//! [`crate::core::nmea::Framer`], for they are read; of the others it is only asked whether they come. Each protocol is looked
//! for by itself, and no byte is kept from the text: sentences among the frames are read as ever.

mod frames;
mod rows;

use crate::core::event::Reason;
use frames::{Frame, PROTOCOLS};
use rows::{Greis, Tsip};

/// How each of gpsd's own messages begins.
const GPSD: &[u8] = b"{\"class\":\"";

/// What is known of bytes that are no sentences, the most telling first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// A frame of u-blox's binary protocol.
    Ubx,
    /// A block of Septentrio's.
    Sbf,
    /// A message of SiRF's.
    Sirf,
    /// A message of SkyTraq's.
    Skytraq,
    /// A message of CASIC.
    Casic,
    /// A message of Motorola's Oncore receivers.
    Oncore,
    /// A packet of Trimble's.
    Tsip,
    /// A message of Javad's.
    Greis,
    /// A frame of RTCM 3, corrections for other receivers.
    Rtcm,
    /// gpsd's own protocol.
    Gpsd,
    /// A sentence, but for its checksum.
    Damaged,
}

impl Foreign {
    /// All, the most telling first.
    pub const ALL: [Self; 11] = [
        Self::Ubx,
        Self::Sbf,
        Self::Sirf,
        Self::Skytraq,
        Self::Casic,
        Self::Oncore,
        Self::Tsip,
        Self::Greis,
        Self::Rtcm,
        Self::Gpsd,
        Self::Damaged,
    ];

    /// Why there are no samples where nothing else comes.
    pub const fn reason(self) -> Reason {
        match self {
            Self::Ubx => Reason::BinaryProtocol,
            Self::Sbf => Reason::SbfProtocol,
            Self::Sirf => Reason::SirfProtocol,
            Self::Skytraq => Reason::SkytraqProtocol,
            Self::Casic => Reason::CasicProtocol,
            Self::Oncore => Reason::OncoreProtocol,
            Self::Tsip => Reason::TsipProtocol,
            Self::Greis => Reason::GreisProtocol,
            Self::Rtcm => Reason::RtcmOnly,
            Self::Gpsd => Reason::GpsdProtocol,
            Self::Damaged => Reason::WrongChecksum,
        }
    }

    /// What one of them is called.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Ubx => "frames of u-blox's binary protocol",
            Self::Sbf => "blocks of Septentrio's binary protocol",
            Self::Sirf => "messages of SiRF's binary protocol",
            Self::Skytraq => "messages of SkyTraq's binary protocol",
            Self::Casic => "messages of the binary protocol CASIC",
            Self::Oncore => "messages of Motorola's Oncore protocol",
            Self::Tsip => "packets of Trimble's TSIP",
            Self::Greis => "messages of Javad's GREIS",
            Self::Rtcm => "frames of RTCM 3",
            Self::Gpsd => "messages of gpsd",
            Self::Damaged => "sentences with a wrong or missing checksum",
        }
    }
}

/// Whether a line whose checksum is missing or wrong is a sentence in all else: `$`, an address, a comma.
pub fn reads_like_a_sentence(line: &str) -> bool {
    let address = line.strip_prefix('$').and_then(|rest| rest.split_once(',')).map_or("", |(address, _)| address);
    (4..=8).contains(&address.len()) && address.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Recognizes frames in a stream of bytes. It keeps none of them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Recognizer {
    frames: [Frame; PROTOCOLS.len()],
    tsip: Tsip,
    greis: Greis,
    /// How many bytes of [`GPSD`] have come.
    greeting: usize,
}

impl Recognizer {
    /// Takes a byte; what it completes.
    pub fn take(&mut self, byte: u8) -> Option<Foreign> {
        let mut found = None;
        for (frame, (foreign, first, take)) in self.frames.iter_mut().zip(PROTOCOLS) {
            let is_found = frame.wants(byte, first) && take(frame, byte);
            found = found.or(is_found.then_some(foreign));
        }
        let rows = [(self.tsip.take(byte), Foreign::Tsip), (self.greis.take(byte), Foreign::Greis)];
        let in_row = rows.into_iter().find_map(|(is_found, foreign)| is_found.then_some(foreign));
        found.or(in_row).or(self.greets(byte).then_some(Foreign::Gpsd))
    }

    fn greets(&mut self, byte: u8) -> bool {
        let is_next = |at: usize| GPSD.get(at) == Some(&byte);
        self.greeting = if is_next(self.greeting) { self.greeting + 1 } else { usize::from(is_next(0)) };
        let is_whole = self.greeting == GPSD.len();
        self.greeting = if is_whole { 0 } else { self.greeting };
        is_whole
    }
}

#[cfg(test)]
mod tests;
