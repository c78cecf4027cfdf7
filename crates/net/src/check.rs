//! One line of a check: the item, and whether it is as it should be.

/// One line of `robocast net check`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Whether it is as it should be.
    pub ok: bool,
    /// The finding, for people.
    pub text: String,
}

impl Check {
    /// A line.
    pub fn new(ok: bool, text: impl Into<String>) -> Self {
        Self { ok, text: text.into() }
    }

    /// A line about something that is not as it should be.
    pub fn failed(text: impl Into<String>) -> Self {
        Self::new(false, text)
    }
}

/// Whether every line is ok.
#[must_use]
pub fn all_ok(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.ok)
}
