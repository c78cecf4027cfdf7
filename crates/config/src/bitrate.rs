//! Bitrates, with their unit.

use std::fmt;
use std::str::FromStr;

use crate::parse_error::{ParseError, nearest, quote};

/// A bitrate in bit/s.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bitrate(u64);

impl Bitrate {
    /// From bit/s.
    pub const fn from_bps(bps: u64) -> Self {
        Self(bps)
    }

    /// In bit/s.
    pub const fn bps(self) -> u64 {
        self.0
    }

    /// In kbit/s (1000 bit/s), rounded down.
    pub const fn kbps(self) -> u64 {
        self.0 / 1000
    }
}

/// The range in which a stream's bitrate may change; `min <= max`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BitrateRange {
    /// The stream never asks for less.
    pub min: Bitrate,
    /// The stream never asks for more.
    pub max: Bitrate,
}

impl Default for BitrateRange {
    /// 300 kbit/s to 4 Mbit/s.
    fn default() -> Self {
        Self { min: Bitrate(300_000), max: Bitrate(4_000_000) }
    }
}

const HINT: &str = "write it with its unit, such as \"300 kbit/s\" or \"1.4 Mbit/s\"";

/// Accepts `300 kbit/s`, `1.4 Mbit/s`, `4Mbit/s`, `2500000 bit/s`, `300 kbps`, `4 Mbps`. The value must be a whole number of
/// bits.
impl FromStr for Bitrate {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let text = text.trim();
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, unit) = (&text[..end], text[end..].trim_start());
        if number.is_empty() {
            return Err(ParseError::new(format!("{} is not a bitrate", quote(text))).with_hint(HINT));
        }
        let scale = match unit {
            "" => {
                return Err(ParseError::new(format!("bitrate {} has no unit", quote(text))).with_hint(HINT));
            }
            "bit/s" | "bps" | "b/s" => 1,
            "kbit/s" | "kbps" | "kb/s" | "Kbit/s" | "Kbps" | "Kb/s" => 1_000,
            "Mbit/s" | "Mbps" | "Mb/s" | "mbit/s" | "mbps" | "mb/s" => 1_000_000,
            "B/s" | "kB/s" | "KB/s" | "MB/s" | "MBps" | "kBps" | "KBps" => {
                return Err(ParseError::new(format!("bitrate {} is in bytes", quote(text)))
                    .with_hint("a bitrate is in bits: bit/s, kbit/s or Mbit/s"));
            }
            other => {
                let meant = nearest(other, &["bit/s", "kbit/s", "Mbit/s", "kbps", "Mbps"]);
                let fault = ParseError::new(format!("unknown unit {} of a bitrate", quote(other)));
                return Err(match meant {
                    Some(meant) => fault.with_hint(format!("did you mean `{meant}`?")),
                    None => fault.with_hint("the units are bit/s, kbit/s and Mbit/s"),
                });
            }
        };
        scaled(number, scale)
            .map(Self)
            .ok_or_else(|| ParseError::new(format!("{} is not a bitrate", quote(text))).with_hint(HINT))
    }
}

/// `number` (digits with at most one point) times `scale` (a power of ten), exactly. `None` if the result is not whole or
/// too large, or `number` is not a number.
pub(crate) fn scaled(number: &str, scale: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    if !digits(whole) || !digits(fraction) {
        return None;
    }
    let mut total = whole.parse::<u64>().ok()?.checked_mul(scale)?;
    let mut place = scale;
    for digit in fraction.bytes().map(|b| u64::from(b - b'0')) {
        if digit != 0 && place < 10 {
            return None;
        }
        place /= 10;
        total = total.checked_add(digit.checked_mul(place)?)?;
    }
    Some(total)
}

/// Exact, in the largest of Mbit/s, kbit/s and bit/s that needs at most three decimals.
impl fmt::Display for Bitrate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let bps = self.0;
        match bps {
            1_000_000.. if bps.is_multiple_of(1_000) => decimal(f, bps / 1_000, "Mbit/s"),
            1_000..1_000_000 => decimal(f, bps, "kbit/s"),
            _ => write!(f, "{bps} bit/s"),
        }
    }
}

fn decimal(f: &mut fmt::Formatter<'_>, thousandths: u64, unit: &str) -> fmt::Result {
    let (whole, rest) = (thousandths / 1_000, thousandths % 1_000);
    if rest == 0 {
        return write!(f, "{whole} {unit}");
    }
    let rest = format!("{rest:03}");
    write!(f, "{whole}.{} {unit}", rest.trim_end_matches('0'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_bitrate_is_read_with_its_unit() {
        for (text, bps) in [
            ("300 kbit/s", 300_000),
            ("1.4 Mbit/s", 1_400_000),
            ("4Mbit/s", 4_000_000),
            ("2500000 bit/s", 2_500_000),
            ("300 kbps", 300_000),
            ("4 Mbps", 4_000_000),
            (" 0.5 Mbit/s ", 500_000),
            ("0 bit/s", 0),
        ] {
            assert_eq!(text.parse::<Bitrate>().map(Bitrate::bps), Ok(bps), "{text}");
        }
    }

    #[test]
    fn a_bitrate_without_a_unit_or_in_bytes_is_refused() {
        for (text, message) in [
            ("4000000", "bitrate `4000000` has no unit"),
            ("4 MB/s", "bitrate `4 MB/s` is in bytes"),
            ("4 Mbits", "unknown unit `Mbits` of a bitrate"),
            ("fast", "`fast` is not a bitrate"),
            ("1.2.3 Mbit/s", "`1.2.3 Mbit/s` is not a bitrate"),
            ("0.5 bit/s", "`0.5 bit/s` is not a bitrate"),
            ("99999999999999999999 Mbit/s", "`99999999999999999999 Mbit/s` is not a bitrate"),
            ("-1 Mbit/s", "`-1 Mbit/s` is not a bitrate"),
            ("", "`` is not a bitrate"),
        ] {
            assert_eq!(text.parse::<Bitrate>().unwrap_err().message(), message);
        }
    }

    #[test]
    fn a_bitrate_is_shown_in_the_fitting_unit() {
        for (bps, text) in [
            (0, "0 bit/s"),
            (999, "999 bit/s"),
            (300_000, "300 kbit/s"),
            (1_400_000, "1.4 Mbit/s"),
            (1_234_567, "1234567 bit/s"),
            (1_234, "1.234 kbit/s"),
        ] {
            assert_eq!(Bitrate::from_bps(bps).to_string(), text);
        }
    }

    proptest! {
        #[test]
        fn a_displayed_bitrate_is_parsed_back(bps in any::<u64>(), small in 0u64..200_000_000) {
            for bps in [bps, small, small / 1_000 * 1_000] {
                prop_assert_eq!(Bitrate(bps).to_string().parse::<Bitrate>(), Ok(Bitrate(bps)));
            }
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = text.parse::<Bitrate>();
        }
    }
}
