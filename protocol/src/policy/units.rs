//! Amounts as people write them: `100MB` (10^6), `64MiB` (2^20), `30s`, `64KiB/s`.

use std::time::Duration;

/// A text that is no amount, or one that does not fit.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a number with a unit.
    #[error("{text:?} is not {wanted}")]
    Shape {
        /// The text, cut to 40 characters.
        text: String,
        /// What would be right.
        wanted: &'static str,
    },
    /// More than 64 bits hold.
    #[error("{text:?} overflows: use a smaller number or unit")]
    Overflow {
        /// The text, cut to 40 characters.
        text: String,
    },
}

const BYTES: &[(&str, u64)] = &[
    ("", 1),
    ("B", 1),
    ("KB", 1_000),
    ("MB", 1_000_000),
    ("GB", 1_000_000_000),
    ("KiB", 1 << 10),
    ("MiB", 1 << 20),
    ("GiB", 1 << 30),
];
const BYTES_WANTED: &str =
    "an amount of memory: a whole number with B, KB, MB, GB (10^n), KiB, MiB or GiB (2^n)";

const MILLISECONDS: &[(&str, u64)] = &[("ms", 1), ("s", 1_000), ("min", 60_000), ("h", 3_600_000)];
const DURATION_WANTED: &str = "a duration: a whole number with ms, s, min or h";

const RATE_WANTED: &str = "a rate: an amount of memory with /s, as in 64KiB/s";

/// `100MB`, `64KiB`, `4096`.
pub fn bytes(text: &str) -> Result<u64, UnitError> {
    amount(text, BYTES, BYTES_WANTED)
}

/// `10ms`, `30s`, `5min`, `1h`.
pub fn duration(text: &str) -> Result<Duration, UnitError> {
    amount(text, MILLISECONDS, DURATION_WANTED).map(Duration::from_millis)
}

/// `64KiB/s`.
pub fn bytes_per_second(text: &str) -> Result<u64, UnitError> {
    match text.trim().strip_suffix("/s") {
        Some(amount) => bytes(amount),
        None => Err(UnitError::Shape { text: short(text), wanted: RATE_WANTED }),
    }
}

fn amount(text: &str, units: &[(&str, u64)], wanted: &'static str) -> Result<u64, UnitError> {
    let trimmed = text.trim();
    let digits = trimmed.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = trimmed.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start()).map(|(_, factor)| *factor);
    let (Some(factor), false) = (factor, number.is_empty()) else {
        return Err(UnitError::Shape { text: short(text), wanted });
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(factor))
        .ok_or_else(|| UnitError::Overflow { text: short(text) })
}

fn short(text: &str) -> String {
    text.chars().take(40).collect()
}

/// Bytes for people: the largest 2^n unit that leaves a whole number.
pub fn show_bytes(bytes: u64) -> String {
    for (name, factor) in [("GiB", 1_u64 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10)] {
        if bytes >= factor && bytes.is_multiple_of(factor) {
            return format!("{} {name}", bytes / factor);
        }
    }
    format!("{bytes} B")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn units_of_ten_and_of_two() {
        for (text, value) in
            [("4096", 4096), ("1KB", 1000), ("100MB", 100_000_000), ("64 MiB", 64 << 20), ("2GiB", 2 << 30)]
        {
            assert_eq!(bytes(text), Ok(value), "{text}");
        }
        assert_eq!(duration("5min"), Ok(Duration::from_secs(300)));
        assert_eq!(bytes_per_second("64KiB/s"), Ok(65536));
    }

    #[test]
    fn mistakes_are_told_apart() {
        for text in ["", "MB", "1.5MB", "-1MB", "10 mb", "1e6", "0x10"] {
            assert!(matches!(bytes(text), Err(UnitError::Shape { .. })), "{text}");
        }
        for text in ["99999999999999999999", "18446744073709551615KB", "99999999999999GiB"] {
            assert!(matches!(bytes(text), Err(UnitError::Overflow { .. })), "{text}");
        }
        assert!(duration("30").is_err());
        assert!(bytes_per_second("64KiB").is_err());
    }
}
