//! Sizes as people write them: a number with one unit of 1,024.
//!
//! `KB` and `MB` are refused, not guessed: to some they are 1,000, to others 1,024.

use crate::config::section::Wrong;

/// The units of a size, the finest first.
const UNITS: [(&str, u64); 4] = [("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)];

/// A number with one unit; how many bytes that is.
pub(super) fn parse(text: &str) -> Result<u64, Wrong> {
    let wrong = || {
        Wrong::new("must be a size: a number with B, KiB, MiB or GiB")
            .help("write, for example, \"64KiB\" or \"10MiB\"")
    };
    if matches!(text, "" | "0") {
        return Ok(0);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    let number: u64 = number.parse().map_err(|_| wrong())?;
    number.checked_mul(*unit).ok_or_else(wrong)
}

/// A size as it would be written.
pub(super) fn show(bytes: u64) -> String {
    let unit = UNITS.iter().rev().find(|(_, unit)| bytes >= *unit && bytes.is_multiple_of(*unit));
    unit.map_or_else(|| "0".to_owned(), |(name, unit)| format!("{}{name}", bytes / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_is_a_number_with_one_unit() {
        for (text, expected) in [
            ("64KiB", Some(65_536)),
            ("1B", Some(1)),
            ("10MiB", Some(10_485_760)),
            ("2GiB", Some(2_147_483_648)),
            ("0", Some(0)),
            ("", Some(0)),
            ("0MiB", Some(0)),
            ("64", None),
            ("KiB", None),
            ("-1KiB", None),
            ("1.5MiB", None),
            ("64 KiB", None),
            ("64KB", None),
            ("64kib", None),
            ("64k", None),
            ("99999999999999999999B", None),
            ("18446744073709551615GiB", None),
        ] {
            assert_eq!(parse(text).ok(), expected, "{text:?}");
        }
    }

    #[test]
    fn a_size_is_shown_as_it_would_be_written() {
        for text in ["1B", "1025B", "64KiB", "1MiB", "3GiB", "0"] {
            assert_eq!(show(parse(text).expect("a size")), text);
        }
    }
}
