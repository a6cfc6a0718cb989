//! Bounds that no receiver may cross.

use crate::time::{Date, UtcSecond};

/// No second before this release is true: a receiver that names one has lost its week number or has no fix yet.
/// Moved forward with every release.
pub const DATE_FLOOR: UtcSecond = match Date::new(2026, 11, 1) {
    Some(date) => UtcSecond::from_civil(date, 0),
    None => UtcSecond::from_posix(0),
};
