//! Protocols of which one message proves too little: TSIP has no checksum, and GREIS has one of eight bits behind a
//! header that text may look like. Several in a row give them their names.

/// So many messages in a row are no accident.
const ROW: u8 = 3;
/// Longest TSIP packet that is believed, without its frame.
const TSIP_MAX: usize = 512;
const DLE: u8 = 0x10;
const ETX: u8 = 0x03;

/// Trimble's TSIP (ICD of Resolution SMT and ThunderBolt): DLE, id, data with each DLE doubled, DLE ETX. Garmin's binary
/// protocol has the same frame, with a length and a checksum within: it is not meant.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Tsip {
    place: Place,
    /// Bytes of data, the first of them, and the sum of id and data.
    have: usize,
    first: u8,
    sum: u8,
    row: u8,
}

#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Outside,
    /// After the DLE that begins a packet.
    Begun,
    Data,
    /// After a DLE among the data.
    Dle,
}

impl Tsip {
    /// Takes a byte: whether a packet ends with it that is not the first in its row.
    pub(super) fn take(&mut self, byte: u8) -> bool {
        match (self.place, byte) {
            (Place::Outside, DLE) => self.place = Place::Begun,
            (Place::Begun | Place::Dle, 0x13 | 0x40..=0xD9) => {
                // Where data stop without an end, the row does.
                let row = if matches!(self.place, Place::Begun) { self.row } else { 0 };
                *self = Self { place: Place::Data, row, sum: byte, ..Self::default() };
            }
            (Place::Data, DLE) => self.place = Place::Dle,
            (Place::Data, _) | (Place::Dle, DLE) => self.data(byte),
            (Place::Dle, ETX) => {
                let is_garmin = self.have == usize::from(self.first) + 2 && self.sum == 0;
                let row = if is_garmin || self.have == 0 { 0 } else { ROW.min(self.row + 1) };
                *self = Self { row, ..Self::default() };
                return row == ROW;
            }
            (Place::Outside | Place::Begun | Place::Dle, _) => *self = Self::default(),
        }
        false
    }

    fn data(&mut self, byte: u8) {
        if self.have == 0 {
            self.first = byte;
        }
        (self.place, self.have, self.sum) = (Place::Data, self.have + 1, self.sum.wrapping_add(byte));
        if self.have > TSIP_MAX {
            *self = Self::default();
        }
    }
}

/// Javad's and Topcon's GREIS (reference guide, "Message structure" and appendix "Checksums"): two characters of id, three
/// hexadecimal digits of length, so many bytes, of which the last is the checksum. Line ends may stand between messages.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Greis {
    /// Outside a message: the last five bytes, and how many came since the last message.
    window: [u8; 5],
    since: u8,
    /// Bytes of the message that are still to come, and the checksum of those that came.
    left: u16,
    sum: u8,
    row: u8,
}

impl Greis {
    /// Takes a byte: whether a message ends with it that is not the first in its row.
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

/// Of the body of the message that this is the header of.
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
