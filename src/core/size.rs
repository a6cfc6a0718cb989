//! Sizes of files as people write them in options: `64MB`, `500kB`, `1GB`.

/// Unit names and their bytes.
const UNITS: [(&str, u64); 4] = [("kB", 1_000), ("MB", 1_000_000), ("GB", 1_000_000_000), ("B", 1)];

/// The smallest file that is worth rotating, and the largest.
const RANGE: std::ops::RangeInclusive<u64> = 100_000..=1_000_000_000_000;

/// A size of a file, in bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// What an operator may write.
    pub const ALLOWED: &'static str = "a size from 100kB to 1000GB, as in 500kB, 64MB or 1GB";
}

impl std::str::FromStr for Size {
    type Err = String;

    /// Reads a whole number with its unit (B, kB, MB, GB). The error is a sentence that names what was read.
    fn from_str(text: &str) -> Result<Self, String> {
        let allowed = Self::ALLOWED;
        let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let (number, unit) = text.split_at(end);
        let unit = unit.trim_start();
        if number.is_empty() {
            return Err(format!("`{text}` is not a size: allowed is {allowed}"));
        }
        if unit.is_empty() {
            return Err(format!("`{text}` has no unit: write {text}MB; allowed is {allowed}"));
        }
        let Some((_, scale)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(format!("`{text}` has an unknown unit: allowed is {allowed}"));
        };
        let size = number.parse::<u64>().ok().and_then(|number| number.checked_mul(*scale));
        let size = size.filter(|size| RANGE.contains(size)).map(Self);
        size.ok_or_else(|| format!("`{text}` is out of range: allowed is {allowed}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_exactly() {
        for (text, bytes) in
            [("64MB", 64_000_000), ("100 kB", 100_000), ("100000B", 100_000), ("1000GB", 1_000_000_000_000)]
        {
            assert_eq!(text.parse(), Ok(Size(bytes)), "{text}");
        }
    }

    #[test]
    fn refusals_name_what_is_wrong() {
        for (text, why) in [
            ("64", "no unit: write 64MB"),
            ("", "not a size"),
            ("MB", "not a size"),
            ("-1MB", "not a size"),
            ("1.5MB", "unknown unit"),
            ("64MiB", "unknown unit"),
            ("64mb", "unknown unit"),
            ("99kB", "out of range"),
            ("1001GB", "out of range"),
            ("99999999999999999999GB", "out of range"),
        ] {
            let error = text.parse::<Size>().expect_err(text);
            assert!(error.contains(why), "{text:?}: {error}");
        }
    }
}
