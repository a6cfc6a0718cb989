//! Time as the engine sees it: one type per clock, whole nanoseconds, no floating point.
//!
//! Three clocks are involved and must never be confused: the one that timestamps the edges ([`EdgeClock`]),
//! `CLOCK_MONOTONIC_RAW` ([`Raw`], never slewed nor stepped) and `CLOCK_REALTIME` ([`Sys`], which chronyd steers). An
//! [`Instant`] belongs to one of them; only instants of the same clock have a difference:
//!
//! ```compile_fail
//! use gnss2shm::core::time::{Instant, EdgeClock, Raw};
//! let wrong = Instant::<Raw>::from_nanos(1) - Instant::<EdgeClock>::from_nanos(0);
//! ```
//!
//! All arithmetic saturates at the ends of `i64` nanoseconds (292 years): a clock that claims such a time is wrong, and
//! wrong input must not end the process.

mod civil;

use std::fmt;
use std::marker::PhantomData;
use std::ops::{Add, Neg, Sub};

pub use civil::Date;

/// Nanoseconds in a second.
pub const NANOS: i64 = 1_000_000_000;
/// Seconds in a day, without a leap second.
pub const DAY: i64 = 86_400;
/// Seconds in a week.
pub const WEEK: i64 = 7 * DAY;

/// A clock's name at the type level.
pub trait Clock: Copy + Ord + fmt::Debug {}

/// The clock that timestamps the edges. The PTP hardware clock of the NIC: any epoch, any rate, steered by any program; with
/// a kernel PPS device the system clock takes its place.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct EdgeClock;
/// `CLOCK_MONOTONIC_RAW`: the local oscillator, never adjusted. All intervals and delays are measured on it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct Raw;
/// `CLOCK_REALTIME`: the clock that chronyd steers and that samples describe.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash, Default)]
pub struct Sys;

impl Clock for EdgeClock {}
impl Clock for Raw {}
impl Clock for Sys {}

/// A reading of clock `C`, in nanoseconds since that clock's epoch.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Instant<C: Clock>(i64, PhantomData<C>);

/// A signed length of time in nanoseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Span(i64);

/// A UTC second, counted as POSIX does: seconds since 1970-01-01, leap seconds not counted.
/// Second 60 has no number of its own and is therefore not a value of this type.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct UtcSecond(i64);

impl<C: Clock> Instant<C> {
    /// From nanoseconds since the clock's epoch.
    pub const fn from_nanos(ns: i64) -> Self {
        Self(ns, PhantomData)
    }

    /// From the kernel's seconds and nanoseconds (`struct timespec`, `struct ptp_clock_time`).
    pub const fn from_parts(sec: i64, nsec: i64) -> Self {
        Self::from_nanos(sec.saturating_mul(NANOS).saturating_add(nsec))
    }

    /// Nanoseconds since the clock's epoch.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch and the nanoseconds (0 to 999,999,999) after them.
    pub const fn parts(self) -> (i64, u32) {
        (self.0.div_euclid(NANOS), self.0.rem_euclid(NANOS) as u32)
    }
}

impl Span {
    /// Zero.
    pub const ZERO: Self = Self(0);
    /// One second.
    pub const SECOND: Self = Self(NANOS);

    /// From nanoseconds.
    pub const fn from_nanos(ns: i64) -> Self {
        Self(ns)
    }

    /// From microseconds.
    pub const fn from_micros(us: i64) -> Self {
        Self(us.saturating_mul(1_000))
    }

    /// From milliseconds.
    pub const fn from_millis(ms: i64) -> Self {
        Self(ms.saturating_mul(1_000_000))
    }

    /// From seconds.
    pub const fn from_secs(s: i64) -> Self {
        Self(s.saturating_mul(NANOS))
    }

    /// Nanoseconds.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// The length without its sign.
    #[must_use]
    pub const fn abs(self) -> Self {
        Self(self.0.saturating_abs())
    }

    /// This span `n` times.
    #[must_use]
    pub const fn times(self, n: i64) -> Self {
        Self(self.0.saturating_mul(n))
    }

    /// This span scaled by the fraction `num / den`, rounded to the nearest nanosecond. A `den` of 0 gives zero.
    #[must_use]
    pub fn scaled(self, num: Self, den: Self) -> Self {
        if den.0 == 0 {
            return Self::ZERO;
        }
        let (wide, den) = (self.0 as i128 * num.0 as i128, den.0 as i128);
        Self(clamp((wide + den.abs() / 2 * wide.signum()) / den))
    }

    /// This span divided by `parts`, rounded to the nearest nanosecond. Fewer than one part counts as one.
    #[must_use]
    pub fn per(self, parts: i64) -> Self {
        self.scaled(Self(1), Self(if parts < 1 { 1 } else { parts }))
    }

    /// `ppm` parts per million of this span, rounded up.
    #[must_use]
    pub fn ppm(self, ppm: i64) -> Self {
        Self(clamp((self.0 as i128 * ppm as i128 + 999_999) / 1_000_000))
    }

    /// The number of whole `unit`s nearest to this span, and the remainder (positive or negative). A `unit` of zero or
    /// less counts as one nanosecond.
    pub const fn nearest(self, unit: Self) -> (i64, Self) {
        let (n, rest) = self.div_rem(unit);
        // Half a unit is rounded up; a unit of one nanosecond leaves no remainder.
        if rest.0 > 0 && rest.0 >= unit.0 - unit.0 / 2 { (n + 1, Self(rest.0 - unit.0)) } else { (n, rest) }
    }

    /// The number of whole `unit`s in this span, rounded down, and the remainder, 0 up to below `unit`. A `unit` of zero
    /// or less counts as one nanosecond.
    pub const fn div_rem(self, unit: Self) -> (i64, Self) {
        let unit = if unit.0 < 1 { 1 } else { unit.0 };
        (self.0.div_euclid(unit), Self(self.0.rem_euclid(unit)))
    }
}

impl UtcSecond {
    /// From POSIX seconds.
    pub const fn from_posix(sec: i64) -> Self {
        Self(sec)
    }

    /// POSIX seconds.
    pub const fn posix(self) -> i64 {
        self.0
    }

    /// The second that many seconds later.
    #[must_use]
    pub const fn plus(self, sec: i64) -> Self {
        Self(self.0.saturating_add(sec))
    }

    /// Seconds from `earlier` to this one.
    pub const fn since(self, earlier: Self) -> i64 {
        self.0.saturating_sub(earlier.0)
    }

    /// From the calendar and the time of day. A leap second is counted as the next minute's first second, as POSIX does.
    pub const fn from_civil(date: Date, second_of_day: u32) -> Self {
        Self(date.days().saturating_mul(DAY).saturating_add(second_of_day as i64))
    }

    /// The calendar day.
    pub const fn date(self) -> Date {
        Date::from_days(self.0.div_euclid(DAY))
    }

    /// Seconds since that day's midnight, 0 to 86,399.
    pub const fn second_of_day(self) -> u32 {
        self.0.rem_euclid(DAY) as u32
    }
}

fn clamp(wide: i128) -> i64 {
    wide.clamp(i64::MIN.into(), i64::MAX.into()) as i64
}

impl<C: Clock> Sub for Instant<C> {
    type Output = Span;
    fn sub(self, earlier: Self) -> Span {
        Span(self.0.saturating_sub(earlier.0))
    }
}

impl<C: Clock> Add<Span> for Instant<C> {
    type Output = Self;
    fn add(self, span: Span) -> Self {
        Self::from_nanos(self.0.saturating_add(span.0))
    }
}

impl<C: Clock> Sub<Span> for Instant<C> {
    type Output = Self;
    fn sub(self, span: Span) -> Self {
        Self::from_nanos(self.0.saturating_sub(span.0))
    }
}

impl Add for Span {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Span {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl Neg for Span {
    type Output = Self;
    fn neg(self) -> Self {
        Self(self.0.saturating_neg())
    }
}

impl<C: Clock> fmt::Debug for Instant<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sec, nsec) = self.parts();
        write!(f, "{sec}.{nsec:09}")
    }
}

/// For operators: `250 ns`, `12.5 us`, `300.0 ms`, `4.0 s`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (ns, magnitude) = (self.0, self.0.unsigned_abs());
        let (unit, tenth) = match magnitude {
            0..1_000 => return f.pad(&format!("{ns} ns")),
            1_000..1_000_000 => ("us", 100),
            1_000_000..1_000_000_000 => ("ms", 100_000),
            _ => ("s", 100_000_000),
        };
        let tenths = magnitude.saturating_add(tenth / 2) / tenth;
        let minus = if ns < 0 { "-" } else { "" };
        f.pad(&format!("{minus}{}.{} {unit}", tenths / 10, tenths % 10))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// RFC 3339 with a `Z`: `2026-11-20T23:59:59Z`.
impl fmt::Display for UtcSecond {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sod = self.second_of_day();
        write!(f, "{}T{:02}:{:02}:{:02}Z", self.date(), sod / 3600, sod / 60 % 60, sod % 60)
    }
}

#[cfg(test)]
mod tests;
