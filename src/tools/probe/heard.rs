//! What a port says: its rate, the sentences, who the receiver is, and whether it has a fix. Pure: bytes in.

use crate::core::event::Bytes;
use crate::core::foreign::Foreign;
use crate::core::nmea::{Found, Framer, Kind, Line, LineCounts, Sentence, Validity};
use crate::core::time::NANOS;
use crate::core::ubx::Message;
use crate::source::feed::BITS_PER_BYTE;
use crate::source::serial::RATES;

/// Kinds of messages that are listed.
const KINDS_MAX: usize = 24;

/// Manufacturers, by the beginning of their proprietary sentences.
const MAKERS: [(&str, &str); 12] = [
    ("PUBX", "u-blox"),
    ("PMTK", "MediaTek"),
    ("PAIR", "Airoha"),
    ("PQTM", "Quectel"),
    ("PSTM", "ST Teseo"),
    ("PCAS", "CASIC"),
    ("PSRF", "SiRF"),
    ("PGRM", "Garmin"),
    ("PTNL", "Trimble"),
    ("PASH", "Ashtech"),
    ("PSSN", "Septentrio"),
    ("PERD", "Furuno"),
];

/// What is known of the receiver on a port.
#[derive(Debug, Default)]
pub struct Heard {
    framer: Framer,
    talker: Option<String>,
    kinds: Vec<String>,
    maker: Option<&'static str>,
    banner: Option<String>,
    /// Bits a second, of what was understood; `None` before that, and where the line has no rate.
    pub rate: Option<u32>,
    /// Whether a message with the time of day was heard.
    pub names_time: bool,
    /// What was said last of the fix.
    pub fix: Option<Validity>,
}

impl Heard {
    /// Takes the bytes of one read.
    pub(super) fn take(&mut self, bytes: &Bytes) {
        let mut framer = std::mem::take(&mut self.framer);
        let before = framer.counts();
        framer.push_all(bytes, |found| match found {
            Found::Line(Line { text, read: Ok(sentence), .. }) => {
                self.line(text);
                self.sentence(&sentence);
            }
            Found::Line(_) => {}
            Found::Frame(frame, _) => {
                self.maker = Some("u-blox");
                self.kind(match frame.message {
                    Message::TimeUtc(_) => "UBX-NAV-TIMEUTC",
                    Message::Pvt(_) => "UBX-NAV-PVT",
                    Message::TimeLs(_) => "UBX-NAV-TIMELS",
                    Message::TimTp(_) => "UBX-TIM-TP",
                    Message::Other => "UBX",
                });
                self.sentence(&frame.sentence());
            }
        });
        let counts = framer.counts();
        self.framer = framer;
        // What was heard at a wrong rate says nothing of the right one.
        if counts.understood() > before.understood() {
            self.rate = rate(bytes);
        }
        match Foreign::between(&before, &counts) {
            None | Some(Foreign::Ubx | Foreign::Gpsd | Foreign::Damaged) => {}
            Some(foreign) => self.kind(foreign.name()),
        }
    }

    fn line(&mut self, text: &str) {
        let address = text.trim_start_matches('$').split([',', '*']).next().unwrap_or_default();
        let (talker, kind) =
            if address.starts_with('P') { ("", address) } else { address.split_at_checked(2).unwrap_or_default() };
        self.kind(kind);
        let maker = MAKERS.iter().find(|(prefix, _)| address.starts_with(prefix));
        self.maker = self.maker.or(maker.map(|(_, maker)| *maker));
        if kind == "TXT" {
            self.banner = self.banner.take().or_else(|| banner(text));
        } else if !talker.is_empty() {
            self.talker = Some(talker.to_owned());
        }
    }

    fn kind(&mut self, kind: &str) {
        if !self.kinds.iter().any(|known| known == kind) && self.kinds.len() < KINDS_MAX {
            self.kinds.push(kind.to_owned());
        }
    }

    fn sentence(&mut self, sentence: &Sentence) {
        // PUBX,04 does not say whether there is a fix: it names no second by itself.
        self.names_time |= sentence.time.is_some() && !matches!(sentence.kind, Kind::Other | Kind::Clock);
        if sentence.validity != Validity::Unsaid {
            self.fix = Some(sentence.validity);
        }
    }

    /// Whether a right sentence or frame was heard.
    pub(super) fn is_understood(&self) -> bool {
        self.counts().understood() > 0
    }

    /// Bytes, lines and frames.
    pub fn counts(&self) -> LineCounts {
        self.framer.counts()
    }

    /// The receiver, by its banner or by its proprietary sentences.
    pub fn receiver(&self) -> String {
        match (&self.banner, self.maker) {
            (Some(banner), Some(maker)) if !banner.contains(maker) => format!("{maker}, {banner}"),
            (Some(banner), _) => banner.clone(),
            (None, maker) => maker.unwrap_or("unknown").to_owned(),
        }
    }

    /// Its messages, as in `GN: RMC GGA`.
    pub fn sentences(&self) -> String {
        let talker = self.talker.as_ref().map_or_else(String::new, |talker| format!("{talker}: "));
        talker + &self.kinds.join(" ")
    }
}

fn rate(bytes: &Bytes) -> Option<u32> {
    let rate = (BITS_PER_BYTE * NANOS).checked_div(bytes.byte_time.nanos())?;
    RATES.into_iter().min_by_key(|known| (i64::from(*known) - rate).abs())
}

/// The text of a TXT sentence, where it is about the receiver itself and not its antenna or an error.
fn banner(line: &str) -> Option<String> {
    let mut fields = line.split('*').next()?.splitn(5, ',').skip(3);
    let (severity, text) = (fields.next()?, fields.next()?.trim());
    let is_name = severity == "02" && !text.starts_with("ANT") && text.chars().any(|c| c.is_ascii_alphabetic());
    is_name.then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::time::{Instant, Span};

    fn heard(lines: &[&str], byte_ns: i64) -> Heard {
        let mut heard = Heard::default();
        for line in lines {
            let sum = line.bytes().fold(0, |sum, byte| sum ^ byte);
            let data = format!("${line}*{sum:02X}\r\n").into_bytes().into();
            heard.take(&Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_nanos(byte_ns), data });
        }
        heard
    }

    #[test]
    fn the_receiver_is_named_by_its_banner_or_its_own_sentences_or_what_it_speaks() {
        for (lines, receiver, sentences) in [
            (
                &["GNRMC,120000,A,1,N,2,E,0,0,201126,,,A", "GNGGA,120000,1,N,2,E,1,8,1,1,M,1,M,,"][..],
                "unknown",
                "GN: RMC GGA",
            ),
            (&["GPTXT,01,01,02,u-blox ag - www.u-blox.com"], "u-blox ag - www.u-blox.com", "TXT"),
            (&["GPTXT,01,01,02,ANTSTATUS=OK", "GPZDA,120000,20,11,2026,,"], "unknown", "GP: TXT ZDA"),
            (&["GPTXT,01,01,00,txbuf alloc"], "unknown", "TXT"),
            (&["PUBX,04,120000,201126,1,2,15D,1,1,1", "GNTXT,01,01,02,MOD=NEO-M8T"], "u-blox, MOD=NEO-M8T", "PUBX TXT"),
            (&["PMTK011,MTKGPS"], "MediaTek", "PMTK011"),
        ] {
            let heard = heard(lines, 1_041_666);
            assert_eq!((heard.receiver().as_str(), heard.sentences().as_str()), (receiver, sentences));
        }
    }

    #[test]
    fn the_rate_is_that_of_what_was_understood() {
        for rate in RATES {
            assert_eq!(heard(&["GPGSV,1,1,00"], 10_000_000_000 / i64::from(rate)).rate, Some(rate));
        }
        assert_eq!(heard(&["GPGSV,1,1,00"], 0).rate, None, "a line without a rate");
        let mut garbled = heard(&["GPGSV,1,1,00"], 1_041_666);
        let data = (*b"garbage, later, at another rate").into();
        garbled.take(&Bytes { read_at: Instant::from_nanos(9), byte_time: Span::from_nanos(86_805), data });
        assert_eq!(garbled.rate, Some(9_600));
    }

    #[test]
    fn binary_frames_name_the_time_the_rate_and_the_maker() {
        // NAV-TIMEUTC: 2026-11-20T12:00:00, accurate to 20 ns, all of it valid.
        let mut frame =
            vec![0x01, 0x21, 20, 0, 0, 0, 0, 0, 20, 0, 0, 0, 0, 0, 0, 0, 0xEA, 0x07, 11, 20, 12, 0, 0, 0x07];
        let (a, b) = frame.iter().fold((0_u8, 0_u8), |(a, b), byte| {
            let a = a.wrapping_add(*byte);
            (a, b.wrapping_add(a))
        });
        frame.extend([a, b]);
        let data: Box<[u8]> = [&b"\xB5\x62"[..], &frame].concat().into();
        let mut heard = Heard::default();
        heard.take(&Bytes { read_at: Instant::from_nanos(0), byte_time: Span::from_nanos(260_416), data });
        assert_eq!((heard.rate, heard.names_time, heard.fix), (Some(38_400), true, Some(Validity::Valid)));
        assert_eq!((heard.receiver().as_str(), heard.sentences().as_str()), ("u-blox", "UBX-NAV-TIMEUTC"));
    }

    #[test]
    fn a_fix_is_what_was_said_last_and_a_satellite_list_names_no_time() {
        let fix = ["GPRMC,120000,A,1,N,2,E,0,0,201126,,,A", "GPRMC,120001,V,,,,,,,201126,,,N"];
        assert_eq!(heard(&fix[..1], 1).fix, Some(Validity::Valid));
        assert_eq!(heard(&fix, 1).fix, Some(Validity::Invalid));
        assert!(heard(&fix, 1).names_time && !heard(&["GPGSV,1,1,00"], 1).names_time);
    }
}
