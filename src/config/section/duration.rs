//! Times as people write them: a number with one unit.
//!
//! `humantime` was rejected: it also takes months of 30.44 days, and a list of units
//! in any order.

use std::time::Duration;

use crate::config::section::Wrong;

/// The units of a time, the finest first.
const UNITS: [(&str, Duration); 5] = [
    ("ms", Duration::from_millis(1)),
    ("s", Duration::from_secs(1)),
    ("m", Duration::from_mins(1)),
    ("h", Duration::from_hours(1)),
    ("d", Duration::from_hours(24)),
];

/// A number with one unit.
pub(super) fn parse(text: &str) -> Result<Duration, Wrong> {
    let wrong =
        || Wrong::new("must be a time: a number with ms, s, m, h or d").help("write, for example, \"30s\" or \"5m\"");
    if matches!(text, "" | "0") {
        return Ok(Duration::ZERO);
    }
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at(digits);
    let (_, unit) = UNITS.iter().find(|(name, _)| *name == unit).ok_or_else(wrong)?;
    // More digits than this cannot be within any bounds.
    let number = number.parse().map_err(|_| wrong())?;
    unit.checked_mul(number).ok_or_else(wrong)
}

/// A time as it would be written.
pub fn show(duration: Duration) -> String {
    let unit = UNITS.iter().rev().find(|(_, unit)| duration.as_millis().is_multiple_of(unit.as_millis()));
    match unit {
        Some((name, unit)) if !duration.is_zero() => format!("{}{name}", duration.as_millis() / unit.as_millis()),
        _ => "0s".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_is_a_number_with_one_unit() {
        for (text, expected) in [
            ("30s", Some(30_000)),
            ("250ms", Some(250)),
            ("5m", Some(300_000)),
            ("8h", Some(28_800_000)),
            ("400d", Some(34_560_000_000)),
            ("0", Some(0)),
            ("", Some(0)),
            ("30", None),
            ("s", None),
            ("-5s", None),
            ("1.5h", None),
            ("5 m", None),
            ("5min", None),
            ("99999999999999999999d", None),
            ("4294967295d", Some(371_085_174_288_000_000)),
        ] {
            assert_eq!(parse(text).ok().map(|d| d.as_millis()), expected, "{text:?}");
        }
    }

    #[test]
    fn a_time_is_shown_as_it_would_be_written() {
        for text in ["30s", "250ms", "5m", "8h", "400d", "90s", "0s"] {
            let duration = parse(text).expect("a time");
            assert_eq!(show(duration), text);
        }
    }
}
