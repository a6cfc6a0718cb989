//! The sentences of a simulated receiver.

use gnss2shm::time::UtcSecond;

/// A sentence that the simulated receiver can send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SimSentence {
    /// Time, date, status.
    Rmc,
    /// Time and date.
    Zda,
    /// Time and quality.
    Gga,
    /// Satellites used: no time.
    Gsa,
    /// ZDA of the next second: some receivers send it ahead.
    ZdaAhead,
    /// GLL of the next second.
    GllAhead,
    /// GNS without modes, which says nothing about validity.
    GnsPlain,
    /// GGA without a fix, as of a second system, beside the others' fix.
    GgaInvalid,
}

/// What a receiver shows of a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown {
    /// The second; of a leap second, the one before it.
    pub utc: UtcSecond,
    /// Whether it is shown as `:60`.
    pub is_sixty: bool,
    /// Whether it claims a fix.
    pub has_fix: bool,
}

impl SimSentence {
    /// The sentence that shows this, with checksum and line end.
    pub fn text(self, shown: Shown) -> String {
        let (sod, (year, month, day)) = (shown.utc.second_of_day(), shown.utc.date().ymd());
        let second = sod % 60 + u32::from(shown.is_sixty);
        let time = format!("{:02}{:02}{second:02}.00", sod / 3_600, sod / 60 % 60);
        let place = "4807.03810,N,01131.00000,E";
        let body = match (self, shown.has_fix) {
            (Self::Rmc, true) => {
                format!("GNRMC,{time},A,{place},0.01,0.0,{day:02}{month:02}{:02},,,A", year.rem_euclid(100))
            }
            (Self::Rmc, false) => format!("GNRMC,{time},V,,,,,,,{day:02}{month:02}{:02},,,N", year.rem_euclid(100)),
            (Self::Zda, _) => format!("GNZDA,{time},{day:02},{month:02},{year:04},00,00"),
            (Self::ZdaAhead, _) => {
                let next = shown.utc.plus(1);
                return Self::Zda.text(Shown { utc: next, ..shown });
            }
            (Self::GllAhead, _) => {
                let ahead = shown.utc.plus(1).second_of_day();
                let time = format!("{:02}{:02}{:02}.00", ahead / 3_600, ahead / 60 % 60, ahead % 60);
                format!("GNGLL,{place},{time},A,A")
            }
            (Self::GnsPlain, _) => format!("GPGNS,{time},{place},,12,0.70,545.4,46.9,,"),
            (Self::GgaInvalid, _) => format!("GLGGA,{time},,,,,0,00,99.99,,,,,,"),
            (Self::Gga, true) => format!("GNGGA,{time},{place},1,12,0.70,545.4,M,46.9,M,,"),
            (Self::Gga, false) => format!("GNGGA,{time},,,,,0,00,99.99,,,,,,"),
            (Self::Gsa, _) => "GNGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.20,0.70,0.98".to_owned(),
        };
        let sum = body.bytes().fold(0, |sum, byte| sum ^ byte);
        format!("${body}*{sum:02X}\r\n")
    }
}
