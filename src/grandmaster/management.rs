//! PTP management messages (IEEE 1588-2019, clause 15) as bytes: the four requests that ptp4l is sent, and its answers.
//! Pure. Any bytes can arrive.

use std::fmt;

/// Length of the header with target, action, and reserved byte (1588 15.4.1).
const HEADER: usize = 48;
/// Message type 0xD (13.3.2.3), and the version of the protocol, without its minor version.
const MANAGEMENT: u8 = 0x0d;
const VERSION: u8 = 2;
/// Control field (13.3.2.13) and logMessageInterval (13.3.2.14) of a management message.
const CONTROL_AND_INTERVAL: [u8; 2] = [0x04, 0x7f];
/// Types of a TLV (14.1.1).
const TLV_MANAGEMENT: u16 = 0x0001;
const TLV_ERROR: u16 = 0x0002;
/// The actions that answer (15.4.1.6): RESPONSE to GET and SET, and ACKNOWLEDGE to COMMAND.
const ANSWERS: [u8; 2] = [2, 4];
/// Port number that addresses every port.
const EVERY_PORT: u16 = 0xffff;

/// All fields of linuxptp's `GRANDMASTER_SETTINGS_NP`: a SET replaces every one of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(clippy::struct_excessive_bools)] // each is a flag of its own in the message
pub(crate) struct GrandmasterSettings {
    pub clock_class: u8,
    /// Enumeration of 1588 7.6.2.6.
    pub clock_accuracy: u8,
    pub offset_scaled_log_variance: u16,
    /// TAI - UTC in seconds.
    pub current_utc_offset: i16,
    pub leap61: bool,
    pub leap59: bool,
    pub current_utc_offset_valid: bool,
    pub ptp_timescale: bool,
    pub time_traceable: bool,
    pub frequency_traceable: bool,
    /// Enumeration of 1588 7.6.2.8.
    pub time_source: u8,
}

/// What ptp4l is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// GET `DEFAULT_DATA_SET`: the number of ports.
    Defaults,
    /// GET `PORT_DATA_SET` of this port, counted from 1.
    Port(u16),
    /// GET `GRANDMASTER_SETTINGS_NP`.
    Settings,
    /// SET `GRANDMASTER_SETTINGS_NP`.
    Set(GrandmasterSettings),
}

/// What ptp4l answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    /// The number of ports.
    Ports(u16),
    /// The state of a port (8.2.15.3.1).
    PortState(PortState),
    /// The settings; after a SET, the new ones.
    Settings(GrandmasterSettings),
    /// A management error: this request is refused.
    Refused(ErrorId),
}

/// The state of a port, as far as it matters here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum PortState {
    Uncalibrated,
    Slave,
    /// Any state in which ptp4l does not follow another clock.
    Other,
}

/// A managementErrorId (15.5.4.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ErrorId(pub u16);

/// What a request and its answer have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Conversation {
    /// ptp4l's `domainNumber`.
    pub domain: u8,
    /// ptp4l's `transportSpecific`, also called majorSdoId, 0 to 15.
    pub transport_specific: u8,
    /// Port number of the sender; its clock identity is zero, as pmc(8)'s is.
    pub port: u16,
    /// Number of the request.
    pub sequence: u16,
}

impl Request {
    /// The name of what is asked for.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Defaults => "GET DEFAULT_DATA_SET",
            Self::Port(_) => "GET PORT_DATA_SET",
            Self::Settings => "GET GRANDMASTER_SETTINGS_NP",
            Self::Set(_) => "SET GRANDMASTER_SETTINGS_NP",
        }
    }

    /// managementId (15.5.2.3) and length of the data.
    fn id(self) -> (u16, usize) {
        match self {
            Self::Defaults => (0x2000, 20),
            Self::Port(_) => (0x2004, 26),
            Self::Settings | Self::Set(_) => (0xc001, 8),
        }
    }

    /// The request as sent to ptp4l. A GET has data, too (15.5.3.1), which is zero.
    pub(crate) fn encode(self, of: Conversation) -> Vec<u8> {
        let (id, length) = self.id();
        let (action, target, data) = match self {
            Self::Set(settings) => (1, EVERY_PORT, settings.to_bytes().to_vec()),
            Self::Port(port) => (0, port, vec![0; length]),
            Self::Defaults | Self::Settings => (0, EVERY_PORT, vec![0; length]),
        };
        let mut message = vec![of.transport_specific << 4 | MANAGEMENT, VERSION];
        message.extend(((HEADER + 6 + length) as u16).to_be_bytes());
        message.extend([of.domain, 0]);
        message.extend([0; 14]); // flags, correction, reserved
        message.extend([0; 8]); // clock identity of the sender
        message.extend(of.port.to_be_bytes());
        message.extend(of.sequence.to_be_bytes());
        message.extend(CONTROL_AND_INTERVAL);
        message.extend([0xff; 8]); // clock identity of the target: every one
        message.extend(target.to_be_bytes());
        message.extend([0, 0, action, 0]); // no hops
        message.extend(TLV_MANAGEMENT.to_be_bytes());
        message.extend((2 + length as u16).to_be_bytes());
        message.extend(id.to_be_bytes());
        message.extend(data);
        message
    }

    /// The answer to this request in these bytes; `None` if they are anything else.
    pub(crate) fn answer(self, of: Conversation, message: &[u8]) -> Option<Answer> {
        let [first, version, length @ .., domain] = array::<5>(message, 0)?;
        let message = message.get(..u16::from_be_bytes(length).into())?;
        let is_ours = first == of.transport_specific << 4 | MANAGEMENT
            && version & 0x0f == VERSION
            && domain == of.domain
            && word(message, 30)? == of.sequence
            && array(message, 34)? == [0; 8]
            && word(message, 42)? == of.port
            && ANSWERS.contains(&(message.get(46)? & 0x0f));
        let tlv = message.get(HEADER..)?;
        let data = tlv.get(4..)?.get(..word(tlv, 2)?.into())?;
        let (id, length) = self.id();
        match (word(tlv, 0)?, word(data, 0)?) {
            _ if !is_ours => None,
            (TLV_ERROR, error) if word(data, 2)? == id => Some(Answer::Refused(ErrorId(error))),
            (TLV_MANAGEMENT, answered) if answered == id => self.read(data.get(2..)?, length),
            _ => None,
        }
    }

    /// The data of its answer.
    fn read(self, data: &[u8], length: usize) -> Option<Answer> {
        match self {
            _ if data.len() != length => None,
            Self::Defaults => word(data, 2).map(Answer::Ports),
            Self::Port(port) if word(data, 8)? != port => None,
            Self::Port(_) => Some(Answer::PortState(match data.get(10)? {
                8 => PortState::Uncalibrated,
                9 => PortState::Slave,
                _ => PortState::Other,
            })),
            Self::Settings | Self::Set(_) => array(data, 0).map(GrandmasterSettings::from_bytes).map(Answer::Settings),
        }
    }
}

impl GrandmasterSettings {
    /// The eight bytes of linuxptp's `grandmaster_settings_np`.
    fn to_bytes(self) -> [u8; 8] {
        let [high, low] = self.offset_scaled_log_variance.to_be_bytes();
        let [utc_high, utc_low] = self.current_utc_offset.to_be_bytes();
        let flags = self.flags().into_iter().rev().fold(0, |byte, flag| byte << 1 | u8::from(flag));
        [self.clock_class, self.clock_accuracy, high, low, utc_high, utc_low, flags, self.time_source]
    }

    fn from_bytes(bytes: [u8; 8]) -> Self {
        let [clock_class, clock_accuracy, high, low, utc_high, utc_low, flags, time_source] = bytes;
        let flag = |bit: u8| flags >> bit & 1 != 0;
        Self {
            clock_class,
            clock_accuracy,
            offset_scaled_log_variance: u16::from_be_bytes([high, low]),
            current_utc_offset: i16::from_be_bytes([utc_high, utc_low]),
            leap61: flag(0),
            leap59: flag(1),
            current_utc_offset_valid: flag(2),
            ptp_timescale: flag(3),
            time_traceable: flag(4),
            frequency_traceable: flag(5),
            time_source,
        }
    }

    /// The flags from bit 0 up, as in an Announce message (13.3.2.8).
    fn flags(self) -> [bool; 6] {
        [
            self.leap61,
            self.leap59,
            self.current_utc_offset_valid,
            self.ptp_timescale,
            self.time_traceable,
            self.frequency_traceable,
        ]
    }

    /// Every field with pmc's name and notation.
    pub(crate) fn fields(self) -> [(&'static str, String); 11] {
        let flag = |flag: bool| u8::from(flag).to_string();
        [
            ("clockClass", self.clock_class.to_string()),
            ("clockAccuracy", format!("0x{:02x}", self.clock_accuracy)),
            ("offsetScaledLogVariance", format!("0x{:04x}", self.offset_scaled_log_variance)),
            ("currentUtcOffset", self.current_utc_offset.to_string()),
            ("leap61", flag(self.leap61)),
            ("leap59", flag(self.leap59)),
            ("currentUtcOffsetValid", flag(self.current_utc_offset_valid)),
            ("ptpTimescale", flag(self.ptp_timescale)),
            ("timeTraceable", flag(self.time_traceable)),
            ("frequencyTraceable", flag(self.frequency_traceable)),
            ("timeSource", format!("0x{:02x}", self.time_source)),
        ]
    }
}

/// 1588 table 62, as in 1588-2008; pmc prints the same names.
impl fmt::Display for ErrorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            1 => "RESPONSE_TOO_BIG",
            2 => "NO_SUCH_ID",
            3 => "WRONG_LENGTH",
            4 => "WRONG_VALUE",
            5 => "NOT_SETABLE",
            6 => "NOT_SUPPORTED",
            0xfffe => "GENERAL_ERROR",
            other => return write!(f, "error 0x{other:04x}"),
        })
    }
}

/// `N` bytes from this place on.
fn array<const N: usize>(bytes: &[u8], at: usize) -> Option<[u8; N]> {
    bytes.get(at..)?.first_chunk().copied()
}

/// A big-endian number of two bytes.
fn word(bytes: &[u8], at: usize) -> Option<u16> {
    array(bytes, at).map(u16::from_be_bytes)
}

#[cfg(test)]
pub(super) mod tests;
