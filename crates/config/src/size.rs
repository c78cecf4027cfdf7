//! Picture sizes.

use std::fmt;
use std::str::FromStr;

use crate::parse_error::{ParseError, quote};

/// A picture size in pixels; width and height are even, 16 to 7680.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Size {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
}

/// Accepts `1280x720`.
impl FromStr for Size {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let side = |s: &str| s.bytes().all(|b| b.is_ascii_digit()).then(|| s.parse::<u32>().ok()).flatten();
        let (width, height) = text
            .split_once(['x', '×'])
            .and_then(|(w, h)| Some((side(w.trim())?, side(h.trim())?)))
            .ok_or_else(|| {
                ParseError::new(format!("{} is not a picture size", quote(text)))
                    .with_hint("write width x height in pixels, such as \"1280x720\"")
            })?;
        for (name, value) in [("width", width), ("height", height)] {
            if !(16..=7680).contains(&value) {
                return Err(ParseError::new(format!("{name} {value} is out of range"))
                    .with_hint("width and height are 16 to 7680 pixels"));
            }
            if value % 2 != 0 {
                return Err(ParseError::new(format!("{name} {value} is odd")).with_hint(format!(
                    "an encoder needs even numbers: {} or {}",
                    value - 1,
                    value + 1
                )));
            }
        }
        Ok(Self { width, height })
    }
}

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}", self.width, self.height)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_size_that_no_encoder_accepts_is_refused() {
        for (text, message) in [
            ("1280", "`1280` is not a picture size"),
            ("1280x", "`1280x` is not a picture size"),
            ("+1280x720", "`+1280x720` is not a picture size"),
            ("1281x720", "width 1281 is odd"),
            ("1280x8", "height 8 is out of range"),
            ("99999999999x720", "`99999999999x720` is not a picture size"),
        ] {
            assert_eq!(text.parse::<Size>().unwrap_err().message(), message);
        }
    }

    proptest! {
        #[test]
        fn a_displayed_size_is_parsed_back(w in 8u32..=3840, h in 8u32..=3840) {
            let size = Size { width: 2 * w, height: 2 * h };
            prop_assert_eq!(size.to_string().parse::<Size>(), Ok(size));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = text.parse::<Size>();
        }
    }
}
