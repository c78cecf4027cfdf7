//! A time window in the day.

use std::fmt;
use std::str::FromStr;

use crate::parse_error::{ParseError, quote};

/// A daily span of local time, such as `02:00-04:00`. It may cross midnight; it is never empty.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    /// First minute of the day inside the window, 0 to 1439.
    pub start: u16,
    /// First minute of the day after the window, 0 to 1439; never equal to `start`.
    pub end: u16,
}

impl Window {
    /// Whether a minute of the day (0 to 1439) is inside.
    pub fn contains(&self, minute: u16) -> bool {
        if self.start < self.end {
            (self.start..self.end).contains(&minute)
        } else {
            minute >= self.start || minute < self.end
        }
    }
}

/// Accepts `02:00-04:00` and `22:30-01:00`.
impl FromStr for Window {
    type Err = ParseError;

    fn from_str(text: &str) -> Result<Self, ParseError> {
        let wrong = || {
            ParseError::new(format!("{} is not a window of the day", quote(text)))
                .with_hint("write start and end in 24 hours, such as \"02:00-04:00\"")
        };
        let (start, end) = text.split_once('-').ok_or_else(wrong)?;
        let start = minute(start.trim()).ok_or_else(wrong)?;
        let end = minute(end.trim()).ok_or_else(wrong)?;
        if start == end {
            return Err(ParseError::new(format!("the window {} is empty", quote(text)))
                .with_hint("leave `window` out to allow any time"));
        }
        Ok(Self { start, end })
    }
}

fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let part = |s: &str, limit: u16| {
        let plain = (1..=2).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_digit());
        plain.then(|| s.parse::<u16>().ok()).flatten().filter(|n| *n < limit)
    };
    (minute.len() == 2).then_some(())?;
    Some(part(hour, 24)? * 60 + part(minute, 60)?)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (s, e) = (self.start, self.end);
        write!(f, "{:02}:{:02}-{:02}:{:02}", s / 60, s % 60, e / 60, e % 60)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_window_may_cross_midnight() {
        let window: Window = "22:30-01:00".parse().unwrap();
        assert_eq!(window, Window { start: 1350, end: 60 });
        assert!(window.contains(1400) && window.contains(0) && !window.contains(60) && !window.contains(600));
        let window: Window = "2:00-04:00".parse().unwrap();
        assert!(window.contains(120) && window.contains(239) && !window.contains(240));
    }

    #[test]
    fn a_window_of_another_form_is_refused() {
        for text in
            ["", "02:00", "02:00-24:00", "02-04", "2am-4am", "02:60-03:00", "02:0-03:00", "02:00-02:00"]
        {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn a_displayed_window_is_parsed_back(start in 0u16..1440, step in 1u16..1440) {
            let window = Window { start, end: (start + step) % 1440 };
            prop_assert_eq!(window.to_string().parse::<Window>(), Ok(window));
            prop_assert!(window.contains(start) && !window.contains(window.end));
        }

        #[test]
        fn no_text_makes_it_panic(text in "\\PC*") {
            let _ = text.parse::<Window>();
        }
    }
}
