//! A problem, and what the owner can do about it: the texts of a receipt.

use std::fmt;

/// One thing that went wrong. Never holds a secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProvisionProblem {
    /// The problem; one line or more, lower case.
    pub message: String,
    /// How to fix it.
    pub hint: Option<String>,
}

impl ProvisionProblem {
    /// A problem without a hint.
    pub fn new(message: impl Into<String>) -> Self {
        Self { message: message.into(), hint: None }
    }

    /// The same with a text on how to fix it.
    #[must_use]
    pub fn with_hint(self, hint: impl Into<String>) -> Self {
        Self { hint: Some(hint.into()), ..self }
    }
}

impl fmt::Display for ProvisionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)?;
        self.hint.as_ref().map_or(Ok(()), |hint| write!(f, "; {hint}"))
    }
}

impl std::error::Error for ProvisionProblem {}
