//! Names input that is not NMEA. A protocol is recognized only by what noise cannot imitate: a whole frame with a
//! correct checksum, several messages in a row, or words. A frame's header alone proves nothing: its two bytes also
//! occur in noise.
//!
//! The table contains the protocols that users encounter. u-blox frames are extracted by [`crate::core::nmea::Framer`]
//! because they are decoded; the other protocols are only detected. Each is detected independently, and no byte is
//! removed from the text: sentences between the frames are parsed as usual.

mod frames;

use crate::core::event::Reason;
use frames::{PROTOCOLS, Progress};

/// Input that is not a sentence, most specific first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Foreign {
    /// u-blox binary.
    Ubx,
    /// Septentrio binary.
    Sbf,
    /// SiRF binary.
    Sirf,
    /// SkyTraq binary.
    Skytraq,
    /// CASIC binary.
    Casic,
    /// Motorola Oncore.
    Oncore,
    /// Trimble TSIP.
    Tsip,
    /// Javad GREIS.
    Greis,
    /// RTCM 3: corrections for other receivers.
    Rtcm,
    /// gpsd's own protocol.
    Gpsd,
    /// A sentence except for its checksum.
    Damaged,
}

impl Foreign {
    /// All, most specific first.
    pub const ALL: [Self; 11] = {
        use Foreign::{Casic, Damaged, Gpsd, Greis, Oncore, Rtcm, Sbf, Sirf, Skytraq, Tsip, Ubx};
        [Ubx, Sbf, Sirf, Skytraq, Casic, Oncore, Tsip, Greis, Rtcm, Gpsd, Damaged]
    };

    const fn row(self) -> (Reason, &'static str) {
        match self {
            Self::Ubx => (Reason::BinaryProtocol, "frames of u-blox's binary protocol"),
            Self::Sbf => (Reason::SbfProtocol, "blocks of Septentrio's binary protocol"),
            Self::Sirf => (Reason::SirfProtocol, "messages of SiRF's binary protocol"),
            Self::Skytraq => (Reason::SkytraqProtocol, "messages of SkyTraq's binary protocol"),
            Self::Casic => (Reason::CasicProtocol, "messages of the binary protocol CASIC"),
            Self::Oncore => (Reason::OncoreProtocol, "messages of Motorola's Oncore protocol"),
            Self::Tsip => (Reason::TsipProtocol, "packets of Trimble's TSIP"),
            Self::Greis => (Reason::GreisProtocol, "messages of Javad's GREIS"),
            Self::Rtcm => (Reason::RtcmOnly, "frames of RTCM 3"),
            Self::Gpsd => (Reason::GpsdProtocol, "messages of gpsd"),
            Self::Damaged => (Reason::WrongChecksum, "sentences with a wrong or missing checksum"),
        }
    }

    /// Why there are no samples if nothing else arrives.
    pub const fn reason(self) -> Reason {
        self.row().0
    }

    /// Name of its messages, for operators.
    pub const fn name(self) -> &'static str {
        self.row().1
    }
}

/// Whether a line whose checksum is missing or wrong otherwise looks like a sentence: `$`, an address, a comma.
pub(crate) fn reads_like_a_sentence(line: &str) -> bool {
    let address = line.strip_prefix('$').and_then(|rest| rest.split_once(',')).map_or("", |(address, _)| address);
    (4..=8).contains(&address.len()) && address.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// Recognizes messages in a stream of bytes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Recognizer {
    /// The bytes so far of each protocol's frame.
    progress: [Progress; PROTOCOLS.len()],
}

impl Recognizer {
    /// Takes bytes; calls `found` with the protocol of each message that they complete.
    pub(crate) fn push(&mut self, bytes: &[u8], mut found: impl FnMut(Foreign)) {
        for (protocol, progress) in PROTOCOLS.iter().zip(&mut self.progress) {
            protocol.push(progress, bytes, &mut found);
        }
    }
}

#[cfg(test)]
mod tests;
