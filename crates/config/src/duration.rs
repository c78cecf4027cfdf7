//! Durations as written in the settings: `2s`, `40 ms`, `1.5 s`, `2 min`.

use std::time::Duration;

use crate::bitrate::scaled;
use crate::parse_error::{ParseError, quote};

const HINT: &str = "write it with its unit, such as \"2 s\" or \"40 ms\"";

/// Reads a duration. Units: `ms`, `s`, `min`; a decimal point is allowed; the value must be a whole number of
/// microseconds.
///
/// # Errors
/// The text has no unit, an unknown unit, or no number.
pub fn parse(text: &str) -> Result<Duration, ParseError> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = (&text[..end], text[end..].trim_start());
    let wrong = || ParseError::new(format!("{} is not a duration", quote(text))).with_hint(HINT);
    if number.is_empty() {
        return Err(wrong());
    }
    let (factor, scale) = match unit {
        "" => return Err(ParseError::new(format!("duration {} has no unit", quote(text))).with_hint(HINT)),
        "ms" => (1, 1_000),
        "s" => (1, 1_000_000),
        "min" => (60, 1_000_000),
        other => {
            return Err(ParseError::new(format!("unknown unit {} of a duration", quote(other)))
                .with_hint("the units are ms, s and min"));
        }
    };
    let micros = scaled(number, scale).and_then(|m| m.checked_mul(factor)).ok_or_else(wrong)?;
    Ok(Duration::from_micros(micros))
}

/// Formats a duration so that [`parse`] reads it back, exact to the microsecond.
pub fn format(duration: Duration) -> String {
    let micros = duration.as_micros();
    if micros.is_multiple_of(1_000_000) {
        return format!("{} s", micros / 1_000_000);
    }
    let (whole, rest) = (micros / 1_000, micros % 1_000);
    if rest == 0 {
        return format!("{whole} ms");
    }
    let rest = format!("{rest:03}");
    format!("{whole}.{} ms", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_duration_is_read_with_its_unit() {
        for (text, millis) in
            [("2s", 2_000), ("40 ms", 40), ("1.5 s", 1_500), ("2 min", 120_000), ("0.5min", 30_000)]
        {
            assert_eq!(parse(text), Ok(Duration::from_millis(millis)), "{text}");
        }
    }

    #[test]
    fn a_duration_of_another_form_is_refused() {
        for (text, message) in [
            ("2", "duration `2` has no unit"),
            ("2 hours", "unknown unit `hours` of a duration"),
            ("soon", "`soon` is not a duration"),
            ("-2 s", "`-2 s` is not a duration"),
            ("0.0000001 s", "`0.0000001 s` is not a duration"),
            ("99999999999999 min", "`99999999999999 min` is not a duration"),
        ] {
            assert_eq!(parse(text).unwrap_err().message(), message);
        }
    }

    proptest! {
        #[test]
        fn a_formatted_duration_is_parsed_back(micros in 0u64..u64::MAX / 1_000_000) {
            let duration = Duration::from_micros(micros);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = parse(&text);
        }
    }
}
