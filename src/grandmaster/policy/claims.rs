//! What each class looks like as grandmaster settings.

use crate::core::event::text::words;
use crate::core::time::Span;
use crate::grandmaster::management::GrandmasterSettings;

/// `timeSource` (IEEE 1588-2019, table 6): GNSS, and the internal oscillator.
const GNSS: u8 = 0x20;
const INTERNAL_OSCILLATOR: u8 = 0xa0;
/// `offsetScaledLogVariance` of a clock that follows GNSS (ITU-T G.8275.1, table 2), and of an unknown one.
const VARIANCE_LOCKED: u16 = 0x4e5d;
const VARIANCE_UNKNOWN: u16 = 0xffff;
/// `clockAccuracy` (IEEE 1588-2019, table 5): each value covers this much; then the unknown one.
const ACCURACIES: [(Span, u8); 16] = [
    (Span::from_nanos(25), 0x20),
    (Span::from_nanos(100), 0x21),
    (Span::from_nanos(250), 0x22),
    (Span::from_micros(1), 0x23),
    (Span::from_nanos(2_500), 0x24),
    (Span::from_micros(10), 0x25),
    (Span::from_micros(25), 0x26),
    (Span::from_micros(100), 0x27),
    (Span::from_micros(250), 0x28),
    (Span::from_millis(1), 0x29),
    (Span::from_micros(2_500), 0x2a),
    (Span::from_millis(10), 0x2b),
    (Span::from_millis(25), 0x2c),
    (Span::from_millis(100), 0x2d),
    (Span::from_millis(250), 0x2e),
    (Span::from_secs(1), 0x2f),
];
const ACCURACY_UNKNOWN: u8 = 0xfe;

/// The values for a clock that is not synchronized.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Profile {
    /// IEEE 1588: class 52.
    #[default]
    Ieee1588,
    /// ITU-T G.8275.1 and G.8275.2: class 248.
    G8275,
}

words! { Profile:
    (Self::Ieee1588) = "1588",
    (Self::G8275) = "g8275",
}

/// Class 6: the clock follows GNSS and is within this of TAI.
pub(super) fn locked(bound: Span) -> GrandmasterSettings {
    traceable(6, accuracy(bound), VARIANCE_LOCKED, GNSS)
}

/// Class 7: the clock followed GNSS not long ago.
pub(super) fn holdover(bound: Span) -> GrandmasterSettings {
    traceable(7, accuracy(bound), VARIANCE_UNKNOWN, INTERNAL_OSCILLATOR)
}

/// A clock that is not synchronized.
pub(super) fn free(profile: Profile) -> GrandmasterSettings {
    GrandmasterSettings {
        clock_class: match profile {
            Profile::Ieee1588 => 52,
            Profile::G8275 => 248,
        },
        clock_accuracy: ACCURACY_UNKNOWN,
        offset_scaled_log_variance: VARIANCE_UNKNOWN,
        time_source: INTERNAL_OSCILLATOR,
        ..GrandmasterSettings::default()
    }
}

/// The smallest value that covers this.
fn accuracy(bound: Span) -> u8 {
    ACCURACIES.iter().find(|(covered, _)| *covered >= bound).map_or(ACCURACY_UNKNOWN, |(_, value)| *value)
}

/// A clock that is traceable to TAI.
fn traceable(class: u8, accuracy: u8, variance: u16, source: u8) -> GrandmasterSettings {
    GrandmasterSettings {
        clock_class: class,
        clock_accuracy: accuracy,
        offset_scaled_log_variance: variance,
        time_traceable: true,
        frequency_traceable: true,
        time_source: source,
        ..GrandmasterSettings::default()
    }
}

/// The same with ptp4l's own fields about UTC.
pub(super) fn utc_of(settings: GrandmasterSettings, has: &GrandmasterSettings) -> GrandmasterSettings {
    GrandmasterSettings {
        current_utc_offset: has.current_utc_offset,
        current_utc_offset_valid: has.current_utc_offset_valid,
        leap61: has.leap61,
        leap59: has.leap59,
        ..settings
    }
}
