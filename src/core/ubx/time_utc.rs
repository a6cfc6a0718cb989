//! The time of a solution, from NAV-TIMEUTC or NAV-PVT. Layouts and flags: u-blox's interface descriptions (protocol 14 to
//! 34), chapters NAV-TIMEUTC and NAV-PVT. What the flags mean: ZED-F9T integration manual, "UTC/GNSS times ambiguity".

use super::number;
use crate::core::nmea::{TimeOfDay, Validity};
use crate::core::time::{Date, Span};

/// A time that is vouched for less than this is none: a receiver with a fix knows it to some nanoseconds.
const ACCURATE: Span = Span::from_millis(1);
/// A solution is for the millisecond of the receiver's clock that is nearest to its second.
const ON_THE_SECOND: Span = Span::from_millis(1);

/// NAV-TIMEUTC, or the same fields of NAV-PVT.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TimeUtc {
    /// The time of day, if there is such a time.
    pub time: Option<TimeOfDay>,
    /// The time of day with the fraction that the nanoseconds give; before midnight it may be a little negative.
    pub since_midnight: Option<Span>,
    /// The day, if there is such a day.
    pub date: Option<Date>,
    /// Whether the receiver's flags make the time valid and its accuracy is one of a fix. `Unsaid` where NAV-PVT has a
    /// fix but an ambiguity of whole seconds.
    pub validity: Validity,
    /// Whether the receiver knows UTC; else it uses the leap seconds that its firmware was made with.
    pub knows_utc: bool,
}

/// Hour, minute, second and nanoseconds. The fields are rounded to the nearest hundredth of a second, and the nanoseconds
/// are what the rounding left: with -213 the fields already name the second that begins 213 ns later.
#[derive(Clone, Copy)]
struct Clock {
    fields: [u8; 3],
    nanos: Span,
}

impl Clock {
    fn time(self) -> Option<TimeOfDay> {
        let second_of_day = self.second_of_day()?;
        Some(match self.fields {
            _ if self.nanos.abs() > ON_THE_SECOND => TimeOfDay::Fraction,
            [.., 60] => TimeOfDay::LeapSecond,
            _ => TimeOfDay::Whole(second_of_day),
        })
    }

    fn since_midnight(self) -> Option<Span> {
        self.second_of_day().map(|second| Span::from_secs(i64::from(second)) + self.nanos)
    }

    fn second_of_day(self) -> Option<u32> {
        let [hour, minute, second] = self.fields;
        let exists = matches!((hour, minute, second), (0..=23, 0..=59, 0..=59) | (23, 59, 60));
        exists.then(|| u32::from(hour) * 3_600 + u32::from(minute) * 60 + u32::from(second))
    }
}

impl TimeUtc {
    /// NAV-TIMEUTC: validTOW, validWKN, validUTC.
    pub(super) fn read(payload: &[u8]) -> Option<Self> {
        let accuracy = nanos(u32::from_le_bytes(number(payload, 4)?));
        let fraction = i32::from_le_bytes(number(payload, 8)?);
        let year = u16::from_le_bytes(number(payload, 12)?);
        let [month, day, hour, minute, second, valid] = number(payload, 14)?;
        let clock = Clock { fields: [hour, minute, second], nanos: nanos(fraction) };
        let (date, time) = (Date::new(i32::from(year), month, day), clock.time());
        let is_valid = valid & 0b011 == 0b011 && accuracy <= ACCURATE && date.is_some() && time.is_some();
        let validity = if is_valid { Validity::Valid } else { Validity::Invalid };
        let since_midnight = clock.since_midnight();
        Some(Self { time, since_midnight, date, validity, knows_utc: valid & 0b100 != 0 })
    }

    /// NAV-PVT: validDate, validTime, fullyResolved, gnssFixOK. A fix by dead reckoning alone is none, as mode E of a
    /// sentence is none. While whole seconds are ambiguous, the accuracy is one of seconds and says nothing of the fix.
    pub(super) fn read_pvt(payload: &[u8]) -> Option<Self> {
        let year = u16::from_le_bytes(number(payload, 4)?);
        let [month, day, hour, minute, second, valid] = number(payload, 6)?;
        let accuracy = nanos(u32::from_le_bytes(number(payload, 12)?));
        let fraction = i32::from_le_bytes(number(payload, 16)?);
        let [fix, flags] = number(payload, 20)?;
        let clock = Clock { fields: [hour, minute, second], nanos: nanos(fraction) };
        let (date, time, knows_utc) = (Date::new(i32::from(year), month, day), clock.time(), valid & 0b100 != 0);
        let has_fix = valid & 0b011 == 0b011 && flags & 1 != 0 && matches!(fix, 2..=5);
        let validity = match (has_fix && date.is_some() && time.is_some(), knows_utc) {
            (true, false) => Validity::Unsaid,
            (true, true) if accuracy <= ACCURATE => Validity::Valid,
            (true, true) | (false, _) => Validity::Invalid,
        };
        Some(Self { time, since_midnight: clock.since_midnight(), date, validity, knows_utc })
    }
}

fn nanos(number: impl Into<i64>) -> Span {
    Span::from_nanos(number.into())
}
