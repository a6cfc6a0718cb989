//! Times and sizes as an operator writes them: `100ms`, `64MB`. Nothing is rounded, and each error is a sentence that
//! quotes the text.

use std::fmt::Display;
use std::ops::{Range, RangeInclusive};
use std::str::FromStr;

use crate::core::time::{NANOS, Span};

/// Units of time and their nanoseconds.
const TIME_UNITS: [(&str, i64); 6] =
    [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", NANOS), ("min", 60 * NANOS), ("h", 3_600 * NANOS)];
/// Units of size and their bytes.
const SIZE_UNITS: [(&str, u64); 4] = [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("B", 1)];
/// The smallest file worth rotating, and the largest.
const SIZES: RangeInclusive<u64> = 100_000..=1_000_000_000_000;

/// Parses a decimal number and its unit (ns, us, ms, s, min, h), optionally negative: `100ms`, `-1.5s`, `2 min`.
pub(crate) fn parse_span(text: &str) -> Result<Span, String> {
    let text = text.trim();
    let unsigned = text.strip_prefix('-').unwrap_or(text);
    let (number, unit) = split_unit(unsigned, |c| c.is_ascii_digit() || c == '.');
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(format!("`{text}` is not a time: write a number and its unit, such as 100ms"));
    }
    let Some((_, scale)) = TIME_UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{text}` has no unit of time: write ns, us, ms, s, min, or h after the number"));
    };
    let fraction = fraction.trim_end_matches('0');
    let exact = || {
        let scaled = format!("{whole}{fraction}").parse::<i128>().ok()?.checked_mul(i128::from(*scale))?;
        let divisor = 10_i128.checked_pow(fraction.len() as u32)?;
        let nanos = if scaled % divisor == 0 { i64::try_from(scaled / divisor).ok()? } else { return None };
        Some(Span::from_nanos(if unsigned == text { nanos } else { -nanos }))
    };
    exact().ok_or_else(|| format!("`{text}` is finer than a nanosecond or longer than 292 years"))
}

/// Parses a time within this range, which `allowed` describes.
pub(crate) fn span_within(text: &str, range: Range<Span>, allowed: &str) -> Result<Span, String> {
    let why = match parse_span(text) {
        Ok(span) if range.contains(&span) => return Ok(span),
        Ok(_) => format!("`{text}` is out of range"),
        Err(why) => why,
    };
    Err(format!("{why}; it must be a time {allowed}"))
}

/// A pulse width.
pub(crate) fn width(text: &str) -> Result<Span, String> {
    span_within(text, Span::from_nanos(1)..Span::SECOND, "from 1ns to less than 1s, such as \"100ms\"")
}

/// Parses a time greater than zero.
pub(crate) fn positive_span(text: &str) -> Result<Span, String> {
    let span = parse_span(text)?;
    if span > Span::ZERO { Ok(span) } else { Err(format!("`{text}` is not greater than zero")) }
}

/// A whole number of this range.
pub(crate) fn number<T: FromStr + PartialOrd + Display>(text: &str, range: RangeInclusive<T>) -> Result<T, String> {
    let number = text.parse().ok().filter(|number| range.contains(number));
    let (low, high) = range.into_inner();
    number.ok_or_else(|| format!("`{text}` is invalid: it must be a whole number from {low} to {high}"))
}

/// A size of a file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Size(pub(crate) u64);

impl FromStr for Size {
    type Err = String;
    /// Parses a whole number and its unit (B, kB, MB, GB).
    fn from_str(text: &str) -> Result<Self, String> {
        let (number, unit) = split_unit(text, |c| c.is_ascii_digit());
        let scale = SIZE_UNITS.iter().find(|(name, _)| *name == unit).map(|(_, scale)| *scale);
        let bytes = number.parse::<u64>().ok().zip(scale).and_then(|(number, scale)| number.checked_mul(scale));
        let bytes = bytes.filter(|bytes| SIZES.contains(bytes)).map(Self);
        bytes.ok_or_else(|| {
            format!("`{text}` is invalid: it must be a size from 100kB to 1000GB, such as 500kB, 64MB, or 1GB")
        })
    }
}

/// The number at the beginning, and the unit after it.
fn split_unit(text: &str, is_of_number: impl Fn(char) -> bool) -> (&str, &str) {
    let (number, unit) = text.split_at(text.find(|c| !is_of_number(c)).unwrap_or(text.len()));
    (number, unit.trim_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_exactly() {
        for (text, ns) in [
            ("50ns", 50),
            ("2us", 2_000),
            ("100ms", 100_000_000),
            ("15s", 15 * NANOS),
            ("1.5s", 1_500_000_000),
            ("2min", 120 * NANOS),
            ("1h", 3_600 * NANOS),
            ("0.1s", 100_000_000),
            ("0.000000001s", 1),
            ("1.50000000000000000000000000s", 1_500_000_000),
            (" 2 min ", 120 * NANOS),
            ("-965ms", -965_000_000),
            ("-0s", 0),
            ("9223372036s", 9_223_372_036 * NANOS),
        ] {
            assert_eq!(parse_span(text), Ok(Span::from_nanos(ns)), "{text}");
        }
    }

    #[test]
    fn wrong_times_are_refused_with_what_is_wrong() {
        for (text, why) in [
            ("100", "no unit of time: write ns, us"),
            ("-1.5", "no unit"),
            ("", "not a time"),
            ("s", "not a time"),
            ("1.s", "not a time"),
            (".5s", "not a time"),
            ("1.2.3s", "not a time"),
            ("--1s", "not a time"),
            ("+1s", "not a time"),
            ("1e3s", "no unit"),
            ("1,5s", "no unit"),
            ("5m", "no unit"),
            ("1S", "no unit"),
            ("1s2", "no unit"),
            ("0.5ns", "finer"),
            ("0.0000000001s", "finer"),
            ("0.100000000000000000000000000001h", "finer"),
            ("9223372037s", "longer than 292 years"),
            ("99999999999999999999999999999999999999999999s", "longer than 292 years"),
        ] {
            let error = parse_span(text).expect_err(text);
            assert!(error.contains(why) && error.contains(&format!("`{text}`")), "{text:?}: {error}");
        }
        assert_eq!(positive_span("5s"), Ok(Span::from_secs(5)));
        for text in ["0s", "-1s", "5"] {
            positive_span(text).expect_err(text);
        }
    }

    #[test]
    fn sizes_are_read_exactly_and_others_refused() {
        for (text, bytes) in
            [("64MB", 64_000_000), ("100 kB", 100_000), ("100000B", 100_000), ("1000GB", 1_000_000_000_000)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
        for text in ["64", "", "MB", "-1MB", "1.5MB", "64MiB", "64mb", "99kB", "1001GB", "99999999999999999999GB"] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.starts_with(&format!("`{text}` is invalid: it must be a size from 100kB")), "{error}");
        }
    }
}
