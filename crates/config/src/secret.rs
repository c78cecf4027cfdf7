//! Values that must never be printed.

use std::fmt;

/// A value that `Debug` and `Display` print as `***`.
///
/// It has no `Serialize`: a secret leaves the process only where [`Secret::expose`] is called.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value itself. Do not log it.
    pub fn expose(&self) -> &T {
        &self.0
    }
}

impl<T> From<T> for Secret<T> {
    fn from(value: T) -> Self {
        Self(value)
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl<T> fmt::Display for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Opens values written as `{ sealed = "..." }`, with the key that only this box holds.
pub trait Unseal {
    /// The plain text of a sealed value.
    ///
    /// # Errors
    /// The reason why the value cannot be opened, in plain words. It is shown to the user and must not contain a secret.
    fn unseal(&self, sealed: &str) -> Result<String, String>;
}

/// How a reader treats a sealed value.
#[derive(Clone, Copy, Default)]
pub(crate) enum Seals<'a> {
    /// The value is needed but there is no key: an error at its place.
    #[default]
    Refuse,
    /// There is no key, but only the form is checked: the value is assumed to be valid.
    Trust,
    /// This box's key.
    Open(&'a dyn Unseal),
}
