//! Protocols for which a single message is too little evidence: TSIP has no checksum, and GREIS has one of eight bits,
//! after a header that text may resemble. Several messages in a row identify them.

/// This many messages in a row are not a coincidence.
const ROW: u8 = 3;
/// Longest TSIP packet accepted, without its framing.
const TSIP_MAX: usize = 512;
const DLE: u8 = 0x10;
const ETX: u8 = 0x03;

/// Trimble TSIP (ICD of Resolution SMT and ThunderBolt): DLE, id, data with each DLE doubled, DLE ETX. Garmin's binary
/// protocol has the same framing, with a length and a checksum inside; it is excluded.
#[derive(Clone, Debug, Default)]
pub(super) struct Tsip {
    place: Place,
    /// Id and data.
    packet: Vec<u8>,
    row: u8,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    #[default]
    Outside,
    /// After the DLE that begins a packet.
    Begun,
    Data,
    /// After a DLE within the data.
    Dle,
}

impl Tsip {
    /// Takes a byte; returns whether it completes a packet that is at least the third in a row.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        match (self.place, byte) {
            (Place::Outside, DLE) => self.place = Place::Begun,
            (Place::Begun | Place::Dle, 0x13 | 0x40..=0xD9) => {
                // A packet without an end breaks the row.
                self.row = if self.place == Place::Begun { self.row } else { 0 };
                self.place = Place::Data;
                self.packet.clear();
                self.packet.push(byte);
            }
            (Place::Data, DLE) => self.place = Place::Dle,
            (Place::Data, _) | (Place::Dle, DLE) if self.packet.len() <= TSIP_MAX => {
                self.place = Place::Data;
                self.packet.push(byte);
            }
            (Place::Dle, ETX) => {
                let sum = self.packet.iter().fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
                let garmin_length = self.packet.get(1).map(|length| usize::from(*length) + 3);
                let is_garmin = garmin_length == Some(self.packet.len()) && sum == 0;
                self.row = if is_garmin || garmin_length.is_none() { 0 } else { ROW.min(self.row + 1) };
                self.place = Place::Outside;
                return self.row == ROW;
            }
            _ => (self.place, self.row) = (Place::Outside, 0),
        }
        false
    }
}

/// GREIS of Javad and Topcon (reference guide, "Message structure" and appendix "Checksums"): two characters of id, three
/// hexadecimal digits of length, that many bytes, the last of them the checksum. Line ends may separate messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Greis {
    /// Outside a message: the last five bytes, and how many arrived since the last message.
    window: [u8; 5],
    since: u8,
    /// Remaining bytes of the message, and the checksum of those so far.
    left: u16,
    sum: u8,
    row: u8,
}

impl Greis {
    /// Takes a byte; returns whether it completes a message that is at least the third in a row.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        match self.left {
            0 if self.since == 0 && matches!(byte, b'\r' | b'\n') => {}
            0 => self.outside(byte),
            1 => {
                let row = if self.sum.rotate_left(2) == byte { ROW.min(self.row + 1) } else { 0 };
                *self = Self { row, ..Self::default() };
                return row == ROW;
            }
            _ => {
                self.left -= 1;
                self.sum = self.sum.rotate_left(2) ^ byte;
            }
        }
        false
    }

    fn outside(&mut self, byte: u8) {
        let [_, b, c, d, e] = self.window;
        self.window = [b, c, d, e, byte];
        self.since = self.since.saturating_add(1);
        if usize::from(self.since) > self.window.len() {
            self.row = 0;
        }
        if let Some(length) = length(self.window) {
            self.left = length;
            self.sum = self.window.iter().fold(0, |sum: u8, byte| sum.rotate_left(2) ^ byte);
        }
    }
}

/// Length of the body, if this is a message's header.
fn length([a, b, digits @ ..]: [u8; 5]) -> Option<u16> {
    let is_id = [a, b].iter().all(|byte| (b'0'..=b'~').contains(byte));
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(u16::from(byte - b'0')),
        b'A'..=b'F' => Some(u16::from(byte - b'A') + 10),
        _ => None,
    };
    let length = digits.iter().try_fold(0, |length, byte| Some(length << 4 | digit(*byte)?));
    length.filter(|length| is_id && *length > 0)
}
