//! Lengths of time as people write them in options and in the configuration file: `100ms`, `1.5s`, `2min`.

use crate::core::time::{NANOS, Span};

/// Unit names and their nanoseconds.
const UNITS: [(&str, i64); 6] =
    [("ns", 1), ("us", 1_000), ("ms", 1_000_000), ("s", NANOS), ("min", 60 * NANOS), ("h", 3_600 * NANOS)];

/// Reads a decimal number with its unit (ns, us, ms, s, min, h), a minus sign allowed: `100ms`, `-1.5s`, `2 min`.
///
/// The error is a sentence that names what was read. Refused are numbers without a unit, other units, values finer than
/// a nanosecond and values beyond 292 years: nothing is rounded.
pub fn parse_span(text: &str) -> Result<Span, String> {
    parse_span_in("s", text)
}

/// The same; whoever forgot the unit is told to write this one.
pub fn parse_span_in(natural: &str, text: &str) -> Result<Span, String> {
    let text = text.trim();
    let (sign, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text),
    };
    let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
    let (number, unit) = unsigned.split_at(end);
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if whole.is_empty() || fraction.is_empty() || fraction.contains('.') {
        return Err(format!("`{text}` is not a length of time: write a number and a unit, as in 1{natural}"));
    }
    let unit = unit.trim_start();
    if unit.is_empty() {
        return Err(format!("`{text}` has no unit: write {text}{natural}"));
    }
    let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
        return Err(format!("`{text}` has an unknown unit: ns, us, ms, s, min and h are known"));
    };
    let too_long = || format!("`{text}` is too long: 292 years are the limit");
    let too_fine = || format!("`{text}` is finer than a nanosecond");
    let fraction = fraction.trim_end_matches('0');
    if fraction.len() > 20 {
        return Err(too_fine());
    }
    let digits = |digits: &str| if digits.is_empty() { Ok(0) } else { digits.parse::<i128>() };
    let whole = digits(whole).ok().and_then(|n| n.checked_mul(i128::from(*scale))).ok_or_else(too_long)?;
    let parts = digits(fraction).map_err(|_| too_fine())? * i128::from(*scale);
    let parts_per_nano = 10_i128.pow(fraction.len() as u32);
    if parts % parts_per_nano != 0 {
        return Err(too_fine());
    }
    let nanos = whole.checked_add(parts / parts_per_nano).and_then(|n| i64::try_from(sign * n).ok());
    nanos.map(Span::from_nanos).ok_or_else(too_long)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_read_exactly() {
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
    fn who_forgot_the_unit_is_told_the_natural_one() {
        assert_eq!(parse_span_in("ns", "-25").unwrap_err(), "`-25` has no unit: write -25ns");
        assert_eq!(parse_span("25").unwrap_err(), "`25` has no unit: write 25s");
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        for (text, why) in [
            ("100", "no unit: write 100s"),
            ("-1.5", "no unit"),
            ("", "not a length"),
            ("s", "not a length"),
            ("1.s", "not a length"),
            (".5s", "not a length"),
            ("1.2.3s", "not a length"),
            ("--1s", "not a length"),
            ("+1s", "not a length"),
            ("1e3s", "unknown unit"),
            ("1,5s", "unknown unit"),
            ("5m", "unknown unit"),
            ("1S", "unknown unit"),
            ("1s2", "unknown unit"),
            ("0.5ns", "finer"),
            ("0.0000000001s", "finer"),
            ("0.100000000000000000000000000001h", "finer"),
            ("9223372037s", "too long"),
            ("99999999999999999999999999999999999999999999s", "too long"),
        ] {
            let error = parse_span(text).expect_err(text);
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
