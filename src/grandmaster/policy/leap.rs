//! Leap seconds: when to announce one, and when to leave ptp4l alone. At midnight, ptp4l itself clears the flags and
//! changes the offset; sending it the old pair again would undo that.

use crate::core::event::Leap;
use crate::core::time::{DAY, Instant, Raw, Span, UtcSecond};

/// A leap second is announced for the last twelve hours of its day (IEEE 1588-2019, 8.2.4.3).
const ANNOUNCED_FOR: Span = Span::from_secs(12 * 3_600);
/// From this long before midnight, ptp4l's fields are left as they are.
const HANDS_OFF_S: i64 = 5;
/// At the latest after this, the sources count again, even if none of them has moved.
const MOVED_WITHIN: Span = Span::from_secs(3_600);

/// The leap second at the end of the day, if one is announced.
#[derive(Clone, Debug, Default)]
pub(super) struct LeapWatch {
    /// A sample's second, and when that was.
    clock: Option<(UtcSecond, Instant<Raw>)>,
    announced: Option<Announcement>,
}

#[derive(Clone, Copy, Debug)]
struct Announcement {
    midnight: UtcSecond,
    leap: Leap,
    /// TAI - UTC after it, if it is known before it.
    after: Option<i64>,
}

impl LeapWatch {
    /// A sample that marked this second at this time, with the leap second that it announces and TAI - UTC as agreed
    /// by two sources; `fits` if the PHC confirms that offset.
    pub(super) fn see(&mut self, second: UtcSecond, at: Instant<Raw>, leap: Leap, agreed: Option<i64>, fits: bool) {
        self.clock = Some((second, at));
        if let Some(announced) = self.announced
            && second >= announced.midnight.plus(-HANDS_OFF_S)
        {
            let since = Span::from_secs(second.since(announced.midnight));
            let has_moved = since >= Span::ZERO && (fits || agreed.is_some() && agreed == announced.after);
            if !has_moved && since < MOVED_WITHIN {
                return;
            }
        }
        let midnight = UtcSecond::from_posix((second.posix().div_euclid(DAY) + 1).saturating_mul(DAY));
        // TAI - UTC grows by as much as UTC falls behind the count.
        self.announced =
            leap.change().map(|change| Announcement { midnight, leap, after: agreed.map(|agreed| agreed - change) });
    }

    /// Whether a leap second is announced.
    pub(super) fn is_announced(&self) -> bool {
        self.announced.is_some()
    }

    /// UTC, counted from the last sample on.
    pub(super) fn utc(&self, now: Instant<Raw>) -> Option<UtcSecond> {
        let (second, at) = self.clock?;
        Some(second.plus((now - at).div_rem(Span::SECOND).0))
    }

    /// Time until the announced leap second's midnight; negative after it.
    fn until(&self, now: Instant<Raw>) -> Option<(Span, Leap)> {
        let (second, at) = self.clock?;
        let announced = self.announced?;
        Some((Span::from_secs(announced.midnight.since(second)) - (now - at), announced.leap))
    }

    /// `leap61` and `leap59`.
    pub(super) fn flags(&self, now: Instant<Raw>) -> (bool, bool) {
        let leap = self.until(now).filter(|(until, _)| *until > Span::ZERO && *until <= ANNOUNCED_FOR);
        match leap.map_or(Leap::None, |(_, leap)| leap) {
            Leap::None => (false, false),
            Leap::Insert => (true, false),
            Leap::Delete => (false, true),
        }
    }

    /// Whether ptp4l's own offset and flags are to be left alone.
    pub(super) fn is_hands_off(&self, now: Instant<Raw>) -> bool {
        self.until(now).is_some_and(|(until, _)| until <= Span::from_secs(HANDS_OFF_S) && until > -MOVED_WITHIN)
    }
}
