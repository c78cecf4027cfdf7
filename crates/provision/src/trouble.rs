//! What went wrong, and what its owner can do about it: the words of a receipt.

use std::fmt;

/// One thing that went wrong. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// What is wrong; one line or more, lower case.
    pub text: String,
    /// What to do about it.
    pub mend: Option<String>,
}

impl Trouble {
    /// Trouble nobody knows a mend of.
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), mend: None }
    }

    /// With words what to do.
    #[must_use]
    pub fn mend(self, mend: impl Into<String>) -> Self {
        Self { mend: Some(mend.into()), ..self }
    }
}

impl fmt::Display for Trouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)?;
        self.mend.as_ref().map_or(Ok(()), |mend| write!(f, "; {mend}"))
    }
}

impl std::error::Error for Trouble {}
